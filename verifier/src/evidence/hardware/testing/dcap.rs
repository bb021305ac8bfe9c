//! Quotes and collateral under a root of our own.

use super::{
	super::{
		crypto::{sha256, Hash},
		dcap::{Collateral, DcapEvidence},
		policy::{Digest256, Policy},
	},
	base64, crl, hex, integer, octets, oid, sequence, tlv, CertSpec, Key, NOW, STANDARD,
};
use alloc::{format, string::String, vec, vec::Vec};

pub(in super::super) const DAY: u64 = 86_400_000;
pub(in super::super) const PPID: [u8; 16] = [0xa5; 16];
pub(in super::super) const COMPONENTS: [u8; 16] = [7, 7, 2, 2, 3, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
pub(in super::super) const PCK_EXTENSION: &str = "1.2.840.113741.1.13.1";
pub(in super::super) const ROOT: &str = "Intel SGX Root CA";
pub(in super::super) const CA: &str = "Intel SGX PCK Platform CA";
pub(in super::super) const VENDOR: [u8; 16] = [
	0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

/// What quote and body are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Kind {
	Sgx,
	Td10,
	Td15,
}

/// Everything that goes into a piece of evidence; signed when [`Maker::build`] is called.
#[derive(Clone)]
pub(in super::super) struct Maker {
	pub(in super::super) version: u16,
	pub(in super::super) kind: Kind,
	pub(in super::super) key_type: u16,
	pub(in super::super) vendor: [u8; 16],
	pub(in super::super) body: Vec<u8>,
	pub(in super::super) qe_report: Vec<u8>,
	pub(in super::super) auth_data: Vec<u8>,
	/// The key that the quoting enclave names, and the one that signs.
	pub(in super::super) attestation_key: Key,
	pub(in super::super) quote_signer: Key,
	/// The key that the leaf certifies, and the one that signs.
	pub(in super::super) pck_key: Key,
	pub(in super::super) qe_signer: Key,
	pub(in super::super) extension: Option<Vec<u8>>,
	pub(in super::super) leaf: CertSpec,
	pub(in super::super) ca: CertSpec,
	pub(in super::super) root: CertSpec,
	pub(in super::super) tcb_signer: CertSpec,
	/// The key that the TCB signing certificate certifies, and the one that signs.
	pub(in super::super) tcb_key: Key,
	pub(in super::super) document_signer: Key,
	pub(in super::super) pck_crl: Vec<u8>,
	pub(in super::super) root_crl: Vec<u8>,
	pub(in super::super) tcb_info: String,
	pub(in super::super) qe_identity: String,
	pub(in super::super) padding: Vec<u8>,
}

pub(in super::super) fn root_key() -> Key {
	Key::p256(1)
}

pub(in super::super) fn ca_key() -> Key {
	Key::p256(2)
}

impl Maker {
	/// Evidence that holds at [`NOW`].
	pub(in super::super) fn new(version: u16, kind: Kind) -> Self {
		let mut qe_report = enclave(0x11, 0xdc, if kind == Kind::Sgx { 1 } else { 2 }, 4);
		qe_report[352..].fill(0);
		let spec = |subject, issuer, serial| CertSpec {
			serial: vec![serial],
			..CertSpec::new(subject, issuer)
		};
		Self {
			version,
			kind,
			key_type: 2,
			vendor: VENDOR,
			body: if kind == Kind::Sgx { enclave(0x05, 0x77, 1, 2) } else { domain(kind) },
			qe_report,
			auth_data: (0..32).collect(),
			attestation_key: Key::p256(5),
			quote_signer: Key::p256(5),
			pck_key: Key::p256(3),
			qe_signer: Key::p256(3),
			extension: Some(extension(&PPID, &COMPONENTS, 13, &[])),
			leaf: spec("Intel SGX PCK Certificate", CA, 0x11),
			ca: spec(CA, ROOT, 0x22).authority(),
			root: spec(ROOT, ROOT, 0x33).authority(),
			tcb_signer: spec("Intel SGX TCB Signing", ROOT, 0x44),
			tcb_key: Key::p256(4),
			document_signer: Key::p256(4),
			pck_crl: crl(CA, &ca_key(), NOW - DAY, NOW + 29 * DAY, &[&[0x55]]),
			root_crl: crl(ROOT, &root_key(), NOW - DAY, NOW + 300 * DAY, &[]),
			tcb_info: tcb_info(kind != Kind::Sgx),
			qe_identity: qe_identity(kind != Kind::Sgx),
			padding: Vec::new(),
		}
	}

	/// The policy that trusts the root.
	pub(in super::super) fn policy(&self) -> Policy {
		let mut policy = Policy::default();
		policy.roots.intel = vec![Digest256(sha256(&self.root_der()))];
		policy
	}

	pub(in super::super) fn root_der(&self) -> Vec<u8> {
		self.root.sign(&root_key(), &root_key())
	}

	pub(in super::super) fn ca_der(&self) -> Vec<u8> {
		self.ca.sign(&ca_key(), &root_key())
	}

	pub(in super::super) fn leaf_der(&self) -> Vec<u8> {
		let mut leaf = self.leaf.clone();
		if let Some(value) = &self.extension {
			leaf = leaf.with(PCK_EXTENSION, value.clone());
		}
		leaf.sign(&self.pck_key, &ca_key())
	}

	fn header(&self) -> Vec<u8> {
		let mut out = self.version.to_le_bytes().to_vec();
		out.extend(self.key_type.to_le_bytes());
		out.extend(if self.kind == Kind::Sgx { 0u32 } else { 0x81 }.to_le_bytes());
		out.extend([0; 4]);
		out.extend(self.vendor);
		out.extend([0x3c; 20]);
		out
	}

	pub(in super::super) fn quote(&self) -> Vec<u8> {
		let mut out = self.header();
		if self.version == 5 {
			let kind: u16 = match self.kind {
				Kind::Sgx => 1,
				Kind::Td10 => 2,
				Kind::Td15 => 3,
			};
			out.extend(kind.to_le_bytes());
			out.extend(u32::try_from(self.body.len()).unwrap().to_le_bytes());
		}
		out.extend(&self.body);
		let mut data = self.quote_signer.sign_fixed(Hash::Sha256, &out);
		let key = self.attestation_key.point()[1..].to_vec();
		let mut report = self.qe_report.clone();
		report[320..352].copy_from_slice(&sha256(&[key.as_slice(), &self.auth_data].concat()));
		let mut inner = report.clone();
		inner.extend(self.qe_signer.sign_fixed(Hash::Sha256, &report));
		inner.extend(u16::try_from(self.auth_data.len()).unwrap().to_le_bytes());
		inner.extend(&self.auth_data);
		let mut chain = pem(&[self.leaf_der(), self.ca_der(), self.root_der()]).into_bytes();
		chain.push(0);
		inner.extend(typed(5, &chain));
		data.extend(key);
		data.extend(if self.version == 3 { inner } else { typed(6, &inner) });
		out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
		out.extend(data);
		out.extend(&self.padding);
		out
	}

	pub(in super::super) fn collateral(&self) -> Collateral {
		let signing = pem(&[self.tcb_signer.sign(&self.tcb_key, &root_key()), self.root_der()]);
		let sign =
			|text: &str| hex(&self.document_signer.sign_fixed(Hash::Sha256, text.as_bytes()));
		Collateral {
			pck_crl_issuer_chain: pem(&[self.ca_der(), self.root_der()]),
			root_ca_crl: hex(&self.root_crl),
			pck_crl: hex(&self.pck_crl),
			tcb_info_issuer_chain: signing.clone(),
			tcb_info: self.tcb_info.clone(),
			tcb_info_signature: sign(&self.tcb_info),
			qe_identity_issuer_chain: signing,
			qe_identity: self.qe_identity.clone(),
			qe_identity_signature: sign(&self.qe_identity),
		}
	}

	pub(in super::super) fn build(&self) -> DcapEvidence {
		DcapEvidence { quote: self.quote(), collateral: Some(self.collateral()) }
	}
}

pub(in super::super) fn typed(kind: u16, data: &[u8]) -> Vec<u8> {
	let mut out = kind.to_le_bytes().to_vec();
	out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
	out.extend(data);
	out
}

pub(in super::super) fn pem(chain: &[Vec<u8>]) -> String {
	let text = |der: &Vec<u8>| {
		let body = base64(der, STANDARD, true);
		format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
	};
	chain.iter().map(text).collect()
}

/// An enclave report with these attributes, bytes of its signer's digest, product and version.
pub(in super::super) fn enclave(flags: u8, signer: u8, product: u16, svn: u16) -> Vec<u8> {
	let mut out = vec![0; 384];
	out[48] = flags;
	out[64..96].fill(0x6d);
	out[128..160].fill(signer);
	out[256..258].copy_from_slice(&product.to_le_bytes());
	out[258..260].copy_from_slice(&svn.to_le_bytes());
	out[320..384].fill(0x42);
	out
}

pub(in super::super) fn domain(kind: Kind) -> Vec<u8> {
	let mut out = vec![0; if kind == Kind::Td15 { 648 } else { 584 }];
	out[..3].copy_from_slice(&[6, 1, 3]);
	out[16..64].fill(0x5b);
	// SEPT_VE_DISABLE.
	out[123] = 0x10;
	out[136..184].fill(0x6d);
	out[328..376].fill(0x44);
	out[520..584].fill(0x42);
	if kind == Kind::Td15 {
		out[584..587].copy_from_slice(&[8, 1, 3]);
	}
	out
}

pub(in super::super) fn member(arcs: &str, value: Vec<u8>) -> Vec<u8> {
	sequence(&[oid(&format!("{PCK_EXTENSION}.{arcs}")), value])
}

/// The extension of a PCK certificate, without the parts whose arcs are in `without`.
pub(in super::super) fn extension(
	ppid: &[u8],
	components: &[u8],
	pce_svn: u8,
	without: &[&str],
) -> Vec<u8> {
	let mut tcb = Vec::new();
	let mut parts = Vec::new();
	let put = |list: &mut Vec<Vec<u8>>, arcs: &str, value: Vec<u8>| {
		if !without.contains(&arcs) {
			list.push(member(arcs, value));
		}
	};
	for (at, component) in (1..).zip(components) {
		put(&mut tcb, &format!("2.{at}"), integer(&[*component]));
	}
	put(&mut tcb, "2.17", integer(&[pce_svn]));
	put(&mut tcb, "2.18", octets(&COMPONENTS));
	put(&mut parts, "1", octets(ppid));
	put(&mut parts, "2", sequence(&tcb));
	put(&mut parts, "3", octets(&[0, 0]));
	put(&mut parts, "4", octets(&[0x10, 0x20, 0x30, 0, 0, 0]));
	put(&mut parts, "5", tlv(0x0a, &[1]));
	put(&mut parts, "6", octets(&[0x66; 16]));
	put(&mut parts, "7", sequence(&[member("7.1", tlv(0x01, &[0xff]))]));
	sequence(&parts)
}

/// A list of components as JSON.
pub(in super::super) fn components(svn: &[u8]) -> String {
	let mut all = [0; 16];
	all[..svn.len()].copy_from_slice(svn);
	let texts: Vec<_> = all.iter().map(|svn| format!("{{\"svn\":{svn}}}")).collect();
	format!("[{}]", texts.join(","))
}

/// Two levels: UpToDate is what a new maker's platform has exactly, OutOfDate is one microcode below.
pub(in super::super) fn tcb_info(tdx: bool) -> String {
	let level = |sgx: &[u8], least: &[u8], date: &str, status: &str, more: &str| {
		let tdx = if tdx {
			format!(",\"tdxtcbcomponents\":{}", components(least))
		} else {
			String::new()
		};
		format!(
			"{{\"tcb\":{{\"sgxtcbcomponents\":{},\"pcesvn\":13{tdx}}},\"tcbDate\":\"{date}T00:00:00Z\",\
			 \"tcbStatus\":\"{status}\"{more}}}",
			components(sgx)
		)
	};
	let good = level(&COMPONENTS, &[9, 9, 3], "2025-10-10", "UpToDate", "");
	let old = level(
		&[6, 6, 2, 2, 3, 1, 0, 5],
		&[5, 0, 2],
		"2024-03-13",
		"OutOfDate",
		",\"advisoryIDs\":[\"INTEL-SA-00001\",\"INTEL-SA-00002\"]",
	);
	let zeros = "0".repeat(96);
	let module = format!(
		"\"mrsigner\":\"{zeros}\",\"attributes\":\"0000000000000000\",\
		 \"attributesMask\":\"FFFFFFFFFFFFFFFF\""
	);
	let modules = if tdx {
		format!(
			"\"tdxModule\":{{{module}}},\"tdxModuleIdentities\":[{{\"id\":\"TDX_03\",{module},\
			 \"tcbLevels\":[]}},{{\"id\":\"TDX_01\",{module},\"tcbLevels\":[{{\"tcb\":{{\"isvsvn\":6}},\
			 \"tcbDate\":\"2025-09-09T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}},{{\"tcb\":{{\"isvsvn\":4}},\
			 \"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":\
			 [\"INTEL-SA-00002\",\"INTEL-SA-00003\"]}}]}}],"
		)
	} else {
		String::new()
	};
	format!(
		"{{\"id\":\"{}\",\"version\":3,\"issueDate\":\"2025-12-20T00:00:00Z\",\
		 \"nextUpdate\":\"2026-01-19T00:00:00Z\",\"fmspc\":\"102030000000\",\"pceId\":\"0000\",\
		 \"tcbType\":0,\"tcbEvaluationDataNumber\":18,{modules}\"tcbLevels\":[{good},{old}]}}",
		if tdx { "TDX" } else { "SGX" }
	)
}

pub(in super::super) fn qe_identity(tdx: bool) -> String {
	let (id, product) = if tdx { ("TD_QE", 2) } else { ("QE", 1) };
	format!(
		"{{\"id\":\"{id}\",\"version\":2,\"issueDate\":\"2025-12-21T00:00:00Z\",\
		 \"nextUpdate\":\"2026-01-20T00:00:00Z\",\"tcbEvaluationDataNumber\":18,\
		 \"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\",\
		 \"attributes\":\"11000000000000000000000000000000\",\
		 \"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"{}\",\
		 \"isvprodid\":{product},\"tcbLevels\":[{{\"tcb\":{{\"isvsvn\":4}},\
		 \"tcbDate\":\"2025-08-08T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}},{{\"tcb\":{{\"isvsvn\":2}},\
		 \"tcbDate\":\"2023-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\"}}]}}",
		"dc".repeat(32)
	)
}
