//! Every check of a pair, both sides of its bound, and the agreed price.

use crate::{mock::*, ExplainError};
use armature_primitives::{
	device::{DeviceStatus, Tier},
	energy::{Placement, QuoteError},
	market::{AskTerms, OrderSpec, RefusalReason},
	Balance, DeviceId, MilliWatts, OrderId, Ppm, RegionId, SiteId,
};
use frame_support::assert_ok;

const DEVICE: DeviceId = DeviceId(7);

/// What a default order hears from a device.
fn hears(one: Machine, order: OrderSpec, terms: AskTerms) -> Result<Balance, RefusalReason> {
	let mut heard = None;
	ExtBuilder::default().build_and_execute(|| {
		Boxes::mutate(|all| all.insert(DEVICE, one));
		assert_ok!(Market::set_ask(signed(PROVIDER), DEVICE, terms));
		let id = submit(order);
		let explained = Market::explain(id, DEVICE);
		// The dry run and the batch must agree.
		batch();
		heard = Some(match explained {
			Ok(agreement) => {
				let opened = Opened::get();
				assert_eq!(opened.len(), 1, "explained as feasible but not matched");
				assert_eq!(opened[0].price_per_gfuel, agreement.price_per_gfuel);
				assert_eq!(opened[0].escrow, agreement.escrow);
				assert_eq!(opened[0].power, agreement.power);
				Ok(agreement.price_per_gfuel)
			},
			Err(ExplainError::Refused(reason)) => {
				let kept = refusal(id).unwrap();
				assert_eq!((kept.device, kept.reason), (Some(DEVICE), reason));
				Err(reason)
			},
			Err(other) => panic!("{other:?}"),
		});
	});
	heard.unwrap()
}

fn device(change: impl FnOnce(&mut Machine)) -> Result<Balance, RefusalReason> {
	let mut one = Machine::default();
	change(&mut one);
	hears(one, spec(), terms(300))
}

fn order(change: impl FnOnce(&mut OrderSpec)) -> Result<Balance, RefusalReason> {
	let mut order = spec();
	change(&mut order);
	hears(Machine::default(), order, terms(300))
}

#[test]
fn pair_should_agree_on_the_ask_when_everything_fits() {
	assert_eq!(hears(Machine::default(), spec(), terms(300)), Ok(300));
}

#[test]
fn pair_should_refuse_when_the_device_is_not_active() {
	for status in [
		DeviceStatus::Registered,
		DeviceStatus::Attested,
		DeviceStatus::Suspect,
		DeviceStatus::Draining,
		DeviceStatus::Standby,
		DeviceStatus::Offline,
		DeviceStatus::Jailed,
	] {
		assert_eq!(device(|one| one.status = status), Err(RefusalReason::NotActive));
	}
}

#[test]
fn pair_should_refuse_when_the_region_is_another() {
	assert_eq!(order(|spec| spec.region = Some(REGION)), Ok(300));
	assert_eq!(order(|spec| spec.region = Some(RegionId(4))), Err(RefusalReason::Region));
}

#[test]
fn pair_should_refuse_when_the_tier_is_missing_or_low() {
	assert_eq!(order(|spec| spec.min_tier = Tier::T1), Ok(300));
	assert_eq!(
		order(|spec| spec.min_tier = Tier::T2),
		Err(RefusalReason::Tier { has: Some(Tier::T1) })
	);
	assert_eq!(device(|one| one.tier = None), Err(RefusalReason::Tier { has: None }));
}

#[test]
fn pair_should_refuse_when_availability_is_missing_stale_or_low() {
	let has = |ppm| Err(RefusalReason::Availability { has: Some(Ppm(ppm)) });
	assert_eq!(device(|one| one.availability = Some(Ppm(500_000))), Ok(300));
	assert_eq!(device(|one| one.availability = Some(Ppm(499_999))), has(499_999));
	assert_eq!(device(|one| one.fresh = false), has(900_000));
	assert_eq!(
		device(|one| one.availability = None),
		Err(RefusalReason::Availability { has: None })
	);
}

#[test]
fn pair_should_refuse_when_speed_is_missing_or_low() {
	assert_eq!(device(|one| one.speed = None), Err(RefusalReason::Performance { has: None }));
	assert_eq!(device(|one| one.speed = Some(0)), Err(RefusalReason::Performance { has: None }));
	assert_eq!(order(|spec| spec.min_steps_per_second = 1_000), Ok(300));
	assert_eq!(
		order(|spec| spec.min_steps_per_second = 1_001),
		Err(RefusalReason::Performance { has: Some(1_000) })
	);
}

#[test]
fn pair_should_refuse_when_memory_is_short() {
	assert_eq!(order(|spec| spec.max_memory_mib = 1_024), Ok(300));
	assert_eq!(
		order(|spec| spec.max_memory_mib = 1_025),
		Err(RefusalReason::Memory { has_mib: 1_024 })
	);
	// What is offered and was not shown is nothing, and neither is what was shown and is not offered.
	let memory = |offers, shown| {
		device(|one| {
			one.memory_mib = offers;
			one.shown_mib = shown;
		})
	};
	let wanted = spec().max_memory_mib;
	assert_eq!(memory(1_024, None), Err(RefusalReason::Memory { has_mib: 0 }));
	for (offers, shown) in [(wanted, 1_024), (1_024, wanted)] {
		assert_eq!(memory(offers, Some(shown)), Ok(300));
	}
	let has_mib = wanted - 1;
	for (offers, shown) in [(has_mib, 1_024), (1_024, has_mib)] {
		assert_eq!(memory(offers, Some(shown)), Err(RefusalReason::Memory { has_mib }));
	}
	assert_eq!(device(|one| one.memory_busy = true), Err(RefusalReason::Busy));
}

