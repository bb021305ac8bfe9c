//! `armature attest`.

use crate::{
	attest::{assemble, recognise, trust_roots, Found, Given, Part, View, MAX_FILES, MAX_FILE_LEN},
	cli::{Attest, AttestVerify},
	commands::job::read_capped,
	context::{local_now, Context, Usage},
};
use anyhow::{bail, Result};
use armature_verifier::evidence::hardware::{self, Checks, Policy, Question};
use std::path::{Path, PathBuf};

/// Exit code of a refusal, also when nobody reads the result to its end: whoever looks for a word in
/// the output must not take that for an acceptance.
const REFUSED: u8 = 1;

pub(crate) fn run(context: &Context, command: Attest) -> Result<()> {
	let Attest::Verify(arguments) = command;
	let view = verify(&arguments)?;
	let refusal = view.refusal();
	let code = if refusal.is_some() { REFUSED } else { 0 };
	context.output.or_exit_with(code).record(&view, View::rows)?;
	match refusal {
		None => Ok(()),
		Some(refusal) => bail!(refusal),
	}
}

fn verify(arguments: &AttestVerify) -> Result<View> {
	let now = arguments.at.unwrap_or_else(local_now);
	let mut policy = arguments.policy.as_deref().map_or_else(|| Ok(Policy::default()), policy)?;
	let roots = roots(&mut policy, &arguments.root)?;
	let (parts, files) = read_all(&arguments.files)?;
	let seed = arguments.credential_seed.map(|seed| seed.0);
	let assembled = assemble(parts, &roots, now, seed).map_err(Usage)?;
	policy.revoked_serials.extend(assembled.revoked);
	let nonce = arguments.nonce.as_ref().map(|nonce| nonce.0.as_slice());
	let question = Question { policy: &policy, nonce, now };
	let mut checks = Checks::note_all();
	let outcome = hardware::verify(&assembled.evidence, &question, &mut checks);
	Ok(View::new(
		&assembled.evidence,
		now,
		nonce.is_some(),
		outcome,
		&checks,
		assembled.notes,
		files,
	))
}

/// A mistake about a file.
fn about(path: &Path, what: impl std::fmt::Display) -> Usage {
	Usage(format!("{}: {what}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
	Ok(read_capped(path, MAX_FILE_LEN).map_err(|error| about(path, error))?)
}

fn read_all(paths: &[PathBuf]) -> Result<(Vec<Part>, Vec<Given>)> {
	if paths.len() > MAX_FILES {
		bail!(Usage(format!("{} files; the most is {MAX_FILES}", paths.len())));
	}
	let mut parts = Vec::new();
	let mut files = Vec::new();
	for path in paths {
		let found = recognise(&read(path)?).map_err(|error| about(path, error))?;
		files.push(Given { path: path.display().to_string(), recognised: found.summary() });
		parts.extend(found.parts);
	}
	Ok((parts, files))
}

/// Reads a policy. TOML goes through JSON's values: only these have numbers as keys.
fn policy(path: &Path) -> Result<Policy> {
	let bytes = read(path)?;
	let text = std::str::from_utf8(&bytes).map_err(|_| about(path, "no text"))?;
	let value = if text.trim_start().starts_with('{') {
		serde_json::from_str(text).map_err(|error| about(path, error))?
	} else {
		let table: toml::Table = toml::from_str(text).map_err(|error| about(path, error))?;
		serde_json::to_value(table)?
	};
	Ok(serde_json::from_value(value).map_err(|error| about(path, error))?)
}

/// Reads roots and trusts them.
fn roots(policy: &mut Policy, paths: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
	let mut roots = Vec::new();
	for path in paths {
		let Found { parts, .. } = recognise(&read(path)?).map_err(|error| about(path, error))?;
		let certificates: Vec<_> = parts
			.into_iter()
			.filter_map(|part| match part {
				Part::Certificate(der) => Some(der),
				_ => None,
			})
			.collect();
		if certificates.is_empty() {
			bail!(about(path, "there is no certificate in it"));
		}
		trust_roots(&mut policy.roots, &certificates).map_err(|error| about(path, error))?;
		roots.extend(certificates);
	}
	Ok(roots)
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::fs;

	fn policy_of(text: &str) -> Result<Policy, String> {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("policy");
		fs::write(&path, text).unwrap();
		policy(&path).map_err(|error| {
			assert!(error.is::<Usage>(), "{error}");
			error.to_string()
		})
	}

	#[test]
	fn policies_should_be_read_as_toml_and_as_json() {
		let digest = "ab".repeat(32);
		let toml = format!(
			"allow_debug = true\nmin_android_patch = 202601\n[pcrs]\n7 = [\"{digest}\"]\n\
			 [min_snp_tcb.Milan]\nsnp = 24\n"
		);
		let json = format!(
			"{{\"allow_debug\": true, \"min_android_patch\": 202601, \
			 \"pcrs\": {{\"7\": [\"{digest}\"]}}, \"min_snp_tcb\": {{\"Milan\": {{\"snp\": 24}}}}}}"
		);
		let read = policy_of(&toml).unwrap();
		assert_eq!(read, policy_of(&json).unwrap());
		assert!(read.allow_debug && !read.allow_vlek);
		assert_eq!(read.pcrs[&7][0].0, [0xab; 32]);
		assert_eq!(read.min_snp_tcb["Milan"].snp, 24);
		assert_eq!(policy_of("").unwrap(), Policy::default());
	}

	#[test]
	fn policies_should_not_have_fields_that_nobody_knows() {
		for text in
			["allow_debugg = true", "{\"allow_debugg\": true}", "[roots]\nallow_debugg = []"]
		{
			assert!(policy_of(text).unwrap_err().contains("`allow_debugg`"), "{text}");
		}
		assert!(policy_of("allow_debug =").unwrap_err().contains("TOML parse error"));
		let wrong_type = policy_of("min_android_patch = \"x\"").unwrap_err();
		assert!(wrong_type.contains("invalid type: string \"x\", expected u32"), "{wrong_type}");
	}

	#[test]
	fn files_should_be_few_and_there() {
		let many = vec![PathBuf::from("x"); MAX_FILES + 1];
		assert!(read_all(&many).unwrap_err().to_string().contains("the most is 32"));
		let error = read_all(&[PathBuf::from("/nowhere/x")]).unwrap_err();
		assert!(error.is::<Usage>() && error.to_string().starts_with("/nowhere/x: "));
	}
}
