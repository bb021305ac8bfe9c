//! The SDK's code is generated from committed metadata, which must be this runtime's.

use std::{fs, path::PathBuf};

/// The metadata version that carries view functions and deprecation notes.
const VERSION: u32 = 16;

fn committed() -> PathBuf {
	PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../artifacts/metadata.scale")
}

#[test]
fn metadata_should_be_the_committed_one() {
	// Some constants are read from storage; clients compare types, so the defaults will do.
	let metadata: Vec<u8> = sp_io::TestExternalities::default()
		.execute_with(|| armature_runtime::Runtime::metadata_at_version(VERSION))
		.expect("the runtime serves this version")
		.to_vec();
	if std::env::var_os("ARMATURE_WRITE_METADATA").is_some() {
		fs::write(committed(), &metadata).expect("artifacts/ is writable");
	}
	let on_disk = fs::read(committed()).unwrap_or_default();
	assert!(
		on_disk == metadata,
		"artifacts/metadata.scale is stale: run scripts/metadata.sh and commit the result"
	);
}
