//! Job files: what `armature order submit` reads.

use crate::amount::{parse_amount, parse_duration};
use anyhow::{ensure, Context as _, Result};
use armature_primitives::{device::Tier, market::OrderSpec, Moment, Ppm, RegionId, H256};
use armature_sandbox::{MAX_INPUT_BYTES, MAX_MODULE_BYTES};
use serde::Deserialize;
use std::{
	fs,
	io::Read,
	path::{Path, PathBuf},
	time::Duration,
};

/// The largest job file, in bytes. Leaves room for an input in the file itself.
const MAX_JOB_BYTES: u64 = 1024 * 1024;

/// A job file as written. Paths are relative to its folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct JobFile {
	module: PathBuf,
	input: Option<PathBuf>,
	input_text: Option<String>,
	max_fuel: u64,
	max_memory_mib: u32,
	max_duration: String,
	max_price: String,
	#[serde(default = "lowest_tier")]
	min_tier: Tier,
	#[serde(default)]
	min_availability: f64,
	#[serde(default)]
	min_speed: u64,
	region: Option<u16>,
	#[serde(default = "ten_minutes")]
	deadline: String,
}

fn lowest_tier() -> Tier {
	Tier::T0
}

fn ten_minutes() -> String {
	"10m".into()
}

/// A job, ready to be uploaded and ordered.
#[derive(Debug)]
pub(crate) struct Job {
	/// The WASI module.
	pub(crate) module: Vec<u8>,
	/// Its standard input.
	pub(crate) input: Vec<u8>,
	/// The order; its `deadline` is relative to the submission.
	spec: OrderSpec,
	deadline: Duration,
}

impl Job {
	/// Reads and checks a job file and the files that it names.
	pub(crate) fn load(path: &Path) -> Result<Self> {
		let reading = || format!("reading the job file {}", path.display());
		let text = read_capped(path, MAX_JOB_BYTES).with_context(reading)?;
		let text = String::from_utf8(text).with_context(reading)?;
		let folder = path.parent().unwrap_or_else(|| Path::new(""));
		Self::parse(&text, folder).with_context(reading)
	}

	fn parse(text: &str, folder: &Path) -> Result<Self> {
		let file: JobFile = toml::from_str(text)?;
		let module_cap = u64::try_from(MAX_MODULE_BYTES)?;
		let module = read_capped(&folder.join(&file.module), module_cap)
			.with_context(|| format!("reading the module {}", file.module.display()))?;
		let input = match (&file.input, file.input_text) {
			(Some(path), None) => read_capped(&folder.join(path), MAX_INPUT_BYTES)
				.with_context(|| format!("reading the input {}", path.display()))?,
			(None, Some(text)) => text.into_bytes(),
			(None, None) => Vec::new(),
			(Some(_), Some(_)) => anyhow::bail!("give input or input-text, not both"),
		};
		ensure!(file.max_fuel > 0, "max-fuel must be above 0");
		ensure!(file.max_memory_mib > 0, "max-memory-mib must be above 0");
		let max_duration = parse_duration(&file.max_duration).context("max-duration")?;
		let deadline = parse_duration(&file.deadline).context("deadline")?;
		ensure!(!max_duration.is_zero(), "max-duration must be above 0");
		ensure!(!deadline.is_zero(), "deadline must be above 0");
		let spec = OrderSpec {
			module: digest(&module),
			input: digest(&input),
			max_fuel: file.max_fuel,
			max_memory_mib: file.max_memory_mib,
			max_duration_millis: u64::try_from(max_duration.as_millis())?,
			max_price_per_gfuel: parse_amount(&file.max_price).context("max-price")?,
			min_tier: file.min_tier,
			min_availability: share(file.min_availability).context("min-availability")?,
			min_steps_per_second: file.min_speed,
			region: file.region.map(RegionId),
			deadline: 0,
		};
		Ok(Self { module, input, spec, deadline })
	}

	/// Where the job is to run, if it says so.
	pub(crate) fn region(&self) -> Option<RegionId> {
		self.spec.region
	}

	/// How long the module may run.
	pub(crate) fn max_duration(&self) -> Duration {
		Duration::from_millis(self.spec.max_duration_millis)
	}

	/// The order when it is submitted at `now`.
	pub(crate) fn spec_at(&self, now: Moment) -> OrderSpec {
		let lead = u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX);
		OrderSpec { deadline: now.saturating_add(lead), ..self.spec.clone() }
	}
}

/// The name of a blob.
pub(crate) fn digest(bytes: &[u8]) -> H256 {
	H256(sp_crypto_hashing::blake2_256(bytes))
}

