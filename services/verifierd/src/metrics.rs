//! What a verifier counts.

use crate::chain::ChainError;
use armature_metrics::{exponential_buckets, Counter, Family, Gauge, Histogram, Registry, Unit};
use armature_primitives::challenge::{
	Assignment, AssignmentPhase, ChallengeFailure, Verdict, WorkKind,
};
use armature_verifier::challenge::network::Direction;
use std::time::Duration;

type Label = (&'static str, &'static str);

const FAILURES: [ChallengeFailure; 6] = [
	ChallengeFailure::NoAnswer,
	ChallengeFailure::Malformed,
	ChallengeFailure::BadSignature,
	ChallengeFailure::BadOpening,
	ChallengeFailure::WrongResult,
	ChallengeFailure::BadPower,
];

/// A call to the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Post {
	/// Hashes of verdicts.
	Seal,
	/// Verdicts.
	Reveal,
	/// A proof of a fraud.
	Fraud,
	/// A report on a lease.
	Dispute,
}

const POSTS: [Post; 4] = [Post::Seal, Post::Reveal, Post::Fraud, Post::Dispute];

/// What Prometheus reads. Every series is there from the start, so that its first event shows as a
/// change.
#[derive(Debug)]
pub(crate) struct Metrics {
	rounds_open: Family<[Label; 1], Gauge>,
	rounds_judged: Family<[Label; 2], Counter>,
	round_seconds: Family<[Label; 1], Histogram>,
	checks_seconds: Family<[Label; 1], Histogram>,
	opening_bytes: Family<[Label; 1], Counter>,
	moved_bytes: Family<[Label; 1], Counter>,
	devices_connected: Gauge,
	disputes_open: Gauge,
	posts: Family<[Label; 2], Counter>,
	unjudged: Counter,
}

/// Half a second to 17 minutes.
fn of_rounds() -> Histogram {
	Histogram::new(exponential_buckets(0.5, 2.0, 12))
}

/// A millisecond to two minutes.
fn of_checks() -> Histogram {
	Histogram::new(exponential_buckets(0.001, 2.0, 18))
}

impl Metrics {
	/// All at zero, with the registry that shows them.
	pub(crate) fn new() -> (Self, Registry) {
		let rounds: fn() -> Histogram = of_rounds;
		let checks: fn() -> Histogram = of_checks;
		let metrics = Self {
			rounds_open: Family::default(),
			rounds_judged: Family::default(),
			round_seconds: Family::new_with_constructor(rounds),
			checks_seconds: Family::new_with_constructor(checks),
			opening_bytes: Family::default(),
			moved_bytes: Family::default(),
			devices_connected: Gauge::default(),
			disputes_open: Gauge::default(),
			posts: Family::default(),
			unjudged: Counter::default(),
		};
		metrics.prepare();
		let registry = metrics.registry();
		(metrics, registry)
	}

	/// Makes every series.
	fn prepare(&self) {
		self.listed(&[]);
		for kind in WorkKind::ALL {
			let kind = of_kind(kind);
			let verdicts = ["passed"].into_iter().chain(FAILURES.map(name_of));
			for verdict in verdicts {
				drop(self.rounds_judged.get_or_create(&[kind, ("verdict", verdict)]));
			}
			drop(self.round_seconds.get_or_create(&[kind]));
			drop(self.checks_seconds.get_or_create(&[kind]));
			drop(self.opening_bytes.get_or_create(&[kind]));
		}
		for direction in [Direction::Up, Direction::Down] {
			drop(self.moved_bytes.get_or_create(&[of_direction(direction)]));
		}
		for post in POSTS {
			for outcome in ["ok", "rejected", "unavailable"] {
				drop(self.posts.get_or_create(&[of_post(post), ("outcome", outcome)]));
			}
		}
	}

