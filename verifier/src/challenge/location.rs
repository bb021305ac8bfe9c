//! Where a device is, as far as light allows.
//!
//! A device can answer later than it could, and never earlier. So round trips refute claims of being
//! far away, and only support claims of being near. Angles are micro-degrees, times microseconds,
//! distances metres; all arithmetic is in integers, so that a dispute ends as the verifier's finding
//! did.
//!
//! The Earth is taken as a sphere, and what goes against a device is given [`SLACK`]: the true shape
//! differs from the sphere's distances by up to 0.6 % (WGS 84).

use alloc::collections::BTreeSet;
use armature_primitives::{
	location::{LocationFinding, Position},
	service::Network,
	Ppm,
};

#[cfg(test)]
mod tests;

/// Metres that light goes in a microsecond, in millionths: 299.792458.
const LIGHT_MICRO: u64 = 299_792_458;

/// The Earth's mean radius in metres (IUGG).
const RADIUS: u64 = 6_371_009;

/// What is added in favour of the device where a claim would be refuted.
pub const SLACK: Ppm = Ppm(10_000);

/// Metres that are given beside: positions are whole micro-degrees, and directions fractions of 2^30.
const BLUR: u64 = 10;

/// Millionths of light's speed that signals reach on the Internet at best: 4/9 ("speed of internet";
/// Katz-Bassett et al., "Towards IP geolocation using delay and topology measurements", 2006).
const INTERNET: u64 = 444_444;

/// The least number of networks whose verifiers have to support a claim.
pub const SUPPORTERS: usize = 3;

/// The least number of networks whose verifiers have to refute a claim: one alone could say anything.
pub const REFUTERS: usize = 2;

/// A half turn in micro-degrees.
const HALF_TURN: i64 = 180_000_000;

/// The direction of a place from the Earth's middle, in fractions of 2^30.
fn direction(of: &Position) -> [i128; 3] {
	let (north, east) = (i64::from(of.latitude), i64::from(of.longitude));
	let product = |a: i128, b: i128| a.saturating_mul(b) >> 30;
	let level = cosine(north);
	[product(level, cosine(east)), product(level, sine(east)), sine(north)]
}

/// The sine of an angle of at most a half turn, in fractions of 2^30: its series up to the 13th power,
/// whose error is below 2^-30 up to a quarter turn.
fn sine(micro_degrees: i64) -> i128 {
	const QUARTER: i64 = HALF_TURN / 2;
	// Beyond a quarter turn it falls as it rose.
	let folded = match micro_degrees {
		above if above > QUARTER => HALF_TURN.saturating_sub(above),
		below if below < -QUARTER => (-HALF_TURN).saturating_sub(below),
		inside => inside,
	};
	// Radians: micro-degrees times pi / 180,000,000, as a fraction of 2^62.
	const RADIAN: i128 = 80_489_105_090;
	let angle = i128::from(folded).saturating_mul(RADIAN) >> 32;
	let square = angle.saturating_mul(angle) >> 30;
	let mut term = angle;
	let mut sum = angle;
	for step in 1..=6i128 {
		let twice = step.saturating_mul(2);
		let divisor = twice.saturating_mul(twice.saturating_add(1));
		term = (-(term.saturating_mul(square) >> 30)).checked_div(divisor).unwrap_or_default();
		sum = sum.saturating_add(term);
	}
	sum
}

fn cosine(micro_degrees: i64) -> i128 {
	// sin(90 degrees - |x|), which stays within a half turn.
	sine((HALF_TURN / 2).saturating_sub(micro_degrees.saturating_abs()))
}

/// The square of the straight distance between two places, in fractions of 2^60 of the squared radius.
fn chord_squared(a: &Position, b: &Position) -> i128 {
	let squares = direction(a).into_iter().zip(direction(b)).map(|(a, b)| {
		let difference = a.saturating_sub(b);
		difference.saturating_mul(difference)
	});
	squares.fold(0, i128::saturating_add)
}

/// The square of the chord of an arc of `metres` on the ground, in the same fractions; `None` from a
/// half turn on, which reaches everywhere.
fn arc_squared(metres: u64) -> Option<i128> {
	// An arc of `d` has the chord `2 sin(d / 2R)`: micro-degrees of `d / 2R`.
	const PI_MICRO: u128 = 3_141_593;
	let half_turns = u128::from(metres).saturating_mul(1_000_000);
	let turn = u128::from(RADIUS).saturating_mul(PI_MICRO).saturating_mul(2);
	let angle = half_turns.saturating_mul(HALF_TURN.unsigned_abs().into()).checked_div(turn)?;
	let angle = i64::try_from(angle).ok().filter(|angle| *angle < HALF_TURN / 2)?;
	let sine = sine(angle);
	Some(sine.saturating_mul(sine).saturating_mul(4))
}

/// Whether two places are at most `metres` apart on the ground.
pub fn is_within(a: &Position, b: &Position, metres: u64) -> bool {
	arc_squared(metres).is_none_or(|reach| chord_squared(a, b) <= reach)
}

/// How far away, on the ground and in metres, whatever answered within a round trip can be: half of
/// what light goes in that time, 149.9 km for each millisecond, rounded up.
pub fn light_reach(round_trip_micros: u32) -> u64 {
	u64::from(round_trip_micros).saturating_mul(LIGHT_MICRO).div_ceil(2_000_000)
}

/// What one verifier measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoundTrip {
	/// Where the verifier is.
	pub verifier: Position,
	/// Its network: several verifiers in one do not count as several.
	pub network: Network,
	/// The least of its round trips. Each answer must be signed by the device's key over a nonce of the
	/// verifier and the task, whose seed follows from a recent block.
	pub micros: u32,
}

/// Holds round trips against a claim of being at `claimed`. Verifiers within `near` metres of it
/// support it if their round trip took at most what the Internet needs to go `near` metres and back,
/// and `slack_micros` more. All places have to be valid ([`Position::is_valid`]).
pub fn appraise_location(
	claimed: &Position,
	near: u64,
	slack_micros: u32,
	round_trips: &[RoundTrip],
) -> LocationFinding {
	let refutes = |trip: &RoundTrip| {
		let reach = light_reach(trip.micros);
		let slack = reach.saturating_mul(SLACK.0.into()).div_ceil(Ppm::ONE.0.into());
		!is_within(claimed, &trip.verifier, reach.saturating_add(slack).saturating_add(BLUR))
	};
	let networks = |says: &dyn Fn(&RoundTrip) -> bool| {
		let said = round_trips.iter().filter(|trip| says(trip)).map(|trip| trip.network);
		said.collect::<BTreeSet<Network>>().len()
	};
	if networks(&refutes) >= REFUTERS {
		return LocationFinding::Refuted;
	}
	let supports = |trip: &RoundTrip| {
		let travelled = trip.micros.saturating_sub(slack_micros);
		let reach = light_reach(travelled).saturating_mul(INTERNET) / 1_000_000;
		is_within(claimed, &trip.verifier, near) && reach <= near
	};
	if networks(&supports) >= SUPPORTERS {
		LocationFinding::Supported
	} else {
		LocationFinding::Unknown
	}
}