/// A file of at most `cap` bytes.
pub(crate) fn read_capped(path: &Path, cap: u64) -> Result<Vec<u8>> {
	// Not by the file's length: a pipe has none.
	let mut bytes = Vec::new();
	fs::File::open(path)?.take(cap.saturating_add(1)).read_to_end(&mut bytes)?;
	let fits = u64::try_from(bytes.len()).is_ok_and(|len| len <= cap);
	ensure!(fits, "{} has more than {cap} bytes", path.display());
	Ok(bytes)
}

/// A share from 0 to 1 in parts per million.
#[allow(
	clippy::cast_possible_truncation,
	clippy::cast_sign_loss,
	reason = "the range is checked before"
)]
fn share(value: f64) -> Result<Ppm> {
	ensure!((0.0..=1.0).contains(&value), "{value} is not from 0.0 to 1.0");
	Ok(Ppm((value * 1_000_000.0).round() as u32))
}

#[cfg(test)]
mod tests {
	use super::*;

	const LEAST: &str = "module = \"m.wasm\"\nmax-fuel = 2000000000\nmax-memory-mib = 64\n\
	                     max-duration = \"60s\"\nmax-price = \"0.01\"\n";

	fn parse(text: &str) -> Result<Job> {
		let folder = tempfile::tempdir().unwrap();
		fs::write(folder.path().join("m.wasm"), b"module").unwrap();
		fs::write(folder.path().join("in.txt"), b"input").unwrap();
		Job::parse(text, folder.path())
	}

	#[test]
	fn least_job_should_get_the_defaults() {
		let job = parse(LEAST).unwrap();
		assert_eq!((job.module.as_slice(), job.input.as_slice()), (&b"module"[..], &b""[..]));
		let spec = job.spec_at(1_000);
		assert_eq!(spec.module, digest(b"module"));
		assert_eq!(spec.input, digest(b""));
		assert_eq!(spec.max_price_per_gfuel, 10_000_000_000);
		assert_eq!(spec.max_duration_millis, 60_000);
		assert_eq!((spec.min_tier, spec.min_availability), (Tier::T0, Ppm(0)));
		assert_eq!((spec.region, spec.deadline), (None, 601_000));
	}

	#[test]
	fn every_field_should_be_read() {
		let spec = parse(
			"module = \"m.wasm\"\ninput = \"in.txt\"\nmax-fuel = 1\nmax-memory-mib = 2\n\
			 max-duration = \"1m\"\nmax-price = \"7plk\"\nmin-tier = \"t2\"\n\
			 min-availability = 0.995\nmin-speed = 12\nregion = 3\ndeadline = \"2h\"\n",
		)
		.unwrap()
		.spec_at(0);
		assert_eq!(spec.input, digest(b"input"));
		assert_eq!((spec.max_fuel, spec.max_memory_mib), (1, 2));
		assert_eq!((spec.max_price_per_gfuel, spec.min_tier), (7, Tier::T2));
		assert_eq!((spec.min_availability, spec.min_steps_per_second), (Ppm(995_000), 12));
		assert_eq!((spec.region, spec.deadline), (Some(RegionId(3)), 7_200_000));
	}

	#[test]
	fn text_input_should_be_taken_as_it_is() {
		let job = parse(&format!("{LEAST}input-text = \"2000000\\n\"\n")).unwrap();
		assert_eq!(job.input, b"2000000\n");
	}

	#[test]
	fn mistakes_should_name_the_field() {
		for (line, field) in [
			("max-fule = 1", "max-fule"),
			("min-availability = 1.5", "min-availability"),
			("min-tier = \"t9\"", "t9"),
			("deadline = \"10\"", "deadline"),
			("input = \"absent\"", "absent"),
			("input = \"in.txt\"\ninput-text = \"x\"", "not both"),
		] {
			let error = format!("{:#}", parse(&format!("{LEAST}{line}\n")).unwrap_err());
			assert!(error.contains(field), "{line}: {error}");
		}
		let missing = format!("{:#}", parse("module = \"m.wasm\"").unwrap_err());
		assert!(missing.contains("max-fuel"), "{missing}");
	}

	#[test]
	fn job_file_should_find_its_files_beside_it() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("job.toml");
		fs::write(&path, LEAST).unwrap();
		let error = format!("{:#}", Job::load(&path).unwrap_err());
		assert!(error.contains("m.wasm"), "{error}");
		fs::write(folder.path().join("m.wasm"), b"x").unwrap();
		assert_eq!(Job::load(&path).unwrap().module, b"x");
	}
}
