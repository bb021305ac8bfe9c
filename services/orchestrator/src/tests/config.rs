//! Settings.

use super::*;
use crate::Error;
use std::fs;

#[test]
fn file_should_need_little_and_refuse_the_unknown() {
	let dir = tempfile::tempdir().unwrap();
	let path = dir.path().join("orchestrator.toml");
	fs::write(&path, "region = 7\ndata_dir = \"/d\"\nidentity_file = \"/d/identity\"\n").unwrap();
	let config = Config::load(&path).unwrap();
	assert_eq!(config, Config::new(RegionId(7), "/d".into()));

	fs::write(&path, "region = 7\ndata_dir = \"/d\"\nidentity_file = \"/i\"\nregoin = 8\n")
		.unwrap();
	assert!(matches!(Config::load(&path), Err(Error::Parse { .. })));
	fs::write(
		&path,
		"region = 7\ndata_dir = \"/d\"\nidentity_file = \"/i\"\n[blobs]\nmax_total_bytes = 5\n",
	)
	.unwrap();
	let error = Config::load(&path).unwrap_err();
	assert!(matches!(error, Error::Setting { name: "blobs.max_total_bytes", .. }));
	assert!(matches!(Config::load(&dir.path().join("none")), Err(Error::File { .. })));
}

#[test]
fn metrics_should_be_off_unless_an_address_is_named() {
	let parsed = |metrics: &str| {
		let text = format!("region = 7\ndata_dir = \"/d\"\nidentity_file = \"/i\"\n{metrics}");
		toml::from_str::<Config>(&text).map(|config| config.metrics.listen)
	};
	assert_eq!(parsed(""), Ok(None));
	assert_eq!(parsed("[metrics]\n"), Ok(None));
	let listen = "127.0.0.1:9701".parse().ok();
	assert_eq!(parsed("[metrics]\nlisten = \"127.0.0.1:9701\"\n"), Ok(listen));
	for wrong in ["listen = \"9701\"", "listen = \"localhost:9701\"", "port = 9701"] {
		assert!(parsed(&format!("[metrics]\n{wrong}\n")).is_err(), "{wrong}");
	}
}

#[test]
fn defaults_should_survive_toml() {
	let config = Config::new(RegionId(1), "/d".into());
	let text = toml::to_string(&config).unwrap();
	assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
	config.validate().unwrap();
}
