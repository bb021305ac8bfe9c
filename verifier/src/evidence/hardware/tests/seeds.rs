//! The seeds of the fuzz targets, made of the evidence of our own making. fuzz/README.md has their
//! layout.

use super::{
	super::{
		android::AndroidEvidence,
		azure::AzureEvidence,
		crypto::{Hash, Scheme},
		dcap::DcapEvidence,
		nvidia::GpuEvidence,
		snp::{KeyKind, Product, SnpEvidence},
		testing::{
			azure, crl,
			dcap::{Kind, Maker},
			nitro,
			nvidia::{Device, NONCE as GPU_NONCE},
			snp::Made,
			tpm, CertSpec, Key, NOW,
		},
		tpm::{KeyOrigin, Pcrs, TpmEvidence},
	},
	android::own,
};
use std::{
	collections::BTreeMap,
	fs,
	path::{Path, PathBuf},
	string::String,
	vec,
	vec::Vec,
};

/// Flags of a seed: a nonce is asked for, and the policy is the lenient one.
const FLAGS: u8 = 0b11;

/// An input of a fuzz target.
struct Seed(Vec<u8>);

impl Seed {
	/// The head: flags of the target in addition to [`FLAGS`], the instant, the nonce.
	fn new(flags: u8, nonce: &[u8]) -> Self {
		let mut bytes = vec![FLAGS | flags];
		bytes.extend(NOW.to_le_bytes());
		Self(bytes).field(nonce)
	}

	fn rest(mut self, bytes: &[u8]) -> Self {
		self.0.extend(bytes);
		self
	}

	fn field(self, bytes: &[u8]) -> Self {
		let len = u16::try_from(bytes.len()).unwrap().to_le_bytes();
		self.rest(&len).rest(bytes)
	}

	fn count(self, items: usize) -> Self {
		self.rest(&[u8::try_from(items).unwrap()])
	}

	fn chain(self, chain: &[Vec<u8>]) -> Self {
		chain.iter().fold(self.count(chain.len()), |seed, der| seed.field(der))
	}

	fn pcrs(self, pcrs: &Pcrs) -> Self {
		let seed = self.count(pcrs.len());
		pcrs.iter().fold(seed, |seed, (index, value)| seed.rest(&[*index]).field(value))
	}
}

/// A leaf, its issuer, and the issuer's list, on which the leaf is not.
fn x509(scheme: Scheme, leaf: &Key, issuer: &Key) -> Seed {
	let sign = |spec: CertSpec, key| CertSpec { scheme: Some(scheme), ..spec }.sign(key, issuer);
	let list = crl("root", issuer, NOW - 1_000, NOW + 1_000, &[&[0x55], &[0x01, 0x02]]);
	Seed::new(0, b"")
		.field(&sign(CertSpec::new("leaf", "root"), leaf))
		.field(&sign(CertSpec::new("root", "root").authority(), issuer))
		.field(&list)
}

fn snp(product: Product, kind: KeyKind, version: u32) -> Seed {
	let SnpEvidence { report, leaf, issuers } = Made::new(product, kind, version).evidence();
	Seed::new(0, b"nonce").field(&report).field(&leaf).chain(&issuers)
}

/// The report data of [`Maker`]'s quotes.
const QUOTE_NONCE: [u8; 64] = [0x42; 64];

fn dcap_quote(maker: &Maker) -> Seed {
	let DcapEvidence { quote, collateral } = maker.build();
	let collateral = collateral.unwrap();
	[
		&collateral.pck_crl_issuer_chain,
		&collateral.root_ca_crl,
		&collateral.pck_crl,
		&collateral.tcb_info_issuer_chain,
		&collateral.tcb_info,
		&collateral.tcb_info_signature,
		&collateral.qe_identity_issuer_chain,
		&collateral.qe_identity,
		&collateral.qe_identity_signature,
	]
	.into_iter()
	.fold(Seed::new(0b100, &QUOTE_NONCE).field(&quote), |seed, part| seed.field(part.as_bytes()))
}

fn dcap_collateral(maker: &Maker) -> Seed {
	let DcapEvidence { quote, collateral } = maker.build();
	let json = serde_json::to_vec(&collateral).unwrap();
	Seed::new(0, &QUOTE_NONCE).field(&quote).rest(&json)
}

fn tpm_quote(evidence: &TpmEvidence, nonce: &[u8]) -> Seed {
	let (flags, chain, seed): (u8, &[Vec<u8>], &[u8]) = match &evidence.origin {
		KeyOrigin::Unknown => (0, &[], &[]),
		KeyOrigin::Certified(chain) => (0b1000, chain, &[]),
		KeyOrigin::Endorsed(binding) => {
			(0b1100, &binding.ek_chain, binding.credential_seed.as_ref().unwrap())
		},
	};
	Seed::new(flags, nonce)
		.field(&evidence.attest)
		.field(&evidence.signature)
		.pcrs(&evidence.pcrs)
		.field(&evidence.attestation_key)
		.chain(chain)
		.rest(seed)
}

fn azure_vtpm(evidence: &AzureEvidence) -> Seed {
	Seed::new(0, b"nonce")
		.field(&evidence.hcl_report)
		.field(&evidence.vcek)
		.chain(&evidence.issuers)
		.field(&evidence.attest)
		.field(&evidence.signature)
		.pcrs(&evidence.pcrs)
}

