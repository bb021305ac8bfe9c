//! What of this machine can give evidence, and what to do where it cannot.
//!
//! Probing changes nothing. It reads files, and asks NVIDIA's driver for the mode of GPUs that could
//! count. What it finds is what kernel and drivers show; the hardware may still refuse.

mod confidential;
mod gpu;
mod machine;
mod rights;
mod tpm;

#[cfg(test)]
mod tests;

use crate::{Roots, Source};
use armature_primitives::device::Tier;
use machine::Machine;
use rights::Rights;
use serde::{Deserialize, Serialize};
use std::{fmt, path::Path};

/// What is known of one source.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
	/// It can be asked.
	Available,
	/// It could be there, and something is missing.
	Missing {
		/// What.
		why: String,
		/// What to do about it, with the command where there is one.
		what_to_do: String,
	},
	/// This hardware does not have it; nothing can be done.
	NotSupported {
		/// Why.
		why: String,
	},
}

impl State {
	fn missing(why: impl Into<String>, what_to_do: impl Into<String>) -> Self {
		State::Missing { why: why.into(), what_to_do: what_to_do.into() }
	}

	fn not_supported(why: impl Into<String>) -> Self {
		State::NotSupported { why: why.into() }
	}
}

/// One source, and what is known of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
	/// The source.
	pub source: Source,
	/// The tier that its evidence gives under the strict policy.
	pub gives: Tier,
	/// Whether it can be asked.
	#[serde(flatten)]
	pub state: State,
}

impl fmt::Display for Finding {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match &self.state {
			State::Available => write!(f, "{}: available", self.source),
			State::Missing { why, what_to_do } => {
				write!(f, "{}: missing: {why}; to do: {what_to_do}", self.source)
			},
			State::NotSupported { why } => write!(f, "{}: not supported: {why}", self.source),
		}
	}
}

/// What of a machine can give evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Survey {
	/// The best tier that is in reach as things stand. The device key alone gives T0.
	pub tier: Tier,
	/// The platform that gives it; `None` is the device key alone.
	pub source: Option<Source>,
	/// What to do next.
	pub next_step: String,
	/// One for each source.
	pub findings: Vec<Finding>,
}

impl Survey {
	/// What is known of one source.
	pub fn finding(&self, source: Source) -> Option<&Finding> {
		self.findings.iter().find(|finding| finding.source == source)
	}

	/// Whether a source can be asked.
	pub fn is_available(&self, source: Source) -> bool {
		self.finding(source).is_some_and(|finding| finding.state == State::Available)
	}

	/// Whether a platform is there that GPUs count beside.
	fn has_confidential(findings: &[Finding]) -> bool {
		findings
			.iter()
			.any(|finding| finding.gives == Tier::T2 && finding.state == State::Available)
	}

	fn of(findings: Vec<Finding>) -> Self {
		let available = || {
			let is_available = |finding: &&Finding| finding.state == State::Available;
			findings.iter().filter(is_available)
		};
		let platform = best_platform(available());
		// GPUs are available only where a platform is that they count beside.
		let gpus = available().find(|finding| finding.source == Source::NvidiaGpu);
		let source = platform.map(|finding| finding.source);
		let tier = gpus.or(platform).map_or(Tier::T0, |finding| finding.gives);
		let next_step = match (source, gpus) {
			(Some(source), None) => format!("attest with {source} evidence; it gives {tier:?}"),
			(Some(source), Some(gpus)) => {
				let gpus = gpus.source;
				format!("attest with {source} and {gpus} evidence; they give {tier:?}")
			},
			(None, _) => steps_to_more(&findings),
		};
		Self { tier, source, next_step, findings }
	}
}

/// The platform of the highest tier above T0; of several the preferred one.
fn best_platform<'a>(available: impl Iterator<Item = &'a Finding>) -> Option<&'a Finding> {
	available
		.filter(|finding| finding.source != Source::NvidiaGpu && finding.gives > Tier::T0)
		.max_by_key(|finding| (finding.gives, std::cmp::Reverse(finding.source)))
}

/// The way from T0 to more, where there is one.
fn steps_to_more(findings: &[Finding]) -> String {
	let way = findings.iter().find_map(|finding| match &finding.state {
		State::Missing { what_to_do, .. } if finding.gives == Tier::T2 => {
			Some(format!("for T2: {what_to_do}"))
		},
		_ => None,
	});
	way.unwrap_or_else(|| {
		"attest with the device key alone (T0): nothing on this machine gives more".into()
	})
}

/// Looks at this machine.
pub fn probe(roots: &Roots) -> Survey {
	let view = View::of(roots);
	let mut findings = platforms(&view);
	let state = gpu::state(&view, Survey::has_confidential(&findings));
	findings.push(Finding { source: Source::NvidiaGpu, gives: Tier::T3, state });
	Survey::of(findings)
}

/// Looks at what of this machine has GPUs beside it, as [`probe`] does, but asks no driver for them.
pub fn probe_platforms(roots: &Roots) -> Survey {
	Survey::of(platforms(&View::of(roots)))
}

fn platforms(view: &View<'_>) -> Vec<Finding> {
	let finding = |source, gives, state| Finding { source, gives, state };
	vec![
		finding(Source::SevSnp, Tier::T2, confidential::sev_snp(view)),
		finding(Source::Tdx, Tier::T2, confidential::tdx(view)),
		// An endorsement key cannot be shown to a chain, and without it a TPM names no box.
		finding(Source::Tpm, Tier::T0, tpm::state(view)),
	]
}

/// What is known of GPUs beside a platform that they count beside. Asks the driver.
pub(crate) fn gpu_state(roots: &Roots) -> State {
	gpu::state(&View::of(roots), true)
}

/// What the probes look at.
struct View<'a> {
	roots: &'a Roots,
	machine: Machine,
	rights: Option<Rights>,
}

impl<'a> View<'a> {
	fn of(roots: &'a Roots) -> Self {
		Self { roots, machine: Machine::read(&roots.proc), rights: Rights::read(&roots.proc) }
	}

	fn sys(&self, path: &str) -> std::path::PathBuf {
		self.roots.sys.join(path)
	}

	fn dev(&self, path: &str) -> std::path::PathBuf {
		self.roots.dev.join(path)
	}

	/// What keeps this process from using a file for reading and writing, if something does.
	fn denied(&self, path: &Path, remedy: &str) -> Option<State> {
		let Some(rights) = &self.rights else {
			return Some(State::missing(
				format!(
					"what this process may do cannot be read from {}",
					self.roots.proc.join("self/status").display()
				),
				"mount /proc into this environment",
			));
		};
		if rights.may_use(path) {
			return None;
		}
		Some(State::missing(format!("this process may not use {}", path.display()), remedy))
	}
}
