//! Whom the chain trusts and what it accepts: the verifier's policy in a bounded form.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use armature_primitives::H256;
use armature_verifier::evidence::hardware::policy::{
	Digest256, HexBytes, Policy, Roots, SecurityLevel, SnpTcbFloor, TcbStatus,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::ConstU32, BoundedVec};
use scale_info::TypeInfo;
use serde::{Deserialize, Serialize};

/// Trusted roots of one maker.
pub type RootList = BoundedVec<H256, ConstU32<16>>;

/// A digest that hardware took: SHA-256, SHA-384 or SHA-512.
pub type Digest = BoundedVec<u8, ConstU32<64>>;

/// Accepted digests.
pub type DigestList = BoundedVec<Digest, ConstU32<64>>;

/// Accepted digests of one register.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct Register {
	/// Its index.
	pub index: u8,
	/// What it may hold.
	pub values: BoundedVec<Digest, ConstU32<4>>,
}

/// An AMD product.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum SnpProduct {
	/// Third generation.
	#[codec(index = 0)]
	Milan,
	/// Fourth generation.
	#[codec(index = 1)]
	Genoa,
	/// Fifth generation.
	#[codec(index = 2)]
	Turin,
}

impl SnpProduct {
	/// As the verifier names it.
	pub fn name(self) -> &'static str {
		match self {
			Self::Milan => "Milan",
			Self::Genoa => "Genoa",
			Self::Turin => "Turin",
		}
	}

	fn of(name: &str) -> Option<Self> {
		[Self::Milan, Self::Genoa, Self::Turin]
			.into_iter()
			.find(|product| product.name() == name)
	}
}

/// The least firmware of an AMD product.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct SnpFloor {
	/// The product.
	pub product: SnpProduct,
	/// FMC, Turin and later.
	pub fmc: u8,
	/// Boot loader.
	pub bootloader: u8,
	/// Trusted execution environment.
	pub tee: u8,
	/// SNP firmware.
	pub snp: u8,
	/// Microcode.
	pub microcode: u8,
}

/// Intel's verdict on a platform's versions.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum IntelStatus {
	/// Nothing to do.
	#[codec(index = 0)]
	UpToDate,
	/// Software in the enclave must mitigate something.
	#[codec(index = 1)]
	SoftwareHardeningNeeded,
	/// The platform's configuration leaves something open.
	#[codec(index = 2)]
	ConfigurationNeeded,
	/// Both.
	#[codec(index = 3)]
	ConfigurationAndSoftwareHardeningNeeded,
	/// Updates are missing.
	#[codec(index = 4)]
	OutOfDate,
	/// Updates are missing and the configuration leaves something open.
	#[codec(index = 5)]
	OutOfDateConfigurationNeeded,
	/// The keys are not trusted any more.
	#[codec(index = 6)]
	Revoked,
}

impl From<IntelStatus> for TcbStatus {
	fn from(status: IntelStatus) -> Self {
		match status {
			IntelStatus::UpToDate => Self::UpToDate,
			IntelStatus::SoftwareHardeningNeeded => Self::SWHardeningNeeded,
			IntelStatus::ConfigurationNeeded => Self::ConfigurationNeeded,
			IntelStatus::ConfigurationAndSoftwareHardeningNeeded => {
				Self::ConfigurationAndSWHardeningNeeded
			},
			IntelStatus::OutOfDate => Self::OutOfDate,
			IntelStatus::OutOfDateConfigurationNeeded => Self::OutOfDateConfigurationNeeded,
			IntelStatus::Revoked => Self::Revoked,
		}
	}
}

impl From<TcbStatus> for IntelStatus {
	fn from(status: TcbStatus) -> Self {
		match status {
			TcbStatus::UpToDate => Self::UpToDate,
			TcbStatus::SWHardeningNeeded => Self::SoftwareHardeningNeeded,
			TcbStatus::ConfigurationNeeded => Self::ConfigurationNeeded,
			TcbStatus::ConfigurationAndSWHardeningNeeded => {
				Self::ConfigurationAndSoftwareHardeningNeeded
			},
			TcbStatus::OutOfDate => Self::OutOfDate,
			TcbStatus::OutOfDateConfigurationNeeded => Self::OutOfDateConfigurationNeeded,
			TcbStatus::Revoked => Self::Revoked,
		}
	}
}

