//! Laws: conservation, monotonicity, rounding direction.

use crate::{reading, EUR};
use armature_economics::{break_even, power, pricing, rates, settlement, slashing, tariff};
use armature_primitives::{
	energy::{BreakEven, Placement, Tariff},
	telemetry::PowerReading,
	MilliWatts, Ppm,
};
use proptest::prelude::*;

/// A case that does not overflow: what real machines, prices and rates look like, and far beyond.
#[derive(Clone, Debug)]
struct Case {
	reading: PowerReading,
	lanes_total: u16,
	pue: u32,
	tariff: Tariff,
	rate: u128,
	fixed_fee: u128,
	protocol_fee: u32,
	margin: u32,
	placement: Placement,
}

impl Case {
	fn quote(&self) -> BreakEven {
		let terms = break_even::Terms {
			reading: &self.reading,
			lanes_total: self.lanes_total,
			pue: Ppm(self.pue),
			tariff: &self.tariff,
			rate: self.rate,
			fixed_fee: self.fixed_fee,
			protocol_fee: Ppm(self.protocol_fee),
			margin: Ppm(self.margin),
		};
		break_even::break_even(&terms, &self.placement).expect("a case in range")
	}
}

fn any_case() -> impl Strategy<Value = Case> {
	let machine = (1u32..100_000_000, 0u32..100_000_000, 0u32..=1_000_000, 1u16..=1_024);
	let money = (1u128..10u128.pow(18), 0u128..10u128.pow(15), 0u32..900_000, 0u32..5_000_000);
	let time = (any::<u64>(), 1u64..100_000_000_000, any::<prop::sample::Index>());
	let prices = prop::array::uniform24(0u32..10_000_000);
	(machine, 1_000_000u32..3_000_000, prices, money, time).prop_map(
		|((idle, more, error, lanes_total), pue, micro_per_kwh, money, (start, millis, lane))| {
			let lanes =
				u16::try_from(lane.index(usize::from(lanes_total)) + 1).expect("at most 1,024");
			Case {
				reading: reading(idle, idle + more, error),
				lanes_total,
				pue,
				tariff: Tariff { currency: EUR, micro_per_kwh },
				rate: money.0,
				fixed_fee: money.1,
				protocol_fee: money.2,
				margin: money.3,
				placement: Placement { start, duration_millis: millis, lanes },
			}
		},
	)
}

/// What the sum would be without rounding.
fn exact(case: &Case, quote: &BreakEven) -> f64 {
	let kilowatt = f64::from(case.reading.loaded.0) / 1e6
		* (f64::from(case.placement.lanes) / f64::from(case.lanes_total))
		* (1.0 + f64::from(case.reading.error.0) / 1e6)
		* (f64::from(case.pue) / 1e6);
	let hours = case.placement.duration_millis as f64 / 3.6e6;
	let price = f64::from(quote.micro_per_kwh) / 1e6;
	let cost = kilowatt * hours * price * case.rate as f64;
	(cost + case.fixed_fee as f64) * (1.0 + f64::from(case.margin) / 1e6)
		/ (1.0 - f64::from(case.protocol_fee) / 1e6)
}

