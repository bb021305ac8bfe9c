//! Evidence of our own making, by name (`samples.pem`).

#![allow(clippy::unwrap_used, reason = "what is not there must fail loudly")]

use super::encoding::pem;

const SAMPLES: &str = include_str!("samples.pem");

/// Its PEM block.
pub(super) fn armoured(name: &str) -> &'static str {
	let (_, found) = SAMPLES.split_once(&format!("\n{name}\n")).unwrap();
	let (block, _) = found.split_once("\n\n").unwrap_or((found, ""));
	block
}

/// Its bytes.
pub(super) fn sample(name: &str) -> Vec<u8> {
	pem(armoured(name)).unwrap().unwrap().remove(0).bytes
}

/// A SEV-SNP report of a chip whose id has this byte, version 3, without a signature.
pub(super) fn snp_report(chip: u8, signing_key: u8) -> Vec<u8> {
	let mut report = vec![0; 0x4a0];
	report[0] = 3;
	report[0x34] = 1;
	report[0x48] = signing_key << 2;
	report[0x188..0x18b].copy_from_slice(&[0x19, 1, 1]);
	report[0x1a0..0x1e0].fill(chip);
	report
}

/// The beginning of a TDX quote.
pub(super) fn quote() -> Vec<u8> {
	let mut quote = vec![0; 1_000];
	quote[..8].copy_from_slice(&[4, 0, 2, 0, 0x81, 0, 0, 0]);
	quote
}

/// The beginning of `TPMS_ATTEST`.
pub(super) fn attest() -> Vec<u8> {
	[b"\xffTCG\x80\x18".as_slice(), &[0; 100]].concat()
}

/// `TPMT_SIGNATURE` of ECDSA with SHA-256.
pub(super) fn signature() -> Vec<u8> {
	let half = [[0, 32].as_slice(), &[7; 32]].concat();
	[[0, 0x18, 0, 0x0b].as_slice(), &half, &half].concat()
}

/// The beginning of Azure's report.
pub(super) fn hcl_report() -> Vec<u8> {
	let mut report = b"HCLA".to_vec();
	report.resize(32, 0);
	report.extend(snp_report(1, 0));
	report
}

/// The beginning of a Nitro document.
pub(super) fn document() -> Vec<u8> {
	[[0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0].as_slice(), &[0; 40]].concat()
}
