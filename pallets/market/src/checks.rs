//! Whether one device can take one order, and at which price.

use crate::{pallet::*, types::Agreement};
use armature_economics::{break_even, pricing, Error as Formula};
use armature_primitives::{
	device::{DeviceInfo, DeviceStatus, Performance, SiteInfo, Tier},
	energy::{Placement, QuoteError},
	market::{AskTerms, OrderSpec, RefusalReason},
	traits::{
		AttestationInspect, AvailabilityInspect, DeviceInspect, EnergyInspect, PerformanceInspect,
	},
	Balance, DeviceId, MilliWatts, Moment, Ppm,
};

/// Lanes that a lease keeps busy.
pub const LANES_PER_LEASE: u16 = 1;

/// An ask with all that is known of its device, read once per batch.
pub(crate) struct Candidate<AccountId> {
	pub(crate) device: DeviceId,
	pub(crate) terms: AskTerms,
	pub(crate) info: DeviceInfo<AccountId>,
	pub(crate) site: Option<SiteInfo<AccountId>>,
	pub(crate) tier: Option<Tier>,
	pub(crate) availability: Option<Ppm>,
	pub(crate) fresh: bool,
	pub(crate) performance: Performance,
	/// Whether its memory is being measured.
	pub(crate) is_memory_busy: bool,
	pub(crate) power: Result<MilliWatts, QuoteError>,
}

/// What changes while a batch runs.
#[derive(Clone, Copy)]
pub(crate) struct Load {
	/// Whether the device runs a lease.
	pub(crate) busy: bool,
	/// Power reserved at its site.
	pub(crate) reserved: MilliWatts,
}

/// How far through the checks a refusal got.
pub(crate) fn depth(reason: &RefusalReason) -> u8 {
	match reason {
		RefusalReason::NoAsks => 0,
		RefusalReason::NotActive => 1,
		RefusalReason::Busy => 2,
		RefusalReason::Region => 3,
		RefusalReason::Tier { .. } => 4,
		RefusalReason::Availability { .. } => 5,
		RefusalReason::Performance { .. } => 6,
		RefusalReason::Memory { .. } => 7,
		RefusalReason::TooSlow { .. } => 8,
		RefusalReason::SitePower { .. } => 9,
		// The ways in which the price check fails; the sum says most, a dearer ask is nearest to a
		// match.
		RefusalReason::NoQuote { .. } => 10,
		RefusalReason::BelowReserve { .. } => 11,
		RefusalReason::BelowBreakEven { .. } => 12,
		RefusalReason::PriceTooHigh { .. } => 13,
	}
}

const OVERFLOW: RefusalReason = RefusalReason::NoQuote { error: QuoteError::Overflow };

impl<T: Config> Pallet<T> {
	/// Reads what is known of a device; `None` when it is gone or retired.
	pub(crate) fn candidate(
		device: DeviceId,
		terms: AskTerms,
		now: Moment,
	) -> Option<Candidate<T::AccountId>> {
		let info = T::Devices::device(device)?;
		if info.status == DeviceStatus::Retired {
			return None;
		}
		Some(Candidate {
			device,
			terms,
			site: T::Devices::site(info.site),
			info,
			tier: T::Attestation::tier(device, now),
			availability: T::Availability::availability(device, now),
			fresh: T::Availability::is_fresh(device, now),
			performance: T::Performance::performance(device, now),
			is_memory_busy: T::Performance::is_memory_busy(device),
			power: T::Energy::wall_power(device, LANES_PER_LEASE),
		})
	}

