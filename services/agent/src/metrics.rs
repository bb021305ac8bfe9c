//! What an agent counts.

use armature_metrics::{exponential_buckets, Counter, Family, Gauge, Histogram, Registry, Unit};
use armature_primitives::{challenge::WorkKind, lease::RunStatus};
use std::time::Duration;

type Label = (&'static str, &'static str);

/// What became of a beat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BeatOutcome {
	/// An orchestrator has it, and said so.
	Acknowledged,
	/// An orchestrator answered otherwise.
	Refused,
	/// An orchestrator did not answer.
	Undelivered,
	/// No orchestrator was connected.
	Unsent,
	/// None was made: no recent block was known, or the clock went back.
	Skipped,
}

const BEATS: [BeatOutcome; 5] = [
	BeatOutcome::Acknowledged,
	BeatOutcome::Refused,
	BeatOutcome::Undelivered,
	BeatOutcome::Unsent,
	BeatOutcome::Skipped,
];

/// How a round was answered, or why it was not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RoundOutcome {
	/// It was run, or measured, or what was planted was given: nobody is to know that before it is shown.
	Answered,
	/// Its deadline passed, another one took its place, or the agent stopped.
	Stopped,
	/// The machine has too little memory for it.
	NoMemory,
	/// Another root was signed for it before.
	OtherRoot,
	/// It is not known what was signed for it before.
	SignedLost,
	/// Something else failed.
	Failed,
}

const ROUNDS: [RoundOutcome; 6] = [
	RoundOutcome::Answered,
	RoundOutcome::Stopped,
	RoundOutcome::NoMemory,
	RoundOutcome::OtherRoot,
	RoundOutcome::SignedLost,
	RoundOutcome::Failed,
];

const STATUSES: [RunStatus; 6] = [
	RunStatus::Success,
	RunStatus::OutOfFuel,
	RunStatus::OutOfMemory,
	RunStatus::OutOfTime,
	RunStatus::Trapped,
	RunStatus::OutputTooLarge,
];

const DECLINED: &str = "declined";

/// What Prometheus reads. Every series is there from the start, so that its first event shows as a
/// change.
#[derive(Debug)]
pub(crate) struct Metrics {
	beats: Family<[Label; 1], Counter>,
	rounds: Family<[Label; 2], Counter>,
	round_seconds: Family<[Label; 1], Histogram>,
	leases: Family<[Label; 1], Counter>,
	leases_running: Gauge,
	services_connected: Gauge,
	sealed: Gauge,
}

/// A hundredth of a second to five minutes.
fn of_rounds() -> Histogram {
	Histogram::new(exponential_buckets(0.01, 2.0, 16))
}

impl Metrics {
	/// All at zero, with the registry that shows them.
	pub(crate) fn new() -> (Self, Registry) {
		let rounds: fn() -> Histogram = of_rounds;
		let metrics = Self {
			beats: Family::default(),
			rounds: Family::default(),
			round_seconds: Family::new_with_constructor(rounds),
			leases: Family::default(),
			leases_running: Gauge::default(),
			services_connected: Gauge::default(),
			sealed: Gauge::default(),
		};
		metrics.prepare();
		let registry = metrics.registry();
		(metrics, registry)
	}

	/// Makes every series.
	fn prepare(&self) {
		for outcome in BEATS {
			drop(self.beats.get_or_create(&[of_beat(outcome)]));
		}
		for kind in WorkKind::ALL {
			for outcome in ROUNDS {
				drop(self.rounds.get_or_create(&[of_kind(kind), of_round(outcome)]));
			}
			drop(self.round_seconds.get_or_create(&[of_kind(kind)]));
		}
		for outcome in [DECLINED].into_iter().chain(STATUSES.map(name_of)) {
			drop(self.leases.get_or_create(&[("outcome", outcome)]));
		}
	}

