//! The batch: snapshot, assignment, opening.

use crate::{
	checks::{depth, Candidate, Load},
	matcher::{AskRow, MatchAlgorithm, Oracle, OrderRow},
	pallet::*,
	types::MatchedOrder,
	WeightInfo, LOG_TARGET,
};
use alloc::{collections::BTreeMap, vec, vec::Vec};
use armature_primitives::{
	lease::NewLease,
	market::{AskTerms, Refusal, RefusalReason},
	traits::LeaseOpener,
	DeviceId, LeaseId, MilliWatts, Moment, OrderId, SiteId,
};
use core::mem::discriminant;
use frame_support::{
	ensure,
	storage::with_storage_layer,
	traits::Get,
	weights::{Weight, WeightMeter},
};
use frame_system::pallet_prelude::BlockNumberFor;
use sp_runtime::{traits::Saturating, DispatchError};

/// The feasibility oracle of one batch.
struct BatchOracle<'a, T: Config> {
	orders: &'a [(OrderId, OpenOrderOf<T>)],
	candidates: &'a [Candidate<T::AccountId>],
	/// Per candidate.
	busy: Vec<bool>,
	reserved: BTreeMap<SiteId, MilliWatts>,
	/// Per order: the refusal that got furthest.
	refusals: Vec<Option<Refusal>>,
	questions_left: usize,
	now: Moment,
	fuel_per_step: u32,
}

impl<'a, T: Config> BatchOracle<'a, T> {
	fn new(
		orders: &'a [(OrderId, OpenOrderOf<T>)],
		candidates: &'a [Candidate<T::AccountId>],
		now: Moment,
		fuel_per_step: u32,
	) -> Self {
		let busy = candidates.iter().map(|one| T::Leases::is_busy(one.device)).collect();
		let reserved = candidates
			.iter()
			.map(|one| (one.info.site, T::Leases::reserved_power(one.info.site)))
			.collect();
		Self {
			orders,
			candidates,
			busy,
			reserved,
			refusals: vec![None; orders.len()],
			questions_left: orders.len().saturating_mul(candidates.len()),
			now,
			fuel_per_step,
		}
	}

	fn reserved_at(&self, site: SiteId) -> MilliWatts {
		self.reserved.get(&site).copied().unwrap_or_default()
	}
}

impl<T: Config> Oracle for BatchOracle<'_, T> {
	fn feasible(&mut self, order: usize, ask: usize) -> bool {
		let Some(left) = self.questions_left.checked_sub(1) else {
			return false;
		};
		let (Some((_, open)), Some(candidate), Some(busy)) =
			(self.orders.get(order), self.candidates.get(ask), self.busy.get(ask))
		else {
			return false;
		};
		self.questions_left = left;
		let load = Load { busy: *busy, reserved: self.reserved_at(candidate.info.site) };
		match Pallet::<T>::check(&open.spec, candidate, load, self.now, self.fuel_per_step) {
			Ok(_) => true,
			Err(reason) => {
				if let Some(best) = self.refusals.get_mut(order) {
					if best.is_none_or(|best| depth(&best.reason) < depth(&reason)) {
						*best = Some(Refusal { device: Some(candidate.device), reason });
					}
				}
				false
			},
		}
	}

	fn reserve(&mut self, _: usize, ask: usize) {
		let Some(candidate) = self.candidates.get(ask) else {
			return;
		};
		if let Some(busy) = self.busy.get_mut(ask) {
			*busy = true;
		}
		let site = candidate.info.site;
		let power = candidate.power.unwrap_or_default();
		let sum = self.reserved_at(site).0.saturating_add(power.0);
		self.reserved.insert(site, MilliWatts(sum));
	}
}

impl<T: Config> Pallet<T> {
	/// Runs the batch when one is due and the block has room for it.
	pub(crate) fn on_batch_block(block: BlockNumberFor<T>, meter: &mut WeightMeter) {
		if meter.try_consume(T::WeightInfo::batch_base()).is_err() {
			return;
		}
		let length = BlockNumberFor::<T>::from(Params::<T>::get().batch_blocks);
		if block < LastBatch::<T>::get().saturating_add(length) {
			return;
		}
		// Without room for a single order the batch waits for the next block.
		if OpenOrders::<T>::count() == 0 || Self::run_batch(meter) {
			LastBatch::<T>::put(block);
		}
	}

