//! Bodies of the calls, the lease's echo and the invariants.

use crate::{
	checks::Load,
	pallet::*,
	types::{Agreement, ExplainError, OpenOrder},
};
use armature_economics::pricing;
use armature_primitives::{
	device::DeviceStatus,
	lease::LeaseOutcome,
	market::{AskTerms, OrderSpec},
	traits::{DeviceInspect, LeaseOpener, OnLeaseClosed},
	Balance, DeviceId, LeaseId, Moment, OrderId, Ppm,
};
use frame_support::{
	ensure,
	traits::{fungible::MutateHold, tokens::Precision, Get, Time},
};
use sp_runtime::{DispatchError, DispatchResult};

impl<T: Config> Pallet<T> {
	pub(crate) fn now() -> Moment {
		T::Clock::now()
	}

	fn open_order(id: OrderId) -> Result<OpenOrderOf<T>, DispatchError> {
		OpenOrders::<T>::get(id).ok_or_else(|| Error::<T>::OrderNotFound.into())
	}

	fn escrow_for(price_per_gfuel: Balance, max_fuel: u64) -> Result<Balance, DispatchError> {
		pricing::cost_of_fuel(price_per_gfuel, max_fuel).map_err(|_| Error::<T>::Overflow.into())
	}

	/// Forgets an open order. Its hold is the caller's to deal with.
	pub(crate) fn forget_open(id: OrderId, tenant: &T::AccountId) {
		OpenOrders::<T>::remove(id);
		OpenOrdersOf::<T>::mutate_exists(tenant, |count| {
			let left = count.unwrap_or_default().saturating_sub(1);
			*count = (left > 0).then_some(left);
		});
	}

	pub(crate) fn release(who: &T::AccountId, amount: Balance) -> DispatchResult {
		T::Currency::release(&HoldReason::OrderEscrow.into(), who, amount, Precision::Exact)?;
		Ok(())
	}

	pub(crate) fn do_set_ask(
		who: &T::AccountId,
		device: DeviceId,
		terms: AskTerms,
	) -> DispatchResult {
		let info = T::Devices::device(device).ok_or(Error::<T>::DeviceNotFound)?;
		ensure!(T::Devices::may_operate(who, device), Error::<T>::NotOperator);
		ensure!(info.status != DeviceStatus::Retired, Error::<T>::DeviceRetired);
		ensure!(
			terms.price_per_gfuel > 0 && terms.reserve_per_gfuel != Some(0),
			Error::<T>::ZeroPrice
		);
		ensure!(
			Asks::<T>::contains_key(device) || Asks::<T>::count() < T::MaxAsks::get(),
			Error::<T>::TooManyAsks
		);
		Asks::<T>::insert(device, terms);
		Self::deposit_event(Event::AskSet { device, terms });
		Ok(())
	}

	pub(crate) fn do_withdraw_ask(who: &T::AccountId, device: DeviceId) -> DispatchResult {
		ensure!(Asks::<T>::contains_key(device), Error::<T>::AskNotFound);
		ensure!(T::Devices::may_operate(who, device), Error::<T>::NotOperator);
		Self::drop_ask(device);
		Ok(())
	}

	pub(crate) fn drop_ask(device: DeviceId) {
		Asks::<T>::remove(device);
		Self::deposit_event(Event::AskWithdrawn { device });
	}

	pub(crate) fn do_submit_order(who: T::AccountId, spec: OrderSpec) -> DispatchResult {
		let now = Self::now();
		ensure!(spec.max_fuel > 0, Error::<T>::ZeroFuel);
		ensure!(spec.max_price_per_gfuel > 0, Error::<T>::ZeroPrice);
		ensure!(spec.max_memory_mib > 0, Error::<T>::ZeroMemory);
		ensure!(spec.max_duration_millis > 0, Error::<T>::ZeroDuration);
		ensure!(
			spec.max_duration_millis <= T::MaxDurationMillis::get(),
			Error::<T>::DurationTooLong
		);
		ensure!(spec.min_availability <= Ppm::ONE, Error::<T>::InvalidAvailability);
		ensure!(spec.deadline > now, Error::<T>::DeadlinePassed);
		ensure!(
			spec.deadline.saturating_sub(now) <= T::MaxOrderLifeMillis::get(),
			Error::<T>::DeadlineTooFar
		);
		let parameters = Params::<T>::get();
		let escrow = Self::escrow_for(spec.max_price_per_gfuel, spec.max_fuel)?;
		ensure!(escrow >= parameters.min_escrow, Error::<T>::EscrowTooSmall);
		let own = OpenOrdersOf::<T>::get(&who);
		ensure!(own < parameters.max_open_orders_per_tenant, Error::<T>::TooManyOwnOrders);
		ensure!(OpenOrders::<T>::count() < T::MaxOpenOrders::get(), Error::<T>::TooManyOrders);
		let order = NextOrderId::<T>::get();
		let next = order.next().ok_or(Error::<T>::NoMoreIds)?;

		T::Currency::hold(&HoldReason::OrderEscrow.into(), &who, escrow)?;
		NextOrderId::<T>::put(next);
		OpenOrdersOf::<T>::insert(&who, own.saturating_add(1));
		OpenOrders::<T>::insert(
			order,
			OpenOrder { tenant: who.clone(), spec, escrow, submitted_at: now, last_refusal: None },
		);
		Self::deposit_event(Event::OrderSubmitted { order, who, escrow });
		Ok(())
	}

