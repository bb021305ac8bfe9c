//! What a device draws under a load: how that was come by, how old it is, and how it compares.

use super::{
	aspects,
	compare::Standings,
	peers::{Peers, Span},
};
use crate::show::{name, or_dash, when};
use armature_economics::format;
use armature_primitives::{
	telemetry::{PowerLoad, PowerSource},
	MilliWatts, Moment, Ppm,
};
use serde::Serialize;

/// The last power figures of a device under a load.
#[derive(Debug, Serialize)]
pub(crate) struct PowerView {
	/// Milliwatts with no work running.
	idle: u32,
	/// Milliwatts with all of what the load is on busy.
	loaded: u32,
	source: String,
	/// Half-width of the error band, in millionths of a figure.
	error_ppm: u32,
	measured_at: Moment,
	#[serde(flatten)]
	span: Span,
	/// `null` for figures that count no more, and for estimates.
	comparison: Option<Standings>,
}

impl PowerView {
	/// Of the device that the others are peers of; `None` where it has never had any.
	pub(crate) fn new(peers: &Peers, load: PowerLoad) -> Option<Self> {
		let (reading, measured_at, span) = peers.own_power(load)?;
		let counting = peers.own().metered(load);
		Some(Self {
			idle: reading.idle.0,
			loaded: reading.loaded.0,
			source: name(&reading.source),
			error_ppm: reading.error.0,
			measured_at,
			span,
			comparison: counting.map(|_| Standings::new(aspects::power(load), peers)),
		})
	}

	/// Rows for a table, also of a device without figures of its lanes, which any device has.
	pub(crate) fn rows(
		power: Option<&Self>,
		load: PowerLoad,
		now: Moment,
	) -> Vec<(&'static str, String)> {
		let names = match load {
			PowerLoad::Lanes => ["power", "power counts until", "power compared"],
			PowerLoad::Accelerator if power.is_none() => return Vec::new(),
			PowerLoad::Accelerator => [
				"accelerator power",
				"accelerator power counts until",
				"accelerator power compared",
			],
		};
		let shown = power.map(|power| {
			format!(
				"{} idle, {} loaded, within {} ({}), measured {}",
				format::kilowatts(MilliWatts(power.idle)),
				format::kilowatts(MilliWatts(power.loaded)),
				format::percent(Ppm(power.error_ppm)),
				power.source,
				when(power.measured_at, now)
			)
		});
		let until = power.map(|power| when(power.span.expires_at, now));
		let compared = power.and_then(Self::compared);
		names
			.into_iter()
			.zip([shown, until, compared].map(|cell| or_dash(&cell)))
			.collect()
	}

	fn compared(&self) -> Option<String> {
		if self.source == name(&PowerSource::Estimated) {
			return Some("not at all: an estimate is of a table, not of this machine".into());
		}
		self.comparison.as_ref().and_then(Standings::sentence)
	}
}

#[cfg(test)]
mod tests;
