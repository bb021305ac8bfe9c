//! Certificates that a host hands to its guest, or that lie in files, and the chains in them.

use crate::files;
use armature_verifier::evidence::hardware::{
	dcap::pem,
	x509::{Certificate, MAX_CERTIFICATE_LEN, MAX_CHAIN_LEN},
};
use std::{
	io,
	path::{Path, PathBuf},
};

#[cfg(test)]
mod tests;

/// Most entries of a host's table that are read. AMD defines six kinds.
pub const MAX_ENTRIES: usize = 32;

/// Most certificates that are held at a time.
pub const MAX_CERTIFICATES: usize = 64;

/// Most files of a directory that are looked at.
const MAX_FILES: usize = 256;

/// The largest file that is read.
const MAX_FILE_LEN: usize = pem::MAX_PEM_LEN;

/// Endings of files that hold certificates. Others are left alone.
const ENDINGS: [&str; 4] = ["der", "cer", "crt", "pem"];

/// Length of an entry of the table: a GUID, an offset, a length.
const ENTRY_LEN: usize = 24;

/// Kinds of certificates in the table (AMD 56421, GHCB specification 2.03, table "SNP Certificate
/// GUIDs"); their bytes stand in the order of the text. Others, such as revocation lists, are left
/// alone.
const GUIDS: [(&str, [u8; 16]); 4] = [
	("VCEK", guid(0x63da_758d_e664_4564_adc5_f4b9_3be8_accd)),
	("VLEK", guid(0xa807_4bc2_a25a_483e_aae6_39c0_45a0_b8a1)),
	("ASK", guid(0x4ab7_b379_bbac_4fe4_a02f_05ae_f327_c782)),
	("ARK", guid(0xc0b4_06a4_a803_4952_9743_3fb6_014c_d0ae)),
];

const fn guid(number: u128) -> [u8; 16] {
	number.to_be_bytes()
}

/// What is wrong with certificates that were given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
	/// The host's table is not one.
	#[error("the certificate table of the host is malformed: {0}")]
	Table(&'static str),
	/// An entry of the table is no certificate.
	#[error("the {0} in the certificate table of the host is no certificate")]
	Entry(&'static str),
	/// A directory that cannot be read.
	#[error("reading the certificates in {}", path.display())]
	Directory {
		/// The directory.
		path: PathBuf,
		/// What the system said.
		#[source]
		error: io::Error,
	},
	/// A file that cannot be read.
	#[error("reading {}", path.display())]
	File {
		/// The file.
		path: PathBuf,
		/// What the system said.
		#[source]
		error: io::Error,
	},
	/// A file that holds something else.
	#[error("{} holds no certificate, neither in PEM nor in DER", .0.display())]
	NoCertificate(PathBuf),
	/// More certificates than any chain needs.
	#[error("there are more than {MAX_CERTIFICATES} certificates")]
	TooMany,
}

impl CertificateError {
	/// What a person can do about it.
	pub fn what_to_do(&self) -> &'static str {
		match self {
			CertificateError::Table(_) | CertificateError::Entry(_) => {
				"have the host load its certificates anew (snphost import, then start the guest again)"
			},
			CertificateError::Directory { .. } | CertificateError::File { .. } => {
				"make the directory and its files readable, or name another directory"
			},
			CertificateError::NoCertificate(_) => {
				"fetch the file again: what a server answers to a wrong question is often a web page"
			},
			CertificateError::TooMany => "keep only this machine's certificates in the directory",
		}
	}
}

/// Certificates in DER, in no order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pool(Vec<Vec<u8>>);

