//! Job files for `armature order submit`.

use anyhow::{Context, Result};
use std::{
	env, fs,
	path::{Path, PathBuf},
};

/// A job on one of the committed sample modules.
#[derive(Clone, Debug)]
pub struct Job<'a> {
	/// Name of the module under `workloads/wasm`, without its ending.
	pub module: &'a str,
	/// Standard input.
	pub input: &'a str,
	/// Fuel limit.
	pub max_fuel: u64,
	/// Memory limit in MiB.
	pub max_memory_mib: u32,
	/// Limit price for 10^9 fuel, as the command line takes amounts.
	pub max_price: &'a str,
}

/// Number of primes up to 10^8 (OEIS A006880), which the sample module counts in seconds.
pub const PRIMES_UP_TO_10_8: &str = "5761455";

impl Default for Job<'_> {
	fn default() -> Self {
		Self {
			module: "prime-count",
			input: "100000000\\n",
			max_fuel: 2_500_000_000,
			max_memory_mib: 64,
			max_price: "1",
		}
	}
}

impl Job<'_> {
	/// Writes the file into `folder` and returns its path.
	pub fn write(&self, folder: &Path, name: &str) -> Result<String> {
		let module = modules()?.join(format!("{}.wasm", self.module));
		let path = folder.join(name);
		fs::write(
			&path,
			format!(
				"module = {module:?}\ninput-text = \"{}\"\nmax-fuel = {}\nmax-memory-mib = {}\n\
				 max-duration = \"60s\"\nmax-price = \"{}\"\nmin-tier = \"t0\"\nregion = 0\n\
				 deadline = \"5m\"\n",
				self.input, self.max_fuel, self.max_memory_mib, self.max_price,
			),
		)
		.with_context(|| format!("writing {}", path.display()))?;
		Ok(path.display().to_string())
	}
}

/// What was compiled in another checkout may be used again: cargo tells where this one is.
fn modules() -> Result<PathBuf> {
	let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
	here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into())
		.join("../../workloads/wasm")
		.canonicalize()
		.context("finding workloads/wasm")
}
