use super::{paths::SectorTree, *};
use armature_primitives::challenge::ChallengeFailure;
use armature_verifier::{
	challenge::{
		block::Block,
		fill::fill_lane,
		storage::{check_sealed, check_stored, sample_sealed, sample_storage},
	},
	merkle::leaf_hash,
};
use std::{fs, os::unix::fs::MetadataExt};
use tempfile::TempDir;

const PLAN: SealPlan = SealPlan {
	genesis: H256([1; 32]),
	device: DeviceId(2),
	epoch: H256([3; 32]),
	sectors: 3,
	blocks: 150,
};

fn go_on() -> bool {
	false
}

fn folder() -> TempDir {
	tempfile::tempdir().expect("a folder")
}

fn try_seal(folder: &TempDir, plan: SealPlan) -> Result<SealedSectors, StorageFault> {
	SealedSectors::seal(folder.path(), plan, NonZeroUsize::new(2).expect("not zero"), &go_on)
}

fn seal(folder: &TempDir) -> SealedSectors {
	try_seal(folder, PLAN).expect("sealed")
}

/// The names of all that is there, sorted.
fn names(folder: &TempDir) -> Vec<String> {
	let entries = fs::read_dir(folder.path()).expect("listed");
	let name = |entry: io::Result<fs::DirEntry>| entry.expect("there").file_name();
	let mut names: Vec<_> = entries.map(|entry| name(entry).into_string().expect("text")).collect();
	names.sort();
	names
}

/// Flips a bit of a file.
fn bend(folder: &TempDir, name: &str, at: usize) {
	let path = folder.path().join(name);
	let mut bytes = fs::read(&path).expect("read");
	bytes[at] ^= 1;
	fs::write(path, bytes).expect("written");
}

/// Which file a name stands for.
fn inode(folder: &TempDir, name: &str) -> u64 {
	fs::metadata(folder.path().join(name)).expect("there").ino()
}

/// The blocks of a sector, by the verifier's own code.
fn reference(plan: &SealPlan, sector: u32) -> Vec<u8> {
	let blocks = std::cell::RefCell::new(Vec::<Block>::new());
	fill_lane::<()>(
		&plan.key(sector),
		&plan.sector(),
		0,
		|at| Ok(blocks.borrow()[at as usize].clone()),
		|_, block| {
			blocks.borrow_mut().push(block.clone());
			Ok(())
		},
	)
	.expect("filled");
	blocks.into_inner().iter().flat_map(|block| block.to_bytes()).collect()
}

#[test]
fn what_was_sealed_should_be_accepted_by_the_verifier() {
	let folder = folder();
	let sealed = seal(&folder);
	let storage = sealed.storage();
	assert_eq!((storage.sectors, storage.blocks), (3, 150));
	assert!(sealed.block_nanos().is_some());
	let wanted = sample_storage(&H256([4; 32]), &storage, 1_000).expect("in bounds");
	assert_eq!(wanted.len(), 450);
	for (sector, at) in wanted {
		let opening = sealed.stored(sector, at).expect("opened");
		assert_eq!(check_stored(&storage, (sector, at), &opening), Ok(()), "{sector} {at}");
	}
	let check = |device, wanted, opening: &SealedOpening| {
		check_sealed(&PLAN.genesis, device, &PLAN.epoch, &storage, wanted, opening)
	};
	let wanted = sample_sealed(&H256([4; 32]), &storage, 100).expect("in bounds");
	assert_eq!(wanted.len(), 100);
	for (sector, at) in wanted.into_iter().chain([(0, 0), (2, 149)]) {
		let opening = sealed.sealed(sector, at).expect("opened");
		assert_eq!(check(PLAN.device, (sector, at), &opening), Ok(()), "{sector} {at}");
	}
	let other = check(DeviceId(9), (1, 0), &sealed.sealed(1, 0).expect("opened"));
	assert_eq!(other, Err(ChallengeFailure::WrongResult));
	let blocks = fs::read(folder.path().join("sector-1.blocks")).expect("read");
	assert!(blocks == reference(&PLAN, 1));
}

