//! `armature verifier evidence`: what a verifier found, and keeps of it, out of its journal.

use crate::{
	amount::{show_kbps, show_micros, show_millis},
	cli::VerifierEvidence,
	context::{local_now, Context, Usage},
	show::{name, or_dash, when},
};
use anyhow::{bail, Result};
use armature_economics::format;
use armature_primitives::{
	challenge::{ChallengeFailure, Measured, Verdict},
	telemetry::PowerReading,
	MilliWatts, Moment, Ppm,
};
use armature_verifier::challenge::fraud::SignedCommit;
use armature_verifierd::evidence::{read_evidence, KeptRound, JOURNAL_FILE};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One judgement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Kept {
	round: u64,
	/// Hash of the task that was judged.
	task: String,
	decided_at: Moment,
	passed: bool,
	/// Why it was failed; `null` where it was not.
	failure: Option<ChallengeFailure>,
	/// `null` where it was failed.
	measured: Option<Measured>,
	/// When the chain last answered to the seal of the verdict; `null` before.
	seal_posted_at: Option<Moment>,
	/// When the chain last answered to the verdict; `null` before.
	reveal_posted_at: Option<Moment>,
	/// What the device committed to; `null` where it did not, or once that is forgotten.
	signed: Option<Signed>,
	/// Bytes of openings that are kept.
	openings_len: usize,
	/// What they are of.
	segments: Vec<Segment>,
	/// The kind of a fraud that is still to be proved; `null` without one.
	proof: Option<&'static str>,
}

/// A commitment and its signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Signed {
	root: String,
	power: Power,
	signature: String,
}

/// The device's own figures.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Power {
	/// Milliwatts with no work running.
	idle: u32,
	/// Milliwatts with every lane busy.
	loaded: u32,
	source: String,
	error_ppm: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Segment {
	lane: u16,
	segment: u32,
}

impl From<&SignedCommit> for Signed {
	fn from(SignedCommit { commit, signature }: &SignedCommit) -> Self {
		let PowerReading { idle, loaded, source, error } = &commit.power;
		let (source, error_ppm) = (name(source), error.0);
		Self {
			root: format!("{:?}", commit.root),
			power: Power { idle: idle.0, loaded: loaded.0, source, error_ppm },
			signature: format!("0x{}", hex::encode(signature.0)),
		}
	}
}

impl From<&KeptRound> for Kept {
	fn from(kept: &KeptRound) -> Self {
		let (measured, failure) = match &kept.verdict {
			Verdict::Passed { measured, .. } => (Some(*measured), None),
			Verdict::Failed { reason } => (None, Some(*reason)),
		};
		let segments = kept.segments.iter();
		Self {
			round: kept.round,
			task: format!("{:?}", kept.task),
			decided_at: kept.decided_at,
			passed: failure.is_none(),
			failure,
			measured,
			seal_posted_at: kept.seal_posted_at,
			reveal_posted_at: kept.reveal_posted_at,
			signed: kept.signed.as_ref().map(Signed::from),
			openings_len: kept.openings_len,
			segments: segments
				.map(|(lane, segment)| Segment { lane: *lane, segment: *segment })
				.collect(),
			proof: kept.proof,
		}
	}
}

impl Kept {
	fn verdict(&self) -> String {
		self.failure
			.map_or_else(|| "passed".into(), |failure| format!("failed: {}", name(&failure)))
	}

	/// A line of a list.
	fn cells(&self, now: Moment) -> Vec<String> {
		let told = |at: Option<Moment>| or_dash(&at.map(|at| when(at, now)));
		vec![
			self.round.to_string(),
			when(self.decided_at, now),
			self.verdict(),
			or_dash(&self.measured.as_ref().map(figures)),
			told(self.seal_posted_at),
			told(self.reveal_posted_at),
			format!("{} B", self.openings_len),
			or_dash(&self.proof),
		]
	}