fn gpus(gpus: &[GpuEvidence]) -> Seed {
	let seed = Seed::new(0, &GPU_NONCE).count(gpus.len());
	gpus.iter().fold(seed, |seed, gpu| seed.field(&gpu.report).chain(&gpu.chain))
}

fn android(evidence: &AndroidEvidence) -> Seed {
	let flags = if evidence.revocation.is_some() { 0b100 } else { 0 };
	Seed::new(flags, b"abc")
		.chain(&evidence.chain)
		.rest(evidence.revocation.as_deref().unwrap_or_default())
}

/// All of them, by target and name.
fn seeds() -> BTreeMap<(&'static str, &'static str), Vec<u8>> {
	let ecdsa = Scheme::Ecdsa(Hash::Sha384);
	let pss = Scheme::RsaPss(Hash::Sha384);
	let pkcs1 = Scheme::RsaPkcs1(Hash::Sha256);
	let (sgx, td10, td15) =
		(Maker::new(3, Kind::Sgx), Maker::new(4, Kind::Td10), Maker::new(5, Kind::Td15));
	let (endorsed, credential) = tpm::endorsed(&tpm::endorsement_spec(), tpm::ATTESTATION);
	let certified = tpm::certified(&tpm::attestation_spec());
	let quote = |key| tpm::uncertified(&key, &tpm::QuoteSpec::new(b"nonce"));
	let gpu = |number| Device::gpu(number).evidence();
	let key = own::specimen();
	let list = br#"{"entries":{"c6e":{"status":"REVOKED","reason":"KEY_COMPROMISE"},"3182":{"status":"SUSPENDED"}}}"#;
	let listed = AndroidEvidence { revocation: Some(list.to_vec()), ..key.clone() };
	let document = nitro::document(&nitro::fields());
	let tagged = [&[0xd2], document.as_slice()].concat();
	let made = [
		("x509", "ecdsa", x509(ecdsa, &Key::p256(3), &Key::p384(1))),
		("x509", "pss", x509(pss, &Key::p384(3), &Key::rsa2048())),
		("x509", "pkcs1", x509(pkcs1, &Key::other_rsa2048(), &Key::rsa2048())),
		("snp", "milan", snp(Product::Milan, KeyKind::Vcek, 3)),
		("snp", "genoa-vlek", snp(Product::Genoa, KeyKind::Vlek, 2)),
		("snp", "turin", snp(Product::Turin, KeyKind::Vcek, 5)),
		("dcap_quote", "sgx", dcap_quote(&sgx)),
		("dcap_quote", "tdx-10", dcap_quote(&td10)),
		("dcap_quote", "tdx-15", dcap_quote(&td15)),
		("dcap_collateral", "sgx", dcap_collateral(&sgx)),
		("dcap_collateral", "tdx-10", dcap_collateral(&td10)),
		("tpm", "rsa", tpm_quote(&quote(Key::rsa2048()), b"nonce")),
		("tpm", "p256", tpm_quote(&quote(Key::p256(5)), b"nonce")),
		("tpm", "certified", tpm_quote(&certified, b"nonce")),
		("tpm", "endorsed", tpm_quote(&endorsed, &credential)),
		("azure", "milan", azure_vtpm(&azure::made())),
		("nvidia", "gpu", gpus(&[gpu(1)])),
		("nvidia", "box", gpus(&[gpu(1), gpu(2), Device::switch(3).evidence()])),
		("android", "key", android(&key)),
		("android", "listed", android(&listed)),
		("nitro", "document", Seed::new(0, nitro::NONCE).rest(&document)),
		("nitro", "tagged", Seed::new(0, nitro::NONCE).rest(&tagged)),
	];
	made.into_iter().map(|(target, name, seed)| ((target, name), seed.0)).collect()
}

fn folder() -> PathBuf {
	Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds")
}

/// What is committed, by target and name.
fn committed() -> BTreeMap<(String, String), Vec<u8>> {
	let list = |path: &Path| -> Vec<(String, PathBuf)> {
		let entries = fs::read_dir(path).map(|entries| entries.collect()).unwrap_or_default();
		let entries: Vec<std::io::Result<fs::DirEntry>> = entries;
		entries
			.into_iter()
			.map(|entry| entry.unwrap())
			.map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
			.collect()
	};
	let mut found = BTreeMap::new();
	for (target, path) in list(&folder()) {
		for (name, path) in list(&path) {
			found.insert((target.clone(), name), fs::read(path).unwrap());
		}
	}
	found
}

#[test]
fn seeds_should_be_those_that_are_committed() {
	let made: BTreeMap<_, _> = seeds()
		.into_iter()
		.map(|((target, name), bytes)| ((target.into(), name.into()), bytes))
		.collect();
	if std::env::var_os("ARMATURE_WRITE_SEEDS").is_some() {
		for ((target, name), bytes) in &made {
			fs::create_dir_all(folder().join(target)).unwrap();
			fs::write(folder().join(target).join(name), bytes).unwrap();
		}
		for (target, name) in committed().keys().filter(|name| !made.contains_key(*name)) {
			fs::remove_file(folder().join(target).join(name)).unwrap();
		}
	}
	let committed = committed();
	let stale: Vec<_> = made
		.keys()
		.chain(committed.keys())
		.filter(|name| made.get(*name) != committed.get(*name))
		.collect();
	assert!(
		stale.is_empty(),
		"stale: {stale:?}; run ARMATURE_WRITE_SEEDS=1 cargo test -p armature-verifier seeds"
	);
	assert!(committed.values().map(Vec::len).sum::<usize>() < 200 * 1_024);
}
