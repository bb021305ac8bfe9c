//! The ways of a device to verifiers, one by one, and whether it can be where it is claimed to be.

use crate::{
	amount::show_micros,
	degrees::show_place,
	show::{or_dash, when},
};
use armature_primitives::{
	device::Performance,
	location::{LocationFinding, Position},
	Moment,
};
use armature_sdk::query::RoundTripTo;
use serde::Serialize;

/// A round trip to one verifier.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct RoundTrip {
	verifier: String,
	micros: u32,
	measured_at: Moment,
}

/// What is known of where a device is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Ways {
	/// Where it is claimed to be, in micro-degrees; `null` without a claim.
	position: Option<Position>,
	/// What round trips say of that; `null` where none were measured.
	location: Option<LocationFinding>,
	/// Nearest first.
	round_trips: Vec<RoundTrip>,
}

impl Ways {
	pub(super) fn new(
		position: Option<Position>,
		score: &Performance,
		trips: Vec<RoundTripTo>,
	) -> Self {
		let mut round_trips: Vec<_> = trips
			.into_iter()
			.map(|trip| RoundTrip {
				verifier: trip.verifier.to_string(),
				micros: trip.micros,
				measured_at: trip.measured_at,
			})
			.collect();
		round_trips.sort_by_key(|trip| trip.micros);
		Self { position, location: score.network.map(|network| network.location), round_trips }
	}

	/// Rows for a table.
	pub(super) fn rows(&self, now: Moment) -> Vec<(&'static str, String)> {
		let place = self.position.as_ref();
		let place = place.map(|place| format!("{} ({})", show_place(place), words(self.location)));
		let mut rows = vec![("position", or_dash(&place))];
		rows.extend(self.round_trips.iter().map(|trip| {
			let RoundTrip { verifier, micros, measured_at } = trip;
			let measured = when(*measured_at, now);
			("round trip", format!("{} to {verifier}, measured {measured}", show_micros(*micros)))
		}));
		rows
	}
}

/// What round trips say of a claim; `None` where none were measured.
fn words(location: Option<LocationFinding>) -> &'static str {
	match location {
		Some(LocationFinding::Refuted) => {
			"refuted: verifiers were answered sooner than light could"
		},
		Some(LocationFinding::Supported) => "supported by verifiers near it",
		Some(LocationFinding::Unknown) => "neither supported nor refuted",
		None => "not measured",
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::device::NetworkScore;
	use armature_sdk::AccountId32;
	use serde_json::json;

	const PLACE: Position = Position { latitude: 50_110_000, longitude: 8_680_000 };

	fn score(location: LocationFinding) -> Performance {
		let network = NetworkScore {
			nearest_micros: 9_050,
			median_micros: 20_000,
			up_kbps: 1,
			down_kbps: 1,
			location,
			measured_at: 100,
		};
		Performance { network: Some(network), ..Performance::default() }
	}

	fn trip(number: u8, micros: u32) -> RoundTripTo {
		RoundTripTo { verifier: AccountId32([number; 32]), micros, measured_at: 100 }
	}

	#[test]
	fn ways_should_be_told_nearest_first() {
		let trips = vec![trip(1, 20_000), trip(2, 9_050)];
		let ways = Ways::new(Some(PLACE), &score(LocationFinding::Supported), trips);
		let [one, two] = [1, 2].map(|number| AccountId32([number; 32]).to_string());
		let rows = [
			("position", "50.11 N, 8.68 E (supported by verifiers near it)".to_owned()),
			("round trip", format!("9.050 ms to {two}, measured 50 ms ago")),
			("round trip", format!("20.000 ms to {one}, measured 50 ms ago")),
		];
		assert_eq!(ways.rows(150), rows);
		let expected = json!({
			"position": { "latitude": 50_110_000, "longitude": 8_680_000 },
			"location": "supported",
			"round_trips": [
				{ "verifier": two, "micros": 9_050, "measured_at": 100 },
				{ "verifier": one, "micros": 20_000, "measured_at": 100 },
			],
		});
		assert_eq!(serde_json::to_value(&ways).unwrap(), expected);
	}

	#[test]
	fn what_is_unknown_should_be_told_so() {
		let nothing = Ways::new(None, &Performance::default(), Vec::new());
		assert_eq!(nothing.rows(150), [("position", "-".to_owned())]);
		let expected = json!({ "position": null, "location": null, "round_trips": [] });
		assert_eq!(serde_json::to_value(&nothing).unwrap(), expected);
		let claimed = Ways::new(Some(PLACE), &Performance::default(), Vec::new());
		let cell = "50.11 N, 8.68 E (not measured)".to_owned();
		assert_eq!(claimed.rows(150), [("position", cell)]);
	}

	#[test]
	fn findings_should_be_told_in_words_and_by_name() {
		for (found, told, name) in [
			(
				LocationFinding::Refuted,
				"refuted: verifiers were answered sooner than light could",
				"refuted",
			),
			(LocationFinding::Supported, "supported by verifiers near it", "supported"),
			(LocationFinding::Unknown, "neither supported nor refuted", "unknown"),
		] {
			let ways = Ways::new(Some(PLACE), &score(found), Vec::new());
			assert_eq!(ways.rows(150), [("position", format!("50.11 N, 8.68 E ({told})"))]);
			assert_eq!(serde_json::to_value(&ways).unwrap()["location"], json!(name));
		}
	}
}
