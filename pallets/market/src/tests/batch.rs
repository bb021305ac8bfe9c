//! The batch: who is matched, what is said, how weight and books bound it.

use crate::{mock::*, weights::WeightInfo, AskCursor, Event, LastBatch, MatchAlgorithm};
use armature_primitives::{
	device::{DeviceStatus, Tier},
	market::{AskTerms, OrderSpec, Refusal, RefusalReason},
	DeviceId, LeaseId, MilliWatts, OrderId, SiteId,
};
use frame_support::{assert_ok, weights::Weight};

fn priced(max_price_per_gfuel: u128) -> OrderSpec {
	OrderSpec { max_price_per_gfuel, ..spec() }
}

fn matches() -> Vec<(OrderId, DeviceId)> {
	Opened::get().iter().map(|lease| (lease.order, lease.device)).collect()
}

fn refusals() -> Vec<(OrderId, Refusal)> {
	events()
		.into_iter()
		.filter_map(|event| match event {
			Event::OrderRefused { order, refusal } => Some((order, refusal)),
			_ => None,
		})
		.collect()
}

#[test]
fn batch_should_release_its_hold_and_open_the_lease_when_a_pair_fits() {
	ExtBuilder::default().ask(7, 300).build_and_execute(|| {
		let order = submit(spec());
		batch();
		assert_eq!(held(TENANT), 0);
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1 - 600);
		let lease = Opened::get().pop().unwrap();
		assert_eq!((lease.tenant, lease.provider, lease.site), (TENANT, PROVIDER, SiteId(1)));
		assert_eq!((lease.escrow, lease.spec), (600, spec()));
		assert_eq!(
			&events()[2..],
			&[
				Event::OrderMatched {
					order,
					lease: LeaseId(500),
					device: DeviceId(7),
					price_per_gfuel: 300,
					quote: Some(quote(1, 20_000))
				},
				Event::BatchRun { orders: 1, asks: 1, matched: 1 },
			]
		);
	});
}

#[test]
fn batch_should_run_only_when_it_is_due() {
	ExtBuilder::default().ask(7, 300).build_and_execute(|| {
		submit(spec());
		// Block 2, then block 3.
		idle(1, Weight::MAX);
		assert!(matches().is_empty());
		idle(1, Weight::MAX);
		assert_eq!(matches().len(), 1);
		assert_eq!(LastBatch::<Test>::get(), 3);
		close(DeviceId(7));
		submit(spec());
		idle(2, Weight::MAX);
		assert_eq!(matches().len(), 1);
		idle(1, Weight::MAX);
		assert_eq!(matches().len(), 2);
	});
}

#[test]
fn batch_should_say_nothing_when_there_is_no_order() {
	ExtBuilder::default().ask(7, 300).build_and_execute(|| {
		let before = events().len();
		batch();
		assert_eq!(events().len(), before);
		assert_eq!(LastBatch::<Test>::get(), 4);
	});
}

#[test]
fn greedy_should_give_the_highest_order_the_cheapest_ask() {
	ExtBuilder::default().ask(1, 300).ask(2, 100).ask(3, 200).build_and_execute(|| {
		let low = submit(priced(250));
		let high = submit(priced(500));
		let late = submit(priced(500));
		batch();
		// `low` pays 250: only the ask of 300 is left.
		assert_eq!(matches(), vec![(high, DeviceId(2)), (late, DeviceId(3))]);
		assert_eq!(
			refusal(low),
			Some(Refusal {
				device: Some(DeviceId(1)),
				reason: RefusalReason::PriceTooHigh { asked: 300 }
			})
		);
	});
}

#[test]
fn greedy_should_take_lower_ids_first_when_prices_tie() {
	ExtBuilder::default().ask(5, 100).ask(4, 100).build_and_execute(|| {
		let first = submit(spec());
		let second = submit(spec());
		batch();
		assert_eq!(matches(), vec![(first, DeviceId(4)), (second, DeviceId(5))]);
	});
}

#[test]
fn batch_should_count_its_own_matches_when_a_site_runs_full() {
	ExtBuilder::default().ask(1, 100).ask(2, 100).ask(3, 100).build_and_execute(|| {
		// 80 % of 25,001 carries two lanes of 10,000.
		PowerCap::set(MilliWatts(25_001));
		for _ in 0..3 {
			submit(spec());
		}
		batch();
		assert_eq!(matches().len(), 2);
		assert_eq!(
			refusal(OrderId(2)),
			Some(Refusal {
				device: Some(DeviceId(3)),
				reason: RefusalReason::SitePower {
					in_use: MilliWatts(20_000),
					needs: MilliWatts(10_000),
					limit: MilliWatts(20_000)
				}
			})
		);
	});
}

