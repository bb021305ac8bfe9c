//! `armature device position` and `armature verifier position`.

use crate::{
	cli::{DevicePosition, Place, VerifierPosition},
	context::Context,
	degrees::show_place,
	show::{or_dash, Done},
};
use anyhow::Result;
use armature_primitives::location::Position;
use armature_sdk::{api, Included, Static};
use serde::Serialize;

/// Where a device or a verifier is now said to be.
#[derive(Serialize)]
struct Changed {
	/// `null` for a verifier.
	device: Option<u32>,
	/// `null` for a device.
	verifier: Option<String>,
	/// In micro-degrees; `null` where that was taken back.
	position: Option<Position>,
}

impl Changed {
	fn rows(&self) -> Vec<(&'static str, String)> {
		let who = match (&self.device, &self.verifier) {
			(Some(device), _) => ("device", device.to_string()),
			(None, verifier) => ("verifier", or_dash(verifier)),
		};
		let place = self.position.as_ref().map(show_place);
		vec![who, ("position", place.unwrap_or_else(|| "taken back".into()))]
	}
}

impl From<Place> for Position {
	fn from(Place { latitude, longitude }: Place) -> Self {
		Self { latitude, longitude }
	}
}

pub(crate) async fn of_device(context: &Context, command: DevicePosition) -> Result<()> {
	let (id, position) = match command {
		DevicePosition::Set { id, place } => (id, Some(Position::from(place))),
		DevicePosition::Clear { id } => (id, None),
	};
	let call = api::tx().challenges().claim_position(Static(id), position.map(Static));
	let included = context.submit(&call).await?;
	let event: api::challenges::events::PositionClaimed =
		included.expect("Challenges.claim_position", "PositionClaimed")?;
	let position = event.position.map(|position| position.0);
	done(context, &included, Changed { device: Some(event.device.0 .0), verifier: None, position })
}

pub(crate) async fn of_verifier(context: &Context, command: VerifierPosition) -> Result<()> {
	let position = match command {
		VerifierPosition::Set { place } => Some(Position::from(place)),
		VerifierPosition::Clear => None,
	};
	let call = api::tx().challenges().set_verifier_position(position.map(Static));
	let included = context.submit(&call).await?;
	let event: api::challenges::events::VerifierPositionSet =
		included.expect("Challenges.set_verifier_position", "VerifierPositionSet")?;
	let position = event.position.map(|position| position.0);
	let verifier = Some(event.who.to_string());
	done(context, &included, Changed { device: None, verifier, position })
}

fn done(context: &Context, included: &Included, changed: Changed) -> Result<()> {
	context
		.output
		.record(&Done::new(included, changed), |done| done.rows(done.of.rows()))
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	#[test]
	fn changed_positions_should_be_told_to_people_and_programs() {
		let position = Position { latitude: 50_110_000, longitude: -8_680_000 };
		let set = Changed { device: Some(7), verifier: None, position: Some(position) };
		let rows = [("device", "7"), ("position", "50.11 N, 8.68 W")];
		assert_eq!(set.rows(), rows.map(|(row, cell)| (row, cell.to_owned())));
		let expected = json!({
			"device": 7,
			"verifier": null,
			"position": { "latitude": 50_110_000, "longitude": -8_680_000 },
		});
		assert_eq!(serde_json::to_value(&set).unwrap(), expected);

		let cleared = Changed { device: None, verifier: Some("5G".into()), position: None };
		let rows = [("verifier", "5G"), ("position", "taken back")];
		assert_eq!(cleared.rows(), rows.map(|(row, cell)| (row, cell.to_owned())));
		let expected = json!({ "device": null, "verifier": "5G", "position": null });
		assert_eq!(serde_json::to_value(&cleared).unwrap(), expected);
	}
}
