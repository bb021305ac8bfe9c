//! `add_feeder`, `remove_feeder`, `submit_rate`, and the median.

use super::*;
use crate::{types::SubmittedRate, Feeder, Feeders};
use armature_primitives::{energy::CurrencyCode, units::ARMA};

fn root() -> RuntimeOrigin {
	RuntimeOrigin::root()
}

#[test]
fn feeder_should_be_added_when_root_names_it() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Energy::add_feeder(root(), USD, 31));
		assert_eq!(Feeders::<Test>::get(USD).to_vec(), [Feeder { who: 31, last: None }]);
		assert_eq!(events(), [Event::FeederAdded { currency: USD, who: 31 }]);
		// The first feeder makes the currency known.
		assert_ok!(Energy::set_tariff(signed(PROVIDER), SITE, flat(USD, 1)));
	});
}

#[test]
fn feeder_should_be_refused_when_not_root_or_twice_or_too_many() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(Energy::add_feeder(signed(PROVIDER), EUR, 31), BadOrigin);
		assert_noop!(Energy::add_feeder(root(), EUR, FEEDERS[1]), Error::<Test>::AlreadyFeeder);
		assert_ok!(Energy::add_feeder(root(), EUR, 31));
		assert_ok!(Energy::add_feeder(root(), EUR, 32));
		assert_eq!(Feeders::<Test>::get(EUR).len() as u32, MAX_FEEDERS);
		assert_noop!(Energy::add_feeder(root(), EUR, 33), Error::<Test>::TooManyFeeders);
	});
}

#[test]
fn feeder_should_be_refused_when_the_code_is_no_currency_code() {
	ExtBuilder::default().build_and_execute(|| {
		for code in [*b"eur", *b"EU1", [0; 3], *b"EU "] {
			assert_noop!(
				Energy::add_feeder(root(), CurrencyCode(code), 31),
				Error::<Test>::InvalidCurrency
			);
		}
	});
}

#[test]
fn feeder_should_lose_its_rate_when_removed() {
	ExtBuilder::default().ready().build_and_execute(|| {
		assert_noop!(Energy::remove_feeder(signed(PROVIDER), EUR, FEEDERS[0]), BadOrigin);
		assert_noop!(Energy::remove_feeder(root(), EUR, STRANGER), Error::<Test>::NotFeeder);
		assert_noop!(Energy::remove_feeder(root(), USD, FEEDERS[0]), Error::<Test>::NotFeeder);
		assert_eq!(Energy::rate(EUR), Some(50 * ARMA));
		assert_ok!(Energy::remove_feeder(root(), EUR, FEEDERS[0]));
		assert_eq!(events(), [Event::FeederRemoved { currency: EUR, who: FEEDERS[0] }]);
		// Two are left, under the quorum.
		assert_eq!(Energy::rate(EUR), None);
		assert_noop!(Energy::submit_rate(signed(FEEDERS[0]), EUR, ARMA), Error::<Test>::NotFeeder);
	});
}

#[test]
fn currency_should_be_unknown_when_its_last_feeder_is_removed() {
	ExtBuilder::default().build_and_execute(|| {
		for who in FEEDERS {
			assert_ok!(Energy::remove_feeder(root(), EUR, who));
		}
		assert!(!Feeders::<Test>::contains_key(EUR));
		assert_noop!(
			Energy::set_tariff(signed(PROVIDER), SITE, flat(EUR, 1)),
			Error::<Test>::UnknownCurrency
		);
	});
}

#[test]
fn rate_should_be_stored_when_a_feeder_submits_it() {
	ExtBuilder::default().build_and_execute(|| {
		advance(5);
		assert_ok!(Energy::submit_rate(signed(FEEDERS[1]), EUR, 7));
		let last = Some(SubmittedRate { rate: 7, at: START + 5 });
		assert_eq!(Feeders::<Test>::get(EUR)[1], Feeder { who: FEEDERS[1], last });
		assert_eq!(events(), [Event::RateSubmitted { currency: EUR, who: FEEDERS[1], rate: 7 }]);
	});
}

#[test]
fn rate_should_be_refused_when_zero_or_from_a_stranger() {
	ExtBuilder::default().build_and_execute(|| {
		assert_noop!(Energy::submit_rate(signed(FEEDERS[0]), EUR, 0), Error::<Test>::ZeroRate);
		assert_noop!(Energy::submit_rate(signed(STRANGER), EUR, 1), Error::<Test>::NotFeeder);
		assert_noop!(Energy::submit_rate(signed(FEEDERS[0]), USD, 1), Error::<Test>::NotFeeder);
		assert_noop!(Energy::submit_rate(root(), EUR, 1), BadOrigin);
	});
}

#[test]
fn rate_should_be_refused_when_it_jumps_more_than_eightfold() {
	ExtBuilder::default().ready().build_and_execute(|| {
		let submit = |rate| Energy::submit_rate(signed(FEEDERS[0]), EUR, rate);
		assert_noop!(submit(400 * ARMA + 1), Error::<Test>::RateJump);
		assert_noop!(submit(50 * ARMA / 8 - 1), Error::<Test>::RateJump);
		assert_noop!(submit(u128::MAX), Error::<Test>::RateJump);
		assert_ok!(submit(400 * ARMA));
		assert_ok!(submit(50 * ARMA / 8));
	});
}

#[test]
fn rate_should_be_free_to_move_when_the_feed_was_down() {
	ExtBuilder::default().ready().build_and_execute(|| {
		advance(HOUR + 1);
		submit_all(50_000 * ARMA);
		assert_eq!(Energy::rate(EUR), Some(50_000 * ARMA));
	});
}

#[test]
fn median_should_be_the_upper_one_of_those_that_are_fresh() {
	ExtBuilder::default().build_and_execute(|| {
		assert_ok!(Energy::add_feeder(root(), EUR, 31));
		for (who, rate) in [(FEEDERS[0], 40), (FEEDERS[1], 10), (31, 30)] {
			assert_eq!(Energy::rate(EUR), None);
			assert_ok!(Energy::submit_rate(signed(who), EUR, rate));
		}
		assert_eq!(Energy::rate(EUR), Some(30));
		advance(HOUR);
		assert_ok!(Energy::submit_rate(signed(FEEDERS[2]), EUR, 35));
		assert_eq!(Energy::rate(EUR), Some(35));
		// One millisecond later the first three are stale.
		advance(1);
		assert_eq!(Energy::rate(EUR), None);
		assert_eq!(Energy::rate(USD), None);
	});
}

#[test]
fn one_feeder_should_not_move_the_median_beyond_the_honest_ones() {
	ExtBuilder::default().build_and_execute(|| {
		submit_all(100);
		assert_ok!(Energy::submit_rate(signed(FEEDERS[0]), EUR, 110));
		assert_ok!(Energy::submit_rate(signed(FEEDERS[1]), EUR, 90));
		for lie in [13, 700] {
			assert_ok!(Energy::submit_rate(signed(FEEDERS[2]), EUR, lie));
			let median = Energy::rate(EUR).unwrap();
			assert!((90..=110).contains(&median), "{median}");
		}
	});
}
