//! SEV-SNP: a report with the certificates of the key that signed it.

use crate::certificates::{CertificateError, Pool};
use armature_primitives::evidence::PlatformEvidence;
use armature_verifier::evidence::hardware::snp::{
	endorsement::Endorsement, KeyKind, Product, Report, Tcb,
};
use std::path::Path;

#[cfg(test)]
mod tests;

/// AMD's key server (AMD 57230).
const KEY_SERVER: &str = "https://kdsintf.amd.com";

/// Signing keys by their number in a report.
const VCEK: u32 = 0;
const VLEK: u32 = 1;

/// Why a report is no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnpError {
	/// It is not a report, or of a version that is not known.
	#[error("the firmware's report cannot be read: {0}")]
	Report(armature_verifier::evidence::hardware::Fault),
	/// It is about something else than what was asked.
	#[error("the report does not contain what it was asked to contain")]
	OtherData,
	/// The host has switched signing off.
	#[error("the report is not signed: the host has masked the chip's key")]
	Unsigned,
	/// The host withholds the chip's id.
	#[error("the report withholds the chip's id, so that it names no box")]
	ChipHidden,
	/// The certificate of the signing key is not there.
	#[error("the certificate of the key that signed the report is missing ({key})")]
	LeafMissing {
		/// VCEK or VLEK.
		key: &'static str,
		/// How to get it.
		how: String,
	},
	/// The certificates above it are not there.
	#[error("the certificates that issue the {key} are missing ({missing})")]
	IssuersMissing {
		/// VCEK or VLEK.
		key: &'static str,
		/// Which ones.
		missing: &'static str,
		/// How to get them.
		how: String,
	},
	/// Certificates that cannot be used.
	#[error(transparent)]
	Certificates(#[from] CertificateError),
}

impl SnpError {
	/// What a person can do about it.
	pub fn what_to_do(&self) -> String {
		match self {
			SnpError::Report(_) => {
				"update armature: this firmware is newer than it, or the kernel's driver is broken"
					.into()
			},
			SnpError::OtherData => {
				"run it again; if it stays, the kernel's driver is broken".into()
			},
			SnpError::Unsigned => {
				"on the host, clear MASK_CHIP_KEY (snphost config) and start the guest again".into()
			},
			SnpError::ChipHidden => {
				"on the host, clear MASK_CHIP_ID (snphost config) and start the guest again".into()
			},
			SnpError::LeafMissing { how, .. } | SnpError::IssuersMissing { how, .. } => how.clone(),
			SnpError::Certificates(error) => error.what_to_do().into(),
		}
	}
}

/// Makes evidence of a report over `report_data`: the certificates are taken from the host's
/// `table`, and from the files in `directory`.
///
/// # Errors
///
/// See [`SnpError`].
pub fn evidence(
	bytes: &[u8],
	report_data: &[u8; 64],
	table: &[u8],
	directory: Option<&Path>,
) -> Result<PlatformEvidence, SnpError> {
	let report = Report::parse(bytes).map_err(SnpError::Report)?;
	if report.report_data != *report_data {
		return Err(SnpError::OtherData);
	}
	let key = match report.signing_key() {
		VCEK => KeyKind::Vcek,
		VLEK => KeyKind::Vlek,
		_ => return Err(SnpError::Unsigned),
	};
	if key == KeyKind::Vcek && report.hides_chip() {
		return Err(SnpError::ChipHidden);
	}
	let mut pool = Pool::from_table(table)?;
	if let Some(directory) = directory {
		pool.extend(Pool::from_directory(directory)?)?;
	}
	let help = Help { report: &report, key, directory };
	let mut chain = pool
		.chain(|certificate| {
			Endorsement::read(certificate).is_ok_and(|leaf| is_signer(&leaf, key, &report))
		})
		.unwrap_or_default()
		.into_iter();
	let leaf = chain
		.next()
		.ok_or_else(|| SnpError::LeafMissing { key: help.key(), how: help.leaf() })?;
	let issuers: Vec<Vec<u8>> = chain.collect();
	let missing = match issuers.len() {
		0 => Some("the intermediate and the root"),
		1 => Some("the root"),
		_ => None,
	};
	if let Some(missing) = missing {
		return Err(SnpError::IssuersMissing { key: help.key(), missing, how: help.issuers() });
	}
	let too_large = || CertificateError::Table("its chain is longer than AMD's");
	let bounded = issuers.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>, _>>();
	Ok(PlatformEvidence::SevSnp {
		report: bytes.to_vec().try_into().map_err(|_| SnpError::OtherData)?,
		leaf: leaf.try_into().map_err(|_| too_large())?,
		issuers: bounded.map_err(|_| too_large())?.try_into().map_err(|_| too_large())?,
	})
}

