//! `armature attest`.

use crate::{
	attest::{assemble, recognise, trust_roots, Found, Given, Part, View, MAX_FILES, MAX_FILE_LEN},
	cli::{Attest, AttestVerify},
	commands::job::read_capped,
	context::{local_now, Context, Usage},
	show::Done,
};
use anyhow::{bail, Result};
use armature_primitives::evidence::{MAX_COLLATERAL_PART_LEN, MAX_PCK_CRL_LEN, MAX_TCB_INFO_LEN};
use armature_sdk::{
	api::{self, runtime_types::pallet_attestation::types::StoredCollateral},
	bounded,
};
use armature_verifier::evidence::hardware::{
	self, dcap, instant::Rfc3339, Checks, Policy, Question,
};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Exit code of a refusal, also when nobody reads the result to its end: whoever looks for a word in
/// the output must not take that for an acceptance.
const REFUSED: u8 = 1;

pub(crate) async fn run(context: &Context, command: Attest) -> Result<()> {
	match command {
		Attest::Verify(arguments) => verify_files(context, &arguments),
		Attest::SubmitCollateral { file } => submit_collateral(context, &file).await,
	}
}

fn verify_files(context: &Context, arguments: &AttestVerify) -> Result<()> {
	let view = verify(arguments)?;
	let refusal = view.refusal();
	let code = if refusal.is_some() { REFUSED } else { 0 };
	context.output.or_exit_with(code).record(&view, View::rows)?;
	match refusal {
		None => Ok(()),
		Some(refusal) => bail!(refusal),
	}
}

#[derive(Serialize)]
struct CollateralShown {
	fmspc: String,
	tee: String,
	ca: String,
	tcb_evaluation_data_number: u32,
	qe_evaluation_data_number: u32,
	until: String,
}

async fn submit_collateral(context: &Context, path: &Path) -> Result<()> {
	let collateral = dcap::Collateral::from_json(&read(path)?)
		.map_err(|fault| about(path, format_args!("no collateral: {fault}")))?;
	let stored = stored(&collateral).map_err(|what| about(path, what))?;
	let included = context.submit(&api::tx().attestation().submit_collateral(stored)).await?;
	let event: api::attestation::events::CollateralStored =
		included.expect("Attestation.submit_collateral", "CollateralStored")?;
	let shown = CollateralShown {
		fmspc: hex::encode(event.key.fmspc),
		tee: format!("{:?}", event.key.tee),
		ca: format!("{:?}", event.key.ca),
		tcb_evaluation_data_number: event.entry.tcb_evaluation_data_number,
		qe_evaluation_data_number: event.entry.qe_evaluation_data_number,
		until: Rfc3339(event.entry.until).to_string(),
	};
	context.output.record(&Done::new(&included, shown), |done| {
		let of = &done.of;
		done.rows(vec![
			("fmspc", of.fmspc.clone()),
			("tee", of.tee.clone()),
			("ca", of.ca.clone()),
			("tcb number", of.tcb_evaluation_data_number.to_string()),
			("qe number", of.qe_evaluation_data_number.to_string()),
			("until", of.until.clone()),
		])
	})
}

/// The collateral as the chain takes it; an error names the part.
fn stored(collateral: &dcap::Collateral) -> Result<StoredCollateral, String> {
	let limited =
		|name, bytes, limit| bounded(bytes, limit, name).map_err(|error| error.to_string());
	let text = |name, text: &str, limit| limited(name, text.as_bytes().to_vec(), limit);
	let bytes = |name: &str, digits: &str| {
		hex::decode(digits).map_err(|error| format!("{name} is not hexadecimal: {error}"))
	};
	let signature = |name: &str, digits: &str| {
		<[u8; 64]>::try_from(bytes(name, digits)?)
			.map_err(|_| format!("{name} does not have 64 bytes"))
	};
	let c = collateral;
	Ok(StoredCollateral {
		pck_crl_issuer_chain: text(
			"pck_crl_issuer_chain",
			&c.pck_crl_issuer_chain,
			MAX_COLLATERAL_PART_LEN,
		)?,
		root_ca_crl: limited(
			"root_ca_crl",
			bytes("root_ca_crl", &c.root_ca_crl)?,
			MAX_COLLATERAL_PART_LEN,
		)?,
		pck_crl: limited("pck_crl", bytes("pck_crl", &c.pck_crl)?, MAX_PCK_CRL_LEN)?,
		tcb_info_issuer_chain: text(
			"tcb_info_issuer_chain",
			&c.tcb_info_issuer_chain,
			MAX_COLLATERAL_PART_LEN,
		)?,
		tcb_info: text("tcb_info", &c.tcb_info, MAX_TCB_INFO_LEN)?,
		tcb_info_signature: signature("tcb_info_signature", &c.tcb_info_signature)?,
		qe_identity_issuer_chain: text(
			"qe_identity_issuer_chain",
			&c.qe_identity_issuer_chain,
			MAX_COLLATERAL_PART_LEN,
		)?,
		qe_identity: text("qe_identity", &c.qe_identity, MAX_COLLATERAL_PART_LEN)?,
		qe_identity_signature: signature("qe_identity_signature", &c.qe_identity_signature)?,
	})
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
	let question = Question::new(&policy, nonce, now);
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

	#[test]
	fn collateral_should_be_turned_into_what_the_chain_takes() {
		let digits = "ab".repeat(64);
		let whole = dcap::Collateral {
			root_ca_crl: "30".into(),
			pck_crl: "3000".into(),
			tcb_info: "{}".into(),
			tcb_info_signature: digits.clone(),
			qe_identity_signature: digits.clone(),
			..Default::default()
		};
		let taken = stored(&whole).unwrap();
		assert_eq!((taken.root_ca_crl.0, taken.pck_crl.0), (vec![0x30], vec![0x30, 0]));
		assert_eq!((taken.tcb_info.0, taken.tcb_info_signature), (b"{}".to_vec(), [0xab; 64]));
		let short = dcap::Collateral { qe_identity_signature: "ab".into(), ..whole.clone() };
		assert_eq!(stored(&short).err().unwrap(), "qe_identity_signature does not have 64 bytes");
		let odd = dcap::Collateral { pck_crl: "3".into(), ..whole.clone() };
		assert!(stored(&odd).err().unwrap().starts_with("pck_crl is not hexadecimal: "));
		let long = dcap::Collateral { qe_identity: "x".repeat(8_193), ..whole };
		assert_eq!(stored(&long).err().unwrap(), "qe_identity is longer than 8192 bytes");
	}

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