#[test]
fn pair_should_refuse_when_the_fuel_does_not_fit_the_wall_clock() {
	// 2 * 10^9 fuel at 1,000 steps/s of 100,000 fuel: 20,000 ms.
	assert_eq!(order(|spec| spec.max_duration_millis = 20_000), Ok(300));
	assert_eq!(
		order(|spec| spec.max_duration_millis = 19_999),
		Err(RefusalReason::TooSlow { needs_millis: 20_000 })
	);
	assert_eq!(
		order(|spec| {
			spec.max_fuel += 1;
			spec.max_duration_millis = 20_000;
		}),
		Err(RefusalReason::TooSlow { needs_millis: 20_001 })
	);
}

#[test]
fn pair_should_refuse_when_a_speed_overflows() {
	assert_eq!(
		device(|one| one.speed = Some(u64::MAX)),
		Err(RefusalReason::NoQuote { error: QuoteError::Overflow })
	);
}

#[test]
fn pair_should_refuse_when_the_site_would_draw_too_much() {
	// 80 % of 1,000,000.
	assert_eq!(device(|one| one.power = Ok(MilliWatts(800_000))), Ok(300));
	assert_eq!(
		device(|one| one.power = Ok(MilliWatts(800_001))),
		Err(RefusalReason::SitePower {
			in_use: MilliWatts(0),
			needs: MilliWatts(800_001),
			limit: MilliWatts(800_000)
		})
	);
	assert_eq!(
		device(|one| one.power = Err(QuoteError::NoPower)),
		Err(RefusalReason::NoQuote { error: QuoteError::NoPower })
	);
	assert_eq!(
		device(|one| one.site = SiteId(404)),
		Err(RefusalReason::NoQuote { error: QuoteError::UnknownDevice })
	);
}

#[test]
fn pair_should_refuse_when_the_ask_is_above_the_limit() {
	assert_eq!(hears(Machine::default(), spec(), terms(500)), Ok(500));
	assert_eq!(
		hears(Machine::default(), spec(), terms(501)),
		Err(RefusalReason::PriceTooHigh { asked: 501 })
	);
}

#[test]
fn price_should_rise_to_break_even_when_the_limit_allows() {
	let at = |break_even| device(move |one| one.break_even = Ok(break_even));
	// 2 gigafuel at 300 pay 600.
	assert_eq!(at(600), Ok(300));
	assert_eq!(at(601), Ok(301));
	assert_eq!(at(602), Ok(301));
	assert_eq!(at(999), Ok(500));
	assert_eq!(at(1_000), Ok(500));
	assert_eq!(
		at(1_001),
		Err(RefusalReason::BelowBreakEven { payout: 1_000, quote: quote(1_001, 20_000) })
	);
	assert_eq!(
		at(u128::MAX),
		Err(RefusalReason::BelowBreakEven { payout: 1_000, quote: quote(u128::MAX, 20_000) })
	);
}

#[test]
fn quote_should_be_asked_for_the_time_the_fuel_takes_now() {
	ExtBuilder::default().ask(7, 300).build_and_execute(|| {
		let id = submit(spec());
		Now::set(START + 99);
		let agreement = Market::explain(id, DEVICE).unwrap();
		assert_eq!(agreement.duration_millis, 20_000);
		assert_eq!(agreement.quote, Some(quote(1, 20_000)));
		assert_eq!(agreement.escrow, 600);
		let placement = Placement { start: START + 99, duration_millis: 20_000, lanes: 1 };
		assert_eq!(Quotes::get(), vec![(DEVICE, placement)]);
	});
}

#[test]
fn reserve_should_be_the_floor_when_rates_are_stale() {
	let stale = || Machine { break_even: Err(QuoteError::FeedStale), ..Machine::default() };
	let ask = |price_per_gfuel, reserve_per_gfuel| AskTerms { price_per_gfuel, reserve_per_gfuel };
	assert_eq!(hears(stale(), spec(), ask(300, Some(200))), Ok(300));
	assert_eq!(hears(stale(), spec(), ask(300, Some(400))), Ok(400));
	assert_eq!(hears(stale(), spec(), ask(300, Some(500))), Ok(500));
	assert_eq!(
		hears(stale(), spec(), ask(300, Some(501))),
		Err(RefusalReason::BelowReserve { reserve: 501 })
	);
	assert_eq!(
		hears(stale(), spec(), ask(300, None)),
		Err(RefusalReason::NoQuote { error: QuoteError::FeedStale })
	);
	// With a fresh rate the reserve plays no part.
	assert_eq!(hears(Machine::default(), spec(), ask(300, Some(501))), Ok(300));
}

#[test]
fn pair_should_refuse_when_no_quote_can_be_given() {
	for error in
		[QuoteError::UnknownDevice, QuoteError::NoTariff, QuoteError::NoPower, QuoteError::Overflow]
	{
		let one = Machine { break_even: Err(error), ..Machine::default() };
		let terms = AskTerms { price_per_gfuel: 300, reserve_per_gfuel: Some(400) };
		assert_eq!(hears(one, spec(), terms), Err(RefusalReason::NoQuote { error }));
	}
}

#[test]
fn explain_should_say_what_is_unknown() {
	ExtBuilder::default().ask(7, 300).build_and_execute(|| {
		assert_eq!(Market::explain(OrderId(0), DEVICE), Err(ExplainError::UnknownOrder));
		let id = submit(spec());
		assert_eq!(Market::explain(id, DeviceId(8)), Err(ExplainError::NoAsk));
		Boxes::mutate(|all| all.clear());
		assert_eq!(Market::explain(id, DEVICE), Err(ExplainError::DeviceGone));
	});
}
