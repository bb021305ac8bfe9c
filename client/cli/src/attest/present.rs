//! The verdicts and claims of a verification, as a table and as JSON.

use super::advice::advice;
use crate::show::name;
use armature_verifier::evidence::hardware::{
	check::{Checks, Failure, Fault, Side},
	claims::{Claims, Format, Window},
	instant::Rfc3339,
	HardwareEvidence,
};
use serde::Serialize;

/// A file and what is in it.
#[derive(Debug, Serialize)]
pub(crate) struct Given {
	pub(crate) path: String,
	pub(crate) recognised: String,
}

/// A check that failed.
#[derive(Debug, Serialize)]
struct Failed {
	/// Which device of a box, counted from 0; none for the whole.
	#[serde(skip_serializing_if = "Option::is_none")]
	part: Option<u8>,
	check: &'static str,
	/// Counted from the leaf, which is 0.
	certificate: Option<u8>,
	fault: String,
	/// The fault in words and what to do about it.
	message: String,
}

impl Failed {
	fn new(format: Format, failure: &Failure) -> Self {
		let message = match advice(format, failure) {
			"" => failure.fault.to_string(),
			advice => format!("{}; {advice}", failure.fault),
		};
		Self {
			part: failure.part,
			check: failure.check.name(),
			certificate: failure.check.certificate(),
			fault: fault_name(&failure.fault),
			message,
		}
	}

	fn line(&self) -> String {
		let part = self.part.map_or_else(String::new, |part| format!("device {part}: "));
		match self.certificate {
			Some(at) => format!("{part}{}[{at}]: {}", self.check, self.message),
			None => format!("{part}{}: {}", self.check, self.message),
		}
	}
}

/// The kebab-case name of a fault.
fn fault_name(fault: &Fault) -> String {
	match fault {
		Fault::UnknownVersion(_) => "unknown-version".into(),
		other => name(other),
	}
}

/// One of the two questions.
#[derive(Debug, Serialize)]
struct Verdict {
	/// Whether every check was made and held.
	holds: bool,
	failed: Vec<Failed>,
}

/// What came of a verification.
#[derive(Debug, Serialize)]
pub(crate) struct View {
	format: &'static str,
	at: String,
	/// Whether everything could be read, so that both questions were asked to the end.
	complete: bool,
	/// Whether a nonce was compared.
	freshness_checked: bool,
	crypto: Verdict,
	policy: Verdict,
	/// Checks that held, with the certificate's number where there is one.
	passed: Vec<String>,
	claims: Option<Claims>,
	notes: Vec<String>,
	files: Vec<Given>,
}

impl View {
	/// `outcome` and `checks` are those of a verification that noted all failures.
	pub(crate) fn new(
		evidence: &HardwareEvidence,
		now: u64,
		nonce_given: bool,
		outcome: Result<Claims, Failure>,
		checks: &Checks,
		notes: Vec<String>,
		files: Vec<Given>,
	) -> Self {
		let claims = outcome.ok();
		let complete = claims.is_some();
		let format = claims.as_ref().map_or_else(|| format_of(evidence), |claims| claims.format);
		let verdict = |side| {
			let failed = checks.failed().iter().filter(|failure| failure.check.side() == side);
			Verdict {
				holds: complete && checks.holds(side),
				failed: failed.map(|failure| Failed::new(format, failure)).collect(),
			}
		};
		Self {
			format: format.name(),
			at: Rfc3339(now).to_string(),
			complete,
			freshness_checked: nonce_given,
			crypto: verdict(Side::Crypto),
			policy: verdict(Side::Policy),
			passed: checks.passed().map(|check| check.to_string()).collect(),
			claims,
			notes,
			files,
		}
	}

	/// Why the evidence is refused, if it is.
	pub(crate) fn refusal(&self) -> Option<String> {
		let sides: Vec<_> = [("crypto", &self.crypto), ("policy", &self.policy)]
			.into_iter()
			.filter(|(_, verdict)| !verdict.failed.is_empty())
			.map(|(side, verdict)| match verdict.failed.as_slice() {
				[failed] => format!("{side}: {}", failed.check),
				many => format!("{side}: {} checks", many.len()),
			})
			.collect();
		if self.crypto.holds && self.policy.holds {
			None
		} else {
			Some(format!("the evidence is refused ({})", sides.join("; ")))
		}
	}