	/// False when the meter has no room for one order.
	fn run_batch(meter: &mut WeightMeter) -> bool {
		let now = Self::now();
		let Some((candidates, gone)) = Self::read_asks(now, meter) else {
			return false;
		};
		let (orders, expired) = Self::read_orders(now, candidates.len(), meter);
		if orders.is_empty() && expired.is_empty() {
			return false;
		}

		for device in gone {
			Self::drop_ask(device);
		}
		for id in &expired {
			if let Err(error) = with_storage_layer(|| Self::do_expire_order(*id)) {
				log::error!(target: LOG_TARGET, "order {id} not expired: {error:?}");
			}
		}
		let (refusals, matched) = Self::assign(now, &orders, &candidates);
		for ((id, _), refusal) in orders.iter().zip(refusals) {
			Self::note_refusal(*id, refusal);
		}
		Self::deposit_event(Event::BatchRun {
			orders: count(orders.len().saturating_add(expired.len())),
			asks: count(candidates.len()),
			matched,
		});
		true
	}

	/// What one order costs against `asks` asks, whatever becomes of it.
	fn order_cost(asks: usize) -> Weight {
		let asks = u64::try_from(asks).unwrap_or(u64::MAX);
		T::WeightInfo::batch_order()
			.saturating_add(T::WeightInfo::batch_match().max(T::WeightInfo::expire_order()))
			.saturating_add(T::WeightInfo::batch_pair().saturating_mul(asks))
	}

	/// Reads asks behind the cursor. Stops where there would be no room left for one order.
	/// Returns the candidates and the devices that are gone, or `None` when there are asks but no
	/// room for any.
	fn read_asks(
		now: Moment,
		meter: &mut WeightMeter,
	) -> Option<(Vec<Candidate<T::AccountId>>, Vec<DeviceId>)> {
		let total = Asks::<T>::count();
		let limit = usize::try_from(total.min(T::MaxAsksPerBatch::get())).unwrap_or(usize::MAX);
		let (mut candidates, mut gone) = (Vec::new(), Vec::new());
		let mut last = None;
		let window: Vec<(DeviceId, AskTerms)> = match AskCursor::<T>::get() {
			Some(cursor) if limit > 0 => Asks::<T>::iter_from(Asks::<T>::hashed_key_for(cursor))
				.chain(Asks::<T>::iter())
				.take(limit)
				.collect(),
			_ => Asks::<T>::iter().take(limit).collect(),
		};
		for (device, terms) in window {
			let read = T::WeightInfo::batch_ask();
			let room = read.saturating_add(Self::order_cost(candidates.len().saturating_add(1)));
			if !meter.can_consume(room) {
				break;
			}
			meter.consume(read);
			last = Some(device);
			match Self::candidate(device, terms, now) {
				Some(candidate) => candidates.push(candidate),
				None => gone.push(device),
			}
		}
		if let Some(last) = last {
			AskCursor::<T>::put(last);
		} else if total > 0 {
			return None;
		}
		Some((candidates, gone))
	}

	/// Reads orders behind the cursor, as many as the meter admits. Returns the live and the
	/// expired ones.
	fn read_orders(
		now: Moment,
		asks: usize,
		meter: &mut WeightMeter,
	) -> (Vec<(OrderId, OpenOrderOf<T>)>, Vec<OrderId>) {
		let total = OpenOrders::<T>::count();
		let limit = usize::try_from(total.min(T::MaxOrdersPerBatch::get())).unwrap_or(usize::MAX);
		let window: Vec<(OrderId, OpenOrderOf<T>)> = match OrderCursor::<T>::get() {
			Some(cursor) => OpenOrders::<T>::iter_from(OpenOrders::<T>::hashed_key_for(cursor))
				.chain(OpenOrders::<T>::iter())
				.take(limit)
				.collect(),
			None => OpenOrders::<T>::iter().take(limit).collect(),
		};
		let (mut live, mut expired) = (Vec::new(), Vec::new());
		for (id, order) in window {
			if meter.try_consume(Self::order_cost(asks)).is_err() {
				break;
			}
			OrderCursor::<T>::put(id);
			if now > order.spec.deadline {
				expired.push(id);
			} else {
				live.push((id, order));
			}
		}
		(live, expired)
	}

