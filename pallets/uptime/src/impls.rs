//! Bodies of the calls and hooks, and what other pallets may ask.

use crate::{
	types::{counted_slots, live_millis},
	Config, Error, Event, HoldReason, LastBlockAt, Orchestrator, Orchestrators, Outage, Outages,
	Pallet, Parameters, ProvedEpoch, Records, RegionOrchestrators, SweepCursor, UptimeParameters,
	UptimeRecord, WeightInfo, LOG_TARGET,
};
use alloc::vec::Vec;
use armature_health::{Availability, Fraction};
use armature_primitives::{
	device::DeviceStatus,
	ed25519,
	service::ServiceAddress,
	signing::Domain,
	telemetry::{Leaf, SLOT_MASK},
	traits::{AvailabilityInspect, DeviceInspect, DeviceLifecycle, EnergyLedger},
	units::MILLIS_PER_HOUR,
	DeviceId, MilliWattHours, MilliWatts, Moment, Ppm, RegionId, H256,
};
use armature_verifier::signature::verify_device;
use frame_support::{
	defensive, ensure,
	pallet_prelude::DispatchResult,
	traits::{fungible::hold::Mutate, tokens::Precision, Get, Time},
	weights::WeightMeter,
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::traits::Zero;

/// What judging a record needs, read once.
pub(crate) struct View {
	pub(crate) parameters: UptimeParameters,
	pub(crate) outages: Vec<Outage>,
	pub(crate) now: Moment,
}

impl View {
	/// Full epochs between `from` and now, without outages.
	fn full_epochs_since(&self, from: Moment) -> u64 {
		self.parameters.full_epochs(live_millis(&self.outages, from, self.now))
	}
}

impl<T: Config> Pallet<T> {
	pub(crate) fn do_register_orchestrator(
		who: T::AccountId,
		region: RegionId,
		address: ServiceAddress,
	) -> DispatchResult {
		ensure!(!address.is_empty(), Error::<T>::EmptyAddress);
		ensure!(!Orchestrators::<T>::contains_key(&who), Error::<T>::AlreadyOrchestrator);
		let mut members = RegionOrchestrators::<T>::get(region);
		members.try_push(who.clone()).map_err(|_| Error::<T>::RegionFull)?;
		let bond = Parameters::<T>::get().orchestrator_bond;

		T::Currency::hold(&HoldReason::OrchestratorBond.into(), &who, bond)?;
		RegionOrchestrators::<T>::insert(region, members);
		let orchestrator = Orchestrator { region, address: address.clone(), bond };
		Orchestrators::<T>::insert(&who, orchestrator);
		Self::deposit_event(Event::OrchestratorRegistered { who, region, address });
		Ok(())
	}

	pub(crate) fn do_update_orchestrator(
		who: T::AccountId,
		address: ServiceAddress,
	) -> DispatchResult {
		ensure!(!address.is_empty(), Error::<T>::EmptyAddress);
		let mut orchestrator = Orchestrators::<T>::get(&who).ok_or(Error::<T>::NotOrchestrator)?;

		let region = orchestrator.region;
		orchestrator.address = address.clone();
		Orchestrators::<T>::insert(&who, orchestrator);
		Self::deposit_event(Event::OrchestratorUpdated { who, region, address });
		Ok(())
	}

	pub(crate) fn do_deregister_orchestrator(who: T::AccountId) -> DispatchResult {
		let Orchestrator { region, bond, .. } =
			Orchestrators::<T>::get(&who).ok_or(Error::<T>::NotOrchestrator)?;
		let mut members = RegionOrchestrators::<T>::get(region);
		members.retain(|member| member != &who);

		T::Currency::release(&HoldReason::OrchestratorBond.into(), &who, bond, Precision::Exact)?;
		Orchestrators::<T>::remove(&who);
		if members.is_empty() {
			RegionOrchestrators::<T>::remove(region);
		} else {
			RegionOrchestrators::<T>::insert(region, members);
		}
		Self::deposit_event(Event::OrchestratorDeregistered { who, region });
		Ok(())
	}

	pub(crate) fn do_set_parameters(parameters: UptimeParameters) -> DispatchResult {
		parameters.validate().map_err(|rule| {
			log::warn!(target: LOG_TARGET, "refused parameters: {rule}");
			Error::<T>::InvalidParameters
		})?;
		Parameters::<T>::put(&parameters);
		Self::deposit_event(Event::ParametersSet { parameters });
		Ok(())
	}

	pub(crate) fn do_submit_leaf(
		who: T::AccountId,
		leaf: Leaf,
		signature: ed25519::Signature,
	) -> DispatchResult {
		let device = leaf.device;
		ensure!(leaf.slots & !SLOT_MASK == 0, Error::<T>::BadSlotBitmap);
		ensure!(
			leaf.summary.mean_load <= Ppm::ONE && leaf.summary.max_memory <= Ppm::ONE,
			Error::<T>::BadSummary
		);
		let info = T::Devices::device(device).ok_or(Error::<T>::DeviceNotFound)?;
		ensure!(info.status != DeviceStatus::Retired, Error::<T>::DeviceRetired);
		ensure!(T::Devices::may_operate(&who, device), Error::<T>::NotOperator);

		let view = Self::view(T::Clock::now());
		let clock = view.parameters.clock();
		let end = clock.end_of(leaf.epoch);
		ensure!(
			view.now.saturating_add(view.parameters.skew_millis) >= end,
			Error::<T>::LeafFromTheFuture
		);
		let old = Records::<T>::get(device);
		if let Some(old) = &old {
			// Times, not numbers: a change of the slot length renumbers the epochs.
			ensure!(clock.start_of(leaf.epoch) >= old.last.end(), Error::<T>::LeafReplayed);
		}
		ensure!(
			view.full_epochs_since(end) <= view.parameters.catch_up_epochs.into(),
			Error::<T>::LeafTooLate
		);
		// The dear check comes last.
		let genesis: H256 = frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::zero());
		ensure!(
			verify_device(Domain::Leaf, &genesis, device, &leaf, &info.key, &signature),
			Error::<T>::BadSignature
		);

		let up_slots = leaf.slots.count_ones();
		// A device's site outlives it; one that is unknown adds nothing to the device's own power.
		let pue = T::Devices::site(info.site).map_or(Ppm::ONE, |site| site.pue);
		let energy = energy_of(leaf.summary.mean_power, pue, up_slots, view.parameters.slot_millis);
		let record = Self::next_record(&view, old, &leaf);
		let availability = record.availability.as_ref().map(Availability::score);
		let start = record.last.start;
		Records::<T>::insert(device, record);
		if up_slots > 0 {
			T::Lifecycle::on_alive(device);
		}
		if energy.0 > 0 {
			T::Energy::on_energy(device, energy, start);
		}
		Self::deposit_event(Event::LeafAccepted {
			device,
			epoch: leaf.epoch,
			up_slots,
			availability,
		});
		Ok(())
	}

	/// The record after `leaf`, which has been checked.
	fn next_record(view: &View, old: Option<UptimeRecord>, leaf: &Leaf) -> UptimeRecord {
		let clock = view.parameters.clock();
		let start = clock.start_of(leaf.epoch);
		let mut counted = counted_slots(&view.outages, clock, start);
		if old.is_none() && leaf.slots != 0 {
			// A device that joins in the middle of an epoch was not down before it joined.
			counted &= u64::MAX.checked_shl(leaf.slots.trailing_zeros()).unwrap_or(0);
		}
		let proved = (leaf.slots & counted).count_ones();
		let observed = Fraction::from_ratio(proved, counted.count_ones());

		let last = ProvedEpoch {
			epoch: leaf.epoch,
			start,
			slot_millis: view.parameters.slot_millis,
			slots: leaf.slots,
		};
		let params = view.parameters.availability();
		let availability = match old.as_ref().and_then(|old| old.availability.zip(Some(old.last))) {
			Some((mut availability, before)) => {
				let gap = live_millis(&view.outages, before.end(), start);
				availability.miss(view.parameters.full_epochs(gap), params);
				if let Some(up) = observed {
					availability.observe(up, params);
				}
				Some(availability)
			},
			None => observed.map(Availability::new),
		};
		let alive_until = match &old {
			_ if leaf.slots != 0 => last.end(),
			Some(old) => old.alive_until,
			None => start,
		};
		UptimeRecord {
			last,
			previous: old.as_ref().map(|old| old.last),
			availability,
			proved: old.map_or(0, |old| old.proved).saturating_add(proved.into()),
			alive_until,
			summary: leaf.summary,
			telemetry_digest: leaf.telemetry_digest,
			beat_head: leaf.beat_head,
		}
	}

	/// Parameters, outages and `now`. Includes the gap before the running block, which is recorded
	/// only when the block ends.
	pub(crate) fn view(now: Moment) -> View {
		let parameters = Parameters::<T>::get();
		let mut outages = Outages::<T>::get().into_inner();
		outages.extend(Self::open_outage(&parameters));
		View { parameters, outages, now }
	}

	/// The gap between the last finished block and the running one, if it is an outage.
	fn open_outage(parameters: &UptimeParameters) -> Option<Outage> {
		let outage = Outage { from: LastBlockAt::<T>::get()?, to: T::Clock::now() };
		(outage.to.saturating_sub(outage.from) > parameters.outage_millis).then_some(outage)
	}

	/// Notes the time of the finished block, and the outage before it if there was one.
	pub(crate) fn record_block_time() {
		let now = T::Clock::now();
		// A clock that is not set tells nothing, one that steps back nothing new.
		if now.is_zero() || LastBlockAt::<T>::get().is_some_and(|last| now < last) {
			return;
		}
		if let Some(outage) = Self::open_outage(&Parameters::<T>::get()) {
			Outages::<T>::mutate(|ring| match ring.last_mut() {
				// One block between two gaps does not use up two places.
				Some(last) if last.to == outage.from => last.to = outage.to,
				_ => {
					if ring.is_full() {
						ring.remove(0);
					}
					if ring.try_push(outage).is_err() {
						defensive!("room was made; MaxOutages is above zero");
					}
				},
			});
			Self::deposit_event(Event::OutageRecorded { from: outage.from, to: outage.to });
		}
		LastBlockAt::<T>::put(now);
	}

	/// Looks at the next records, as many as the meter and the block's cap allow.
	pub(crate) fn sweep(meter: &mut WeightMeter) {
		let unit = T::WeightInfo::sweep_record();
		if !meter.can_consume(T::WeightInfo::sweep_base().saturating_add(unit)) {
			return;
		}
		meter.consume(T::WeightInfo::sweep_base());
		let view = Self::view(T::Clock::now());
		let mut cursor = SweepCursor::<T>::get();
		for _ in 0..T::MaxSweptPerBlock::get() {
			if meter.try_consume(unit).is_err() {
				break;
			}
			cursor = Self::sweep_next(&view, cursor);
			if cursor.is_none() {
				break;
			}
		}
		SweepCursor::<T>::set(cursor);
	}

	/// Judges the record after `cursor` and returns its id; `None` after the last one.
	pub(crate) fn sweep_next(view: &View, cursor: Option<DeviceId>) -> Option<DeviceId> {
		// Looked up afresh each time, as a record may be removed under the iterator.
		let device = match cursor {
			Some(last) => Records::<T>::iter_keys_from(Records::<T>::hashed_key_for(last)).next(),
			None => Records::<T>::iter_keys().next(),
		}?;
		if T::Devices::device(device).is_none() {
			Records::<T>::remove(device);
		} else if let Some(record) = Records::<T>::get(device) {
			let silent = view.full_epochs_since(record.alive_until);
			if silent >= view.parameters.offline_after.into() {
				T::Lifecycle::on_offline(device);
			} else if silent >= view.parameters.suspect_after.into() {
				T::Lifecycle::on_suspect(device);
			}
		}
		Some(device)
	}

	/// Slots that `device` proved and that lie wholly in `from..to`, among its last two leaves;
	/// older slots are not kept and do not count.
	pub fn proved_slots(device: DeviceId, from: Moment, to: Moment) -> u32 {
		let Some(record) = Records::<T>::get(device) else { return 0 };
		core::iter::once(record.last)
			.chain(record.previous)
			.fold(0u32, |sum, epoch| sum.saturating_add(epoch.proved_within(from, to)))
	}

	/// Checks what must always hold:
	///
	/// 1. Every orchestrator is listed once, in its own region, and has exactly its bond on hold.
	/// 2. Every listed account is an orchestrator of that region; no list is empty.
	/// 3. Outages are not empty, ordered, disjoint, and not after the last block.
	/// 4. Records use no bits beyond an epoch, their epochs do not overlap, scores are in range, and
	///    silence starts no later than the last epoch ends.
	/// 5. The parameters are valid.
	#[cfg(any(feature = "try-runtime", test))]
	pub(crate) fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		use frame_support::traits::fungible::InspectHold;

		let mut registered = 0usize;
		for (who, orchestrator) in Orchestrators::<T>::iter() {
			registered = registered.saturating_add(1);
			let members = RegionOrchestrators::<T>::get(orchestrator.region);
			ensure!(members.iter().filter(|m| **m == who).count() == 1, "1: listed once");
			let held = T::Currency::balance_on_hold(&HoldReason::OrchestratorBond.into(), &who);
			ensure!(held == orchestrator.bond, "1: the bond is on hold");
		}
		let mut listed = 0usize;
		for (region, members) in RegionOrchestrators::<T>::iter() {
			listed = listed.saturating_add(members.len());
			ensure!(!members.is_empty(), "2: no empty region");
			for who in members {
				let found = Orchestrators::<T>::get(who).map(|o| o.region);
				ensure!(found == Some(region), "2: listed accounts are registered");
			}
		}
		ensure!(registered == listed, "2: as many listed as registered");

		let last = LastBlockAt::<T>::get().unwrap_or(0);
		let mut before = 0;
		for outage in Outages::<T>::get() {
			ensure!(before <= outage.from, "3: outages are ordered and disjoint");
			ensure!(outage.from < outage.to && outage.to <= last, "3: outages lie in the past");
			before = outage.to;
		}

		for record in Records::<T>::iter_values() {
			ensure!(record.last.slots & !SLOT_MASK == 0, "4: bits of an epoch");
			if let Some(previous) = record.previous {
				ensure!(previous.end() <= record.last.start, "4: epochs in order");
			}
			ensure!(record.availability.is_none_or(|a| a.is_valid()), "4: score in range");
			ensure!(record.alive_until <= record.last.end(), "4: silence after the last epoch");
		}

		Parameters::<T>::get().validate().map_err(|_| "5: parameters are valid")?;
		Ok(())
	}
}

