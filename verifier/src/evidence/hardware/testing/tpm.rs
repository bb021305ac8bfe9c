//! TPM quotes of our own making.

use super::{
	super::{
		crypto::{sha256, Hash, Scheme},
		policy::{Digest256, Policy, Roots},
		tpm::{credential_nonce, EndorsementBinding, KeyOrigin, Pcrs, TpmEvidence},
	},
	oid, sequence, tlv, CertSpec, Key,
};
use alloc::{vec, vec::Vec};

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign.
pub(in super::super) const ATTESTATION: u32 = 0x0005_0072;

/// A version as makers of chips count.
pub(in super::super) const CHIP_FIRMWARE: u64 = 0x0007_0055_0011_4600;

pub(in super::super) const SEED: [u8; 32] = [0x5e; 32];

/// An extended key usage.
pub(in super::super) const PURPOSE: &str = "2.5.29.37";
pub(in super::super) const ENDORSEMENT: &str = "2.23.133.8.1";
pub(in super::super) const ATTESTING: &str = "2.23.133.8.3";
pub(in super::super) const KEY_USAGE: &str = "2.5.29.15";
pub(in super::super) const ALT_NAME: &str = "2.5.29.17";

/// A `TPM2B`.
pub(in super::super) fn sized(bytes: &[u8]) -> Vec<u8> {
	[&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// What a quote is to say.
#[derive(Clone)]
pub(in super::super) struct QuoteSpec {
	pub(in super::super) extra_data: Vec<u8>,
	pub(in super::super) firmware: u64,
	/// Algorithm and bit map.
	pub(in super::super) banks: Vec<(u16, Vec<u8>)>,
	/// Values; those of the first bank are digested.
	pub(in super::super) pcrs: Pcrs,
}

impl QuoteSpec {
	/// Registers 0, 7 and 16, of which each has its index as every byte.
	pub(in super::super) fn new(nonce: &[u8]) -> Self {
		Self {
			extra_data: nonce.to_vec(),
			firmware: CHIP_FIRMWARE,
			banks: vec![(0x000b, vec![0x81, 0, 1])],
			pcrs: [0, 7, 16].map(|index| (index, vec![index; 32])).into(),
		}
	}

	/// Clock 3,600,001, 5 resets, 2 restarts, safe.
	pub(in super::super) fn attest(&self) -> Vec<u8> {
		let mut out = vec![0xff, 0x54, 0x43, 0x47, 0x80, 0x18];
		out.extend(sized(&[&[0x00, 0x0b][..], &[0x51; 32]].concat()));
		out.extend(sized(&self.extra_data));
		out.extend(3_600_001_u64.to_be_bytes());
		out.extend(5_u32.to_be_bytes());
		out.extend(2_u32.to_be_bytes());
		out.push(1);
		out.extend(self.firmware.to_be_bytes());
		out.extend(u32::try_from(self.banks.len()).unwrap().to_be_bytes());
		for (algorithm, map) in &self.banks {
			out.extend(algorithm.to_be_bytes());
			out.push(u8::try_from(map.len()).unwrap());
			out.extend(map);
		}
		let values: Vec<_> = self.pcrs.values().map(Vec::as_slice).collect();
		out.extend(sized(&sha256(&values.concat())));
		out
	}
}

/// `TPMT_SIGNATURE` of an RSASSA signature, or of an ECDSA signature.
pub(in super::super) fn signature(key: &Key, message: &[u8]) -> Vec<u8> {
	match key {
		Key::Rsa(_) => {
			let bytes = key.sign(Scheme::RsaPkcs1(Hash::Sha256), message);
			[&[0x00, 0x14, 0x00, 0x0b][..], &sized(&bytes)].concat()
		},
		_ => {
			let halves = key.sign_fixed(Hash::Sha256, message);
			let (r, s) = halves.split_at(halves.len() / 2);
			[&[0x00, 0x18, 0x00, 0x0b][..], &sized(r), &sized(s)].concat()
		},
	}
}

/// `TPMT_PUBLIC` of a key that signs.
pub(in super::super) fn public_area(key: &Key, attributes: u32) -> Vec<u8> {
	let (kind, scheme): ([u8; 2], [u8; 2]) = match key {
		Key::Rsa(_) => ([0x00, 0x01], [0x00, 0x14]),
		_ => ([0x00, 0x23], [0x00, 0x18]),
	};
	let mut out = kind.to_vec();
	out.extend([0x00, 0x0b]);
	out.extend(attributes.to_be_bytes());
	out.extend(sized(&[]));
	out.extend([0x00, 0x10]);
	out.extend(scheme);
	out.extend([0x00, 0x0b]);
	match key {
		Key::Rsa(_) => {
			out.extend([0x08, 0x00, 0, 0, 0, 0]);
			out.extend(sized(&key.modulus()));
		},
		_ => {
			out.extend([0x00, 0x03, 0x00, 0x10]);
			let point = key.point();
			let (x, y) = point[1..].split_at(point.len() / 2);
			out.extend([sized(x), sized(y)].concat());
		},
	}
	out
}

/// The name of such a key.
pub(in super::super) fn name_of(public_area: &[u8]) -> Vec<u8> {
	[&[0x00, 0x0b][..], &sha256(public_area)].concat()
}

/// `subjectAltName` with maker ("id:" is put in front), model and version.
pub(in super::super) fn alt_name(maker: &str, model: &str) -> Vec<u8> {
	let attribute = |id, text: &[u8]| sequence(&[oid(id), tlv(0x0c, text)]);
	let maker = attribute("2.23.133.2.1", &[b"id:", maker.as_bytes()].concat());
	let model = attribute("2.23.133.2.2", model.as_bytes());
	let version = attribute("2.23.133.2.3", b"id:00070055");
	// Some makers have one set of three, some three sets of one.
	let name = sequence(&[tlv(0x31, &maker), tlv(0x31, &[model, version].concat())]);
	sequence(&[tlv(0x82, b"example.org"), tlv(0xa4, &name)])
}

/// An endorsement key's certificate of an Infineon chip.
pub(in super::super) fn endorsement_spec() -> CertSpec {
	CertSpec { serial: vec![0x77], ..CertSpec::new("", "TPM CA") }
		.with(ALT_NAME, alt_name("49465800", "SLB9672"))
		// keyEncipherment.
		.with(KEY_USAGE, vec![0x03, 0x02, 0x05, 0x20])
		.with(PURPOSE, sequence(&[oid("2.23.133.8.99"), oid(ENDORSEMENT)]))
}

/// An attestation key's certificate.
pub(in super::super) fn attestation_spec() -> CertSpec {
	CertSpec { serial: vec![0x78], ..CertSpec::new("attestation key", "TPM CA") }
		// digitalSignature.
		.with(KEY_USAGE, vec![0x03, 0x02, 0x07, 0x80])
		.with(PURPOSE, sequence(&[oid(ATTESTING)]))
}

/// The same with another value of an extension, or without it.
pub(in super::super) fn replaced(
	mut spec: CertSpec,
	id: &'static str,
	value: Option<Vec<u8>>,
) -> CertSpec {
	spec.extensions.retain(|(known, _)| *known != id);
	match value {
		Some(value) => spec.with(id, value),
		None => spec,
	}
}

/// A chain of this leaf.
pub(in super::super) fn chain(leaf: &CertSpec, key: &Key) -> Vec<Vec<u8>> {
	let (ca_key, root_key) = (Key::p256(2), Key::p384(1));
	vec![
		leaf.sign(key, &ca_key),
		CertSpec::new(leaf.issuer, "TPM root").authority().sign(&ca_key, &root_key),
		CertSpec::new("TPM root", "TPM root").authority().sign(&root_key, &root_key),
	]
}

/// The defaults, but trusting the root of this chain.
pub(in super::super) fn policy_for(evidence: &TpmEvidence) -> Policy {
	let chain: &[Vec<u8>] = match &evidence.origin {
		KeyOrigin::Unknown => &[],
		KeyOrigin::Certified(chain) => chain,
		KeyOrigin::Endorsed(binding) => &binding.ek_chain,
	};
	let tpm = chain.last().map(|root| Digest256(sha256(root))).into_iter().collect();
	Policy { roots: Roots { tpm, ..Roots::default() }, ..Policy::default() }
}

/// A quote of a key that nobody knows.
pub(in super::super) fn uncertified(key: &Key, quote: &QuoteSpec) -> TpmEvidence {
	let attest = quote.attest();
	TpmEvidence {
		signature: signature(key, &attest),
		attest,
		pcrs: quote.pcrs.clone(),
		attestation_key: key.spki(),
		origin: KeyOrigin::Unknown,
	}
}

/// A quote of a certified key, and its nonce "nonce".
pub(in super::super) fn certified(leaf: &CertSpec) -> TpmEvidence {
	let key = Key::p256(5);
	let origin = KeyOrigin::Certified(chain(leaf, &key));
	TpmEvidence { origin, ..uncertified(&key, &QuoteSpec::new(b"nonce")) }
}

/// A quote of a key beside a certified endorsement key, and its nonce.
pub(in super::super) fn endorsed(leaf: &CertSpec, attributes: u32) -> (TpmEvidence, [u8; 32]) {
	let (ek, ak) = (Key::other_rsa2048(), Key::p256(5));
	let area = public_area(&ak, attributes);
	let nonce = credential_nonce(&SEED, &sha256(&ek.spki()), &name_of(&area));
	let ek_chain = chain(leaf, &ek);
	let origin = KeyOrigin::Endorsed(EndorsementBinding { ek_chain, credential_seed: Some(SEED) });
	let quote = uncertified(&ak, &QuoteSpec::new(&nonce));
	(TpmEvidence { attestation_key: area, origin, ..quote }, nonce)
}