#[test]
fn blocks_outside_should_not_be_opened() {
	let folder = folder();
	let sealed = seal(&folder);
	for (sector, at) in [(3, 0), (0, 150), (0, u32::MAX), (u32::MAX, 0)] {
		let error = sealed.stored(sector, at).expect_err("outside");
		assert!(matches!(error, StorageFault::Outside { .. }), "{error}");
		let error = sealed.sealed(sector, at).expect_err("outside");
		assert!(matches!(error, StorageFault::Outside { .. }), "{error}");
	}
	assert!(sealed.stored(2, 149).is_ok());
}

#[test]
fn paths_should_be_those_of_the_whole_tree() {
	for count in [2u32, 3, 63, 64, 65, 127, 128, 129, 150, 193, 321] {
		let blocks: Vec<u8> =
			(0..count).flat_map(|at| at.to_le_bytes().repeat(BLOCK_LEN / 4)).collect();
		let hashes = blocks.chunks(BLOCK_LEN).map(leaf_hash).collect();
		let whole = Tree::from_hashes(hashes).expect("not empty");
		let tree = SectorTree::new(&blocks, &go_on).expect("hashed");
		assert_eq!(tree.root(), whole.root(), "{count}");
		let mut written = Vec::<u8>::new();
		tree.write(&mut written).expect("written");
		let records = Records::new(count);
		assert_eq!(records.bytes(), written.len() as u64);
		for at in 0..count {
			let begin = records.offset(at) as usize;
			let record = &written[begin..begin + records.record_len()];
			let path = whole.prove(at).expect("inside").into_inner();
			assert_eq!(records.path(at, record), Some(path), "{at} of {count}");
		}
		let record = &written[..records.record_len()];
		assert_eq!(records.path(count, record), None);
		assert_eq!(records.path(0, &record[..9]), None);
	}
}

#[test]
fn paths_should_take_little_beside_the_blocks() {
	for blocks in [1 << 10, 1 << 18, 1 << 22, u32::MAX] {
		let bytes = Records::new(blocks).bytes();
		assert!(bytes <= 45 * u64::from(blocks) + 64, "{blocks}: {bytes}");
	}
	assert_eq!(Records::new(u32::MAX).record_len(), 2_880);
}

#[test]
fn what_is_whole_should_not_be_sealed_again() {
	let folder = folder();
	let first = seal(&folder).storage();
	let before: Vec<_> = names(&folder).iter().map(|name| inode(&folder, name)).collect();
	let again = seal(&folder);
	assert_eq!((again.storage(), again.block_nanos()), (first, None));
	let after: Vec<_> = names(&folder).iter().map(|name| inode(&folder, name)).collect();
	assert_eq!(before, after);
}

#[test]
fn sealing_should_go_on_where_it_was_interrupted() {
	let folder = folder();
	let done = folder.path().join("sector-1.paths");
	let stop = || done.exists();
	let interrupted = SealedSectors::seal(folder.path(), PLAN, NonZeroUsize::MIN, &stop);
	assert!(matches!(interrupted, Err(StorageFault::Stopped)));
	let whole = ["sector-0.blocks", "sector-0.paths", "sector-1.blocks", "sector-1.paths"];
	assert_eq!(names(&folder), [&whole[..], &["storage.index"]].concat());
	let before = whole.map(|name| inode(&folder, name));
	// What an interrupted write leaves.
	fs::write(folder.path().join("sector-2.blocks.new"), b"torn").expect("written");
	fs::write(folder.path().join("sector-2.blocks"), b"without paths").expect("written");
	let sealed = seal(&folder);
	assert!(sealed.block_nanos().is_some());
	assert_eq!(whole.map(|name| inode(&folder, name)), before);
	assert_eq!(names(&folder).len(), 7);
	let at_once = self::folder();
	assert_eq!(sealed.storage(), seal(&at_once).storage());
}

#[test]
fn an_index_that_was_never_finished_should_not_keep_anyone_from_sealing() {
	let folder = folder();
	fs::write(folder.path().join("storage.index.new"), b"torn").expect("written");
	seal(&folder);
	assert_eq!(names(&folder).len(), 7);
}

#[test]
fn sealing_should_stop_when_it_should() {
	let folder = folder();
	let stopped = SealedSectors::seal(folder.path(), PLAN, NonZeroUsize::MIN, &|| true);
	assert!(matches!(stopped, Err(StorageFault::Stopped)));
	assert_eq!(names(&folder), ["storage.index"]);
}

