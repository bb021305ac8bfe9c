//! Where a device's score comes from: how old it is, what comes next, and how it compares. A part of
//! `armature device show`.

use crate::{
	amount::show_millis,
	show::{or_dash, when},
};
use anyhow::Result;
use armature_primitives::{
	challenge::cool_at,
	device::{DeviceStatus, Performance},
	DeviceId, Moment, Ppm,
};
use armature_sdk::{query, AtBlock};
use serde::Serialize;

/// Scores of other devices that are read for a comparison: a large chain has more than anyone waits for.
const MAX_COMPARED: usize = 10_000;

const MILLIS_PER_DAY: u64 = 24 * 3_600_000;

/// The score of an enrolled device and its circumstances.
#[derive(Debug, Serialize)]
pub(crate) struct ScoreView {
	/// Since it was measured; `null` without a score that counts.
	age_millis: Option<u64>,
	/// It counts until then.
	expires_at: Option<Moment>,
	/// Rounds failed since the last one that was passed.
	failures: u32,
	open_round: Option<u64>,
	/// Whether the owner's devices wait to be started.
	queued: bool,
	/// Whether a round may be asked for now.
	may_request: bool,
	/// When time allows that; `null` when it does already.
	next_request_at: Option<Moment>,
	/// How likely the owner's devices are drawn within an interval.
	owner_share_ppm: u32,
	/// The mean that follows from it, rounded to tenths; `null` for a device that gets none in its status.
	surprise_rounds_per_day: Option<f64>,
	/// The owner's devices are not started before; `null` when they do not rest.
	rests_until: Option<Moment>,
	/// `null` without a score that counts, or when no other device has one.
	comparison: Option<Comparison>,
}

/// A speed beside those of all other devices with a score that counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Comparison {
	/// Devices that are slower.
	slower: usize,
	/// Devices that were compared.
	others: usize,
	/// The former in percent of the latter, rounded down.
	percent: usize,
	/// Whether there may be more others.
	partial: bool,
}

impl ScoreView {
	/// Of a device with this score, if one counts; `None` for a device that is not enrolled.
	pub(crate) async fn gather(
		at: &AtBlock,
		id: DeviceId,
		status: DeviceStatus,
		score: Option<&Performance>,
		now: Moment,
	) -> Result<Option<Self>> {
		let Some(enrolment) = query::enrolment(at, id).await? else { return Ok(None) };
		let parameters = query::challenge_parameters(at).await?;
		let owner = query::enrolled_owner(at, &enrolment.owner).await?;
		let (queued, rests_until, share) = owner.map_or((false, 0, Ppm(0)), |owner| {
			(owner.queued.is_some(), owner.rests_until, owner.share.0)
		});
		// As a draw takes it: the bounds may have changed since it was written.
		let share = share.max(parameters.min_share.0).min(parameters.max_share.0);
		let max_age = parameters.score_max_age_millis;
		let ends = |score: &Performance| score.measured_at.saturating_add(max_age);
		let comparison = match score {
			Some(score) => {
				let (some, is_all) = query::some_performances(at, MAX_COMPARED).await?;
				let others =
					some.iter().filter(|(other, score)| *other != id && now <= ends(score));
				let speeds = others.map(|(_, other)| other.steps_per_second_per_lane);
				compare(score.steps_per_second_per_lane, speeds, !is_all)
			},
			None => None,
		};
		let (closed_at, failures) = (enrolment.last_closed_at, enrolment.failures);
		let cool_at = cool_at(closed_at, failures, parameters.window_millis);
		// A score counts up to its end.
		let unscored_at = score.map_or(0, |score| ends(score).saturating_add(1));
		let block_millis = query::block_millis(at)?;
		Ok(Some(Self {
			age_millis: score.map(|score| now.saturating_sub(score.measured_at)),
			expires_at: score.map(ends),
			failures,
			open_round: query::open_round_of(at, id).await?.map(|round| round.0),
			queued,
			may_request: query::may_request_challenge(at, id).await?,
			next_request_at: later(now, [cool_at, rests_until, unscored_at]),
			owner_share_ppm: share.0,
			surprise_rounds_per_day: rounds_per_day(
				share,
				parameters.round_interval_blocks,
				block_millis,
			)
			.filter(|_| may_be_drawn(status)),
			rests_until: later(now, [rests_until]),
			comparison,
		}))
	}

