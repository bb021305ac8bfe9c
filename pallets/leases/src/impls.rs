//! Bodies of the calls, settlement, timeouts and the traits that other pallets use.

use crate::{pallet::*, DeferredRefund, Lease, LeaseState, WeightInfo, BUCKET_MILLIS, LOG_TARGET};
use armature_economics::settlement;
use armature_primitives::{
	device::Tier,
	lease::{LeaseOutcome, NewLease, Receipt, RunReport, RunStatus},
	traits::{
		AttestationInspect, DeviceBusy, DeviceInspect, DeviceLifecycle, EnergyLedger, LeaseGuard,
		LeaseOpener, OnLeaseClosed, VerifierInspect,
	},
	Balance, DeviceId, LeaseId, MilliWatts, Moment, Ppm, SiteId, H256,
};
use codec::Encode;
use frame_support::{
	ensure,
	storage::with_storage_layer,
	traits::{
		fungible::MutateHold,
		tokens::{Fortitude, Precision, Restriction},
		Get, Randomness, Time,
	},
	weights::WeightMeter,
};
use sp_runtime::{DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	pub(crate) fn now() -> Moment {
		T::Clock::now()
	}

	pub(crate) fn get(id: LeaseId) -> Result<LeaseOf<T>, DispatchError> {
		Leases::<T>::get(id).ok_or_else(|| Error::<T>::LeaseNotFound.into())
	}

	/// The provider of the lease, or whoever may operate its device now.
	fn ensure_provider(who: &T::AccountId, lease: &LeaseOf<T>) -> DispatchResult {
		ensure!(
			*who == lease.provider || T::Devices::may_operate(who, lease.device),
			Error::<T>::NotProvider
		);
		Ok(())
	}

	/// `window` from now.
	fn after(window: u64) -> Result<Moment, DispatchError> {
		Self::now().checked_add(window).ok_or_else(|| Error::<T>::Overflow.into())
	}

	/// Stores `state` and queues its timeout in place of the old one.
	fn advance(id: LeaseId, mut lease: LeaseOf<T>, state: LeaseState<T::AccountId>) {
		Deadlines::<T>::remove(lease.bucket, id);
		lease.bucket = bucket_of(state.deadline());
		Deadlines::<T>::insert(lease.bucket, id, ());
		lease.state = state;
		Leases::<T>::insert(id, lease);
	}

	pub(crate) fn do_acknowledge(who: &T::AccountId, id: LeaseId) -> DispatchResult {
		let lease = Self::get(id)?;
		Self::ensure_provider(who, &lease)?;
		let LeaseState::Offered { ack_by } = lease.state else {
			return Err(Error::<T>::WrongState.into());
		};
		ensure!(Self::now() <= ack_by, Error::<T>::TooLate);
		let start_by = Self::after(Params::<T>::get().start_millis)?;
		Self::advance(id, lease, LeaseState::Acknowledged { start_by });
		Self::deposit_event(Event::LeaseAcknowledged { lease: id });
		Ok(())
	}

	pub(crate) fn do_decline(who: &T::AccountId, id: LeaseId) -> DispatchResult {
		let lease = Self::get(id)?;
		Self::ensure_provider(who, &lease)?;
		match lease.state {
			LeaseState::Offered { .. }
			| LeaseState::Acknowledged { .. }
			| LeaseState::Running { .. } => Self::settle(id, lease, LeaseOutcome::ProviderDeclined, None),
			LeaseState::Reported { .. } | LeaseState::Disputed { .. } => {
				Err(Error::<T>::WrongState.into())
			},
		}
	}

	pub(crate) fn do_start(who: &T::AccountId, id: LeaseId) -> DispatchResult {
		let lease = Self::get(id)?;
		Self::ensure_provider(who, &lease)?;
		let LeaseState::Acknowledged { start_by } = lease.state else {
			return Err(Error::<T>::WrongState.into());
		};
		let started_at = Self::now();
		ensure!(started_at <= start_by, Error::<T>::TooLate);
		// The match checked it too, but an attestation can end in between.
		let tier = T::Attestation::tier(lease.device, started_at);
		ensure!(tier.is_some_and(|tier| tier >= lease.spec.min_tier), Error::<T>::NotAttested);
		let finish_by = started_at
			.checked_add(lease.spec.max_duration_millis)
			.and_then(|end| end.checked_add(Params::<T>::get().result_grace_millis))
			.ok_or(Error::<T>::Overflow)?;
		Self::advance(id, lease, LeaseState::Running { started_at, finish_by });
		Self::deposit_event(Event::LeaseStarted { lease: id });
		Ok(())
	}

	pub(crate) fn do_report_result(
		who: &T::AccountId,
		id: LeaseId,
		report: RunReport,
	) -> DispatchResult {
		let lease = Self::get(id)?;
		Self::ensure_provider(who, &lease)?;
		let LeaseState::Running { finish_by, .. } = lease.state else {
			return Err(Error::<T>::WrongState.into());
		};
		ensure!(Self::now() <= finish_by, Error::<T>::TooLate);
		ensure!(report.fuel <= lease.spec.max_fuel, Error::<T>::FuelAboveLimit);
		let accept_by = Self::after(Params::<T>::get().accept_millis)?;
		Self::advance(id, lease, LeaseState::Reported { report, accept_by });
		Self::deposit_event(Event::ResultReported { lease: id, report });
		Ok(())
	}

	pub(crate) fn do_accept_result(who: &T::AccountId, id: LeaseId) -> DispatchResult {
		let lease = Self::get(id)?;
		ensure!(*who == lease.tenant, Error::<T>::NotTenant);
		let LeaseState::Reported { report, .. } = lease.state else {
			return Err(Error::<T>::WrongState.into());
		};
		Self::deposit_event(Event::ResultAccepted { lease: id });
		Self::settle(id, lease, outcome_of(&report), Some(report))
	}

	pub(crate) fn do_dispute_result(who: &T::AccountId, id: LeaseId) -> DispatchResult {
		let lease = Self::get(id)?;
		ensure!(*who == lease.tenant, Error::<T>::NotTenant);
		let LeaseState::Reported { report, accept_by } = lease.state else {
			return Err(Error::<T>::WrongState.into());
		};
		ensure!(Self::now() <= accept_by, Error::<T>::TooLate);
		let parameters = Params::<T>::get();
		let resolve_by = Self::after(parameters.dispute_millis)?;
		let subject = (b"armature/dispute", id, &report).encode();
		let (seed, _): (H256, _) = T::Randomness::random(&subject);
		// The source may give one seed for many blocks; the subject tells disputes apart even if
		// it ignores its argument.
		let seed = H256(sp_io::hashing::blake2_256(&(seed, subject).encode()));
		let party = |candidate: &T::AccountId| {
			*candidate == lease.tenant
				|| *candidate == lease.provider
				|| T::Devices::may_operate(candidate, lease.device)
		};
		let verifier = T::Verifiers::draw(seed, &party).ok_or(Error::<T>::NoVerifier)?;
		// A draw that breaks its contract must not let a party judge itself.
		ensure!(!party(&verifier), Error::<T>::NoVerifier);
		let deposit = parameters.dispute_deposit;
		T::Currency::hold(&HoldReason::DisputeDeposit.into(), who, deposit)?;
		let state =
			LeaseState::Disputed { report, verifier: verifier.clone(), deposit, resolve_by };
		Self::advance(id, lease, state);
		Self::deposit_event(Event::ResultDisputed { lease: id, verifier });
		Ok(())
	}

	pub(crate) fn do_resolve_dispute(
		who: &T::AccountId,
		id: LeaseId,
		rerun: RunReport,
	) -> DispatchResult {
		let lease = Self::get(id)?;
		let LeaseState::Disputed { report, ref verifier, deposit, resolve_by } = lease.state else {
			return Err(Error::<T>::WrongState.into());
		};
		ensure!(who == verifier, Error::<T>::NotVerifier);
		ensure!(Self::now() <= resolve_by, Error::<T>::TooLate);
		ensure!(rerun.fuel <= lease.spec.max_fuel, Error::<T>::FuelAboveLimit);

		let upheld = rerun == report;
		let outcome = if upheld {
			outcome_of(&report)
		} else if report.status == RunStatus::OutOfTime || rerun.status == RunStatus::OutOfTime {
			// Another machine's speed proves nothing.
			LeaseOutcome::Unresolved
		} else {
			LeaseOutcome::WrongResult
		};
		let reason = HoldReason::DisputeDeposit.into();
		let moved = upheld
			&& (Self::send(&reason, &lease.tenant, who, deposit)
				|| Self::send(&reason, &lease.tenant, &T::FeeAccount::get(), deposit));
		if !moved {
			Self::give_back(HoldReason::DisputeDeposit, &lease.tenant, deposit);
		}
		if outcome == LeaseOutcome::WrongResult {
			let slashed = T::Devices::slash(lease.device, Params::<T>::get().wrong_result_slash);
			log::info!(target: LOG_TARGET, "lease {id}: device {} slashed {slashed}", lease.device);
		}
		Self::deposit_event(Event::DisputeResolved { lease: id, upheld });
		Self::settle(id, lease, outcome, Some(report))
	}

	pub(crate) fn do_cancel_lease(who: &T::AccountId, id: LeaseId) -> DispatchResult {
		let lease = Self::get(id)?;
		ensure!(*who == lease.tenant, Error::<T>::NotTenant);
		match lease.state {
			LeaseState::Offered { .. } | LeaseState::Acknowledged { .. } => {
				Self::settle(id, lease, LeaseOutcome::Cancelled, None)
			},
			_ => Err(Error::<T>::WrongState.into()),
		}
	}

	pub(crate) fn do_settle_expired(id: LeaseId) -> DispatchResult {
		let lease = Self::get(id)?;
		ensure!(Self::now() > lease.state.deadline(), Error::<T>::NotExpired);
		let (outcome, report) = match lease.state {
			LeaseState::Offered { .. } => (LeaseOutcome::NotAcknowledged, None),
			LeaseState::Acknowledged { .. } => (LeaseOutcome::NotStarted, None),
			LeaseState::Running { .. } => (LeaseOutcome::NoResult, None),
			LeaseState::Reported { report, .. } => (outcome_of(&report), Some(report)),
			LeaseState::Disputed { report, deposit, .. } => {
				Self::give_back(HoldReason::DisputeDeposit, &lease.tenant, deposit);
				(LeaseOutcome::Unresolved, Some(report))
			},
		};
		Self::settle(id, lease, outcome, report)
	}

	pub(crate) fn do_release_deferred(who: &T::AccountId) -> DispatchResult {
		let refund = Deferred::<T>::take(who).ok_or(Error::<T>::NothingDeferred)?;
		// One after the other: the first may lift the balance above the existential deposit, so
		// the larger goes first.
		let mut parts = [
			(HoldReason::LeaseEscrow, refund.escrow),
			(HoldReason::DisputeDeposit, refund.deposit),
		];
		parts.sort_by_key(|(_, amount)| core::cmp::Reverse(*amount));
		for (reason, amount) in parts {
			if amount > 0 {
				T::Currency::release(&reason.into(), who, amount, Precision::Exact)?;
			}
		}
		let amount = refund.escrow.saturating_add(refund.deposit);
		Self::deposit_event(Event::RefundReleased { who: who.clone(), amount });
		Ok(())
	}

	/// Moves `amount` out of a hold into the free balance of `to`. False, without effect, when
	/// `to` cannot take it.
	fn send(
		reason: &<T::Currency as frame_support::traits::fungible::InspectHold<T::AccountId>>::Reason,
		from: &T::AccountId,
		to: &T::AccountId,
		amount: Balance,
	) -> bool {
		with_storage_layer::<_, DispatchError, _>(|| {
			T::Currency::transfer_on_hold(
				reason,
				from,
				to,
				amount,
				Precision::Exact,
				Restriction::Free,
				// Freezes may overlap holds; they must not stop a settlement.
				Fortitude::Force,
			)
		})
		.is_ok()
	}

	/// Releases a hold to its owner, or notes that it could not be.
	fn give_back(reason: HoldReason, who: &T::AccountId, amount: Balance) {
		if amount == 0 {
			return;
		}
		let released = with_storage_layer::<_, DispatchError, _>(|| {
			T::Currency::release(&reason.into(), who, amount, Precision::Exact)
		});
		if released.is_err() {
			Deferred::<T>::mutate(who, |refund| {
				let refund = refund.get_or_insert_with(DeferredRefund::default);
				let part = match reason {
					HoldReason::LeaseEscrow => &mut refund.escrow,
					HoldReason::DisputeDeposit => &mut refund.deposit,
				};
				*part = part.saturating_add(amount);
			});
			Self::deposit_event(Event::RefundDeferred { who: who.clone(), amount });
		}
	}

	/// Splits the escrow, moves the money, writes the receipt and forgets the lease.
	fn settle(
		id: LeaseId,
		lease: LeaseOf<T>,
		outcome: LeaseOutcome,
		report: Option<RunReport>,
	) -> DispatchResult {
		let plan = match (outcome, &report) {
			(LeaseOutcome::Completed | LeaseOutcome::WorkloadFailed, Some(report)) => {
				settlement::settle(
					lease.escrow,
					lease.price_per_gfuel,
					report.fuel,
					lease.spec.max_fuel,
					lease.protocol_fee,
				)
				.map_err(|_| Error::<T>::Overflow)?
			},
			_ => settlement::refund_all(lease.escrow),
		};
		let reason = HoldReason::LeaseEscrow.into();
		let (mut paid, mut fee) = (plan.paid, plan.fee);
		if paid > 0 && !Self::send(&reason, &lease.tenant, &lease.provider, paid) {
			fee = fee.saturating_add(paid);
			paid = 0;
		}
		if fee > 0 && !Self::send(&reason, &lease.tenant, &T::FeeAccount::get(), fee) {
			fee = 0;
		}
		let refunded = lease.escrow.saturating_sub(paid).saturating_sub(fee);
		Self::give_back(HoldReason::LeaseEscrow, &lease.tenant, refunded);

		Leases::<T>::remove(id);
		DeviceLeases::<T>::remove(lease.device);
		Deadlines::<T>::remove(lease.bucket, id);
		ReservedPower::<T>::mutate_exists(lease.site, |power| {
			let left = power.unwrap_or_default().0.saturating_sub(lease.power.0);
			*power = (left > 0).then_some(MilliWatts(left));
		});
		let receipt = Receipt {
			lease: id,
			order: lease.order,
			device: lease.device,
			tenant: lease.tenant,
			provider: lease.provider,
			outcome,
			report,
			escrow: lease.escrow,
			paid,
			fee,
			refunded,
			settled_at: Self::now(),
		};
		Self::keep_receipt(id, &receipt);
		if paid > 0 {
			T::Energy::on_income(lease.device, paid);
		}
		T::Market::on_lease_closed(lease.order, id, outcome);
		Self::deposit_event(Event::LeaseSettled { lease: id, receipt });
		Ok(())
	}

	/// Puts a receipt in the ring's next place and drops the one that was there.
	fn keep_receipt(id: LeaseId, receipt: &ReceiptOf<T>) {
		let place = NextReceipt::<T>::get();
		if let Some(old) = ReceiptRing::<T>::get(place) {
			Receipts::<T>::remove(old);
		}
		ReceiptRing::<T>::insert(place, id);
		Receipts::<T>::insert(id, receipt);
		let next = place.saturating_add(1);
		NextReceipt::<T>::put(if next < T::MaxReceipts::get() { next } else { 0 });
	}

	/// Settles timeouts bucket by bucket while the meter allows.
	pub(crate) fn sweep(meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::sweep_base()).is_err() {
			return;
		}
		let current = bucket_of(Self::now());
		let first = NextBucket::<T>::get();
		if Leases::<T>::count() == 0 {
			if first < current {
				NextBucket::<T>::put(current);
			}
			return;
		}
		let mut bucket = first;
		// Every deadline of a bucket below the current one has passed.
		'buckets: while bucket < current {
			if meter.try_consume(T::WeightInfo::sweep_bucket()).is_err() {
				break;
			}
			while let Some(id) = Deadlines::<T>::iter_key_prefix(bucket).next() {
				if meter.try_consume(T::WeightInfo::settle_expired()).is_err() {
					break 'buckets;
				}
				if let Err(error) = with_storage_layer(|| Self::do_settle_expired(id)) {
					// No balance rule can cause this. Try again later rather than block the queue.
					log::error!(target: LOG_TARGET, "lease {id} not settled: {error:?}");
					Self::requeue(bucket, id, current.saturating_add(1));
				}
			}
			bucket = bucket.saturating_add(1);
		}
		if bucket != first {
			NextBucket::<T>::put(bucket);
		}
	}

	fn requeue(from: u64, id: LeaseId, to: u64) {
		Deadlines::<T>::remove(from, id);
		Leases::<T>::mutate_exists(id, |lease| {
			if let Some(lease) = lease {
				lease.bucket = to;
				Deadlines::<T>::insert(to, id, ());
			}
		});
	}
}

