//! Complete evidence of every format, for tests and benchmarks of whoever verifies it.
//!
//! Chains have the structure, the algorithms and the key sizes of the makers' own, so that what it
//! costs to verify them is real. They are committed (`made/*.der`, certificates one behind the other,
//! the root first; `tests/chains.rs` writes them), and only what a nonce is in is signed here.
//! Everything holds at [`NOW`] under [`policy`]. Nothing of it is a secret, and nobody's hardware.

use super::{
	super::{
		crypto::sha256,
		dcap::{Collateral, Tee},
		policy::{Digest256, HexBytes, Policy, Roots},
		tpm::Pcrs,
		x509::Certificate,
	},
	android::{self, Description},
	azure,
	dcap::{extension, Kind, Maker, COMPONENTS, PPID},
	nitro,
	nvidia::Device,
	snp::{offset, Made},
	tpm::{public_area, signature, QuoteSpec, ATTESTATION},
	Key,
};
use alloc::{vec, vec::Vec};
use armature_primitives::evidence::hardware::{
	GpuReport, PcrValue, PcrValues, PlatformEvidence, TpmOrigin,
};

pub use super::NOW;

/// AMD chips that there are certificates for: numbers 0 to 7.
pub const CHIPS: u8 = 8;

/// GPUs that there are certificates for: numbers 0 to 15.
pub const GPUS: u8 = 16;

/// Measurement of Azure's firmware.
const AZURE_FIRMWARE: [u8; 48] = [8; 48];

/// The certificates of a file.
fn certificates(file: &[u8]) -> Vec<Vec<u8>> {
	let mut rest = file;
	let mut found = Vec::new();
	while let [0x30, 0x82, high, low, ..] = rest {
		let (certificate, after) =
			rest.split_at(4 + usize::from(u16::from_be_bytes([*high, *low])));
		found.push(certificate.to_vec());
		rest = after;
	}
	found
}

/// A bounded value, which must fit.
fn bounded<T, B: TryFrom<T>>(value: T) -> B {
	B::try_from(value).ok().unwrap()
}

/// A bounded list of bounded values.
fn chain<B: TryFrom<Vec<C>>, C: TryFrom<Vec<u8>>>(chain: Vec<Vec<u8>>) -> B {
	bounded::<Vec<C>, B>(chain.into_iter().map(bounded::<_, C>).collect())
}

fn registers(pcrs: &Pcrs) -> PcrValues {
	let value = |(index, value): (&u8, &Vec<u8>)| PcrValue {
		index: *index,
		value: bounded::<_, [u8; 32]>(value.clone()),
	};
	bounded(pcrs.iter().map(value).collect::<Vec<_>>())
}

/// Trusts the roots and accepts all of this evidence but for what can be debugged. Every list of
/// reference values has entries.
pub fn policy() -> Policy {
	let root = |file: &[u8]| certificates(file).swap_remove(0);
	let pinned = |file: &[u8]| vec![Digest256(sha256(&root(file)))];
	let android = root(include_bytes!("made/android.der"));
	let android = Certificate::parse(&android).unwrap().spki_sha256();
	let digests = |values: &[&[u8]]| values.iter().map(|v| HexBytes(v.to_vec())).collect();
	Policy {
		roots: Roots {
			amd: pinned(include_bytes!("made/snp.der")),
			intel: vec![Digest256(sha256(&Maker::new(4, Kind::Td10).root_der()))],
			nvidia: pinned(include_bytes!("made/gpus.der")),
			nitro: pinned(include_bytes!("made/nitro.der")),
			android: vec![Digest256(android)],
			tpm: pinned(include_bytes!("made/tpm.der")),
		},
		allow_attestation_key: true,
		allow_virtual_tpm: true,
		allow_cloud: true,
		allow_android_key: true,
		min_tcb_evaluation_data_number: 18,
		// SEV-SNP, MRTD, MRENCLAVE, PCR0 of Nitro.
		measurements: digests(&[&[7; 48], &[0x6d; 48], &[0x6d; 32], &[1; 48]]),
		azure_measurements: digests(&[&AZURE_FIRMWARE]),
		pcrs: [(7, digests(&[&[7; 32]]))].into(),
		gpu_measurements: [(2, digests(&[&[2; 48]]))].into(),
		..Policy::default()
	}
}

/// A guest on AMD chip 0 with this report data.
pub fn snp(report_data: &[u8; 32]) -> PlatformEvidence {
	snp_of_chip(report_data, 0)
}

/// The same on another chip, below [`CHIPS`].
pub fn snp_of_chip(report_data: &[u8; 32], chip: u8) -> PlatformEvidence {
	snp_of(Made::milan(), report_data, chip)
}

/// The same as [`snp`], but the guest can be debugged.
pub fn snp_with_debug(report_data: &[u8; 32]) -> PlatformEvidence {
	snp_of(Made::milan().put(offset::POLICY, &0xb_001f_u64.to_le_bytes()), report_data, 0)
}

/// AMD's certificates of a chip: VCEK, then ASK and ARK.
fn amd(chip: u8) -> (Vec<u8>, Vec<Vec<u8>>) {
	let mut all = certificates(include_bytes!("made/snp.der"));
	let leaf = all.swap_remove(2 + usize::from(chip));
	all.truncate(2);
	all.reverse();
	(leaf, all)
}

