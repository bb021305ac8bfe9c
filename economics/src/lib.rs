//! Pure integer formulas: what work costs, what it must earn, how it is priced and settled.
//!
//! No storage, no clock, no float, no panic. The runtime decides with these functions and the
//! services and the command line explain with them, so that both always say the same.
//!
//! # Units
//!
//! Those of [`armature_primitives::units`]: money in planck, power in milliwatt, energy in
//! milliwatt-hour, time in milliseconds, shares in parts per million. Tariffs are in millionths of
//! a currency unit per kWh, exchange rates in planck per whole currency unit.
//!
//! # Rounding
//!
//! Every rounding is against whoever could gain by it: costs, escrows, fees and slashes round up,
//! what a provider earns from part of the work rounds down. Each function says which.
//!
//! # Modules
//!
//! - [`power`]: watts of a placement, from a reading and its error band.
//! - [`tariff`]: the mean price of a stretch of time; energy from power and time.
//! - [`break_even`]: the least payout at which the provider does not lose.
//! - [`pricing`]: fuel to money and to time.
//! - [`settlement`]: how an escrow is split.
//! - [`slashing`]: shares of bonds.
//! - [`rates`]: the median of exchange-rate feeds.
//! - [`format`]: the sentences that people read.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod break_even;
pub mod format;
pub mod power;
pub mod pricing;
pub mod rates;
pub mod settlement;
pub mod slashing;
pub mod tariff;

mod math;

use core::fmt;

/// Why a formula has no value for its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
	/// A result, or a sum on the way to it, does not fit its type.
	Overflow,
	/// The power reading contradicts itself, see [`power::plausible`].
	ImplausibleReading,
	/// No lane is used, or more lanes than the device has.
	Lanes,
	/// The power usage effectiveness is below one.
	Pue,
	/// The stretch of time is empty.
	EmptyPlacement,
	/// A fee leaves nothing for the provider, or is above the whole.
	Fee,
	/// The exchange rate is zero.
	ZeroRate,
	/// A speed, or fuel per step, is zero.
	ZeroSpeed,
	/// There is no fuel over which a price could be spread.
	ZeroFuel,
}

impl fmt::Display for Error {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Error::Overflow => "a figure is out of range",
			Error::ImplausibleReading => "the power reading contradicts itself",
			Error::Lanes => "no lane, or more lanes than the device has",
			Error::Pue => "the power usage effectiveness is below one",
			Error::EmptyPlacement => "the placement has no length",
			Error::Fee => "the protocol fee is out of range",
			Error::ZeroRate => "the exchange rate is zero",
			Error::ZeroSpeed => "the speed is zero",
			Error::ZeroFuel => "there is no fuel",
		})
	}
}

impl core::error::Error for Error {}
