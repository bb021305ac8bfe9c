//! Sealed sectors as people and programs read them, and what is asked before they are removed.

use super::*;
use armature_primitives::{DeviceId, H256};
use serde_json::json;
use std::num::NonZeroUsize;

const PLAN: SealPlan = SealPlan {
	genesis: H256([3; 32]),
	device: DeviceId(7),
	sectors: 3,
	blocks: 1_024,
	compressions: 1,
};

fn folder() -> tempfile::TempDir {
	tempfile::tempdir().expect("a folder")
}

fn seal(directory: &Path) {
	SealedSectors::seal(directory, PLAN, NonZeroUsize::MIN, &|| false, |_| ()).expect("sealed");
}

fn shown() -> Sealed {
	Sealed::new(Path::new("/sealed"), &PLAN)
}

#[test]
fn sealed_sectors_should_be_told_to_people_and_programs() {
	let genesis = format!("0x{}", "03".repeat(32));
	let rows = [
		("directory", "/sealed"),
		("device", "7"),
		("genesis", &genesis),
		("sealed", "3 sectors, 3 MiB"),
		("a sector", "1024 blocks of 1 KiB, compressions of each: 1"),
	];
	assert_eq!(shown().rows(), rows.map(|(row, cell)| (row, cell.to_owned())));
	let expected = json!({
		"directory": "/sealed",
		"device": 7,
		"genesis": genesis,
		"sectors": 3,
		"mib": 3,
		"blocks": 1_024,
		"compressions": 1,
	});
	assert_eq!(serde_json::to_value(shown()).unwrap(), expected);
}

#[test]
fn removed_sectors_should_be_told_to_people_and_programs() {
	let removed = Removed { directory: "/sealed".into(), removed: Some(shown()) };
	let cell = "3 sectors of device 7, 3 MiB".to_owned();
	assert_eq!(removed.rows(), [("directory", "/sealed".to_owned()), ("removed", cell)]);
	let value = serde_json::to_value(&removed).unwrap();
	assert_eq!(value["removed"]["sectors"], json!(3));
	let begun = Removed { directory: "/sealed".into(), removed: None };
	assert_eq!(begun.rows()[1], ("removed", "what was begun".to_owned()));
	let expected = json!({ "directory": "/sealed", "removed": null });
	assert_eq!(serde_json::to_value(&begun).unwrap(), expected);
}

#[test]
fn sectors_should_be_removed_only_when_that_is_agreed_to() {
	let folder = folder();
	seal(folder.path());
	let refused = remove(folder.path(), |question| {
		assert!(question.starts_with("Remove 3 sectors, 3 MiB, from /"), "{question}");
		assert!(question.contains("armature device storage withdraw 7"), "{question}");
		Ok(false)
	});
	let told = refused.map(|_| ()).expect_err("not agreed to").to_string();
	assert_eq!(told, "nothing was removed");
	assert!(SealedSectors::open(folder.path()).is_ok());
	let removed = remove(folder.path(), |_| Ok(true)).expect("removed");
	assert_eq!(removed.removed.map(|sealed| (sealed.device, sealed.sectors)), Some((7, 3)));
	assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 0);
}

#[test]
fn what_was_begun_should_be_removed_and_what_is_foreign_left() {
	let folder = folder();
	let removed = remove(folder.path(), |question| {
		assert!(question.starts_with("Remove what was begun to be sealed in /"), "{question}");
		Ok(true)
	});
	assert!(removed.expect("removed").removed.is_none());
	let path = folder.path().join("letters");
	std::fs::write(&path, "dear").expect("written");
	let agreed = |_: &str| -> Result<bool> { panic!("nobody is asked") };
	let fault_of = |directory: &Path| {
		let refused = remove(directory, agreed).err().expect("nothing to remove");
		refused.downcast::<StorageFault>().expect("a fault")
	};
	assert!(matches!(fault_of(folder.path()), StorageFault::Foreign(_)));
	assert!(path.exists());
	let missing = folder.path().join("missing");
	assert!(matches!(fault_of(&missing), StorageFault::Io { .. }));
}

#[test]
fn answers_should_agree_only_with_a_word() {
	for answer in ["y\n", " Yes\n", "Y"] {
		assert!(is_yes(answer), "{answer}");
	}
	for answer in ["", "\n", "n\n", "yes, but\n", "j\n"] {
		assert!(!is_yes(answer), "{answer}");
	}
}
