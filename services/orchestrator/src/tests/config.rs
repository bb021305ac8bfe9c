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
fn defaults_should_survive_toml() {
	let config = Config::new(RegionId(1), "/d".into());
	let text = toml::to_string(&config).unwrap();
	assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
	config.validate().unwrap();
}
