//! Who judges a round.

use crate::{pallet::*, types::*};
use alloc::{collections::BTreeSet, vec::Vec};
use armature_primitives::{device::DeviceInfo, traits::DeviceInspect, DeviceId, H256};
use codec::Encode;

impl<T: Config> Pallet<T> {
	/// Up to `committee` verifiers in an order that `seed` decides, where the parameters ask for it of one
	/// network only the first, and without the device's provider and operator.
	pub(crate) fn committee(
		seed: H256,
		parameters: &Parameters,
		verifiers: &[ActiveVerifier<T::AccountId>],
		device: DeviceId,
		info: &DeviceInfo<T::AccountId>,
	) -> Vec<ActiveVerifier<T::AccountId>> {
		let mut networks = BTreeSet::new();
		Self::by_lot(seed, verifiers)
			.into_iter()
			.filter(|verifier| !parameters.distinct_networks || networks.insert(verifier.network))
			// Last, since it reads: it is asked of few more than are taken.
			.filter(|verifier| {
				verifier.who != info.provider && !T::Devices::may_operate(&verifier.who, device)
			})
			.take(parameters.committee.into())
			.collect()
	}

	/// The verifiers in an order that `seed` decides.
	pub(crate) fn by_lot(
		seed: H256,
		verifiers: &[ActiveVerifier<T::AccountId>],
	) -> Vec<ActiveVerifier<T::AccountId>> {
		let lot = |verifier: &ActiveVerifier<T::AccountId>| {
			(b"chlc", seed, &verifier.who).using_encoded(sp_io::hashing::blake2_256)
		};
		let mut lots: Vec<_> = verifiers.iter().map(|verifier| (lot(verifier), verifier)).collect();
		lots.sort_by_key(|(lot, _)| *lot);
		lots.into_iter().map(|(_, verifier)| verifier.clone()).collect()
	}
}