/// The bucket that a deadline falls in.
pub(crate) fn bucket_of(deadline: Moment) -> u64 {
	deadline.checked_div(BUCKET_MILLIS).unwrap_or_default()
}

/// How a lease ends whose report stands.
fn outcome_of(report: &RunReport) -> LeaseOutcome {
	match report.status {
		RunStatus::Success => LeaseOutcome::Completed,
		RunStatus::OutOfFuel
		| RunStatus::OutOfMemory
		| RunStatus::OutOfTime
		| RunStatus::Trapped
		| RunStatus::OutputTooLarge => LeaseOutcome::WorkloadFailed,
	}
}

impl<T: Config> LeaseOpener<T::AccountId> for Pallet<T> {
	fn open(new: NewLease<T::AccountId>) -> Result<LeaseId, DispatchError> {
		ensure!(!DeviceLeases::<T>::contains_key(new.device), Error::<T>::DeviceBusy);
		ensure!(Leases::<T>::count() < T::MaxOpenLeases::get(), Error::<T>::TooManyLeases);
		let id = NextLeaseId::<T>::get();
		let next = id.next().ok_or(Error::<T>::NoMoreIds)?;
		let opened_at = Self::now();
		let ack_by = Self::after(Params::<T>::get().ack_millis)?;
		let reserved = ReservedPower::<T>::get(new.site)
			.0
			.checked_add(new.power.0)
			.ok_or(Error::<T>::Overflow)?;
		// Fails without effect; everything after it cannot fail.
		T::Currency::hold(&HoldReason::LeaseEscrow.into(), &new.tenant, new.escrow)?;

		let bucket = bucket_of(ack_by);
		if Leases::<T>::count() == 0 {
			// Nothing is queued: skip the time since the last lease.
			NextBucket::<T>::put(bucket_of(opened_at));
		}
		NextLeaseId::<T>::put(next);
		DeviceLeases::<T>::insert(new.device, id);
		if reserved > 0 {
			ReservedPower::<T>::insert(new.site, MilliWatts(reserved));
		}
		Deadlines::<T>::insert(bucket, id, ());
		let event = Event::LeaseOpened {
			lease: id,
			order: new.order,
			device: new.device,
			tenant: new.tenant.clone(),
			escrow: new.escrow,
		};
		Leases::<T>::insert(
			id,
			Lease {
				order: new.order,
				tenant: new.tenant,
				provider: new.provider,
				device: new.device,
				site: new.site,
				spec: new.spec,
				price_per_gfuel: new.price_per_gfuel,
				escrow: new.escrow,
				power: new.power,
				protocol_fee: T::ProtocolFee::get().min(Ppm::ONE),
				opened_at,
				bucket,
				state: LeaseState::Offered { ack_by },
			},
		);
		Self::deposit_event(event);
		Ok(id)
	}

