//! What a device says that it draws, held against what physics allows.
//!
//! A meter that shows less than the work can take lies, or the work ran elsewhere; one that shows more
//! than the device can draw counts something else (techniques 2.6). A meter that is right within its
//! own error passes.

use armature_primitives::{telemetry::PowerReading, MilliWatts, Ppm};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

#[cfg(test)]
mod tests;

/// What a class of devices can do. Classes are regions of what was measured, never names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PowerLimits {
	/// The most operations that any device of the class does with a joule, above 0.
	pub operations_per_joule: u64,
	/// The most that a device of the class draws.
	pub most: MilliWatts,
	/// The most error that a reading may admit; what is beyond counts for nothing.
	pub most_error: Ppm,
}

/// Above the class's limit by this much is still plausible: sensors and supplies differ.
pub const HEADROOM: Ppm = Ppm(100_000);

/// Why a figure is not plausible.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum PowerFault {
	/// The work takes more energy on any device: the meter lies, or the work ran elsewhere.
	#[codec(index = 0)]
	BelowPhysics,
	/// No device of the class draws that much.
	#[codec(index = 1)]
	AboveLimit,
}

/// The least energy that some work takes, in millijoules, rounded down.
pub fn least_energy(operations: u128, limits: &PowerLimits) -> u128 {
	operations
		.saturating_mul(1_000)
		.checked_div(limits.operations_per_joule.into())
		.unwrap_or(u128::MAX)
}

/// Holds a reading under load against work that was shown to be done in `elapsed_millis`. The error
/// that the reading admits counts in its favour, up to the class's limit: the device says it itself.
///
/// # Errors
///
/// [`PowerFault`].
pub fn check_energy(
	reading: &PowerReading,
	operations: u128,
	elapsed_millis: u32,
	limits: &PowerLimits,
) -> Result<(), PowerFault> {
	let one = u128::from(Ppm::ONE.0);
	let error = u128::from(reading.error.0.min(limits.most_error.0).min(Ppm::ONE.0));
	// Microjoules: milliwatts times milliseconds.
	let time = u128::from(elapsed_millis);
	let told = u128::from(reading.loaded.0).saturating_mul(time);
	let highest = told.saturating_mul(one.saturating_add(error)).div_ceil(one);
	let lowest = told.saturating_mul(one.saturating_sub(error)) / one;
	if highest < least_energy(operations, limits).saturating_mul(1_000) {
		return Err(PowerFault::BelowPhysics);
	}
	let headroom = one.saturating_add(HEADROOM.0.into());
	let most = u128::from(limits.most.0).saturating_mul(time).saturating_mul(headroom) / one;
	if lowest > most {
		return Err(PowerFault::AboveLimit);
	}
	Ok(())
}