	fn registry(&self) -> Registry {
		let mut registry = Registry::with_prefix("armature_verifier");
		registry.register(
			"rounds_open",
			"Rounds that the chain lists for this verifier, by what they wait for",
			self.rounds_open.clone(),
		);
		registry.register(
			"rounds_judged",
			"Rounds that got a verdict, by kind of work and verdict",
			self.rounds_judged.clone(),
		);
		registry.register_with_unit(
			"round",
			"From the first sight of a round to its verdict",
			Unit::Seconds,
			self.round_seconds.clone(),
		);
		registry.register_with_unit(
			"checks",
			"Time that checking the openings of a round took, without waiting for others",
			Unit::Seconds,
			self.checks_seconds.clone(),
		);
		registry.register_with_unit(
			"opening",
			"Openings that devices sent",
			Unit::Bytes,
			self.opening_bytes.clone(),
		);
		registry.register_with_unit(
			"moved",
			"Data that was moved to measure connections, by direction as devices see it",
			Unit::Bytes,
			self.moved_bytes.clone(),
		);
		registry.register(
			"devices_connected",
			"Devices that have said hello and are connected",
			self.devices_connected.clone(),
		);
		registry.register(
			"disputes_open",
			"Disputed leases that wait for this verifier's report",
			self.disputes_open.clone(),
		);
		registry.register(
			"posts",
			"Calls to the chain, by step and by its answer",
			self.posts.clone(),
		);
		registry.register(
			"unjudged",
			"Rounds that were given up without a verdict",
			self.unjudged.clone(),
		);
		registry
	}

	/// What the chain lists now.
	pub(crate) fn listed(&self, open: &[Assignment]) {
		let (mut seal, mut wait, mut reveal) = (0usize, 0usize, 0usize);
		for assignment in open {
			let count = match assignment.phase {
				AssignmentPhase::Seal => &mut seal,
				AssignmentPhase::Wait => &mut wait,
				AssignmentPhase::Reveal { .. } => &mut reveal,
			};
			*count = count.saturating_add(1);
		}
		for (phase, count) in [("seal", seal), ("wait", wait), ("reveal", reveal)] {
			self.rounds_open.get_or_create(&[("phase", phase)]).set(level(count));
		}
	}

	/// A round got its verdict, so long after its first sight.
	pub(crate) fn judged(&self, kind: WorkKind, verdict: &Verdict, elapsed: Duration) {
		let name = match verdict {
			Verdict::Passed { .. } => "passed",
			Verdict::Failed { reason } => name_of(*reason),
		};
		self.rounds_judged.get_or_create(&[of_kind(kind), ("verdict", name)]).inc();
		self.round_seconds
			.get_or_create(&[of_kind(kind)])
			.observe(elapsed.as_secs_f64());
	}

	/// A round was given up without a verdict.
	pub(crate) fn unjudged(&self) {
		self.unjudged.inc();
	}

	/// The openings of a round were checked.
	pub(crate) fn checked(&self, kind: WorkKind, took: Duration) {
		self.checks_seconds.get_or_create(&[of_kind(kind)]).observe(took.as_secs_f64());
	}

	/// So many bytes of openings came.
	pub(crate) fn opened(&self, kind: WorkKind, bytes: usize) {
		let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
		self.opening_bytes.get_or_create(&[of_kind(kind)]).inc_by(bytes);
	}

	/// So many bytes of data were moved.
	pub(crate) fn moved(&self, direction: Direction, bytes: u64) {
		self.moved_bytes.get_or_create(&[of_direction(direction)]).inc_by(bytes);
	}

	/// So many devices are connected.
	pub(crate) fn devices(&self, count: usize) {
		self.devices_connected.set(level(count));
	}

	/// So many disputes wait.
	pub(crate) fn disputes(&self, count: usize) {
		self.disputes_open.set(level(count));
	}

	/// A call was made.
	pub(crate) fn posted(&self, post: Post, answer: &Result<(), ChainError>) {
		let outcome = match answer {
			Ok(()) => "ok",
			Err(ChainError::Rejected(_)) => "rejected",
			Err(ChainError::Unavailable(_)) => "unavailable",
		};
		self.posts.get_or_create(&[of_post(post), ("outcome", outcome)]).inc();
	}
}

fn level(count: usize) -> i64 {
	i64::try_from(count).unwrap_or(i64::MAX)
}

fn of_kind(kind: WorkKind) -> Label {
	("kind", kind.name())
}

fn of_direction(direction: Direction) -> Label {
	let name = match direction {
		Direction::Up => "up",
		Direction::Down => "down",
	};
	("direction", name)
}

fn of_post(post: Post) -> Label {
	let name = match post {
		Post::Seal => "seal",
		Post::Reveal => "reveal",
		Post::Fraud => "fraud",
		Post::Dispute => "dispute",
	};
	("step", name)
}

/// As in JSON.
fn name_of(failure: ChallengeFailure) -> &'static str {
	match failure {
		ChallengeFailure::NoAnswer => "no-answer",
		ChallengeFailure::Malformed => "malformed",
		ChallengeFailure::BadSignature => "bad-signature",
		ChallengeFailure::BadOpening => "bad-opening",
		ChallengeFailure::WrongResult => "wrong-result",
		ChallengeFailure::BadPower => "bad-power",
	}
}