	/// Rows for a table.
	pub(crate) fn rows(&self, now: Moment) -> Vec<(&'static str, String)> {
		let at_time = |moment: Option<Moment>| or_dash(&moment.map(|moment| when(moment, now)));
		vec![
			("score age", or_dash(&self.age_millis.map(show_millis))),
			("score counts until", at_time(self.expires_at)),
			("speed", or_dash(&self.comparison.map(sentence))),
			("failures", format!("{} since the last passed round", self.failures)),
			("next request", self.next_request(now)),
			("surprise rounds", or_dash(&self.surprise_rounds_per_day.map(mean))),
			("rests until", at_time(self.rests_until)),
		]
	}

	/// When a round can be asked for.
	fn next_request(&self, now: Moment) -> String {
		if self.may_request {
			return "now".into();
		}
		if let Some(round) = self.open_round {
			return format!("round {round} has to end first");
		}
		if self.queued {
			return "a round is about to begin".into();
		}
		self.next_request_at
			.map_or_else(|| "once it is attested and up".into(), |at| when(at, now))
	}
}

/// Whether surprise rounds begin with a device in this status.
fn may_be_drawn(status: DeviceStatus) -> bool {
	matches!(
		status,
		DeviceStatus::Attested
			| DeviceStatus::Active
			| DeviceStatus::Suspect
			| DeviceStatus::Draining
	)
}

/// The last of some moments, unless it is over.
fn later<const N: usize>(now: Moment, moments: [Moment; N]) -> Option<Moment> {
	moments.into_iter().max().filter(|last| *last > now)
}

/// The mean number of draws that hit an owner with this share within each interval, to tenths.
fn rounds_per_day(share: Ppm, interval_blocks: u32, block_millis: u64) -> Option<f64> {
	let interval = u64::from(interval_blocks).checked_mul(block_millis)?;
	let per = u128::from(interval).checked_mul(Ppm::ONE.0.into())?;
	let hits = u128::from(share.0).checked_mul(MILLIS_PER_DAY.into())?.checked_mul(10)?;
	let tenths = hits.checked_add(per / 2)?.checked_div(per)?;
	Some(f64::from(u32::try_from(tenths).ok()?) / 10.0)
}

/// `None` without others.
fn compare(own: u64, speeds: impl Iterator<Item = u64>, partial: bool) -> Option<Comparison> {
	let (mut slower, mut others) = (0usize, 0usize);
	for speed in speeds {
		others = others.saturating_add(1);
		slower = slower.saturating_add(usize::from(speed < own));
	}
	let percent = slower.saturating_mul(100).checked_div(others)?;
	Some(Comparison { slower, others, percent, partial })
}

fn sentence(comparison: Comparison) -> String {
	let Comparison { others, percent, partial, .. } = comparison;
	let at_least = if partial { "at least " } else { "" };
	let devices = if others == 1 { "device" } else { "devices" };
	format!("faster than {percent} % of {at_least}{others} other measured {devices}")
}

