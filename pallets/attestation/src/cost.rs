//! What evidence costs to verify, told by its head.
//!
//! The weight has to be known before anything is verified, also of evidence that will not decode:
//! whatever cannot be told costs the most.

use crate::WeightInfo;
use armature_primitives::{
	ed25519,
	evidence::{hardware::MAX_GPUS, EvidenceFormat, InventoryStatement, PlatformEvidence},
};
use codec::{Compact, Decode};
use frame_support::weights::Weight;

/// Every format.
const FORMATS: [EvidenceFormat; 8] = [
	EvidenceFormat::DeviceKeyInventory,
	EvidenceFormat::SevSnp,
	EvidenceFormat::Tdx,
	EvidenceFormat::Sgx,
	EvidenceFormat::Tpm,
	EvidenceFormat::AzureSnpVtpm,
	EvidenceFormat::AndroidKey,
	EvidenceFormat::NitroEnclave,
];

/// The length, for weights.
pub(crate) fn len(bytes: &[u8]) -> u32 {
	u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// Format and number of GPUs, if the bytes begin as evidence does.
fn shape(bytes: &[u8]) -> Option<(EvidenceFormat, u32)> {
	let mut input = bytes;
	match u8::decode(&mut input).ok()? {
		0 => Some((EvidenceFormat::DeviceKeyInventory, 0)),
		1 => {
			<(InventoryStatement, ed25519::Signature)>::skip(&mut input).ok()?;
			let platform = PlatformEvidence::decode(&mut input).ok()?;
			let Compact(gpus) = Compact::<u32>::decode(&mut input).ok()?;
			Some((platform.format()?, gpus.min(MAX_GPUS)))
		},
		_ => None,
	}
}

/// The weight of verifying evidence of one format. `known`: all of its issuers and its collateral
/// were verified before.
fn of<W: WeightInfo>(format: EvidenceFormat, bytes: u32, gpus: u32, known: bool) -> Weight {
	let beside = match (gpus, known) {
		(0, _) => None,
		(_, false) => Some(W::submit_gpus(gpus)),
		(_, true) => Some(W::submit_gpus_known(gpus)),
	};
	let platform = match (format, known) {
		(EvidenceFormat::DeviceKeyInventory, _) => W::submit_inventory(bytes),
		(EvidenceFormat::SevSnp, false) => W::submit_sev_snp(),
		(EvidenceFormat::SevSnp, true) => W::submit_sev_snp_known(),
		(EvidenceFormat::Tdx, false) => W::submit_tdx(),
		(EvidenceFormat::Tdx, true) => W::submit_tdx_known(),
		(EvidenceFormat::Sgx, _) => W::submit_sgx(),
		(EvidenceFormat::Tpm, _) => W::submit_tpm(),
		(EvidenceFormat::AzureSnpVtpm, _) => W::submit_azure(),
		(EvidenceFormat::AndroidKey, _) => W::submit_android(),
		(EvidenceFormat::NitroEnclave, _) => W::submit_nitro(),
	};
	match beside {
		None => platform,
		// Measured beside SEV-SNP, which is in it.
		Some(both) if format == EvidenceFormat::SevSnp => both,
		Some(both) => platform.saturating_add(both),
	}
}

/// The most that evidence of this head can cost.
pub(crate) fn in_full<W: WeightInfo>(bytes: &[u8]) -> Weight {
	match shape(bytes) {
		Some((format, gpus)) => of::<W>(format, len(bytes), gpus, false),
		None => FORMATS
			.into_iter()
			.map(|format| of::<W>(format, len(bytes), MAX_GPUS, false))
			.fold(W::submit_inventory(len(bytes)), |most, weight| most.max(weight)),
	}
}

/// What evidence cost whose issuers and collateral were verified before.
pub(crate) fn when_known<W: WeightInfo>(bytes: &[u8]) -> Weight {
	match shape(bytes) {
		Some((format, gpus)) => of::<W>(format, len(bytes), gpus, true),
		None => in_full::<W>(bytes),
	}
}

/// The most that evidence cost which was refused before its hardware part was looked at: a renewal
/// does the same and stores more.
pub(crate) fn of_statement<W: WeightInfo>(bytes: &[u8]) -> Weight {
	W::renew(len(bytes))
}
