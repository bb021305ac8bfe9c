//! What of this machine can give evidence, and what to do where it cannot.
//!
//! Probing reads files only. What it finds is what the kernel shows; the hardware may still refuse.

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
	/// What gives it; `None` is the device key alone.
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

	fn of(findings: Vec<Finding>) -> Self {
		// A GPU counts only beside a confidential platform, and nothing collects it here.
		let best = findings
			.iter()
			.filter(|finding| finding.state == State::Available && finding.gives > Tier::T0)
			.max_by_key(|finding| (finding.gives, std::cmp::Reverse(finding.source)));
		let (tier, source) = match best {
			Some(finding) => (finding.gives, Some(finding.source)),
			None => (Tier::T0, None),
		};
		let next_step = match source {
			Some(source) => format!("attest with {source} evidence; it gives {tier:?}"),
			None => steps_to_more(&findings),
		};
		Self { tier, source, next_step, findings }
	}
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
	let view =
		View { roots, machine: Machine::read(&roots.proc), rights: Rights::read(&roots.proc) };
	let finding = |source| {
		let (gives, state) = match source {
			Source::SevSnp => (Tier::T2, confidential::sev_snp(&view)),
			Source::Tdx => (Tier::T2, confidential::tdx(&view)),
			// An endorsement key cannot be shown to a chain, and without it a TPM names no box.
			Source::Tpm => (Tier::T0, tpm::state(&view)),
			Source::NvidiaGpu => (Tier::T3, gpu::state(&view)),
		};
		Finding { source, gives, state }
	};
	Survey::of(Source::ALL.into_iter().map(finding).collect())
}

/// What the probes look at.
struct View<'a> {
	roots: &'a Roots,
	machine: Machine,
	rights: Option<Rights>,
}

impl View<'_> {
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
