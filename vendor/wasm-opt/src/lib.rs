//! Stands in for the `wasm-opt` crate, which compiles the whole of Binaryen (eleven core-minutes).
//! Only what `substrate-wasm-builder` 35 calls is here, and it runs the installed `wasm-opt` program.
//! See docs/decisions/0004-installed-wasm-opt.md.

#![deny(missing_docs)]

use std::{env, ffi::OsString, fmt, io, path::Path, process::Command};

/// Names the program where it is not on the PATH.
const PROGRAM_VARIABLE: &str = "WASM_OPT";

/// A pass over a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
	/// Removes DWARF sections.
	StripDwarf,
	/// Rewrites sign-extension instructions. Modules built for `wasm32v1-none` have none, and a
	/// program without this pass refuses a module that does, because only MVP features are on.
	SignextLowering,
}

/// What to do to a module.
#[derive(Clone, Debug)]
pub struct OptimizationOptions {
	arguments: Vec<&'static str>,
}

impl OptimizationOptions {
	/// No optimisation passes.
	pub fn new_opt_level_0() -> Self {
		Self { arguments: vec!["-O0", "--mvp-features"] }
	}

	/// Accepts MVP features only, which is also where [`Self::new_opt_level_0`] starts.
	pub fn mvp_features_only(&mut self) -> &mut Self {
		self
	}

	/// Whether to keep the names section.
	pub fn debug_info(&mut self, keep: bool) -> &mut Self {
		if keep {
			self.arguments.push("--debuginfo");
		}
		self
	}

	/// Adds a pass.
	pub fn add_pass(&mut self, pass: Pass) -> &mut Self {
		match pass {
			Pass::StripDwarf => self.arguments.push("--strip-dwarf"),
			Pass::SignextLowering => {},
		}
		self
	}

	/// Reads the module at `from` and writes the result to `to`; they may be the same file.
	pub fn run(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), OptimizationError> {
		let program = env::var_os(PROGRAM_VARIABLE).unwrap_or_else(|| OsString::from("wasm-opt"));
		let output = Command::new(&program)
			.args(&self.arguments)
			.arg(from.as_ref())
			.arg("-o")
			.arg(to.as_ref())
			.output()
			.map_err(|source| OptimizationError::Start { program, source })?;
		if output.status.success() {
			return Ok(());
		}
		Err(OptimizationError::Failed(String::from_utf8_lossy(&output.stderr).into_owned()))
	}
}

/// Why a module could not be processed.
#[derive(Debug)]
pub enum OptimizationError {
	/// The program could not be started.
	Start {
		/// What was started.
		program: OsString,
		/// Why it failed.
		source: io::Error,
	},
	/// The program refused the module; its message.
	Failed(String),
}

impl fmt::Display for OptimizationError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Start { program, source } => write!(
				f,
				"starting {}: {source}; run scripts/setup.sh or install binaryen",
				program.to_string_lossy()
			),
			Self::Failed(message) => write!(f, "wasm-opt: {message}"),
		}
	}
}

impl std::error::Error for OptimizationError {}