	fn is_busy(device: DeviceId) -> bool {
		DeviceLeases::<T>::contains_key(device)
	}

	fn reserved_power(site: SiteId) -> MilliWatts {
		ReservedPower::<T>::get(site)
	}
}

impl<T: Config> DeviceBusy for Pallet<T> {
	fn is_busy(device: DeviceId) -> bool {
		DeviceLeases::<T>::contains_key(device)
	}
}

impl<T: Config> LeaseGuard for Pallet<T> {
	fn on_tier_lost(device: DeviceId, left: Option<Tier>) {
		let Some(id) = DeviceLeases::<T>::get(device) else { return };
		let Some(lease) = Leases::<T>::get(id) else { return };
		if left.is_some_and(|tier| tier >= lease.spec.min_tier) {
			return;
		}
		match lease.state {
			LeaseState::Offered { .. }
			| LeaseState::Acknowledged { .. }
			| LeaseState::Running { .. } => {
				let settled = with_storage_layer(|| {
					Self::settle(id, lease, LeaseOutcome::AttestationLost, None)
				});
				if let Err(error) = settled {
					// No balance rule can cause this; the lease's own deadline is still queued.
					log::error!(target: LOG_TARGET, "lease {id} not ended: {error:?}");
				}
			},
			// What was computed before can still be accepted or contested.
			LeaseState::Reported { .. } | LeaseState::Disputed { .. } => {},
		}
	}
}