#[test]
fn a_sector_that_is_cut_short_or_gone_should_be_sealed_again() {
	let folder = folder();
	let first = seal(&folder).storage();
	let short = folder.path().join("sector-1.blocks");
	fs::OpenOptions::new()
		.write(true)
		.open(short)
		.and_then(|file| file.set_len(1_000))
		.expect("cut");
	fs::remove_file(folder.path().join("sector-2.paths")).expect("removed");
	let kept = inode(&folder, "sector-0.blocks");
	let again = seal(&folder);
	assert_eq!(again.storage(), first);
	assert_eq!(inode(&folder, "sector-0.blocks"), kept);
	for sector in 0..3 {
		assert!(again.stored(sector, 149).is_ok());
	}
}

#[test]
fn damage_should_be_told_when_a_block_is_opened() {
	let folder = folder();
	let sealed = seal(&folder);
	bend(&folder, "sector-0.blocks", 5 * BLOCK_LEN + 7);
	// The hash of block 70, the seventh of its group.
	bend(&folder, "sector-1.paths", Records::new(150).offset(70) as usize + 6 * 32);
	fs::remove_file(folder.path().join("sector-2.blocks")).expect("removed");
	for (sector, at) in [(0, 5), (1, 64), (1, 71), (2, 0)] {
		let error = sealed.stored(sector, at).expect_err("damaged");
		let told = matches!(
			&error,
			StorageFault::Damaged { sector: found, at: block, .. } if (*found, *block) == (sector, at)
		);
		assert!(told, "{error}");
	}
	let error = sealed.sealed(0, 6).expect_err("its predecessor is damaged");
	assert!(matches!(error, StorageFault::Damaged { sector: 0, at: 5, .. }), "{error}");
	// Neither on their own paths, nor beside them.
	for (sector, at) in [(0, 6), (1, 63), (1, 70)] {
		assert!(sealed.stored(sector, at).is_ok(), "{sector} {at}");
	}
}

#[test]
fn a_sector_should_never_get_another_root() {
	let folder = folder();
	seal(&folder);
	let directory = Directory::lock(folder.path()).expect("locked");
	let mut index = Index::load(&directory).expect("read").expect("there");
	index.enter(1, H256([9; 32]));
	index.store(&directory).expect("written");
	drop(directory);
	fs::remove_file(folder.path().join("sector-1.blocks")).expect("removed");
	assert!(matches!(try_seal(&folder, PLAN), Err(StorageFault::Changed(1))));
	assert!(!folder.path().join("sector-1.blocks").exists());
}

#[test]
fn foreign_files_should_be_left_alone() {
	let folder = folder();
	let precious = folder.path().join("precious");
	fs::write(&precious, b"data").expect("written");
	assert!(matches!(try_seal(&folder, PLAN), Err(StorageFault::Foreign(_))));
	assert!(matches!(SealedSectors::remove(folder.path()), Err(StorageFault::Foreign(_))));
	assert_eq!(names(&folder), ["precious"]);
	// A file that happens to have the name.
	fs::rename(&precious, folder.path().join("storage.index")).expect("renamed");
	assert!(matches!(try_seal(&folder, PLAN), Err(StorageFault::Foreign(_))));
	assert!(matches!(SealedSectors::remove(folder.path()), Err(StorageFault::Foreign(_))));
	assert_eq!(names(&folder), ["storage.index"]);
}

#[test]
fn sectors_of_another_plan_should_be_left_alone() {
	let folder = folder();
	let storage = seal(&folder).storage();
	for other in [
		SealPlan { genesis: H256::zero(), ..PLAN },
		SealPlan { device: DeviceId(3), ..PLAN },
		SealPlan { epoch: H256::zero(), ..PLAN },
		SealPlan { sectors: 4, ..PLAN },
		SealPlan { blocks: 151, ..PLAN },
	] {
		assert!(matches!(try_seal(&folder, other), Err(StorageFault::Other(_))));
	}
	let again = seal(&folder);
	assert_eq!((again.storage(), again.block_nanos()), (storage, None));
}