	pub(crate) fn do_cancel_order(who: &T::AccountId, id: OrderId) -> DispatchResult {
		let order = Self::open_order(id)?;
		ensure!(*who == order.tenant, Error::<T>::NotTenant);
		Self::release(&order.tenant, order.escrow)?;
		Self::forget_open(id, &order.tenant);
		Self::deposit_event(Event::OrderCancelled { order: id });
		Ok(())
	}

	pub(crate) fn do_top_up_order(
		who: &T::AccountId,
		id: OrderId,
		max_price_per_gfuel: Balance,
	) -> DispatchResult {
		let mut order = Self::open_order(id)?;
		ensure!(*who == order.tenant, Error::<T>::NotTenant);
		ensure!(Self::now() <= order.spec.deadline, Error::<T>::DeadlinePassed);
		ensure!(max_price_per_gfuel > order.spec.max_price_per_gfuel, Error::<T>::NotARaise);
		let escrow = Self::escrow_for(max_price_per_gfuel, order.spec.max_fuel)?;
		let more = escrow.checked_sub(order.escrow).ok_or(Error::<T>::Overflow)?;
		T::Currency::hold(&HoldReason::OrderEscrow.into(), who, more)?;
		order.escrow = escrow;
		order.spec.max_price_per_gfuel = max_price_per_gfuel;
		OpenOrders::<T>::insert(id, order);
		Self::deposit_event(Event::OrderToppedUp { order: id, max_price_per_gfuel, escrow });
		Ok(())
	}

	pub(crate) fn do_expire_order(id: OrderId) -> DispatchResult {
		let order = Self::open_order(id)?;
		ensure!(Self::now() > order.spec.deadline, Error::<T>::NotExpired);
		Self::release(&order.tenant, order.escrow)?;
		Self::forget_open(id, &order.tenant);
		Self::deposit_event(Event::OrderExpired { order: id, refunded: order.escrow });
		Ok(())
	}

	pub(crate) fn do_explain(id: OrderId, device: DeviceId) -> Result<Agreement, ExplainError> {
		let order = OpenOrders::<T>::get(id).ok_or(ExplainError::UnknownOrder)?;
		let terms = Asks::<T>::get(device).ok_or(ExplainError::NoAsk)?;
		let now = Self::now();
		let candidate = Self::candidate(device, terms, now).ok_or(ExplainError::DeviceGone)?;
		let load = Load {
			busy: T::Leases::is_busy(device),
			reserved: T::Leases::reserved_power(candidate.info.site),
		};
		Self::check(&order.spec, &candidate, load, now, Params::<T>::get().fuel_per_step)
			.map_err(ExplainError::Refused)
	}
}

impl<T: Config> OnLeaseClosed for Pallet<T> {
	fn on_lease_closed(order: OrderId, lease: LeaseId, _: LeaseOutcome) {
		MatchedOrders::<T>::mutate_exists(order, |matched| {
			if matched.as_ref().is_some_and(|matched| matched.lease == lease) {
				*matched = None;
			}
		});
	}
}

#[cfg(any(feature = "try-runtime", test))]
impl<T: Config> Pallet<T> {
	/// Checks what must always hold:
	///
	/// 1. parameters are valid;
	/// 2. an account's hold is the sum of its open orders' escrows;
	/// 3. an escrow is the price limit times the fuel limit, rounded up;
	/// 4. the count of open orders per account is right, and accounts without one have no entry;
	/// 5. both books are within their bounds and their counters are right;
	/// 6. no order is both open and matched, and every id is below `NextOrderId`;
	/// 7. asks have a price.
	pub(crate) fn do_try_state() -> Result<(), sp_runtime::TryRuntimeError> {
		use alloc::collections::BTreeMap;
		use frame_support::traits::fungible::{Inspect, InspectHold};

		ensure!(
			Params::<T>::get().validate(T::Currency::minimum_balance()),
			"INV1: invalid parameters"
		);

		let next = NextOrderId::<T>::get();
		let mut own = BTreeMap::<T::AccountId, (u32, Balance)>::new();
		let mut open = 0u32;
		for (id, order) in OpenOrders::<T>::iter() {
			open = open.saturating_add(1);
			ensure!(id < next, "INV6: open order id from the future");
			ensure!(!MatchedOrders::<T>::contains_key(id), "INV6: order both open and matched");
			ensure!(
				pricing::cost_of_fuel(order.spec.max_price_per_gfuel, order.spec.max_fuel)
					== Ok(order.escrow),
				"INV3: escrow"
			);
			let entry = own.entry(order.tenant).or_default();
			entry.0 = entry.0.saturating_add(1);
			entry.1 = entry.1.saturating_add(order.escrow);
		}
		for id in MatchedOrders::<T>::iter_keys() {
			ensure!(id < next, "INV6: matched order id from the future");
		}
		ensure!(
			open == OpenOrders::<T>::count() && open <= T::MaxOpenOrders::get(),
			"INV5: count of open orders"
		);
		let asks = u32::try_from(Asks::<T>::iter_keys().count()).unwrap_or(u32::MAX);
		ensure!(asks == Asks::<T>::count() && asks <= T::MaxAsks::get(), "INV5: count of asks");
		ensure!(
			Asks::<T>::iter_values().all(|terms| terms.price_per_gfuel > 0),
			"INV7: ask without price"
		);
		let counted = OpenOrdersOf::<T>::iter().count();
		ensure!(counted == own.len(), "INV4: accounts with open orders");
		for (who, (count, escrow)) in own {
			ensure!(OpenOrdersOf::<T>::get(&who) == count, "INV4: open orders of an account");
			ensure!(
				T::Currency::balance_on_hold(&HoldReason::OrderEscrow.into(), &who) == escrow,
				"INV2: escrow on hold"
			);
		}
		Ok(())
	}
}