fn snp_of(made: Made, report_data: &[u8; 32], chip: u8) -> PlatformEvidence {
	let data = [&report_data[..], &[0; 32]].concat();
	let (leaf, issuers) = amd(chip);
	PlatformEvidence::SevSnp {
		report: bounded(made.of_chip(chip).put(offset::REPORT_DATA, &data).signed()),
		leaf: bounded(leaf),
		issuers: chain(issuers),
	}
}

/// A trust domain with this report data.
pub fn tdx(report_data: &[u8; 32]) -> PlatformEvidence {
	tdx_of_platform(report_data, 0)
}

/// The same on another platform.
pub fn tdx_of_platform(report_data: &[u8; 32], platform: u8) -> PlatformEvidence {
	quote(Maker::new(4, Kind::Td10), 520, report_data, platform)
}

/// An enclave with this report data.
pub fn sgx(report_data: &[u8; 32]) -> PlatformEvidence {
	quote(Maker::new(3, Kind::Sgx), 320, report_data, 0)
}

/// A quote with report data at this place in its body.
fn quote(mut maker: Maker, at: usize, report_data: &[u8; 32], platform: u8) -> PlatformEvidence {
	let (head, padding) = maker.body[at..at + 64].split_at_mut(32);
	head.copy_from_slice(report_data);
	padding.fill(0);
	let mut ppid = PPID;
	ppid[15] ^= platform;
	maker.extension = Some(extension(&ppid, &COMPONENTS, 13, &[]));
	PlatformEvidence::Dcap { quote: bounded(maker.quote()) }
}

/// The collateral for [`tdx`] or [`sgx`].
pub fn collateral(tee: Tee) -> Collateral {
	match tee {
		Tee::Sgx => Maker::new(3, Kind::Sgx).collateral(),
		Tee::Tdx => Maker::new(4, Kind::Td10).collateral(),
	}
}

/// A chip's quote with this nonce. An authority certified the key that signs.
pub fn tpm(report_data: &[u8; 32]) -> PlatformEvidence {
	let key = Key::rsa2048();
	let spec = QuoteSpec {
		banks: vec![(0x000b, vec![0xff; 3])],
		pcrs: (0..24).map(|index| (index, vec![index; 32])).collect(),
		..QuoteSpec::new(report_data)
	};
	let attest = spec.attest();
	let mut certified = certificates(include_bytes!("made/tpm.der"));
	certified.reverse();
	PlatformEvidence::Tpm {
		signature: bounded(signature(&key, &attest)),
		attest: bounded(attest),
		pcrs: registers(&spec.pcrs),
		attestation_key: bounded(public_area(&key, ATTESTATION)),
		origin: TpmOrigin::Certified(chain(certified)),
	}
}

/// An Azure VM's quote with this nonce.
pub fn azure(report_data: &[u8; 32]) -> PlatformEvidence {
	let runtime = azure::runtime(&Key::rsa2048());
	let report = Made::milan()
		.of_chip(0)
		.put(offset::MEASUREMENT, &AZURE_FIRMWARE)
		.put(offset::REPORT_DATA, &azure::launch_data(&runtime))
		.signed();
	let (vcek, issuers) = amd(0);
	let made = azure::assembled(&report, vcek, issuers, &runtime, report_data);
	PlatformEvidence::AzureSnpVtpm {
		hcl_report: bounded(made.hcl_report),
		vcek: bounded(made.vcek),
		issuers: chain(made.issuers),
		attest: bounded(made.attest),
		signature: bounded(made.signature),
		pcrs: registers(&made.pcrs),
	}
}

/// A phone's key with this challenge.
pub fn android(report_data: &[u8; 32]) -> PlatformEvidence {
	let description = Description { challenge: report_data.to_vec(), ..Description::default() };
	let leaf = android::leaf_spec(&description.encode());
	let mut all = certificates(include_bytes!("made/android.der"));
	all.reverse();
	all.insert(0, leaf.sign(&Key::p256(4), &Key::p256(3)));
	PlatformEvidence::AndroidKey { chain: chain(all) }
}

/// An enclave's document with this nonce.
pub fn nitro(report_data: &[u8; 32]) -> PlatformEvidence {
	let mut bundle = certificates(include_bytes!("made/nitro.der"));
	let leaf = bundle.pop().unwrap();
	let document = nitro::document(&nitro::fields_of(&leaf, &bundle, report_data));
	PlatformEvidence::NitroEnclave { document: bounded(document) }
}

/// A GPU's report with this nonce. Numbers are below [`GPUS`].
pub fn gpu(nonce: &[u8; 32], number: u8) -> GpuReport {
	let device = Device { nonce: *nonce, ..Device::gpu(number) };
	// As many measurements as real ones have.
	let blocks = (1..=64).map(|index| (index, vec![index; 48])).collect();
	let mut all = certificates(include_bytes!("made/gpus.der"));
	let at = 3 + 2 * usize::from(number);
	let mut own: Vec<_> = all.drain(at..at + 2).collect();
	own.reverse();
	all.truncate(3);
	own.extend(all.into_iter().rev());
	GpuReport { report: bounded(Device { blocks, ..device }.signed()), chain: chain(own) }
}