#[test]
fn a_damaged_index_should_be_told() {
	let folder = folder();
	seal(&folder);
	let index = folder.path().join("storage.index");
	let whole = fs::read(&index).expect("read");
	let mut longer = whole.clone();
	longer.push(0);
	// No sectors at all, and fewer than there are roots.
	let sectors = |count: u8| {
		let mut changed = whole.clone();
		changed[16 + 32 + 4 + 32] = count;
		changed
	};
	for damaged in [whole[..whole.len() - 1].to_vec(), longer, sectors(0), sectors(2)] {
		fs::write(&index, damaged).expect("written");
		assert!(matches!(try_seal(&folder, PLAN), Err(StorageFault::DamagedIndex(_))));
		let removed = SealedSectors::remove(folder.path());
		assert!(matches!(removed, Err(StorageFault::DamagedIndex(_))));
	}
	fs::write(&index, whole).expect("written");
	assert_eq!(seal(&folder).block_nanos(), None);
}

#[test]
fn only_what_was_sealed_should_be_removed() {
	let folder = folder();
	seal(&folder);
	fs::write(folder.path().join("precious"), b"data").expect("written");
	fs::write(folder.path().join("sector-3.blocks"), b"of nobody's plan").expect("written");
	fs::write(folder.path().join("sector-0.blocks.new"), b"torn").expect("written");
	SealedSectors::remove(folder.path()).expect("removed");
	assert_eq!(names(&folder), ["precious", "sector-3.blocks"]);
	let empty = self::folder();
	SealedSectors::remove(empty.path()).expect("nothing to remove");
	assert!(empty.path().exists());
	let gone = SealedSectors::remove(&empty.path().join("gone"));
	assert!(matches!(gone, Err(StorageFault::Io { .. })));
}

#[test]
fn one_at_a_time_should_use_a_directory() {
	let folder = folder();
	let sealed = seal(&folder);
	assert!(matches!(try_seal(&folder, PLAN), Err(StorageFault::InUse(_))));
	assert!(matches!(SealedSectors::remove(folder.path()), Err(StorageFault::InUse(_))));
	assert!(sealed.stored(0, 0).is_ok());
	drop(sealed);
	seal(&folder);
}

#[test]
fn sizes_out_of_bounds_should_be_refused_before_anything_is_written() {
	let parent = folder();
	let directory = parent.path().join("sealed");
	let refused = |plan| {
		let refused = SealedSectors::seal(&directory, plan, NonZeroUsize::MIN, &go_on);
		match refused.expect_err("out of bounds") {
			StorageFault::Size(error) => error,
			error => panic!("{error}"),
		}
	};
	assert_eq!(refused(SealPlan { sectors: 0, ..PLAN }), SizeError::TooSmall);
	assert_eq!(refused(SealPlan { sectors: MAX_SECTORS + 1, ..PLAN }), SizeError::TooLarge);
	assert_eq!(refused(SealPlan { blocks: 1, ..PLAN }), SizeError::TooSmall);
	assert!(!directory.exists());
	assert_eq!(SealPlan { sectors: MAX_SECTORS, blocks: 2, ..PLAN }.check(), Ok(()));
}

#[test]
fn room_should_be_looked_at_where_the_system_tells_it() {
	let folder = folder();
	let directory = Directory::lock(folder.path()).expect("locked");
	assert!(directory.judge_room(1_000, Some(1_000)).is_ok());
	assert!(directory.judge_room(u64::MAX, None).is_ok());
	let error = directory.judge_room(1_001, Some(1_000)).expect_err("no room");
	assert!(matches!(error, StorageFault::NoRoom { needed: 1_001, free: 1_000, .. }), "{error}");
	assert!(directory.check_room(0).is_ok());
	let full = io::Error::from(ErrorKind::StorageFull);
	let error = StorageFault::io("writing", folder.path())(full);
	assert!(matches!(error, StorageFault::Full(_)), "{error}");
}

#[test]
fn a_write_that_fails_should_leave_nothing_behind() {
	let folder = folder();
	let directory = Directory::lock(folder.path()).expect("locked");
	let full = || Err(io::Error::from(ErrorKind::StorageFull));
	let error = directory.write("some", |_| full()).expect_err("full");
	assert!(matches!(error, StorageFault::Full(_)), "{error}");
	assert!(names(&folder).is_empty());
}
