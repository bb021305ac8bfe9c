//! The networks that the node knows by name. Their genesis lives in the runtime's presets; here is
//! only what a chain spec adds to it.

use armature_runtime::{genesis_presets::PRODUCTION_RUNTIME_PRESET, WASM_BINARY};
use sc_service::{ChainType, GenericChainSpec, Properties};

/// A chain spec without extensions.
pub(crate) type ChainSpec = GenericChainSpec;

/// The id of the production template, which cannot be run.
pub(crate) const TEMPLATE_ID: &str = "armature_template";

/// The preset of a single developer.
const DEVELOPMENT: &str = "development";

/// The preset of three validators on one machine.
const LOCAL_TESTNET: &str = "local_testnet";

/// What wallets need to show amounts and addresses. `ss58Format` is the runtime's prefix.
fn properties() -> Properties {
	let mut properties = Properties::new();
	properties.insert("isEthereum".into(), false.into());
	properties.insert("ss58Format".into(), 42.into());
	properties.insert("tokenDecimals".into(), 12.into());
	properties.insert("tokenSymbol".into(), "ARMA".into());
	properties
}

/// The runtime's code, or how to get it.
fn wasm() -> Result<&'static [u8], String> {
	WASM_BINARY.ok_or_else(|| {
		"this node was built without its runtime (SKIP_WASM_BUILD was set). Rebuild with \
		 `env -u SKIP_WASM_BUILD cargo build --release -p armature-node`, or pass the raw chain \
		 spec of a network with `--chain <file>`"
			.into()
	})
}

/// The chain spec of a preset.
fn from_preset(
	preset: &str,
	name: &str,
	id: &str,
	chain_type: ChainType,
) -> Result<ChainSpec, String> {
	Ok(ChainSpec::builder(wasm()?, None)
		.with_name(name)
		.with_id(id)
		.with_chain_type(chain_type)
		.with_genesis_config_preset_name(preset)
		.with_protocol_id("arma")
		.with_properties(properties())
		.build())
}

/// The chain spec that `--chain` names: `dev`, `local`, `production` (a template), or a file.
pub(crate) fn load(id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
	let spec = match id {
		"dev" | DEVELOPMENT => from_preset(
			DEVELOPMENT,
			"Armature Development",
			"armature_dev",
			ChainType::Development,
		)?,
		"" | "local" | LOCAL_TESTNET => from_preset(
			LOCAL_TESTNET,
			"Armature Local Testnet",
			"armature_local",
			ChainType::Local,
		)?,
		PRODUCTION_RUNTIME_PRESET => from_preset(
			PRODUCTION_RUNTIME_PRESET,
			"Armature Template",
			TEMPLATE_ID,
			ChainType::Live,
		)?,
		path => ChainSpec::from_json_file(path.into()).map_err(|error| {
			format!(
				"no network is called `{path}` and as a chain spec file it cannot be read: \
				 {error}. Known names: dev, local, production"
			)
		})?,
	};
	Ok(Box::new(spec))
}

#[cfg(test)]
mod tests {
	use super::*;
	use sp_core::Get;

	#[test]
	fn properties_should_equal_the_runtime_prefix() {
		let prefix: u16 = <armature_runtime::Runtime as frame_system::Config>::SS58Prefix::get();
		assert_eq!(properties().get("ss58Format"), Some(&prefix.into()));
	}

	#[test]
	fn load_should_name_the_known_networks_when_the_file_is_missing() {
		let error = load("/nonexistent/spec.json").err().unwrap_or_default();
		assert!(error.contains("dev, local, production"), "{error}");
	}
}
