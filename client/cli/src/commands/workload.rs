//! `armature workload`.

use crate::{
	cli::Workload,
	commands::job::{digest, read_capped},
	context::Context,
	output::Progress,
	show::name,
};
use anyhow::{bail, Context as _, Result};
use armature_primitives::lease::RunStatus;
use armature_sandbox::{Limits, Sandbox, MAX_INPUT_BYTES, MAX_MODULE_BYTES, MAX_OUTPUT_BYTES};
use serde::Serialize;
use std::fs;

#[derive(Serialize)]
struct Ran {
	status: String,
	fuel: u64,
	duration_millis: u64,
	module_hash: String,
	input_hash: String,
	output_hash: String,
	output_len: usize,
	/// The beginning of its standard error.
	diagnostics: String,
}

pub(crate) async fn run(context: &Context, command: Workload) -> Result<()> {
	let Workload::Run { module, input, max_fuel, max_memory_mib, max_duration, output_file } =
		command;
	let read = |path: &std::path::Path, cap| {
		read_capped(path, cap).with_context(|| format!("reading {}", path.display()))
	};
	let module = read(&module, u64::try_from(MAX_MODULE_BYTES)?)?;
	let input = input.as_deref().map_or(Ok(Vec::new()), |path| read(path, MAX_INPUT_BYTES))?;
	let (module_hash, input_hash) = (digest(&module), digest(&input));
	let limits = Limits {
		fuel: max_fuel,
		memory_bytes: u64::from(max_memory_mib).saturating_mul(1024 * 1024),
		duration: max_duration,
		output_bytes: MAX_OUTPUT_BYTES,
	};
	let progress = Progress::start("running the module");
	let outcome = Sandbox::new()?.run_async(module, input, limits).await?;
	drop(progress);
	if let Some(path) = &output_file {
		fs::write(path, &outcome.output).with_context(|| format!("writing {}", path.display()))?;
	}
	let ran = Ran {
		status: name(&outcome.status),
		fuel: outcome.fuel,
		duration_millis: u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX),
		module_hash: format!("{module_hash:?}"),
		input_hash: format!("{input_hash:?}"),
		output_hash: format!("{:?}", digest(&outcome.output)),
		output_len: outcome.output.len(),
		diagnostics: String::from_utf8_lossy(&outcome.diagnostics).into_owned(),
	};
	context.output.record(&ran, |ran| {
		vec![
			("status", ran.status.clone()),
			("fuel", ran.fuel.to_string()),
			("took", format!("{} ms", ran.duration_millis)),
			("module", ran.module_hash.clone()),
			("input", ran.input_hash.clone()),
			("output", ran.output_hash.clone()),
			("output bytes", ran.output_len.to_string()),
			("standard error", ran.diagnostics.clone()),
		]
	})?;
	if outcome.status != RunStatus::Success {
		bail!("the run ended as {}", ran.status);
	}
	Ok(())
}