#[cfg(any(feature = "try-runtime", test))]
impl<T: Config> Pallet<T> {
	/// Checks what must always hold:
	///
	/// 1. parameters are valid;
	/// 2. an account's holds are the escrows and deposits of its leases plus what is deferred;
	/// 3. each open lease is its device's lease and queued in its bucket, and nothing else is;
	/// 4. no lease is queued before `NextBucket`;
	/// 5. a site's reserved power is the sum over its leases;
	/// 6. receipts add up, and the ring names exactly the receipts, within its bound;
	/// 7. open leases are within their bound, and every id is below `NextLeaseId`.
	pub(crate) fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		use alloc::collections::{BTreeMap, BTreeSet};
		use frame_support::traits::fungible::InspectHold;

		ensure!(Params::<T>::get().validate(), "INV1: invalid parameters");

		let mut held = BTreeMap::<T::AccountId, (Balance, Balance)>::new();
		let mut power = BTreeMap::<SiteId, u32>::new();
		let mut open = 0u32;
		for (id, lease) in Leases::<T>::iter() {
			open = open.saturating_add(1);
			ensure!(id < NextLeaseId::<T>::get(), "INV7: lease id from the future");
			ensure!(DeviceLeases::<T>::get(lease.device) == Some(id), "INV3: device lease");
			ensure!(Deadlines::<T>::contains_key(lease.bucket, id), "INV3: lease not queued");
			ensure!(
				lease.bucket >= bucket_of(lease.state.deadline()),
				"INV3: queued before its deadline"
			);
			let site = power.entry(lease.site).or_default();
			*site = site.saturating_add(lease.power.0);
			let sums = held.entry(lease.tenant).or_default();
			sums.0 = sums.0.saturating_add(lease.escrow);
			if let LeaseState::Disputed { deposit, .. } = lease.state {
				sums.1 = sums.1.saturating_add(deposit);
			}
		}
		for (who, refund) in Deferred::<T>::iter() {
			let sums = held.entry(who).or_default();
			sums.0 = sums.0.saturating_add(refund.escrow);
			sums.1 = sums.1.saturating_add(refund.deposit);
		}
		for (who, (escrow, deposit)) in held {
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::LeaseEscrow.into(), &who) == escrow,
				"INV2: escrow on hold"
			);
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::DisputeDeposit.into(), &who) == deposit,
				"INV2: deposit on hold"
			);
		}
		let devices = DeviceLeases::<T>::iter().count();
		ensure!(u32::try_from(devices) == Ok(open), "INV3: device leases without lease");
		let mut queued = 0u32;
		for (bucket, _, ()) in Deadlines::<T>::iter() {
			queued = queued.saturating_add(1);
			ensure!(bucket >= NextBucket::<T>::get(), "INV4: queued behind the sweep");
		}
		ensure!(queued == open, "INV3: queue entries without lease");
		for (site, reserved) in ReservedPower::<T>::iter() {
			ensure!(
				power.remove(&site).unwrap_or_default() == reserved.0,
				"INV5: reserved power of a site"
			);
		}
		ensure!(power.values().all(|left| *left == 0), "INV5: power not reserved");

		let mut kept = BTreeSet::new();
		for (id, receipt) in Receipts::<T>::iter() {
			let sum = receipt.paid.saturating_add(receipt.fee).saturating_add(receipt.refunded);
			ensure!(sum == receipt.escrow && id == receipt.lease, "INV6: receipt does not add up");
			ensure!(!Leases::<T>::contains_key(id), "INV6: receipt of an open lease");
			kept.insert(id);
		}
		let ring: BTreeSet<_> = ReceiptRing::<T>::iter_values().collect();
		ensure!(ring == kept, "INV6: ring and receipts differ");
		ensure!(
			u32::try_from(kept.len()).is_ok_and(|len| len <= T::MaxReceipts::get())
				&& NextReceipt::<T>::get() < T::MaxReceipts::get(),
			"INV6: too many receipts"
		);
		ensure!(
			open == Leases::<T>::count() && open <= T::MaxOpenLeases::get(),
			"INV7: count of open leases"
		);
		Ok(())
	}
}