	/// Rows of a table.
	pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
		let mut rows: Vec<_> = self
			.files
			.iter()
			.map(|file| ("file", format!("{}: {}", file.path, file.recognised)))
			.collect();
		rows.extend(self.notes.iter().map(|note| ("note", note.clone())));
		rows.push(("format", self.format.into()));
		rows.push(("at", self.at.clone()));
		let crypto = if self.crypto.holds { "holds" } else { "refused" };
		rows.push(("crypto", crypto.into()));
		rows.extend(self.crypto.failed.iter().map(|failed| ("crypto failed", failed.line())));
		let policy = match (self.policy.holds, self.complete) {
			(true, _) => "accepted",
			(false, true) => "refused",
			(false, false) => "not judged: the evidence could not be read to the end",
		};
		rows.push(("policy", policy.into()));
		rows.extend(self.policy.failed.iter().map(|failed| ("policy failed", failed.line())));
		let freshness = if self.freshness_checked {
			"checked against the nonce"
		} else {
			"freshness not checked: no --nonce was given"
		};
		rows.push(("freshness", freshness.into()));
		rows.push(("passed", self.passed.join(", ")));
		if let Some(claims) = &self.claims {
			rows.extend(claim_rows(claims));
			for part in &claims.parts {
				rows.push(("part", part.format.name().into()));
				rows.extend(claim_rows(part));
			}
		}
		rows.into_iter().map(|(name, value)| (name, printable(&value))).collect()
	}
}

/// The text with its control characters escaped: what evidence says must not drive a terminal.
fn printable(text: &str) -> String {
	let mut out = String::with_capacity(text.len());
	for character in text.chars() {
		if character.is_control() {
			out.extend(character.escape_default());
		} else {
			out.push(character);
		}
	}
	out
}

/// The claims, without those of parts.
fn claim_rows(claims: &Claims) -> Vec<(&'static str, String)> {
	let identity = match hex::encode(&claims.identity.id) {
		id if id.is_empty() => name(&claims.identity.kind),
		id => format!("{} {id}", name(&claims.identity.kind)),
	};
	let names_box = if claims.identity.kind.names_box() { "yes" } else { "no" };
	let mut rows = vec![
		("identity", identity),
		("names one box", names_box.into()),
		("maker", claims.maker.into()),
		("model", claims.model.clone()),
		("firmware", claims.firmware.clone()),
		("debugging", name(&claims.debug)),
		("nonce", hex::encode(&claims.nonce)),
		("valid", window(claims.valid)),
	];
	if claims.tcb > 0 {
		rows.push(("tcb", claims.tcb.to_string()));
	}
	rows.extend(claims.boot_count.map(|count| ("boots", count.to_string())));
	rows.extend(claims.clock_millis.map(|millis| ("clock", format!("{millis} ms"))));
	let measurements = claims.measurements.iter();
	rows.extend(
		measurements
			.map(|one| ("measurement", format!("{} {}", one.name, hex::encode(&one.digest)))),
	);
	rows.extend(claims.facts.iter().map(|fact| (fact.name, fact.value.clone())));
	rows.retain(|(_, value)| !value.is_empty());
	rows
}

fn window(window: Window) -> String {
	if window == Window::ALWAYS {
		"it has no dates".into()
	} else {
		format!("{} to {}", Rfc3339(window.from), Rfc3339(window.until))
	}
}

/// The format, where there are no claims to say it.
fn format_of(evidence: &HardwareEvidence) -> Format {
	match evidence {
		HardwareEvidence::SevSnp(_) => Format::SevSnp,
		// The kind of TEE in the quote's header.
		HardwareEvidence::Dcap(evidence) => match evidence.quote.get(4..8) {
			Some([0, 0, 0, 0]) => Format::Sgx,
			_ => Format::Tdx,
		},
		HardwareEvidence::Tpm(_) => Format::Tpm,
		HardwareEvidence::AzureSnpVtpm(_) => Format::AzureSnpVtpm,
		HardwareEvidence::NvidiaGpu(_) => Format::NvidiaGpu,
		HardwareEvidence::AndroidKey(_) => Format::AndroidKey,
		HardwareEvidence::NitroEnclave(_) => Format::NitroEnclave,
	}
}

#[cfg(test)]
mod tests;
