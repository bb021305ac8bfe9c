//! What it means that the chain refuses to have a planted answer shown.

use armature_primitives::Moment;
use armature_sdk::refused_error;

/// The first pause before it is tried again, in milliseconds; each further one is twice as long.
const FIRST_PAUSE: u64 = 60_000;

/// The longest pause.
const LONGEST_PAUSE: u64 = 30 * 60_000;

/// How long it is tried.
const PATIENCE: u64 = 24 * 3_600_000;

/// The pallet that shows them.
const PALLET: &str = "Challenges";

/// What a refusal says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
	/// The chain does not know the round: nobody judged it, or its block is not there now.
	NoRound,
	/// The account that signs the agent's calls may not act for the device.
	NotOperator,
	/// It can never be shown.
	Final,
	/// It can be shown once something else has changed: the account has no money for fees, perhaps.
	Later,
}

impl Refusal {
	/// By the name of the error, as the SDK writes it into the text.
	pub(super) fn from_text(text: &str) -> Self {
		match refused_error(text, PALLET) {
			Some("RoundNotFound") => Self::NoRound,
			Some("NotOperator") => Self::NotOperator,
			Some(
				"DisputeWindowOver" | "NothingPlanted" | "PlantedTooLate" | "OtherAnswerPlanted"
				| "OtherAnswerGiven" | "FraudKnown" | "NotEnrolled" | "UnknownDevice",
			) => Self::Final,
			_ => Self::Later,
		}
	}
}

/// Refusals that were not final, in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refused {
	since: Moment,
	last: Moment,
	count: u32,
}

impl Refused {
	/// One more after those `before`.
	pub(super) fn after(before: Option<Self>, now: Moment) -> Self {
		let first = Self { since: now, last: now, count: 1 };
		before.map_or(first, |before| Self {
			since: before.since,
			last: now,
			count: before.count.saturating_add(1),
		})
	}

	/// Whether it is time to try again. A clock that was set back does not keep it from that.
	pub(super) fn is_due(&self, now: Moment) -> bool {
		let doublings = self.count.saturating_sub(1).min(16);
		let pause = FIRST_PAUSE.checked_shl(doublings).unwrap_or(u64::MAX).min(LONGEST_PAUSE);
		now < self.last || now >= self.last.saturating_add(pause)
	}

	/// Whether it was tried for long enough.
	pub(super) fn is_over(&self, now: Moment) -> bool {
		now >= self.since.saturating_add(PATIENCE)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn refusals_should_be_told_apart_by_the_errors_name() {
		let of = |error: &str| {
			let text = format!("Challenges.show_planted was refused: {error}");
			Refusal::from_text(&text)
		};
		assert_eq!(of("Challenges.RoundNotFound: Why."), Refusal::NoRound);
		assert_eq!(of("Challenges.NotOperator: Why."), Refusal::NotOperator);
		for name in [
			"DisputeWindowOver",
			"NothingPlanted",
			"PlantedTooLate",
			"OtherAnswerPlanted",
			"OtherAnswerGiven",
			"FraudKnown",
			"NotEnrolled",
			"UnknownDevice",
		] {
			assert_eq!(of(&format!("Challenges.{name}: Why.")), Refusal::Final, "{name}");
		}
		for other in [
			"Challenges.RoundOpen: The round is open.",
			"Challenges.PlantedTooOften: Why.",
			"Challenges.FraudKnownToNobody: Why.",
			"Others.NothingPlanted: Why.",
			"Token error: FundsUnavailable",
			"Challenges.RoundOpen: not one of NotEnrolled",
			"Challenges.RoundOpen: not Challenges.NotEnrolled: Why.",
		] {
			assert_eq!(of(other), Refusal::Later, "{other}");
		}
		assert_eq!(Refusal::from_text("Challenges.NotEnrolled: Why."), Refusal::Later);
	}

	#[test]
	fn pauses_should_double_up_to_half_an_hour() {
		let mut now = 1_000_000_000;
		let mut refused = None;
		for minutes in [1, 2, 4, 8, 16, 30, 30, 30] {
			let again = Refused::after(refused, now);
			let next = now + minutes * 60_000;
			assert!(!again.is_due(now) && !again.is_due(next - 1), "{minutes}");
			assert!(again.is_due(next), "{minutes}");
			assert!(again.is_due(now - 1), "the clock was set back");
			(refused, now) = (Some(again), next);
		}
	}

	#[test]
	fn a_day_should_be_enough() {
		let first = Refused::after(None, 1_000);
		let last = Refused::after(Some(first), 5_000);
		for refused in [first, last] {
			assert!(!refused.is_over(1_000 + PATIENCE - 1));
			assert!(refused.is_over(1_000 + PATIENCE));
		}
	}
}
