//! What an orchestrator counts.

use armature_metrics::{Counter, Family, Gauge, Registry, Unit};

type Label = (&'static str, &'static str);

/// What became of a beat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BeatOutcome {
	/// It was acknowledged, perhaps once more.
	Acknowledged,
	/// Its sender has not said hello for that device.
	Unannounced,
	/// Its slot is not now, or the device's clock is off.
	Untimely,
	/// Its signature is not the device's.
	BadSignature,
	/// Its signature could not be checked: too many wait, or the check failed.
	Unchecked,
	/// It does not continue what the device sent before.
	OutOfOrder,
}

const OUTCOMES: [BeatOutcome; 6] = [
	BeatOutcome::Acknowledged,
	BeatOutcome::Unannounced,
	BeatOutcome::Untimely,
	BeatOutcome::BadSignature,
	BeatOutcome::Unchecked,
	BeatOutcome::OutOfOrder,
];

/// What Prometheus reads. Every series is there from the start, so that its first event shows as a
/// change.
#[derive(Debug)]
pub(crate) struct Metrics {
	devices_connected: Gauge,
	beats: Family<[Label; 1], Counter>,
	blobs: Gauge,
	blob_bytes: Gauge,
}

impl Metrics {
	/// All at zero, with the registry that shows them.
	pub(crate) fn new() -> (Self, Registry) {
		let metrics = Self {
			devices_connected: Gauge::default(),
			beats: Family::default(),
			blobs: Gauge::default(),
			blob_bytes: Gauge::default(),
		};
		for outcome in OUTCOMES {
			drop(metrics.beats.get_or_create(&[of_outcome(outcome)]));
		}
		let registry = metrics.registry();
		(metrics, registry)
	}

	fn registry(&self) -> Registry {
		let mut registry = Registry::with_prefix("armature_orchestrator");
		registry.register(
			"devices_connected",
			"Devices that have said hello and are connected",
			self.devices_connected.clone(),
		);
		registry.register("beats", "Beats that came, by what became of them", self.beats.clone());
		registry.register(
			"blobs",
			"Blobs that are stored, uploads under way not counted",
			self.blobs.clone(),
		);
		registry.register_with_unit(
			"blob",
			"What stored blobs take, uploads under way not counted",
			Unit::Bytes,
			self.blob_bytes.clone(),
		);
		registry
	}

	/// So many devices are connected.
	pub(crate) fn devices(&self, count: usize) {
		self.devices_connected.set(level(count));
	}

	/// A beat came.
	pub(crate) fn beat(&self, outcome: BeatOutcome) {
		self.beats.get_or_create(&[of_outcome(outcome)]).inc();
	}

	/// So many blobs are stored, and so many bytes.
	pub(crate) fn stored(&self, (blobs, bytes): (u64, u64)) {
		self.blobs.set(level(blobs));
		self.blob_bytes.set(level(bytes));
	}
}

fn level(count: impl TryInto<i64>) -> i64 {
	count.try_into().unwrap_or(i64::MAX)
}

fn of_outcome(outcome: BeatOutcome) -> Label {
	let name = match outcome {
		BeatOutcome::Acknowledged => "acknowledged",
		BeatOutcome::Unannounced => "unannounced",
		BeatOutcome::Untimely => "untimely",
		BeatOutcome::BadSignature => "bad-signature",
		BeatOutcome::Unchecked => "unchecked",
		BeatOutcome::OutOfOrder => "out-of-order",
	};
	("outcome", name)
}
