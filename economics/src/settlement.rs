//! How an escrow is split.

use crate::{
	math::{mul_div_down, mul_div_up, ONE},
	pricing, Error,
};
use armature_primitives::{units::FUEL_PER_GFUEL, Balance, Ppm};

/// A split escrow. `paid + fee + refunded` is the escrow, to the last planck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settlement {
	/// What the provider receives.
	pub paid: Balance,
	/// What the protocol receives.
	pub fee: Balance,
	/// What the tenant gets back.
	pub refunded: Balance,
}

/// Splits `escrow` after a run that used `fuel_used` of `max_fuel` fuel.
///
/// Fuel beyond `max_fuel` counts as `max_fuel`. The whole of it earns what
/// [`pricing::cost_of_fuel`] put in escrow; part of it earns `price * fuel / 10^9` rounded **down**,
/// in the tenant's favour. Neither is ever above the escrow. The protocol's fee comes out of that,
/// rounded **up**, in the protocol's favour; the provider gets the rest of it and the tenant the
/// rest of the escrow.
///
/// # Errors
///
/// [`Error::Fee`] for a fee above the whole. There is no other: earnings that do not fit are
/// cut to the escrow, so that a lease can always be settled.
pub fn settle(
	escrow: Balance,
	price_per_gfuel: Balance,
	fuel_used: u64,
	max_fuel: u64,
	protocol_fee: Ppm,
) -> Result<Settlement, Error> {
	if protocol_fee > Ppm::ONE {
		return Err(Error::Fee);
	}
	let earned = if fuel_used >= max_fuel {
		pricing::cost_of_fuel(price_per_gfuel, max_fuel)
	} else {
		mul_div_down(price_per_gfuel, fuel_used.into(), FUEL_PER_GFUEL.into())
	};
	// Earnings above u128 are above the escrow.
	let gross = earned.unwrap_or(Balance::MAX).min(escrow);
	let fee = mul_div_up(gross, protocol_fee.0.into(), ONE)?.min(gross);
	Ok(Settlement { paid: gross.saturating_sub(fee), fee, refunded: escrow.saturating_sub(gross) })
}

/// Gives the whole escrow back to the tenant.
pub fn refund_all(escrow: Balance) -> Settlement {
	Settlement { paid: 0, fee: 0, refunded: escrow }
}