/// Where an Android key is held.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum AndroidLevel {
	/// By the operating system.
	#[codec(index = 0)]
	Software,
	/// By the trusted execution environment.
	#[codec(index = 1)]
	TrustedEnvironment,
	/// By a security chip.
	#[codec(index = 2)]
	StrongBox,
}

impl From<AndroidLevel> for SecurityLevel {
	fn from(level: AndroidLevel) -> Self {
		match level {
			AndroidLevel::Software => Self::Software,
			AndroidLevel::TrustedEnvironment => Self::TrustedEnvironment,
			AndroidLevel::StrongBox => Self::StrongBox,
		}
	}
}

impl From<SecurityLevel> for AndroidLevel {
	fn from(level: SecurityLevel) -> Self {
		match level {
			SecurityLevel::Software => Self::Software,
			SecurityLevel::TrustedEnvironment => Self::TrustedEnvironment,
			SecurityLevel::StrongBox => Self::StrongBox,
		}
	}
}

/// Trusted roots, by SHA-256 of the certificate; Android's by SHA-256 of the public key.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct TrustedRoots {
	/// AMD root keys.
	pub amd: RootList,
	/// Intel SGX root CA.
	pub intel: RootList,
	/// NVIDIA device identity CA.
	pub nvidia: RootList,
	/// AWS Nitro root.
	pub nitro: RootList,
	/// Google's hardware attestation roots.
	pub android: RootList,
	/// Roots of TPM makers.
	pub tpm: BoundedVec<H256, ConstU32<64>>,
}

/// What evidence is held against. The fields are those of the verifier's policy, save the lists of
/// revoked ones, which the chain keeps by certificate and by hardware id.
#[derive(
	Clone,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	Serialize,
	Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct ReferenceValues {
	/// Whom to trust.
	pub roots: TrustedRoots,
	/// Accept evidence of something that can be debugged.
	pub allow_debug: bool,
	/// Accept AMD's vendor-loaded keys.
	pub allow_vlek: bool,
	/// Accept TPMs of hypervisors.
	pub allow_virtual_tpm: bool,
	/// Accept TPMs in software.
	pub allow_software_tpm: bool,
	/// Accept keys of a TPM that no maker certified.
	pub allow_uncertified_tpm: bool,
	/// Accept certified attestation keys of TPMs.
	pub allow_attestation_key: bool,
	/// Accept identities of cloud tenants.
	pub allow_cloud: bool,
	/// Accept Android keys.
	pub allow_android_key: bool,
	/// Accept an unlocked boot loader.
	pub allow_unlocked_boot: bool,
	/// Accept a booted system that was not verified.
	pub allow_unverified_boot: bool,
	/// Accept a guest that a migration agent may move.
	pub allow_migration_agent: bool,
	/// The highest privilege level (VMPL) of an SEV-SNP report.
	pub max_vmpl: u32,
	/// Least AMD firmware, one entry per product.
	pub min_snp_tcb: BoundedVec<SnpFloor, ConstU32<3>>,
	/// Verdicts of Intel that are accepted.
	pub tcb_statuses: BoundedVec<IntelStatus, ConstU32<7>>,
	/// The least `tcbEvaluationDataNumber` of Intel's collateral.
	pub min_tcb_evaluation_data_number: u32,
	/// The greatest that is accepted: Intel publishes numbers early. `u32::MAX` accepts all.
	pub max_tcb_evaluation_data_number: u32,
	/// Least security level of an Android key.
	pub min_android_level: AndroidLevel,
	/// Least patch level of an Android system, YYYYMM; 0 accepts all.
	pub min_android_patch: u32,
	/// Accepted launch measurements; empty accepts all.
	pub measurements: DigestList,
	/// Accepted launch measurements of Azure's firmware; empty accepts no Azure VM.
	pub azure_measurements: DigestList,
	/// Accepted PCR values, one entry per index.
	pub pcrs: BoundedVec<Register, ConstU32<24>>,
	/// Accepted GPU measurements, one entry per index.
	pub gpu_measurements: BoundedVec<Register, ConstU32<64>>,
}

fn digests(list: &[Digest256]) -> Vec<H256> {
	list.iter().map(|digest| H256(digest.0)).collect()
}

