//! What cheating wins and loses.
//!
//! A device is measured beside an honest one of the same kind over the same time. Prices are round figures of
//! 2025, and assumptions: change them here, and nowhere else. What is proved a fraud is slashed beside all
//! that: a cheat that does not open what it has made up fails its round and is not, so that money is that of
//! the cleverest one.
//!
//! Time: sixteen rounds a day, as of a new owner or one in doubt, all of one kind: 1,000 rounds are two months.
//! Until it has passed again, a device that failed gets no work. It may ask for a round one window after a
//! failure, three after a second one, then seven, and that takes a window itself; lots come sooner than the
//! sixth. A device with good history is asked once a day: what it leaves out is worth sixteen times as much
//! from one round to the next, what a failure costs stays.
//!
//! Verifiers are paid and fined in ARMA, as the chain's default parameters have it
//! (`pallets/challenges/src/parameters.rs`).

use armature_primitives::Balance;

/// What a device draws while it works.
const WATTS: f64 = 200.0;

/// What one busy core of it draws.
const WATTS_A_CORE: f64 = 10.0;

/// Electricity.
const EUR_A_KWH: f64 = 0.30;

/// What an honest device earns. Others do in proportion to what they show.
pub(crate) const EUR_AN_HOUR: f64 = 0.05;

/// Between two rounds of a device that has not failed.
const HOURS_BETWEEN: f64 = 24.0 / 16.0;

/// How long verifiers may take, and the shortest time before a request.
const WINDOW_HOURS: f64 = 3.0 / 60.0;

const HOURS_A_MONTH: f64 = 730.0;

/// Memory that a device offers, and what it costs: 4 EUR a GiB, gone in 40 months.
const MEMORY_GIB: f64 = 64.0;
const MEMORY_EUR_A_GIB_MONTH: f64 = 0.10;

/// Memory of an accelerator, of which there is none to buy but with one: 1,200 EUR for 24 GiB, in 40 months.
const ACCELERATOR_GIB: f64 = 24.0;
const ACCELERATOR_EUR_A_GIB_MONTH: f64 = 1.25;

/// Disk space that a device offers, and what others rent it for.
const DISK_TB: f64 = 4.0;
const DISK_EUR_A_TB_MONTH: f64 = 2.0;

/// A core that has to be at hand, beside those that a device has.
const CORE_EUR_AN_HOUR: f64 = 0.005;

/// Cores that a device has.
const OWN_CORES: f64 = 16.0;

/// One ARMA, in planck.
pub(crate) const ARMA: Balance = 1_000_000_000_000;

/// What a verifier bonds: `verifier_bond`. With less than half of it left it is on no committee any more.
pub(crate) const BOND: Balance = 10_000 * ARMA;

/// What a verdict earns with the majority, and what it costs to have sealed none: `verdict_fee`.
pub(crate) const FEE: Balance = ARMA / 100;

/// What it costs not to reveal what was sealed: `verdict_penalty`.
pub(crate) const UNREVEALED: Balance = ARMA / 20;

/// What it costs to have passed a planted answer: `planted_penalty`.
pub(crate) const FOOLED: Balance = 1_000 * ARMA;

/// Planck as ARMA.
pub(crate) fn arma(amount: Balance) -> f64 {
	amount as f64 / ARMA as f64
}

/// What a device keeps that it should have spent, beside its work.
#[derive(Clone, Copy, Default)]
pub(crate) struct LeftOut {
	/// The share of the memory that it offers.
	pub(crate) memory: f64,
	/// The share of its accelerator's memory.
	pub(crate) accelerator: f64,
	/// The share of the disk space.
	pub(crate) disk: f64,
	/// Cores that it has to have at hand for that.
	pub(crate) cores: f64,
}

impl LeftOut {
	/// What that is worth in an hour.
	fn eur_an_hour(self) -> f64 {
		let a_month = self.memory * MEMORY_GIB * MEMORY_EUR_A_GIB_MONTH
			+ self.accelerator * ACCELERATOR_GIB * ACCELERATOR_EUR_A_GIB_MONTH
			+ self.disk * DISK_TB * DISK_EUR_A_TB_MONTH;
		a_month / HOURS_A_MONTH - (self.cores - OWN_CORES).max(0.0) * CORE_EUR_AN_HOUR
	}
}

/// What a round came to.
#[derive(Clone, Copy)]
pub(crate) enum Result {
	/// The device shows so much of what an honest one does.
	Passed(f64),
	/// The device shows nothing.
	Failed,
}

/// A device's money, in EUR, beside that of an honest one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Books {
	/// Energy, memory and disk space that it did not spend.
	pub(crate) saved: f64,
	/// What it earned more than an honest one.
	pub(crate) earned: f64,
	/// Failures since it passed.
	failures: i32,
}

impl Books {
	/// Enters a round, for which it spared so many seconds of work, and so much beside.
	pub(crate) fn enter(&mut self, result: Result, spared_seconds: f64, left_out: LeftOut) {
		let hours = match result {
			Result::Passed(figure) => {
				self.failures = 0;
				self.earned += HOURS_BETWEEN * EUR_AN_HOUR * (figure - 1.0);
				HOURS_BETWEEN
			},
			Result::Failed => {
				self.failures += 1;
				// `2^n - 1` windows before it may ask, and one for the round.
				let hours = (2f64.powi(self.failures) * WINDOW_HOURS).min(HOURS_BETWEEN);
				self.earned -= hours * EUR_AN_HOUR;
				hours
			},
		};
		self.saved += work_eur(spared_seconds) + left_out.eur_an_hour() * hours;
	}

	/// Enters what was earned, or taken, beside that.
	pub(crate) fn add(&mut self, saved: f64, earned: f64) {
		self.saved += saved;
		self.earned += earned;
	}

	/// Takes off what cores took that made something again.
	pub(crate) fn take_core_seconds(&mut self, seconds: f64) {
		self.saved -= energy_eur(seconds * WATTS_A_CORE);
	}

	/// Three columns.
	pub(crate) fn columns(&self) -> String {
		let Self { saved, earned, .. } = *self;
		let [saved, earned, net] = [saved, earned, saved + earned].map(cents);
		format!("{saved:>7.2} | {earned:>7.2} | {net:>7.2}")
	}
}

/// Rounded, without a minus before a zero.
pub(crate) fn cents(eur: f64) -> f64 {
	(eur * 100.0).round() / 100.0 + 0.0
}

/// Names of [`Books::columns`].
pub(crate) const HEAD: &str = "saved, EUR | earned more, EUR | net, EUR";

/// What a second of a device's work takes.
pub(crate) fn work_eur(seconds: f64) -> f64 {
	energy_eur(seconds * WATTS)
}

fn energy_eur(joules: f64) -> f64 {
	joules / 3.6e6 * EUR_A_KWH
}

/// Hours in which so many rounds are passed.
pub(crate) fn hours(rounds: u32) -> f64 {
	f64::from(rounds) * HOURS_BETWEEN
}