	fn registry(&self) -> Registry {
		let mut registry = Registry::with_prefix("armature_agent");
		registry.register(
			"beats",
			"Deliveries of beats to orchestrators, and slots without one, by what became of them",
			self.beats.clone(),
		);
		registry.register(
			"rounds",
			"Runs of rounds, by kind of work and outcome",
			self.rounds.clone(),
		);
		registry.register_with_unit(
			"round",
			"From the begin of a run to its signed answer",
			Unit::Seconds,
			self.round_seconds.clone(),
		);
		registry.register(
			"leases",
			"Leases that were reported or declined, by outcome",
			self.leases.clone(),
		);
		registry.register(
			"leases_running",
			"Leases that run by the chain's word",
			self.leases_running.clone(),
		);
		registry.register(
			"services_connected",
			"Orchestrators and verifiers that know this device and are connected",
			self.services_connected.clone(),
		);
		registry.register_with_unit(
			"sealed_storage",
			"Sealed storage that rounds may ask for, as it was found at the start or by the last one",
			Unit::Bytes,
			self.sealed.clone(),
		);
		registry
	}

	/// A beat was delivered, or not.
	pub(crate) fn beat(&self, outcome: BeatOutcome) {
		self.beats.get_or_create(&[of_beat(outcome)]).inc();
	}

	/// A run of a round has ended.
	pub(crate) fn round(&self, kind: WorkKind, outcome: RoundOutcome) {
		self.rounds.get_or_create(&[of_kind(kind), of_round(outcome)]).inc();
	}

	/// A round was run in this time.
	pub(crate) fn round_took(&self, kind: WorkKind, took: Duration) {
		self.round_seconds.get_or_create(&[of_kind(kind)]).observe(took.as_secs_f64());
	}

	/// A lease was reported.
	pub(crate) fn reported(&self, status: RunStatus) {
		self.leases.get_or_create(&[("outcome", name_of(status))]).inc();
	}

	/// A lease was given back.
	pub(crate) fn declined(&self) {
		self.leases.get_or_create(&[("outcome", DECLINED)]).inc();
	}

	/// So many leases run.
	pub(crate) fn running(&self, count: usize) {
		self.leases_running.set(level(count));
	}

	/// So many bytes of storage are sealed.
	pub(crate) fn sealed(&self, bytes: u64) {
		self.sealed.set(i64::try_from(bytes).unwrap_or(i64::MAX));
	}

	/// So many services are connected.
	pub(crate) fn services(&self, count: usize) {
		self.services_connected.set(level(count));
	}
}

fn level(count: usize) -> i64 {
	i64::try_from(count).unwrap_or(i64::MAX)
}

fn of_kind(kind: WorkKind) -> Label {
	("kind", kind.name())
}

fn of_beat(outcome: BeatOutcome) -> Label {
	let name = match outcome {
		BeatOutcome::Acknowledged => "acknowledged",
		BeatOutcome::Refused => "refused",
		BeatOutcome::Undelivered => "undelivered",
		BeatOutcome::Unsent => "unsent",
		BeatOutcome::Skipped => "skipped",
	};
	("outcome", name)
}

fn of_round(outcome: RoundOutcome) -> Label {
	let name = match outcome {
		RoundOutcome::Answered => "answered",
		RoundOutcome::Stopped => "stopped",
		RoundOutcome::NoMemory => "no-memory",
		RoundOutcome::OtherRoot => "other-root",
		RoundOutcome::SignedLost => "signed-lost",
		RoundOutcome::Failed => "failed",
	};
	("outcome", name)
}

fn name_of(status: RunStatus) -> &'static str {
	match status {
		RunStatus::Success => "success",
		RunStatus::OutOfFuel => "out-of-fuel",
		RunStatus::OutOfMemory => "out-of-memory",
		RunStatus::OutOfTime => "out-of-time",
		RunStatus::Trapped => "trapped",
		RunStatus::OutputTooLarge => "output-too-large",
	}
}