fn mean(rounds: f64) -> String {
	if rounds < 10.0 {
		format!("about {rounds:.1} a day")
	} else {
		format!("about {rounds:.0} a day")
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	fn view() -> ScoreView {
		ScoreView {
			age_millis: Some(120_000),
			expires_at: Some(200_000),
			failures: 0,
			open_round: None,
			queued: false,
			may_request: false,
			next_request_at: Some(200_001),
			owner_share_ppm: 6_944,
			surprise_rounds_per_day: Some(1.0),
			rests_until: None,
			comparison: Some(Comparison { slower: 3, others: 4, percent: 75, partial: false }),
		}
	}

	#[test]
	fn draws_should_be_told_by_the_day() {
		// Ten minutes of 3 s blocks, 144 times a day: the production values.
		assert_eq!(rounds_per_day(Ppm(111_112), 200, 3_000), Some(16.0));
		assert_eq!(rounds_per_day(Ppm(6_944), 200, 3_000), Some(1.0));
		assert_eq!(rounds_per_day(Ppm(29_000), 200, 3_000), Some(4.2));
		assert_eq!(rounds_per_day(Ppm(1), 0, 3_000), None);
		assert_eq!(mean(16.0), "about 16 a day");
		assert_eq!(mean(4.2), "about 4.2 a day");
	}

	#[test]
	fn last_moment_should_count_unless_it_is_over() {
		assert_eq!(later(5, [3, 9, 7]), Some(9));
		assert_eq!(later(9, [3, 9, 7]), None);
	}

	#[test]
	fn draws_should_be_told_only_of_devices_that_get_rounds() {
		assert!(may_be_drawn(DeviceStatus::Attested) && may_be_drawn(DeviceStatus::Draining));
		assert!(!may_be_drawn(DeviceStatus::Standby) && !may_be_drawn(DeviceStatus::Offline));
	}

	#[test]
	fn speeds_should_be_compared_with_those_of_others() {
		assert_eq!(compare(5, [].into_iter(), false), None);
		let compared = |own| compare(own, [3, 5, 5, 9].into_iter(), false).unwrap();
		let expected = Comparison { slower: 1, others: 4, percent: 25, partial: false };
		assert_eq!(compared(5), expected);
		assert_eq!(compared(10).percent, 100);
		assert_eq!(compared(3).percent, 0);
		assert_eq!(sentence(compared(9)), "faster than 75 % of 4 other measured devices");
		let some = Comparison { partial: true, ..compared(9) };
		assert_eq!(sentence(some), "faster than 75 % of at least 4 other measured devices");
		let one = compare(2, [1].into_iter(), false).unwrap();
		assert_eq!(sentence(one), "faster than 100 % of 1 other measured device");
	}

	#[test]
	fn next_request_should_name_what_stands_in_its_way() {
		assert_eq!(view().next_request(140_001), "in 1 min 0 s");
		let now = ScoreView { may_request: true, ..view() };
		assert_eq!(now.next_request(0), "now");
		let queued = ScoreView { queued: true, ..view() };
		assert_eq!(queued.next_request(0), "a round is about to begin");
		let open = ScoreView { open_round: Some(7), ..queued };
		assert_eq!(open.next_request(0), "round 7 has to end first");
		let down = ScoreView { next_request_at: None, ..view() };
		assert_eq!(down.next_request(0), "once it is attested and up");
	}

	#[test]
	fn score_should_be_told_to_people_and_programs() {
		let rows = view().rows(140_000);
		let cell =
			|name: &str| rows.iter().find(|(row, _)| *row == name).map(|(_, cell)| cell.as_str());
		assert_eq!(cell("score age"), Some("2 min 0 s"));
		assert_eq!(cell("score counts until"), Some("in 1 min 0 s"));
		assert_eq!(cell("speed"), Some("faster than 75 % of 4 other measured devices"));
		assert_eq!(cell("failures"), Some("0 since the last passed round"));
		assert_eq!(cell("surprise rounds"), Some("about 1.0 a day"));
		assert_eq!(cell("rests until"), Some("-"));
		let value = serde_json::to_value(view()).unwrap();
		assert_eq!(value["expires_at"], json!(200_000));
		assert_eq!(value["surprise_rounds_per_day"], json!(1.0));
		let compared = json!({ "slower": 3, "others": 4, "percent": 75, "partial": false });
		assert_eq!(value["comparison"], compared);
		assert!(value["rests_until"].is_null());
	}
}
