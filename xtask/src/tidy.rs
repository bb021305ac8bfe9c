//! What a compiler does not see.

use anyhow::{Context, Result};
use std::{fs, path::Path, process::Command};

/// Longest source file outside tests and generated code, in lines.
const MAX_LINES: usize = 1_000;

/// A text that must not reach `main`, in halves so that this file does not find itself.
struct Marker {
	text: (&'static str, &'static str),
	advice: &'static str,
	/// Whether tests and mocks may hold it.
	in_tests: bool,
}

const MARKERS: [Marker; 5] = [
	Marker { text: ("UNMEAS", "URED:"), advice: "run scripts/weights.sh", in_tests: false },
	Marker { text: ("FIX", "ME"), advice: "mend it or open an issue", in_tests: false },
	Marker { text: ("X", "XX "), advice: "mend it or open an issue", in_tests: false },
	Marker {
		text: ("Weight::ze", "ro()"),
		advice: "a hook that works has a weight; one that does not is not needed",
		in_tests: true,
	},
	Marker { text: ("without_sto", "rage_info"), advice: "bound the storage", in_tests: false },
];

/// A finding for each marker and each file that is too long.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
	let listed = Command::new("git")
		.args(["ls-files", "*.rs"])
		.current_dir(root)
		.output()
		.context("listing tracked files with git")?;
	let mut findings = Vec::new();
	for name in String::from_utf8(listed.stdout)?.lines() {
		let path = root.join(name);
		if !path.exists() {
			continue;
		}
		let text = fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
		let is_test = name.contains("/tests/") || name.ends_with("/mock.rs");
		for Marker { text: (head, tail), advice, in_tests } in &MARKERS {
			let marker = format!("{head}{tail}");
			for (number, line) in text.lines().enumerate() {
				if !line.contains(&marker) || (is_test && *in_tests) {
					continue;
				}
				findings.push(format!("tidy: {name}:{}: {marker} ({advice})", number + 1));
			}
		}
		let lines = text.lines().count();
		if lines > MAX_LINES && !is_test && !name.contains("weights") {
			findings.push(format!("tidy: {name} has {lines} lines, over {MAX_LINES}: split it"));
		}
	}
	Ok(findings)
}