	/// Lets the matcher propose and opens what holds. Returns each order's refusal (`None` when it
	/// was matched or only failed to open) and the number of matches.
	fn assign(
		now: Moment,
		orders: &[(OrderId, OpenOrderOf<T>)],
		candidates: &[Candidate<T::AccountId>],
	) -> (Vec<Option<Refusal>>, u32) {
		if candidates.is_empty() {
			let nobody = Refusal { device: None, reason: RefusalReason::NoAsks };
			return (vec![Some(nobody); orders.len()], 0);
		}
		let order_rows: Vec<_> = orders
			.iter()
			.map(|(order, open)| OrderRow {
				order: *order,
				max_price_per_gfuel: open.spec.max_price_per_gfuel,
			})
			.collect();
		let ask_rows: Vec<_> = candidates
			.iter()
			.map(|one| AskRow { device: one.device, price_per_gfuel: one.terms.price_per_gfuel })
			.collect();
		let fuel_per_step = Params::<T>::get().fuel_per_step;
		let mut oracle = BatchOracle::<T>::new(orders, candidates, now, fuel_per_step);
		let assignments = T::Matcher::assign(&order_rows, &ask_rows, &mut oracle);
		let mut refusals = oracle.refusals;

		let mut matched = 0u32;
		// No more than one assignment per order is accounted for.
		for assignment in assignments.into_iter().take(orders.len()) {
			let (Some((id, _)), Some(candidate)) =
				(orders.get(assignment.order), candidates.get(assignment.ask))
			else {
				continue;
			};
			if let Some(refusal) = refusals.get_mut(assignment.order) {
				*refusal = None;
			}
			match Self::execute(*id, candidate, now, fuel_per_step) {
				Ok(_) => matched = matched.saturating_add(1),
				Err(error) => log::warn!(
					target: LOG_TARGET,
					"order {id} not opened on device {}: {error:?}",
					candidate.device
				),
			}
		}
		(refusals, matched)
	}

	/// Checks an assignment against the chain's state and turns it into a lease. Without effect on
	/// failure.
	pub(crate) fn execute(
		id: OrderId,
		candidate: &Candidate<T::AccountId>,
		now: Moment,
		fuel_per_step: u32,
	) -> Result<LeaseId, DispatchError> {
		let order = OpenOrders::<T>::get(id).ok_or(Error::<T>::OrderNotFound)?;
		let load = Load {
			busy: T::Leases::is_busy(candidate.device),
			reserved: T::Leases::reserved_power(candidate.info.site),
		};
		let agreement = Self::check(&order.spec, candidate, load, now, fuel_per_step)
			.map_err(|_| Error::<T>::NotFeasible)?;
		ensure!(agreement.escrow <= order.escrow, Error::<T>::NotFeasible);
		with_storage_layer(|| {
			Self::release(&order.tenant, order.escrow)?;
			let lease = T::Leases::open(NewLease {
				order: id,
				tenant: order.tenant.clone(),
				provider: candidate.info.provider.clone(),
				device: candidate.device,
				site: candidate.info.site,
				spec: order.spec,
				price_per_gfuel: agreement.price_per_gfuel,
				escrow: agreement.escrow,
				power: agreement.power,
			})?;
			Self::forget_open(id, &order.tenant);
			MatchedOrders::<T>::insert(
				id,
				MatchedOrder {
					tenant: order.tenant,
					lease,
					price_per_gfuel: agreement.price_per_gfuel,
				},
			);
			Self::deposit_event(Event::OrderMatched {
				order: id,
				lease,
				device: candidate.device,
				price_per_gfuel: agreement.price_per_gfuel,
				quote: agreement.quote,
			});
			Ok(lease)
		})
	}

	/// Keeps the refusal with its order. Figures drift from batch to batch, so only another device
	/// or another kind of reason is worth an event.
	pub(crate) fn note_refusal(id: OrderId, refusal: Option<Refusal>) {
		let Some(refusal) = refusal else {
			return;
		};
		let changed = OpenOrders::<T>::mutate_exists(id, |order| {
			let Some(order) = order else {
				return false;
			};
			let same = order.last_refusal.is_some_and(|last| {
				last.device == refusal.device
					&& discriminant(&last.reason) == discriminant(&refusal.reason)
			});
			order.last_refusal = Some(refusal);
			!same
		});
		if changed {
			Self::deposit_event(Event::OrderRefused { order: id, refusal });
		}
	}
}

fn count(len: usize) -> u32 {
	u32::try_from(len).unwrap_or(u32::MAX)
}
