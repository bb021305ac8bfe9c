//! Evidence: what the chain would say of it, and the renewals that can be disputed.

use crate::{
	api::{
		self,
		runtime_types::{
			pallet_sudo::pallet::Call as SudoCall, pallet_utility::pallet::Call as UtilityCall,
			sp_runtime::DispatchError,
		},
	},
	bounded,
	chain::{AtBlock, Chain},
	error::{node, Result},
	query::view,
};
use armature_primitives::{evidence::MAX_EVIDENCE_LEN, DeviceId, H256};
use subxt::{
	ext::{frame_decode::extrinsics::decode_extrinsic, scale_decode::DecodeAsType},
	utils::Static,
};

pub use api::runtime_types::pallet_attestation::types::{
	DisputeOutcome, EvidenceOutlook, PendingRenewal,
};

/// What evidence for a device's nonce would come to now, or why it would be refused.
pub async fn outlook(
	at: &AtBlock,
	device: DeviceId,
	evidence: Vec<u8>,
) -> Result<core::result::Result<EvidenceOutlook, String>> {
	let evidence = bounded(evidence, MAX_EVIDENCE_LEN, "the evidence")?;
	let call = api::view_functions().attestation().evidence_outlook(Static(device), evidence);
	Ok(view(at, call).await?.map_err(|error| explain(at, &error)))
}

/// What a dispute of a renewal with this evidence would come to now, or why it would be refused.
pub async fn dispute_outcome(
	at: &AtBlock,
	device: DeviceId,
	evidence: Vec<u8>,
) -> Result<core::result::Result<DisputeOutcome, String>> {
	let evidence = bounded(evidence, MAX_EVIDENCE_LEN, "the evidence")?;
	let call = api::view_functions()
		.attestation()
		.expected_dispute_outcome(Static(device), evidence);
	Ok(view(at, call).await?.map_err(|error| explain(at, &error)))
}

/// The renewals that the chain keeps for disputes, some of which may be over already.
pub async fn pending_renewals(at: &AtBlock) -> Result<Vec<(DeviceId, PendingRenewal)>> {
	let mut rows = Vec::new();
	let address = api::storage().attestation().pending_renewals();
	let mut entries = at.storage().iter(address, ()).await.map_err(node)?;
	while let Some(entry) = entries.next().await {
		let entry = entry.map_err(node)?;
		let (device,) = entry.key().map_err(node)?.decode().map_err(node)?;
		rows.push((device.0, entry.value().decode().map_err(node)?));
	}
	Ok(rows)
}

/// The renewal of a device that may be disputed.
pub async fn pending_renewal(at: &AtBlock, device: DeviceId) -> Result<Option<PendingRenewal>> {
	view(at, api::view_functions().attestation().pending_renewal(Static(device))).await
}

/// The evidence that a renewal was made with, out of the body of its block. `None` where the node's
/// block of that number does not have it: it may be on another fork.
pub async fn renewal_evidence(
	chain: &Chain,
	at: &AtBlock,
	device: DeviceId,
	renewal: &PendingRenewal,
) -> Result<Option<Vec<u8>>> {
	let Some(extrinsics) = chain.body(renewal.block).await? else { return Ok(None) };
	let metadata = at.metadata_ref();
	let types = metadata.types();
	let is_it =
		|evidence: &[u8]| H256(sp_crypto_hashing::blake2_256(evidence)) == renewal.evidence_hash;
	for bytes in &extrinsics {
		// Whatever cannot be read is no renewal of this runtime.
		let Ok(found) = decode_extrinsic(&mut bytes.as_slice(), metadata, types) else { continue };
		let Some(mut call) = bytes.get(found.call_data_range()) else { continue };
		let calls = metadata.outer_enums().call_enum_ty();
		let Ok(call) = api::Call::decode_as_type(&mut call, calls, types) else { continue };
		let found = renewals_in(&call)
			.into_iter()
			.find(|(of, evidence)| *of == device && is_it(evidence));
		if let Some((_, evidence)) = found {
			return Ok(Some(evidence.to_vec()));
		}
	}
	Ok(None)
}

/// The renewals in a call, within others too: whoever hides one in a batch is found all the same. The
/// pallets whose calls hold others are `utility` and `sudo`, and all of their calls are listed: one that
/// they gain does not compile until somebody looked at it.
fn renewals_in(call: &api::Call) -> Vec<(DeviceId, &[u8])> {
	let mut renewals = Vec::new();
	let mut open = vec![call];
	while let Some(call) = open.pop() {
		match call {
			api::Call::Attestation(api::attestation::Call::renew { device, evidence }) => {
				renewals.push((device.0, evidence.0.as_slice()));
			},
			api::Call::Utility(call) => match call {
				UtilityCall::batch { calls }
				| UtilityCall::batch_all { calls }
				| UtilityCall::force_batch { calls } => open.extend(calls),
				UtilityCall::as_derivative { call, .. }
				| UtilityCall::dispatch_as { call, .. }
				| UtilityCall::dispatch_as_fallible { call, .. }
				| UtilityCall::with_weight { call, .. } => open.push(call),
				UtilityCall::if_else { main, fallback } => open.extend([&**main, &**fallback]),
			},
			api::Call::Sudo(call) => match call {
				SudoCall::sudo { call }
				| SudoCall::sudo_unchecked_weight { call, .. }
				| SudoCall::sudo_as { call, .. } => open.push(call),
				SudoCall::set_key { .. } | SudoCall::remove_key => {},
			},
			_ => {},
		}
	}
	renewals
}

/// An error of a pallet in words; of hardware, with the check that failed.
pub fn explain(at: &AtBlock, error: &DispatchError) -> String {
	let DispatchError::Module(module) = error else { return format!("{error:?}") };
	let unknown = || format!("error {:?} of pallet {}", module.error, module.index);
	let Some(pallet) = at.metadata_ref().pallet_by_error_index(module.index) else {
		return unknown();
	};
	let [variant, ..] = module.error;
	let Some(variant) = pallet.error_variant_by_index(variant) else { return unknown() };
	let words = variant.docs.join(" ");
	let detail = pallet
		.error_ty_id()
		.and_then(|id| {
			let types = at.metadata_ref().types();
			api::attestation::Error::decode_as_type(&mut &module.error[..], id, types).ok()
		})
		.filter(|_| pallet.name() == "Attestation")
		.and_then(|error| hardware(&error));
	let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
	format!("{}.{}: {}{detail}", pallet.name(), variant.name, words.trim())
}

/// Which check failed, where and why: `root`, `gpu 1`, `certificate 2`.
fn hardware(error: &api::attestation::Error) -> Option<String> {
	let api::attestation::Error::Hardware(failure) = error else { return None };
	let part = match failure.at >> 4 {
		0 => String::new(),
		gpu => format!(" of GPU {gpu}"),
	};
	let certificate = match failure.at & 0x0f {
		0 => String::new(),
		certificate => format!(", certificate {certificate} above the leaf"),
	};
	Some(format!("check {:?}{part}{certificate}: {:?}", failure.check, failure.fault))
}