/// Energy at the wall of `up_slots` slots at `mean_power` of the device, rounded up: the device's
/// word, and a low figure would flatter its earnings.
pub(crate) fn energy_of(
	mean_power: MilliWatts,
	pue: Ppm,
	up_slots: u32,
	slot_millis: u64,
) -> MilliWattHours {
	let energy = u128::from(mean_power.0)
		.saturating_mul(u128::from(pue.0))
		.saturating_mul(u128::from(slot_millis))
		.saturating_mul(u128::from(up_slots))
		.div_ceil(u128::from(MILLIS_PER_HOUR).saturating_mul(u128::from(Ppm::ONE.0)));
	MilliWattHours(u64::try_from(energy).unwrap_or(u64::MAX))
}

impl<T: Config> AvailabilityInspect for Pallet<T> {
	fn availability(device: DeviceId, now: Moment) -> Option<Ppm> {
		let record = Records::<T>::get(device)?;
		let mut availability = record.availability?;
		let view = Self::view(now);
		// The latest epochs may still be proven; they are not held against the device yet.
		let open = u64::from(view.parameters.catch_up_epochs).saturating_add(1);
		let missed = view.full_epochs_since(record.last.end()).saturating_sub(open);
		availability.miss(missed, view.parameters.availability());
		Some(availability.score())
	}

	fn is_fresh(device: DeviceId, now: Moment) -> bool {
		Records::<T>::get(device).is_some_and(|record| {
			// Before the first proven slot, `alive_until` is only where silence began.
			record.proved > 0 && Self::view(now).full_epochs_since(record.alive_until) <= 1
		})
	}
}