impl Default for TrustedRoots {
	/// The makers' roots.
	fn default() -> Self {
		let Roots { amd, intel, nvidia, nitro, android, tpm } = Roots::default();
		Self {
			amd: BoundedVec::truncate_from(digests(&amd)),
			intel: BoundedVec::truncate_from(digests(&intel)),
			nvidia: BoundedVec::truncate_from(digests(&nvidia)),
			nitro: BoundedVec::truncate_from(digests(&nitro)),
			android: BoundedVec::truncate_from(digests(&android)),
			tpm: BoundedVec::truncate_from(digests(&tpm)),
		}
	}
}

impl Default for ReferenceValues {
	/// As strict as the verifier's default policy, with the makers' roots.
	fn default() -> Self {
		Self {
			roots: TrustedRoots::default(),
			allow_debug: false,
			allow_vlek: false,
			allow_virtual_tpm: false,
			allow_software_tpm: false,
			allow_uncertified_tpm: false,
			allow_attestation_key: false,
			allow_cloud: false,
			allow_android_key: false,
			allow_unlocked_boot: false,
			allow_unverified_boot: false,
			allow_migration_agent: false,
			max_vmpl: 0,
			min_snp_tcb: BoundedVec::new(),
			tcb_statuses: BoundedVec::truncate_from(alloc::vec![
				IntelStatus::UpToDate,
				IntelStatus::SoftwareHardeningNeeded,
			]),
			min_tcb_evaluation_data_number: 0,
			max_tcb_evaluation_data_number: u32::MAX,
			min_android_level: AndroidLevel::TrustedEnvironment,
			min_android_patch: 0,
			measurements: BoundedVec::new(),
			azure_measurements: BoundedVec::new(),
			pcrs: BoundedVec::new(),
			gpu_measurements: BoundedVec::new(),
		}
	}
}

fn to_digests(list: &[H256]) -> Vec<Digest256> {
	list.iter().map(|digest| Digest256(digest.0)).collect()
}

fn to_hex(list: &[Digest]) -> Vec<HexBytes> {
	list.iter().map(|digest| HexBytes(digest.to_vec())).collect()
}

fn to_registers(list: &[Register]) -> BTreeMap<u8, Vec<HexBytes>> {
	list.iter().map(|register| (register.index, to_hex(&register.values))).collect()
}

fn from_hex<const MAX: u32>(list: &[HexBytes]) -> Option<BoundedVec<Digest, ConstU32<MAX>>> {
	let digests: Option<Vec<_>> = list.iter().map(|hex| hex.0.clone().try_into().ok()).collect();
	digests?.try_into().ok()
}

fn from_registers<const MAX: u32>(
	map: &BTreeMap<u8, Vec<HexBytes>>,
) -> Option<BoundedVec<Register, ConstU32<MAX>>> {
	let registers: Option<Vec<_>> = map
		.iter()
		.map(|(index, values)| Some(Register { index: *index, values: from_hex(values)? }))
		.collect();
	registers?.try_into().ok()
}

/// Whether no two of them are equal.
fn distinct<T: Ord>(items: impl Iterator<Item = T>) -> bool {
	let mut seen = alloc::collections::BTreeSet::new();
	items.into_iter().all(|item| seen.insert(item))
}

impl ReferenceValues {
	/// Whether they say one thing only: no product and no register twice.
	pub fn validate(&self) -> bool {
		distinct(self.min_snp_tcb.iter().map(|floor| floor.product.name()))
			&& distinct(self.pcrs.iter().map(|register| register.index))
			&& distinct(self.gpu_measurements.iter().map(|register| register.index))
	}