#[test]
fn batch_should_not_match_a_busy_device() {
	ExtBuilder::default().ask(1, 100).build_and_execute(|| {
		submit(spec());
		batch();
		let waiting = submit(spec());
		batch();
		let busy = Refusal { device: Some(DeviceId(1)), reason: RefusalReason::Busy };
		assert_eq!(refusal(waiting), Some(busy));
		close(DeviceId(1));
		batch();
		assert_eq!(matches().len(), 2);
	});
}

#[test]
fn refusal_should_be_the_one_that_got_furthest_when_devices_differ() {
	let inactive = Machine { status: DeviceStatus::Suspect, ..Machine::default() };
	let untrusted = Machine { tier: None, ..Machine::default() };
	let small = Machine { memory_mib: 1, ..Machine::default() };
	ExtBuilder::default()
		.ask_of(1, 100, small)
		.ask_of(2, 50, inactive)
		.ask_of(3, 200, untrusted)
		.build_and_execute(|| {
			let order = submit(spec());
			batch();
			let reason = RefusalReason::Memory { has_mib: 1 };
			assert_eq!(refusal(order), Some(Refusal { device: Some(DeviceId(1)), reason }));
		});
}

#[test]
fn refusal_should_say_no_asks_when_the_book_is_empty() {
	ExtBuilder::default().build_and_execute(|| {
		let order = submit(spec());
		batch();
		let nobody = Refusal { device: None, reason: RefusalReason::NoAsks };
		assert_eq!(refusal(order), Some(nobody));
		assert_eq!(refusals(), vec![(order, nobody)]);
	});
}

#[test]
fn refusal_event_should_come_once_until_kind_or_device_changes() {
	ExtBuilder::default().ask(1, 600).build_and_execute(|| {
		let order = submit(spec());
		batch();
		batch();
		assert_eq!(refusals().len(), 1);
		// Another figure: the record is refreshed, without an event.
		assert_ok!(Market::set_ask(signed(PROVIDER), DeviceId(1), terms(700)));
		batch();
		assert_eq!(refusals().len(), 1);
		let reason = RefusalReason::PriceTooHigh { asked: 700 };
		assert_eq!(refusal(order), Some(Refusal { device: Some(DeviceId(1)), reason }));
		// Another kind.
		Boxes::mutate(|all| all.get_mut(&DeviceId(1)).unwrap().tier = Some(Tier::T0));
		assert_ok!(Market::cancel_order(signed(TENANT), order));
		let picky = submit(OrderSpec { min_tier: Tier::T1, ..spec() });
		batch();
		assert_eq!(refusals().len(), 2);
		Boxes::mutate(|all| all.get_mut(&DeviceId(1)).unwrap().tier = Some(Tier::T1));
		batch();
		assert_eq!(refusals().len(), 3);
		assert_eq!(refusals()[2].0, picky);
	});
}

#[test]
fn order_should_be_refunded_when_its_deadline_passes_in_the_book() {
	ExtBuilder::default().ask(1, 100).build_and_execute(|| {
		let order = submit(spec());
		Now::set(spec().deadline + 1);
		batch();
		assert!(matches().is_empty());
		assert_eq!(Market::order(order), None);
		assert_eq!(Balances::free_balance(TENANT), FUNDS + 1);
		let expired = Event::OrderExpired { order, refunded: 1_000 };
		assert!(events().contains(&expired));

		// At its deadline an order is still matched.
		Now::set(START);
		let order = submit(spec());
		Now::set(spec().deadline);
		batch();
		assert_eq!(matches(), vec![(order, DeviceId(1))]);
	});
}

#[test]
fn order_and_hold_should_stay_when_opening_fails() {
	ExtBuilder::default().ask(1, 100).build_and_execute(|| {
		let order = submit(spec());
		FailOpen::set(true);
		batch();
		assert_eq!(held(TENANT), 1_000);
		assert_eq!(Balances::free_balance(VAULT), FUNDS + VAULT as u128);
		assert_eq!(refusal(order), None);
		assert!(events().contains(&Event::BatchRun { orders: 1, asks: 1, matched: 0 }));
		FailOpen::set(false);
		batch();
		assert_eq!(matches(), vec![(order, DeviceId(1))]);
	});
}

#[test]
fn ask_should_be_dropped_when_its_device_is_gone_or_retired() {
	ExtBuilder::default().ask(1, 100).ask(2, 100).ask(3, 400).build_and_execute(|| {
		Boxes::mutate(|all| {
			all.remove(&DeviceId(1));
			all.get_mut(&DeviceId(2)).unwrap().status = DeviceStatus::Retired;
		});
		submit(spec());
		batch();
		assert_eq!((Market::ask(DeviceId(1)), Market::ask(DeviceId(2))), (None, None));
		assert!(Market::ask(DeviceId(3)).is_some());
		for device in [DeviceId(1), DeviceId(2)] {
			assert!(events().contains(&Event::AskWithdrawn { device }));
		}
		assert_eq!(matches().len(), 1);
	});
}