	/// All of it.
	fn rows(&self, now: Moment) -> Vec<(&'static str, String)> {
		let told = |at: Option<Moment>| or_dash(&at.map(|at| when(at, now)));
		let signed = self.signed.as_ref();
		let power = signed.map(|Signed { power, .. }| {
			format!(
				"{} idle, {} loaded, within {} ({})",
				format::kilowatts(MilliWatts(power.idle)),
				format::kilowatts(MilliWatts(power.loaded)),
				format::percent(Ppm(power.error_ppm)),
				power.source
			)
		});
		let segments: Vec<_> = self
			.segments
			.iter()
			.map(|Segment { lane, segment }| format!("{segment} of lane {lane}"))
			.collect();
		vec![
			("round", self.round.to_string()),
			("task", self.task.clone()),
			("decided", when(self.decided_at, now)),
			("verdict", self.verdict()),
			("measured", or_dash(&self.measured.as_ref().map(figures))),
			("seal posted", told(self.seal_posted_at)),
			("verdict posted", told(self.reveal_posted_at)),
			("signed root", or_dash(&signed.map(|signed| &signed.root))),
			("signature", or_dash(&signed.map(|signed| &signed.signature))),
			("signed power", or_dash(&power)),
			("openings", format!("{} B", self.openings_len)),
			("segments", or_dash(&(!segments.is_empty()).then(|| segments.join(", ")))),
			("open proof", or_dash(&self.proof)),
		]
	}
}

/// What was measured, in words.
fn figures(measured: &Measured) -> String {
	match measured {
		Measured::Cpu { elapsed_millis } => {
			format!("committed after {}", show_millis((*elapsed_millis).into()))
		},
		Measured::Gemm { elapsed_millis } => {
			format!("multiplied after {}", show_millis((*elapsed_millis).into()))
		},
		Measured::Memory { fill_millis, read_nanos } => {
			format!("filled after {}, {read_nanos} ns a read", show_millis((*fill_millis).into()))
		},
		Measured::Network { answer_millis, round_trip_micros, up_kbps, down_kbps } => format!(
			"answered after {}, {} there and back, {} up, {} down",
			show_millis((*answer_millis).into()),
			show_micros(*round_trip_micros),
			show_kbps(*up_kbps),
			show_kbps(*down_kbps)
		),
		Measured::Storage { answer_millis, read_millis } => format!(
			"answered after {}, blocks read within {}",
			show_millis((*answer_millis).into()),
			show_millis((*read_millis).into())
		),
	}
}

pub(crate) async fn run(context: &Context, options: VerifierEvidence) -> Result<()> {
	let VerifierEvidence { config, data_dir, round } = options;
	let journal = journal(config.as_deref(), data_dir)?;
	let kept = tokio::task::spawn_blocking(move || read_evidence(&journal)).await??;
	let kept: Vec<_> = kept.iter().map(Kept::from).collect();
	let now = local_now();
	let Some(round) = round else {
		let headings = [
			"round",
			"decided",
			"verdict",
			"measured",
			"seal posted",
			"verdict posted",
			"openings",
			"open proof",
		];
		let kept = sorted(kept);
		return context.output.rows(&headings, &kept, |kept| kept.cells(now));
	};
	let kept = of_round(kept, round)?;
	context
		.output
		.record(&kept, |kept| kept.iter().flat_map(|kept| kept.rows(now)).collect())
}

/// Where the journal of a verifier lies.
fn journal(config: Option<&Path>, data_dir: Option<PathBuf>) -> Result<PathBuf> {
	let data_dir = match (data_dir, config) {
		(Some(data_dir), _) => data_dir,
		(None, Some(config)) => armature_verifierd::Config::load(config)?.data_dir,
		(None, None) => {
			return Err(Usage("name the verifier with --config or --data-dir".into()).into())
		},
	};
	Ok(data_dir.join(JOURNAL_FILE))
}

fn sorted(mut kept: Vec<Kept>) -> Vec<Kept> {
	kept.sort_by_key(|kept| (kept.round, kept.decided_at));
	kept
}

/// All judgements of a round, the first one first.
fn of_round(kept: Vec<Kept>, round: u64) -> Result<Vec<Kept>> {
	let found: Vec<_> = kept.into_iter().filter(|kept| kept.round == round).collect();
	if found.is_empty() {
		bail!(
			"the journal has no verdict on round {round}, or has forgotten it; list what it has with \
			 `armature verifier evidence` without --round"
		);
	}
	Ok(sorted(found))
}

#[cfg(test)]
mod tests;