	/// Runs every check, in the order that the README gives.
	pub(crate) fn check(
		spec: &OrderSpec,
		candidate: &Candidate<T::AccountId>,
		load: Load,
		now: Moment,
		fuel_per_step: u32,
	) -> Result<Agreement, RefusalReason> {
		if candidate.info.status != DeviceStatus::Active {
			return Err(RefusalReason::NotActive);
		}
		if load.busy || candidate.is_memory_busy {
			return Err(RefusalReason::Busy);
		}
		let unknown_site = RefusalReason::NoQuote { error: QuoteError::UnknownDevice };
		let site = candidate.site.as_ref().ok_or(unknown_site)?;
		if spec.region.is_some_and(|region| region != site.region) {
			return Err(RefusalReason::Region);
		}
		let has = candidate.tier;
		if has.is_none_or(|tier| tier < spec.min_tier) {
			return Err(RefusalReason::Tier { has });
		}
		let has = candidate.availability;
		if !candidate.fresh || has.is_none_or(|score| score < spec.min_availability) {
			return Err(RefusalReason::Availability { has });
		}
		let speed = candidate
			.performance
			.cpu
			.map(|score| score.steps_per_second_per_lane)
			.filter(|speed| *speed > 0)
			.ok_or(RefusalReason::Performance { has: None })?;
		if speed < spec.min_steps_per_second {
			return Err(RefusalReason::Performance { has: Some(speed) });
		}
		// What it offered when it was measured, and offers still.
		let shown = candidate.performance.memory.map_or(0, |score| score.offered_mib);
		let has_mib = shown.min(candidate.info.memory_mib);
		if has_mib < spec.max_memory_mib {
			return Err(RefusalReason::Memory { has_mib });
		}
		let needs_millis = match pricing::fuel_rate(speed, fuel_per_step)
			.and_then(|rate| pricing::duration_millis(spec.max_fuel, rate))
		{
			Ok(millis) => millis,
			Err(Formula::ZeroSpeed) => {
				return Err(RefusalReason::Performance { has: Some(speed) });
			},
			Err(_) => return Err(OVERFLOW),
		};
		if needs_millis > spec.max_duration_millis {
			return Err(RefusalReason::TooSlow { needs_millis });
		}
		let needs = candidate.power.map_err(|error| RefusalReason::NoQuote { error })?;
		let limit = site.power_cap.continuous();
		if u64::from(load.reserved.0).saturating_add(u64::from(needs.0)) > u64::from(limit.0) {
			return Err(RefusalReason::SitePower { in_use: load.reserved, needs, limit });
		}
		let asked = candidate.terms.price_per_gfuel;
		let placement =
			Placement { start: now, duration_millis: needs_millis, lanes: LANES_PER_LEASE };
		let (floor, quote) = match T::Energy::quote(candidate.device, placement) {
			Ok(quote) => (least_price(spec, &quote)?, Some(quote)),
			Err(error @ QuoteError::FeedStale) => {
				let reserve =
					candidate.terms.reserve_per_gfuel.ok_or(RefusalReason::NoQuote { error })?;
				if reserve > spec.max_price_per_gfuel {
					return Err(RefusalReason::BelowReserve { reserve });
				}
				(reserve, None)
			},
			Err(error) => return Err(RefusalReason::NoQuote { error }),
		};
		// Last, so that an order that could never pay for its electricity hears the sum.
		if asked > spec.max_price_per_gfuel {
			return Err(RefusalReason::PriceTooHigh { asked });
		}
		let price_per_gfuel = match &quote {
			// Rounding lets a small order cover its sum below the floor per 10^9 fuel.
			Some(quote) if break_even::covers(cost(asked, spec)?, quote) => asked,
			_ => asked.max(floor),
		};
		let escrow = cost(price_per_gfuel, spec)?;
		Ok(Agreement {
			price_per_gfuel,
			escrow,
			duration_millis: needs_millis,
			power: needs,
			quote,
		})
	}
}

fn cost(price_per_gfuel: Balance, spec: &OrderSpec) -> Result<Balance, RefusalReason> {
	pricing::cost_of_fuel(price_per_gfuel, spec.max_fuel).map_err(|_| OVERFLOW)
}

/// The least price at which the payout covers break-even, if the order's limit allows it.
fn least_price(
	spec: &OrderSpec,
	quote: &armature_primitives::energy::BreakEven,
) -> Result<Balance, RefusalReason> {
	let payout = cost(spec.max_price_per_gfuel, spec)?;
	let refused = RefusalReason::BelowBreakEven { payout, quote: *quote };
	if !break_even::covers(payout, quote) {
		return Err(refused);
	}
	// The limit itself may cover what the rounded-up floor just misses.
	pricing::price_floor_per_gfuel(quote.break_even, spec.max_fuel)
		.map(|floor| floor.min(spec.max_price_per_gfuel))
		.map_err(|_| refused)
}