proptest! {
	#[test]
	fn break_even_should_never_be_below_the_exact_sum(case in any_case()) {
		let quote = case.quote();
		let exact = exact(&case, &quote);
		// Relative float error, then nothing: rounding only ever adds.
		prop_assert!(quote.break_even as f64 >= exact * (1.0 - 1e-12));
		// What rounding adds: 1 mW for the device, its PUE and 1 mW at the wall, 1 mWh, 1 planck.
		let hours = case.placement.duration_millis as f64 / 3.6e6;
		let milliwatt_hours = hours * 4.0 + 1.0;
		let price = f64::from(quote.micro_per_kwh) / 1e12 * case.rate as f64;
		let factor = (1.0 + f64::from(case.margin) / 1e6)
			/ (1.0 - f64::from(case.protocol_fee) / 1e6);
		let slack = (milliwatt_hours * price + 1.0) * factor + 20.0;
		prop_assert!(quote.break_even as f64 <= exact * (1.0 + 1e-12) + slack);
	}

	#[test]
	fn break_even_should_leave_costs_and_margin_when_paid_and_settled(case in any_case()) {
		let quote = case.quote();
		// One planck per 10^9 fuel and unit of fuel such that the escrow is the break-even.
		let escrow = quote.break_even;
		let price = escrow;
		let max = 1_000_000_000;
		let fee = Ppm(case.protocol_fee);
		let settled = settlement::settle(escrow, price, max, max, fee).unwrap();
		let costs = quote.energy_cost + quote.fixed_fee;
		prop_assert!(settled.paid * 1_000_000 >= costs * (1_000_000 + u128::from(case.margin)));
		// One planck less does not cover.
		prop_assert!(break_even::covers(escrow, &quote));
		prop_assert!(escrow == 0 || !break_even::covers(escrow - 1, &quote));
	}

	#[test]
	fn break_even_should_not_fall_when_a_cost_rises(case in any_case(), by in 1u32..100_000) {
		let base = case.quote().break_even;
		let mut dearer = [(); 9].map(|()| case.clone());
		dearer[0].reading.loaded.0 += by;
		dearer[1].reading.error.0 = (case.reading.error.0 + by).min(1_000_000);
		dearer[2].pue += by;
		dearer[3].tariff.micro_per_kwh.iter_mut().for_each(|p| *p += by);
		dearer[4].rate += u128::from(by);
		dearer[5].fixed_fee += u128::from(by);
		dearer[6].protocol_fee += by.min(99_999);
		dearer[7].margin += by;
		dearer[8].placement.lanes = case.lanes_total;
		for (which, case) in dearer.iter().enumerate() {
			prop_assert!(case.quote().break_even >= base, "case {which}");
		}
	}

	#[test]
	fn break_even_should_not_fall_when_the_placement_is_longer(
		mut case in any_case(),
		by in 1u64..100_000_000_000,
		price in 0u32..10_000_000,
	) {
		// With one price for all hours; else a longer stretch has another mean.
		case.tariff.micro_per_kwh = [price; 24];
		let base = case.quote().break_even;
		case.placement.duration_millis += by;
		prop_assert!(case.quote().break_even >= base);
	}

	#[test]
	fn shortfall_should_be_zero_exactly_when_covered(case in any_case(), paid in any::<u128>()) {
		let quote = case.quote();
		for payout in [paid, paid.checked_rem(quote.break_even).unwrap_or(0)] {
			let short = break_even::shortfall_ppm(payout, &quote);
			prop_assert_eq!(short == Ppm(0), break_even::covers(payout, &quote));
			prop_assert!(short <= Ppm::ONE);
		}
	}

	#[test]
	fn settlement_should_conserve_the_escrow(
		escrow in any::<u128>(),
		price in any::<u128>(),
		used in any::<u64>(),
		max in any::<u64>(),
		fee in 0u32..=1_000_000,
	) {
		let s = settlement::settle(escrow, price, used, max, Ppm(fee)).unwrap();
		let sum = s.paid.checked_add(s.fee).and_then(|sum| sum.checked_add(s.refunded));
		prop_assert_eq!(sum, Some(escrow));
		prop_assert_eq!(settlement::settle(escrow, price, max, max, Ppm(fee)).unwrap(),
			settlement::settle(escrow, price, u64::MAX, max, Ppm(fee)).unwrap());
	}

	#[test]
	fn settlement_should_round_against_the_provider_and_rise_with_fuel(
		price in 0u128..10u128.pow(19),
		max in 1u64..u64::MAX,
		used in any::<u64>(),
		fee in 0u32..=1_000_000,
	) {
		let escrow = pricing::cost_of_fuel(price, max).unwrap();
		let used = used % max;
		let s = settlement::settle(escrow, price, used, max, Ppm(fee)).unwrap();
		let gross = s.paid + s.fee;
		// Never above price times fuel, never a whole planck below.
		let per_gfuel = 1_000_000_000u128;
		prop_assert!(gross * per_gfuel <= price * u128::from(used));
		prop_assert!((gross + 1) * per_gfuel > price * u128::from(used));
		prop_assert!(s.fee * 1_000_000 >= gross * u128::from(fee));
		let more = settlement::settle(escrow, price, used + 1, max, Ppm(fee)).unwrap();
		prop_assert!(more.paid >= s.paid && more.fee >= s.fee);
		let all = settlement::settle(escrow, price, max, max, Ppm(fee)).unwrap();
		prop_assert_eq!(all.refunded, 0);
	}

	#[test]
	fn cost_of_fuel_should_round_up(price in 0u128..10u128.pow(19), fuel in any::<u64>()) {
		let cost = pricing::cost_of_fuel(price, fuel).unwrap();
		let exact = price * u128::from(fuel);
		prop_assert!(cost * 1_000_000_000 >= exact);
		prop_assert!(cost == 0 || (cost - 1) * 1_000_000_000 < exact);
	}

	#[test]
	fn price_floor_should_be_the_least_price_that_pays(
		least in 1u128..10u128.pow(24),
		fuel in 1u64..10u64.pow(15),
	) {
		let price = pricing::price_floor_per_gfuel(least, fuel).unwrap();
		prop_assert!(pricing::cost_of_fuel(price, fuel).unwrap() >= least);
		// One less pays less than `least` before rounding.
		prop_assert!((price - 1) * u128::from(fuel) < least * 1_000_000_000);
	}

	#[test]
	fn duration_should_be_long_enough_and_no_millisecond_longer(
		fuel in 0u64..10u64.pow(16),
		rate in 1u64..10u64.pow(12),
	) {
		let millis = pricing::duration_millis(fuel, rate).unwrap();
		prop_assert!(u128::from(millis) * u128::from(rate) >= u128::from(fuel) * 1_000);
		prop_assert!(
			millis == 0 || u128::from(millis - 1) * u128::from(rate) < u128::from(fuel) * 1_000
		);
	}

	#[test]
	fn mean_price_should_lie_between_the_extremes(
		prices in prop::array::uniform24(any::<u32>()),
		start in any::<u64>(),
		duration in 1u64..,
	) {
		let tariff = Tariff { currency: EUR, micro_per_kwh: prices };
		let mean = tariff::mean_micro_per_kwh(&tariff, start, duration).unwrap();
		prop_assert!(mean >= *prices.iter().min().unwrap());
		prop_assert!(mean <= *prices.iter().max().unwrap());
	}

	#[test]
	fn mean_price_should_agree_with_a_walk_over_the_hours(
		prices in prop::array::uniform24(0u32..10_000_000),
		start in 0u64..u64::MAX / 2,
		duration in 1u64..1_000_000_000,
	) {
		let tariff = Tariff { currency: EUR, micro_per_kwh: prices };
		let (mut at, end, mut total) = (start, start + duration, 0u128);
		while at < end {
			let next = ((at / 3_600_000 + 1) * 3_600_000).min(end);
			total += u128::from(tariff::price_at(&tariff, at)) * u128::from(next - at);
			at = next;
		}
		let walked = total.div_ceil(u128::from(duration));
		let mean = tariff::mean_micro_per_kwh(&tariff, start, duration).unwrap();
		prop_assert_eq!(u128::from(mean), walked);
	}

	#[test]
	fn power_shares_should_add_up_to_no_less_than_the_whole(
		idle in 1u32..1_000_000,
		more in 0u32..1_000_000,
		error in 0u32..=1_000_000,
		total in 2u16..=1_024,
		part in any::<prop::sample::Index>(),
	) {
		let r = reading(idle, idle + more, error);
		let part = u16::try_from(part.index(usize::from(total) - 1) + 1).unwrap();
		let of = |lanes| power::placement_power(&r, lanes, total).unwrap().0;
		prop_assert!(of(part) + of(total - part) >= of(total));
		prop_assert!(of(total) >= r.loaded.0);
		prop_assert!(power::wall_power(MilliWatts(of(part)), Ppm::ONE).unwrap().0 == of(part));
	}

	#[test]
	fn slash_should_round_up_within_the_bond(bond in any::<u64>(), share in any::<u32>()) {
		let taken = slashing::slash_amount(bond.into(), Ppm(share));
		let exact = u128::from(bond) * u128::from(share);
		prop_assert!(taken <= u128::from(bond));
		prop_assert!(taken == u128::from(bond) || taken * 1_000_000 >= exact);
		prop_assert!(taken == 0 || (taken - 1) * 1_000_000 < exact);
	}

	#[test]
	fn median_should_stay_among_honest_rates_when_fewer_than_half_lie(
		honest in prop::collection::vec(1_000u128..2_000, 1..10),
		lies in prop::collection::vec(any::<u128>(), 0..10),
	) {
		let lies = &lies[..lies.len().min(honest.len() - 1)];
		let all: Vec<u128> = honest.iter().chain(lies).copied().collect();
		let median = rates::upper_median(all).unwrap();
		prop_assert!(median >= *honest.iter().min().unwrap());
		prop_assert!(median <= *honest.iter().max().unwrap());
	}

	#[test]
	fn formulas_should_be_total_on_any_input(
		power in (any::<u32>(), any::<u32>(), any::<u32>(), any::<u16>(), any::<u16>()),
		terms in (any::<u32>(), any::<u128>(), any::<u128>(), any::<u32>(), any::<u32>()),
		prices in prop::array::uniform24(any::<u32>()),
		time in (any::<u64>(), any::<u64>()),
	) {
		let reading = reading(power.0, power.1, power.2);
		let tariff = Tariff { currency: EUR, micro_per_kwh: prices };
		let terms = break_even::Terms {
			reading: &reading,
			lanes_total: power.4,
			pue: Ppm(terms.0),
			tariff: &tariff,
			rate: terms.1,
			fixed_fee: terms.2,
			protocol_fee: Ppm(terms.3),
			margin: Ppm(terms.4),
		};
		let placement = Placement { start: time.0, duration_millis: time.1, lanes: power.3 };
		// A sum or a typed error, and the sum can be written out.
		if let Ok(quote) = break_even::break_even(&terms, &placement) {
			prop_assert!(quote.break_even >= quote.energy_cost);
			prop_assert!(quote.break_even >= quote.fixed_fee);
			prop_assert!(!armature_economics::format::least_payout(&quote).is_empty());
		}
	}
}
