//! Evidence of Azure VMs of our own making.

use super::{
	super::{azure::AzureEvidence, crypto::sha256},
	base64,
	snp::{offset, Made},
	tpm::{signature, QuoteSpec},
	Key, URL_SAFE,
};
use alloc::{format, string::String, vec::Vec};

/// Runtime claims with this attestation key.
pub(in super::super) fn runtime(key: &Key) -> String {
	let n = base64(&key.modulus(), URL_SAFE, false);
	format!(
		r#"{{"keys":[{{"kid":"HCLEkPub","kty":"EC","crv":"P-256"}},{{"kid":"HCLAkPub","kty":"RSA","e":"AQAB","n":"{n}"}}],"vm-configuration":{{"console-enabled":true,"secure-boot":true,"vmUniqueId":"00112233-4455-6677-8899-AABBCCDDEEFF","new":[1]}},"user-data":"00ff"}}"#
	)
}

/// An HCL report around an SNP report and runtime claims, with zeros up to 2,600 bytes.
pub(in super::super) fn hcl(report: &[u8], runtime: &str) -> Vec<u8> {
	let len = u32::try_from(runtime.len()).unwrap();
	let mut out = b"HCLA".to_vec();
	for field in [2, 32 + 1_184 + 20 + len, 2, 0, 0, 0, 0] {
		out.extend(field.to_le_bytes());
	}
	out.extend(report);
	for field in [20 + len, 1, 2, 1, len] {
		out.extend(field.to_le_bytes());
	}
	out.extend(runtime.as_bytes());
	out.resize(out.len().max(2_600), 0);
	out
}

/// Evidence around an SNP report whose report data are those of the runtime claims.
pub(in super::super) fn made_with(snp: Made, runtime: &str) -> AzureEvidence {
	around(snp.put(offset::REPORT_DATA, &launch_data(runtime)), runtime)
}

/// What the firmware puts into the report data.
pub(in super::super) fn launch_data(runtime: &str) -> Vec<u8> {
	[&sha256(runtime.as_bytes())[..], &[0; 32]].concat()
}

/// Evidence around an SNP report as it is.
pub(in super::super) fn around(snp: Made, runtime: &str) -> AzureEvidence {
	let snp = snp.evidence();
	assembled(&snp.report, snp.leaf, snp.issuers, runtime, b"nonce")
}

/// Evidence of these parts, whose quote answers this nonce.
pub(in super::super) fn assembled(
	report: &[u8],
	vcek: Vec<u8>,
	issuers: Vec<Vec<u8>>,
	runtime: &str,
	nonce: &[u8],
) -> AzureEvidence {
	let quote = QuoteSpec { firmware: 0x2020_0312_0012_0003, ..QuoteSpec::new(nonce) };
	let attest = quote.attest();
	AzureEvidence {
		hcl_report: hcl(report, runtime),
		vcek,
		issuers,
		signature: signature(&Key::rsa2048(), &attest)[6..].to_vec(),
		attest,
		pcrs: quote.pcrs,
	}
}

pub(in super::super) fn made() -> AzureEvidence {
	made_with(Made::milan(), &runtime(&Key::rsa2048()))
}
