//! Sequences of operations, with the invariants of `do_try_state` checked after each, and:
//!
//! - INV6: a quote is never below its own electricity and fees, and needs tariff, power and quorum.
//! - INV7: totals of a ledger never fall, and no energy is lost between priced and unpriced.
//! - INV8: the median is one of the submitted rates that are fresh.
//! - INV9: a device changes between Active and Standby only with an event that says so.

use super::*;
use crate::{Feeders, Ledger, Power, Tariffs};
use armature_primitives::{
	device::DeviceStatus,
	energy::Placement,
	telemetry::{PowerLoad, PowerReading, PowerSource},
	traits::{EnergyInspect, EnergyLedger, PowerSink},
	MilliWattHours, MilliWatts, Ppm,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
	SetTariff { who: u64, price: u32, usd: bool },
	ClearTariff { who: u64 },
	AddFeeder { who: u64, usd: bool },
	RemoveFeeder { who: u64, usd: bool },
	SubmitRate { who: u64, rate: u128 },
	SubmitAll { rate: u128 },
	Power { idle: u32, loaded: u32, error: u32 },
	Energy { energy: u64 },
	Income { amount: u128 },
	Review,
	Pass { millis: u64 },
	Status { suspect: bool },
	SiteGone { gone: bool },
	DeviceGone { gone: bool },
	Reap,
}

fn any_op() -> impl Strategy<Value = Op> {
	let who = || prop_oneof![11u64..16, Just(PROVIDER), Just(STRANGER)];
	let rate = || prop_oneof![0u128..1_000, 1u128..10u128.pow(18), any::<u128>()];
	let price = prop_oneof![0u32..1_000_000, any::<u32>()];
	prop_oneof![
		3 => (prop_oneof![5 => Just(PROVIDER), 1 => who()], price, any::<bool>())
			.prop_map(|(who, price, usd)| Op::SetTariff { who, price, usd }),
		1 => who().prop_map(|who| Op::ClearTariff { who }),
		2 => (who(), any::<bool>()).prop_map(|(who, usd)| Op::AddFeeder { who, usd }),
		1 => (who(), any::<bool>()).prop_map(|(who, usd)| Op::RemoveFeeder { who, usd }),
		3 => (who(), rate()).prop_map(|(who, rate)| Op::SubmitRate { who, rate }),
		4 => (1u128..10u128.pow(18)).prop_map(|rate| Op::SubmitAll { rate }),
		3 => (0u32..200_000, 0u32..500_000, 0u32..1_100_000)
			.prop_map(|(idle, loaded, error)| Op::Power { idle, loaded, error }),
		4 => prop_oneof![0u64..10_000_000, any::<u64>()].prop_map(|energy| Op::Energy { energy }),
		3 => prop_oneof![0u128..10u128.pow(15), any::<u128>()]
			.prop_map(|amount| Op::Income { amount }),
		3 => Just(Op::Review),
		5 => (0u64..30 * HOUR).prop_map(|millis| Op::Pass { millis }),
		1 => any::<bool>().prop_map(|suspect| Op::Status { suspect }),
		1 => prop::bool::weighted(0.3).prop_map(|gone| Op::SiteGone { gone }),
		1 => prop::bool::weighted(0.3).prop_map(|gone| Op::DeviceGone { gone }),
		1 => Just(Op::Reap),
	]
}

fn code(usd: bool) -> armature_primitives::energy::CurrencyCode {
	if usd {
		USD
	} else {
		EUR
	}
}

