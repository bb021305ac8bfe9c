//! What a compiler does not see.

use anyhow::{Context, Result};
use std::{fs, path::Path, process::Command};

/// Longest source file outside tests and generated code, in lines.
const MAX_LINES: usize = 1_000;

/// Markers that must not reach `main`, each with what to do about it. Assembled from halves so that
/// this file does not find itself.
const MARKERS: [(&str, &str, &str); 5] = [
	("UNMEAS", "URED:", "run scripts/weights.sh"),
	("FIX", "ME", "mend it or open an issue"),
	("X", "XX ", "mend it or open an issue"),
	("Weight::ze", "ro()", "a hook that works has a weight; one that does not is not needed"),
	("without_sto", "rage_info", "bound the storage"),
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
		for (number, line) in text.lines().enumerate() {
			for (head, tail, advice) in MARKERS {
				if line.contains(&format!("{head}{tail}")) {
					findings.push(format!("tidy: {name}:{}: {head}{tail} ({advice})", number + 1));
				}
			}
		}
		let exempt = name.contains("/tests/") || name.contains("weights");
		let lines = text.lines().count();
		if lines > MAX_LINES && !exempt {
			findings.push(format!("tidy: {name} has {lines} lines, over {MAX_LINES}: split it"));
		}
	}
	Ok(findings)
}