#[test]
fn windows_should_rotate_when_the_books_are_larger() {
	let builder = (0..6).fold(ExtBuilder::default(), |builder, n| builder.ask(n, 900));
	builder.build_and_execute(|| {
		MaxOrdersPerBatch::set(2);
		MaxAsksPerBatch::set(1);
		for _ in 0..6 {
			submit(spec());
		}
		let mut seen = std::collections::BTreeSet::new();
		for _ in 0..6 {
			batch();
			seen.insert(AskCursor::<Test>::get().unwrap());
		}
		assert_eq!(seen.len(), 6, "every ask had its turn");
		for n in 0..6 {
			assert!(refusal(OrderId(n)).is_some(), "order {n} had its turn");
		}
		let reads = events()
			.into_iter()
			.filter(|event| matches!(event, Event::BatchRun { orders: 2, asks: 1, matched: 0 }));
		assert_eq!(reads.count(), 6);
	});
}

/// What a batch of these many orders and asks consumes.
fn weight(orders: u64, asks: u64) -> Weight {
	let per_order = <() as WeightInfo>::batch_order()
		.saturating_add(<() as WeightInfo>::batch_match().max(<() as WeightInfo>::expire_order()))
		.saturating_add(<() as WeightInfo>::batch_pair().saturating_mul(asks));
	<() as WeightInfo>::batch_base()
		.saturating_add(<() as WeightInfo>::batch_ask().saturating_mul(asks))
		.saturating_add(per_order.saturating_mul(orders))
}

#[test]
fn batch_should_wait_when_the_block_has_no_room() {
	ExtBuilder::default().ask(1, 100).build_and_execute(|| {
		submit(spec());
		let least = weight(1, 1);
		assert_eq!(idle(3, Weight::zero()), Weight::zero());
		let short = least.saturating_sub(Weight::from_parts(1, 0));
		assert!(idle(1, short).all_lte(short));
		assert!(matches().is_empty());
		assert_eq!(LastBatch::<Test>::get(), 0);
		assert_eq!(idle(1, least), least);
		assert_eq!(matches().len(), 1);
	});
}

#[test]
fn batch_should_admit_what_fits_and_go_on_behind_it_when_the_block_is_short() {
	ExtBuilder::default().ask(1, 900).ask(2, 900).build_and_execute(|| {
		for _ in 0..4 {
			submit(spec());
		}
		let limit = weight(2, 2);
		assert_eq!(idle(3, limit), limit);
		let refused = || (0..4).filter(|n| refusal(OrderId(*n)).is_some()).count();
		assert_eq!(refused(), 2);
		idle(3, limit);
		assert_eq!(refused(), 4);
	});
}

#[test]
fn greedy_should_answer_with_indices_of_the_snapshot() {
	use crate::matcher::{AskRow, Assignment, Greedy, Oracle, OrderRow};
	struct Never(usize);
	impl Oracle for Never {
		fn feasible(&mut self, order: usize, ask: usize) -> bool {
			self.0 += 1;
			(order, ask) == (0, 1)
		}
		fn reserve(&mut self, _: usize, _: usize) {}
	}
	let orders = [
		OrderRow { order: OrderId(9), max_price_per_gfuel: 1 },
		OrderRow { order: OrderId(3), max_price_per_gfuel: 2 },
	];
	let asks = [
		AskRow { device: DeviceId(1), price_per_gfuel: 7 },
		AskRow { device: DeviceId(2), price_per_gfuel: 5 },
	];
	let mut oracle = Never(0);
	assert_eq!(Greedy::assign(&orders, &asks, &mut oracle), vec![Assignment { order: 0, ask: 1 }]);
	// Both asks for the second order, which comes first; one for the other.
	assert_eq!(oracle.0, 3);
}

#[test]
fn stale_rates_should_match_at_the_reserve_without_a_quote() {
	use armature_primitives::energy::QuoteError;
	let stale = Machine { break_even: Err(QuoteError::FeedStale), ..Machine::default() };
	ExtBuilder::default().ask_of(1, 100, stale).build_and_execute(|| {
		let terms = AskTerms { price_per_gfuel: 100, reserve_per_gfuel: Some(150) };
		assert_ok!(Market::set_ask(signed(PROVIDER), DeviceId(1), terms));
		let order = submit(spec());
		batch();
		assert!(events().contains(&Event::OrderMatched {
			order,
			lease: LeaseId(500),
			device: DeviceId(1),
			price_per_gfuel: 150,
			quote: None
		}));
		assert_eq!(Opened::get()[0].escrow, 300);
	});
}