	/// In the verifier's form.
	pub fn to_policy(&self) -> Policy {
		let floor = |floor: &SnpFloor| SnpTcbFloor {
			fmc: floor.fmc,
			bootloader: floor.bootloader,
			tee: floor.tee,
			snp: floor.snp,
			microcode: floor.microcode,
		};
		Policy {
			roots: Roots {
				amd: to_digests(&self.roots.amd),
				intel: to_digests(&self.roots.intel),
				nvidia: to_digests(&self.roots.nvidia),
				nitro: to_digests(&self.roots.nitro),
				android: to_digests(&self.roots.android),
				tpm: to_digests(&self.roots.tpm),
			},
			allow_debug: self.allow_debug,
			allow_vlek: self.allow_vlek,
			allow_virtual_tpm: self.allow_virtual_tpm,
			allow_software_tpm: self.allow_software_tpm,
			allow_uncertified_tpm: self.allow_uncertified_tpm,
			allow_attestation_key: self.allow_attestation_key,
			allow_cloud: self.allow_cloud,
			allow_android_key: self.allow_android_key,
			allow_unlocked_boot: self.allow_unlocked_boot,
			allow_unverified_boot: self.allow_unverified_boot,
			allow_migration_agent: self.allow_migration_agent,
			max_vmpl: self.max_vmpl,
			min_snp_tcb: self
				.min_snp_tcb
				.iter()
				.map(|entry| (String::from(entry.product.name()), floor(entry)))
				.collect(),
			tcb_statuses: self.tcb_statuses.iter().map(|status| (*status).into()).collect(),
			min_tcb_evaluation_data_number: self.min_tcb_evaluation_data_number,
			max_tcb_evaluation_data_number: self.max_tcb_evaluation_data_number,
			min_android_level: self.min_android_level.into(),
			min_android_patch: self.min_android_patch,
			measurements: to_hex(&self.measurements),
			azure_measurements: to_hex(&self.azure_measurements),
			pcrs: to_registers(&self.pcrs),
			gpu_measurements: to_registers(&self.gpu_measurements),
			revoked_serials: Vec::new(),
			revoked_ids: Vec::new(),
		}
	}

	/// From the verifier's form. `None` where something is out of bounds, of an unknown product, or
	/// revoked: the chain revokes by certificate and by hardware id.
	pub fn from_policy(policy: &Policy) -> Option<Self> {
		if !policy.revoked_serials.is_empty() || !policy.revoked_ids.is_empty() {
			return None;
		}
		let floors: Option<Vec<_>> = policy
			.min_snp_tcb
			.iter()
			.map(|(product, floor)| {
				Some(SnpFloor {
					product: SnpProduct::of(product)?,
					fmc: floor.fmc,
					bootloader: floor.bootloader,
					tee: floor.tee,
					snp: floor.snp,
					microcode: floor.microcode,
				})
			})
			.collect();
		let statuses: Vec<IntelStatus> =
			policy.tcb_statuses.iter().map(|status| (*status).into()).collect();
		Some(Self {
			roots: TrustedRoots {
				amd: digests(&policy.roots.amd).try_into().ok()?,
				intel: digests(&policy.roots.intel).try_into().ok()?,
				nvidia: digests(&policy.roots.nvidia).try_into().ok()?,
				nitro: digests(&policy.roots.nitro).try_into().ok()?,
				android: digests(&policy.roots.android).try_into().ok()?,
				tpm: digests(&policy.roots.tpm).try_into().ok()?,
			},
			allow_debug: policy.allow_debug,
			allow_vlek: policy.allow_vlek,
			allow_virtual_tpm: policy.allow_virtual_tpm,
			allow_software_tpm: policy.allow_software_tpm,
			allow_uncertified_tpm: policy.allow_uncertified_tpm,
			allow_attestation_key: policy.allow_attestation_key,
			allow_cloud: policy.allow_cloud,
			allow_android_key: policy.allow_android_key,
			allow_unlocked_boot: policy.allow_unlocked_boot,
			allow_unverified_boot: policy.allow_unverified_boot,
			allow_migration_agent: policy.allow_migration_agent,
			max_vmpl: policy.max_vmpl,
			min_snp_tcb: floors?.try_into().ok()?,
			tcb_statuses: statuses.try_into().ok()?,
			min_tcb_evaluation_data_number: policy.min_tcb_evaluation_data_number,
			max_tcb_evaluation_data_number: policy.max_tcb_evaluation_data_number,
			min_android_level: policy.min_android_level.into(),
			min_android_patch: policy.min_android_patch,
			measurements: from_hex(&policy.measurements)?,
			azure_measurements: from_hex(&policy.azure_measurements)?,
			pcrs: from_registers(&policy.pcrs)?,
			gpu_measurements: from_registers(&policy.gpu_measurements)?,
		})
	}
}
