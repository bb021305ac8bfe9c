//! `armature device maintenance`.

use crate::{cli::Maintenance, context::Context, show::Done};
use anyhow::Result;
use armature_primitives::DeviceId;
use armature_sdk::{api, Static};
use serde::Serialize;

/// What a call made of a device's maintenance.
#[derive(Serialize)]
struct Changed {
	device: u32,
	in_maintenance: bool,
}

impl Changed {
	fn new(device: DeviceId, in_maintenance: bool) -> Self {
		Self { device: device.0, in_maintenance }
	}

	fn rows(&self) -> Vec<(&'static str, String)> {
		let Self { device, in_maintenance } = self;
		let maintenance = if *in_maintenance {
			format!(
				"begun: no work, no challenges and no score until `armature device maintenance end \
				 {device}`"
			)
		} else {
			"ended: a round follows, and work once the device has a score".to_owned()
		};
		vec![("device", device.to_string()), ("maintenance", maintenance)]
	}
}

pub(crate) async fn run(context: &Context, command: Maintenance) -> Result<()> {
	let (included, changed) = match command {
		Maintenance::Start { id } => {
			let call = api::tx().challenges().start_maintenance(Static(id));
			let included = context.submit(&call).await?;
			let event: api::challenges::events::MaintenanceStarted =
				included.expect("Challenges.start_maintenance", "MaintenanceStarted")?;
			(included, Changed::new(event.device.0, true))
		},
		Maintenance::End { id } => {
			let call = api::tx().challenges().end_maintenance(Static(id));
			let included = context.submit(&call).await?;
			let event: api::challenges::events::MaintenanceEnded =
				included.expect("Challenges.end_maintenance", "MaintenanceEnded")?;
			(included, Changed::new(event.device.0, false))
		},
	};
	context
		.output
		.record(&Done::new(&included, changed), |done| done.rows(done.of.rows()))
}

#[cfg(test)]
mod tests {
	use super::*;
	use serde_json::json;

	fn cell(changed: &Changed) -> String {
		let rows = changed.rows();
		assert_eq!(rows[0], ("device", "7".to_owned()));
		assert_eq!(rows[1].0, "maintenance");
		rows[1].1.clone()
	}

	#[test]
	fn changed_maintenance_should_be_told_to_people_and_programs() {
		let begun = Changed::new(DeviceId(7), true);
		assert_eq!(
			cell(&begun),
			"begun: no work, no challenges and no score until `armature device maintenance end 7`"
		);
		let expected = json!({ "device": 7, "in_maintenance": true });
		assert_eq!(serde_json::to_value(&begun).unwrap(), expected);
		let ended = Changed::new(DeviceId(7), false);
		assert_eq!(cell(&ended), "ended: a round follows, and work once the device has a score");
		let expected = json!({ "device": 7, "in_maintenance": false });
		assert_eq!(serde_json::to_value(&ended).unwrap(), expected);
	}
}
