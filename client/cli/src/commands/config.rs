//! `armature config`.

use crate::{
	cli::{Config, Daemon},
	context::Context,
};
use anyhow::Result;
use armature_primitives::{DeviceId, RegionId};
use serde::Serialize;
use std::path::PathBuf;

pub(crate) fn run(context: &Context, command: Config) -> Result<()> {
	let Config::PrintDefault { daemon } = command;
	match daemon {
		Daemon::Agent => print(context, &armature_agent::Config::new(DeviceId(0))),
		Daemon::Orchestrator => print(
			context,
			&armature_orchestrator::Config::new(
				RegionId(0),
				PathBuf::from("/var/lib/armature-orchestrator"),
			),
		),
		Daemon::Verifier => print(
			context,
			&armature_verifierd::Config::new(PathBuf::from("/var/lib/armature-verifier")),
		),
	}
}

fn print(context: &Context, config: &impl Serialize) -> Result<()> {
	context.output.text(&toml::to_string_pretty(config)?, config)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn printed_defaults_should_be_read_back_by_the_daemons() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("config.toml");
		let agent = armature_agent::Config::new(DeviceId(7));
		std::fs::write(&path, toml::to_string_pretty(&agent).unwrap()).unwrap();
		assert_eq!(armature_agent::Config::load(&path).unwrap(), agent);

		let orchestrator = armature_orchestrator::Config::new(RegionId(3), PathBuf::from("/x"));
		std::fs::write(&path, toml::to_string_pretty(&orchestrator).unwrap()).unwrap();
		assert_eq!(armature_orchestrator::Config::load(&path).unwrap(), orchestrator);

		let verifier = armature_verifierd::Config::new(PathBuf::from("/x"));
		std::fs::write(&path, toml::to_string_pretty(&verifier).unwrap()).unwrap();
		assert_eq!(armature_verifierd::Config::load(&path).unwrap(), verifier);
	}
}
