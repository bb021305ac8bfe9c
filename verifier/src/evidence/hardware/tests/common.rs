//! Where the real evidence is, and the ways to damage it.

use super::super::{Check, Checks, Claims, Failure, Fault};
use std::{
	fs,
	path::{Path, PathBuf},
	println,
	string::String,
	vec::Vec,
};

/// The folder of real evidence, or `None` where there is none.
pub(super) fn vectors() -> Option<PathBuf> {
	let path = std::env::var_os("ARMATURE_VECTORS").map_or_else(
		|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
		PathBuf::from,
	);
	if path.is_dir() {
		Some(path)
	} else {
		println!("skipped: no vectors at {}", path.display());
		None
	}
}

/// The bytes of a file of the vectors, which must be there when the folder is.
pub(super) fn read(vectors: &Path, name: &str) -> Vec<u8> {
	let path = vectors.join(name);
	fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of a file of the vectors.
pub(super) fn read_text(vectors: &Path, name: &str) -> String {
	String::from_utf8(read(vectors, name)).unwrap()
}

/// The certificates of a PEM text, in order, as DER.
pub(super) fn pem(text: &str) -> Vec<Vec<u8>> {
	use base64::Engine;
	text.split("-----BEGIN CERTIFICATE-----")
		.skip(1)
		.map(|part| {
			let body = part.split("-----END").next().unwrap();
			let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
			base64::engine::general_purpose::STANDARD.decode(body).unwrap()
		})
		.collect()
}

/// An RFC 3339 instant in UTC and whole seconds, in milliseconds since 1970.
pub(super) fn at(text: &str) -> u64 {
	let moment: x509_cert::der::DateTime = text.parse().unwrap();
	u64::try_from(moment.unix_duration().as_millis()).unwrap()
}

/// The failures of a verification that noted all of them. A failure that ended it is among them.
pub(super) fn failures(
	verify: impl FnOnce(&mut Checks) -> Result<Claims, Failure>,
) -> Vec<Failure> {
	let mut checks = Checks::note_all();
	let result = verify(&mut checks);
	if let Err(failure) = result {
		assert!(checks.failed().contains(&failure), "{failure} is not noted");
	}
	checks.failed().to_vec()
}

/// The first failure of a verification, which must be there.
pub(super) fn refusal(verify: impl FnOnce(&mut Checks) -> Result<Claims, Failure>) -> Failure {
	verify(&mut Checks::stop_at_first()).expect_err("should be refused")
}

/// Shorthand.
pub(super) fn failure(check: Check, fault: Fault) -> Failure {
	Failure::new(check, fault)
}