/// Whether the certificate is that of the key that signed the report: the chip and the firmware
/// that the key was derived from.
fn is_signer(leaf: &Endorsement<'_>, key: KeyKind, report: &Report) -> bool {
	let firmware = Tcb::read(report.reported_tcb, leaf.product);
	let chip = leaf
		.hardware_id
		.as_ref()
		.is_ok_and(|id| report.chip_id.get(..id.len()).is_some_and(|chip| chip == *id));
	leaf.kind == key && leaf.tcb == Ok(firmware) && (key == KeyKind::Vlek || chip)
}

/// How to get what is missing.
struct Help<'a> {
	report: &'a Report,
	key: KeyKind,
	directory: Option<&'a Path>,
}

impl Help<'_> {
	fn key(&self) -> &'static str {
		match self.key {
			KeyKind::Vcek => "VCEK",
			KeyKind::Vlek => "VLEK",
		}
	}

	fn product(&self) -> Option<Product> {
		self.report.cpuid.and_then(|cpu| Product::of_cpu(cpu.family, cpu.model))
	}

	/// The product in the addresses of the key server.
	fn product_name(&self) -> &'static str {
		self.product().map_or("PRODUCT", Product::name)
	}

	fn place(&self) -> String {
		self.directory
			.map_or_else(|| "DIRECTORY".into(), |directory| directory.display().to_string())
	}

	/// What follows each command.
	fn after(&self) -> String {
		let mut text = String::new();
		if self.product().is_none() {
			text.push_str("; PRODUCT is Milan (EPYC 7003) or Genoa (8004, 9004)");
		}
		if self.directory.is_none() {
			text.push_str("; then name DIRECTORY as the directory of certificates");
		}
		text
	}

	fn leaf(&self) -> String {
		if self.key == KeyKind::Vlek {
			return "the VLEK is the cloud's: have it put into the host's certificate table. It names \
			        no box, so that it gives no tier above T0"
				.into();
		}
		// Reports that do not name their processor are of firmware older than Turin.
		let product = self.product().unwrap_or(Product::Milan);
		let chip = self.report.chip_id.get(..product.chip_id_len()).unwrap_or_default();
		let tcb = Tcb::read(self.report.reported_tcb, product);
		let fmc = match product {
			Product::Turin => format!("fmcSPL={}&", tcb.fmc),
			Product::Milan | Product::Genoa => String::new(),
		};
		format!(
			"the host gives none, or not the one for its firmware. Fetch it: curl -sSf -o {}/vcek.der \
			 '{KEY_SERVER}/vcek/v1/{}/{}?{fmc}blSPL={}&teeSPL={}&snpSPL={}&ucodeSPL={}'{}",
			self.place(),
			self.product_name(),
			hex::encode(chip),
			tcb.bootloader,
			tcb.tee,
			tcb.snp,
			tcb.microcode,
			self.after(),
		)
	}

	fn issuers(&self) -> String {
		let path = match self.key {
			KeyKind::Vcek => "vcek",
			KeyKind::Vlek => "vlek",
		};
		format!(
			"fetch them: curl -sSf -o {}/{path}-chain.pem '{KEY_SERVER}/{path}/v1/{}/cert_chain'{}",
			self.place(),
			self.product_name(),
			self.after(),
		)
	}
}