fn apply(op: Op) {
	// Refusals are part of the sequence: what they leave behind is what is checked.
	let _ = match op {
		Op::SetTariff { who, price, usd } => {
			Energy::set_tariff(signed(who), SITE, flat(code(usd), price))
		},
		Op::ClearTariff { who } => Energy::clear_tariff(signed(who), SITE),
		Op::AddFeeder { who, usd } => Energy::add_feeder(RuntimeOrigin::root(), code(usd), who),
		Op::RemoveFeeder { who, usd } => {
			Energy::remove_feeder(RuntimeOrigin::root(), code(usd), who)
		},
		Op::SubmitRate { who, rate } => Energy::submit_rate(signed(who), EUR, rate),
		Op::SubmitAll { rate } => {
			FEEDERS.iter().try_for_each(|who| Energy::submit_rate(signed(*who), EUR, rate))
		},
		Op::Review => Energy::review(signed(STRANGER), DEVICE),
		Op::Reap => Energy::reap_device(signed(STRANGER), DEVICE),
		Op::Power { idle, loaded, error } => {
			let reading = PowerReading {
				idle: MilliWatts(idle),
				loaded: MilliWatts(loaded),
				source: PowerSource::Estimated,
				error: Ppm(error),
			};
			<Energy as PowerSink>::on_power(DEVICE, PowerLoad::Lanes, reading);
			Ok(())
		},
		Op::Energy { energy } => {
			<Energy as EnergyLedger>::on_energy(DEVICE, MilliWattHours(energy), Now::get());
			Ok(())
		},
		Op::Income { amount } => {
			<Energy as EnergyLedger>::on_income(DEVICE, amount);
			Ok(())
		},
		Op::Pass { millis } => {
			advance(millis);
			Ok(())
		},
		Op::Status { suspect } => {
			let status = if suspect { DeviceStatus::Suspect } else { DeviceStatus::Active };
			if DeviceTable::get().contains_key(&DEVICE) {
				set_status(status);
			}
			Ok(())
		},
		Op::SiteGone { gone } => {
			if gone {
				SiteTable::mutate(|table| table.clear());
			} else {
				insert_site(PROVIDER);
			}
			Ok(())
		},
		Op::DeviceGone { gone } => {
			if gone {
				DeviceTable::mutate(|table| table.clear());
			} else if !DeviceTable::get().contains_key(&DEVICE) {
				insert_device(device_info());
			}
			Ok(())
		},
	};
}

fn check_quote() {
	let placement = Placement { start: Now::get(), duration_millis: 90 * 60_000, lanes: 3 };
	let Ok(quote) = <Energy as EnergyInspect>::quote(DEVICE, placement) else { return };
	assert!(quote.break_even >= quote.energy_cost + quote.fixed_fee, "INV6");
	assert!(Power::<Test>::contains_key(DEVICE), "INV6");
	let tariff = Tariffs::<Test>::get(SITE).expect("INV6");
	let fresh = Feeders::<Test>::get(tariff.currency)
		.iter()
		.filter(|f| f.last.is_some_and(|l| Now::get() - l.at <= HOUR))
		.count();
	assert!(fresh >= 3, "INV6");
}

fn check_ledger(before: Option<Ledger>) {
	let (Some(before), Some(after)) = (before, Energy::ledger(DEVICE)) else { return };
	assert!(after.since == before.since, "INV7");
	assert!(after.income >= before.income, "INV7");
	assert!(after.energy_cost >= before.energy_cost, "INV7");
	assert!(after.energy >= before.energy && after.unpriced >= before.unpriced, "INV7");
	// What was priced in this step and what was not is what was used in it.
	let used = after.energy.0 - before.energy.0;
	let unpriced = after.unpriced.0 - before.unpriced.0;
	assert!(unpriced == 0 || unpriced >= used, "INV7: an entry is priced whole or not at all");
}

fn check_median() {
	let Some(median) = Energy::rate(EUR) else { return };
	let feeders = Feeders::<Test>::get(EUR);
	let fresh = feeders.iter().filter_map(|f| f.last).filter(|l| Now::get() - l.at <= HOUR);
	assert!(fresh.map(|l| l.rate).any(|rate| rate == median), "INV8");
}

fn status() -> Option<DeviceStatus> {
	DeviceTable::get().get(&DEVICE).map(|d| d.status)
}

fn check_status(before: Option<DeviceStatus>, forced: bool) {
	let told = events().into_iter().find_map(|event| match event {
		Event::ProfitabilityChanged { profitable, .. } => Some(profitable),
		_ => None,
	});
	match (before, status(), told) {
		(Some(DeviceStatus::Active), Some(DeviceStatus::Standby), told) => {
			assert_eq!(told, Some(false), "INV9")
		},
		(Some(DeviceStatus::Standby), Some(DeviceStatus::Active), told) => {
			assert!(forced || told == Some(true), "INV9")
		},
		(_, _, told) => assert_eq!(told, None, "INV9"),
	}
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(128))]
	#[test]
	fn invariants_should_hold_after_every_operation(
		ready in any::<bool>(),
		ops in prop::collection::vec(any_op(), 1..60),
	) {
		let builder = ExtBuilder::default();
		let builder = if ready { builder.ready() } else { builder };
		builder.build().execute_with(|| {
			for op in ops {
				let (ledger, state) = (Energy::ledger(DEVICE), status());
				let forced = matches!(op, Op::Status { .. } | Op::DeviceGone { .. });
				let reaped = matches!(op, Op::Reap);
				apply(op);
				Energy::do_try_state().expect("invariants hold");
				check_quote();
				if !reaped {
					check_ledger(ledger);
				}
				check_median();
				check_status(state, forced);
			}
		});
	}
}