impl Pool {
	/// Reads the table that a host gives beside an SEV-SNP report (`auxblob`). An empty one is
	/// legal.
	///
	/// # Errors
	///
	/// [`CertificateError::Table`], [`CertificateError::Entry`].
	pub fn from_table(table: &[u8]) -> Result<Self, CertificateError> {
		let mut pool = Self::default();
		// Hosts without certificates give nothing, or a page of zeros.
		if table.is_empty() {
			return Ok(pool);
		}
		for number in 0..=MAX_ENTRIES {
			let entry = number
				.checked_mul(ENTRY_LEN)
				.and_then(|at| table.get(at..)?.first_chunk::<ENTRY_LEN>())
				.ok_or(CertificateError::Table("it has no end"))?;
			if entry.iter().all(|byte| *byte == 0) {
				return Ok(pool);
			}
			let [kind @ .., o0, o1, o2, o3, l0, l1, l2, l3] = entry;
			let Some((name, _)) = GUIDS.iter().find(|(_, guid)| guid == kind) else { continue };
			let der = slice(table, [*o0, *o1, *o2, *o3], [*l0, *l1, *l2, *l3])
				.ok_or(CertificateError::Table("an entry lies outside of it"))?;
			Certificate::parse(der).map_err(|_| CertificateError::Entry(name))?;
			pool.add(der.to_vec())?;
		}
		Err(CertificateError::Table("it has too many entries"))
	}

	/// Reads the files of a directory that end in `.der`, `.cer`, `.crt` or `.pem`, in PEM or DER.
	///
	/// # Errors
	///
	/// [`CertificateError::Directory`], [`CertificateError::File`],
	/// [`CertificateError::NoCertificate`], [`CertificateError::TooMany`].
	pub fn from_directory(directory: &Path) -> Result<Self, CertificateError> {
		if let Err(error) = std::fs::read_dir(directory) {
			return Err(CertificateError::Directory { path: directory.to_owned(), error });
		}
		let mut pool = Self::default();
		for path in files::entries(directory, MAX_FILES) {
			let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
			if !path.is_file() || !ENDINGS.contains(&ending) {
				continue;
			}
			let bytes = files::whole(&path, MAX_FILE_LEN)
				.map_err(|error| CertificateError::File { path: path.clone(), error })?;
			let found = match Certificate::parse(&bytes) {
				Ok(_) => vec![bytes],
				Err(_) => pem::certificates(&bytes).unwrap_or_default(),
			};
			if found.is_empty() || found.iter().any(|der| Certificate::parse(der).is_err()) {
				return Err(CertificateError::NoCertificate(path));
			}
			found.into_iter().try_for_each(|der| pool.add(der))?;
		}
		Ok(pool)
	}

	/// Adds the certificates of another pool.
	///
	/// # Errors
	///
	/// [`CertificateError::TooMany`].
	pub fn extend(&mut self, other: Self) -> Result<(), CertificateError> {
		other.0.into_iter().try_for_each(|der| self.add(der))
	}

	/// Whether there is none.
	pub fn is_empty(&self) -> bool {
		self.0.is_empty()
	}

	fn add(&mut self, der: Vec<u8>) -> Result<(), CertificateError> {
		if self.0.contains(&der) {
			return Ok(());
		}
		if self.0.len() >= MAX_CERTIFICATES {
			return Err(CertificateError::TooMany);
		}
		self.0.push(der);
		Ok(())
	}

	/// The first certificate that is wanted, followed by its issuers, root last: names decide, the
	/// signatures are the verifier's. It may lack its end. `None` if no certificate is wanted.
	pub fn chain(&self, wanted: impl Fn(&Certificate<'_>) -> bool) -> Option<Vec<Vec<u8>>> {
		let parsed: Vec<Certificate<'_>> =
			self.0.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
		let mut last = parsed.iter().find(|certificate| wanted(certificate))?;
		let mut chain = vec![last.der.to_vec()];
		while chain.len() < MAX_CHAIN_LEN && !last.names_issuer(last) {
			let Some(issuer) = parsed.iter().find(|issuer| last.names_issuer(issuer)) else {
				break;
			};
			chain.push(issuer.der.to_vec());
			last = issuer;
		}
		Some(chain)
	}
}

/// A part of the table, if it is inside and no larger than a certificate may be.
fn slice(table: &[u8], offset: [u8; 4], len: [u8; 4]) -> Option<&[u8]> {
	let offset = usize::try_from(u32::from_le_bytes(offset)).ok()?;
	let len = usize::try_from(u32::from_le_bytes(len)).ok()?;
	let part = table.get(offset..offset.checked_add(len)?)?;
	(!part.is_empty() && part.len() <= MAX_CERTIFICATE_LEN).then_some(part)
}
