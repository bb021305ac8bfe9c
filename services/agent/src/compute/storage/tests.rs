use super::{paths::SectorTree, *};
use armature_primitives::challenge::ChallengeFailure;
use armature_verifier::{
	challenge::{
		block::{Block, BLOCK_LEN},
		fill::fill_lane,
		storage::{
			check_sealed, check_stored, committed_root, sample_sealed, sample_storage,
			SealedOpening, SealedStorage, StoredBlock,
		},
	},
	merkle::{leaf_hash, Tree},
};
use std::{cell::RefCell, fs, os::unix::fs::MetadataExt, sync::mpsc, time::Duration};
use tempfile::TempDir;

const PLAN: SealPlan = SealPlan {
	genesis: H256([1; 32]),
	device: DeviceId(2),
	sectors: 3,
	blocks: 150,
	compressions: 3,
};

const TASK: H256 = H256([5; 32]);
const SALT: H256 = H256([6; 32]);

fn go_on() -> bool {
	false
}

fn folder() -> TempDir {
	tempfile::tempdir().expect("a folder")
}

fn try_seal(folder: &TempDir, plan: SealPlan) -> Result<SealedSectors, StorageFault> {
	let threads = NonZeroUsize::new(2).expect("not zero");
	SealedSectors::seal(folder.path(), plan, threads, &go_on, |_| ())
}

/// With one thread, which is asked whether to stop.
fn seal_until(
	folder: &TempDir,
	plan: SealPlan,
	is_stopped: &(impl Fn() -> bool + Sync),
) -> Result<SealedSectors, StorageFault> {
	SealedSectors::seal(folder.path(), plan, NonZeroUsize::MIN, is_stopped, |_| ())
}

/// So many of the first ones.
fn first(sealed: SealedSectors, sectors: u32) -> OfferedSectors {
	let plan = SealPlan { sectors, ..sealed.plan() };
	sealed.offered(&plan, TASK, SALT).expect("there")
}

/// What is committed to of all that is sealed in a folder.
fn committed(folder: &TempDir) -> SealedStorage {
	let sealed = SealedSectors::open(folder.path()).expect("sealed");
	let count = sealed.plan().sectors;
	first(sealed, count).storage()
}

fn stored(sectors: &OfferedSectors, at: (u32, u32)) -> Result<StoredBlock, StorageFault> {
	sectors.stored(&[at]).map(|mut blocks| blocks.remove(0))
}

fn shown(sectors: &OfferedSectors, at: (u32, u32)) -> Result<SealedOpening, StorageFault> {
	sectors.sealed(&[at]).map(|mut openings| openings.remove(0))
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
	assert_eq!((sealed.plan(), sealed.bytes()), (PLAN, 3 * 150 * 1_024));
	assert!(sealed.block_nanos().is_some());
	let sectors = first(sealed, 3);
	let storage = sectors.storage();
	assert_eq!((storage.sectors, storage.blocks, storage.compressions), (3, 150, 3));
	let mut wanted = sample_storage(&H256([4; 32]), &storage, 1_000).expect("in bounds");
	assert_eq!(wanted.len(), 450);
	// In the order asked for, whatever that is, and as often.
	wanted.reverse();
	wanted.push(wanted[7]);
	let opened = sectors.stored(&wanted).expect("opened");
	assert_eq!(opened.len(), wanted.len());
	for (at, opening) in wanted.iter().zip(&opened) {
		assert_eq!(check_stored(&storage, *at, opening), Ok(()), "{at:?}");
	}
	let check = |device, wanted, opening: &SealedOpening| {
		check_sealed(&PLAN.genesis, device, &storage, wanted, opening)
	};
	let mut wanted = sample_sealed(&H256([4; 32]), &storage, 100).expect("in bounds");
	assert_eq!(wanted.len(), 100);
	wanted.extend([(0, 0), (2, 149), (1, 1), (0, 0)]);
	let opened = sectors.sealed(&wanted).expect("opened");
	for (at, opening) in wanted.iter().zip(&opened) {
		assert_eq!(check(PLAN.device, *at, opening), Ok(()), "{at:?}");
	}
	assert_eq!(opened.len(), wanted.len());
	let other = check(DeviceId(9), (1, 0), &shown(&sectors, (1, 0)).expect("opened"));
	assert_eq!(other, Err(ChallengeFailure::WrongResult));
	assert!(sectors.stored(&[]).expect("none").is_empty());
	assert!(sectors.sealed(&[]).expect("none").is_empty());
	let blocks = fs::read(folder.path().join("sector-1.blocks")).expect("read");
	assert!(blocks == reference(&PLAN, 1));
}

#[test]
fn what_is_committed_to_should_depend_on_the_task_and_its_salt() {
	let folder = folder();
	let sealed = seal(&folder);
	let all = Tree::new(sealed.roots.iter().map(|root| root.0)).expect("some").root();
	let committed = |task, salt| {
		let sealed = SealedSectors::open(folder.path()).expect("sealed");
		sealed.offered(&PLAN, task, salt).expect("there").storage()
	};
	let storage = committed(TASK, SALT);
	assert_eq!((storage.task, storage.root), (TASK, committed_root(&TASK, &SALT, &all)));
	assert_eq!(committed(TASK, SALT), storage);
	assert_ne!(committed(SALT, SALT).root, storage.root);
	assert_ne!(committed(TASK, TASK).root, storage.root);
}

#[test]
fn the_first_sectors_should_be_offered_without_the_others() {
	let folder = folder();
	seal(&folder);
	for count in 1..=3 {
		let sectors = first(SealedSectors::open(folder.path()).expect("sealed"), count);
		let storage = sectors.storage();
		assert_eq!(storage.sectors, count);
		let wanted = sample_storage(&H256([4; 32]), &storage, 20).expect("in bounds");
		for (at, opening) in wanted.iter().zip(sectors.stored(&wanted).expect("opened")) {
			assert_eq!(check_stored(&storage, *at, &opening), Ok(()), "{at:?}");
		}
		let error = stored(&sectors, (count, 0)).expect_err("not offered");
		assert!(matches!(error, StorageFault::Outside { .. }), "{error}");
	}
	let refused = |plan: SealPlan| {
		let sealed = SealedSectors::open(folder.path()).expect("sealed");
		sealed.offered(&plan, TASK, SALT).expect_err("not there")
	};
	let error = refused(SealPlan { sectors: 4, ..PLAN });
	assert!(matches!(error, StorageFault::Fewer { sealed: 3, wanted: 4, .. }), "{error}");
	assert!(error.to_string().contains("armature device storage"), "{error}");
	let error = refused(SealPlan { sectors: 0, ..PLAN });
	assert!(matches!(error, StorageFault::Size(SizeError::TooSmall)), "{error}");
	for other in [
		SealPlan { genesis: H256::zero(), ..PLAN },
		SealPlan { device: DeviceId(3), ..PLAN },
		SealPlan { blocks: 151, ..PLAN },
		SealPlan { compressions: 4, ..PLAN },
	] {
		assert!(matches!(refused(other), StorageFault::Other(_)));
	}
}

#[test]
fn nothing_should_be_opened_where_nothing_is_sealed() {
	let empty = folder();
	let open = |folder: &TempDir| SealedSectors::open(folder.path()).expect_err("nothing there");
	let fault = open(&empty);
	assert!(matches!(fault, StorageFault::Nothing(_)));
	assert!(fault.to_string().contains("is its disk mounted?"), "{fault}");
	assert!(names(&empty).is_empty());
	let gone = SealedSectors::open(&empty.path().join("gone"));
	assert!(matches!(gone, Err(StorageFault::Io { .. })));
	let begun = folder();
	seal_until(&begun, PLAN, &|| true).expect_err("stopped");
	assert!(matches!(open(&begun), StorageFault::Nothing(_)));
	let foreign = folder();
	fs::write(foreign.path().join("precious"), b"data").expect("written");
	assert!(matches!(open(&foreign), StorageFault::Foreign(_)));
	assert_eq!(names(&foreign), ["precious"]);
}

#[test]
fn it_should_be_known_where_sealing_has_begun() {
	let folder = folder();
	let is_begun = |path: &Path| SealedSectors::is_begun(path).expect("known");
	let gone = folder.path().join("gone");
	assert!(!is_begun(&gone) && !gone.exists());
	assert!(!is_begun(folder.path()));
	assert!(names(&folder).is_empty());
	seal_until(&folder, PLAN, &|| true).expect_err("stopped");
	assert!(is_begun(folder.path()));
	seal(&folder);
	assert!(is_begun(folder.path()));
	let foreign = self::folder();
	fs::write(foreign.path().join("precious"), b"data").expect("written");
	let fault = SealedSectors::is_begun(foreign.path());
	assert!(matches!(fault, Err(StorageFault::Foreign(_))), "{fault:?}");
}

#[test]
fn the_root_of_a_new_file_system_should_be_sealed_in() {
	let folder = folder();
	let lost = folder.path().join("lost+found");
	fs::create_dir(&lost).expect("made");
	let nothing = SealedSectors::open(folder.path());
	assert!(matches!(nothing, Err(StorageFault::Nothing(_))), "{nothing:?}");
	seal(&folder);
	assert_eq!(names(&folder).len(), 9);
	SealedSectors::remove(folder.path()).expect("removed");
	assert_eq!(names(&folder), ["lost+found"]);
	// Only that, and only there.
	fs::write(folder.path().join("lost+found.txt"), b"data").expect("written");
	let refused = try_seal(&folder, PLAN);
	assert!(matches!(refused, Err(StorageFault::Foreign(_))), "{refused:?}");
	assert!(lost.exists());
}

#[test]
fn blocks_outside_should_not_be_opened() {
	let folder = folder();
	let sectors = first(seal(&folder), 3);
	for at in [(3, 0), (0, 150), (0, u32::MAX), (u32::MAX, 0)] {
		let error = sectors.stored(&[(0, 0), at]).expect_err("outside");
		assert!(matches!(error, StorageFault::Outside { .. }), "{error}");
		let error = sectors.sealed(&[at, (0, 0)]).expect_err("outside");
		assert!(matches!(error, StorageFault::Outside { .. }), "{error}");
	}
	assert!(stored(&sectors, (2, 149)).is_ok());
}

#[test]
fn paths_should_be_those_of_the_whole_tree() {
	for count in [2u32, 3, 63, 64, 65, 127, 128, 129, 150, 193, 321] {
		let blocks: Vec<u8> =
			(0..count).flat_map(|at| at.to_le_bytes().repeat(BLOCK_LEN / 4)).collect();
		let hashes = blocks.chunks(BLOCK_LEN).map(leaf_hash).collect();
		let whole = Tree::from_hashes(hashes).expect("not empty");
		let tree = SectorTree::new(&blocks).expect("hashed");
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
	seal(&folder);
	let first = committed(&folder);
	let before: Vec<_> = names(&folder).iter().map(|name| inode(&folder, name)).collect();
	let again = seal(&folder);
	assert_eq!((committed(&folder), again.block_nanos()), (first, None));
	let after: Vec<_> = names(&folder).iter().map(|name| inode(&folder, name)).collect();
	assert_eq!(before, after);
}

#[test]
fn sealing_should_go_on_where_it_was_interrupted() {
	let folder = folder();
	let done = folder.path().join("sector-1.paths");
	let stop = || done.exists();
	let interrupted = seal_until(&folder, PLAN, &stop);
	assert!(matches!(interrupted, Err(StorageFault::Stopped)));
	let whole = ["sector-0.blocks", "sector-0.paths", "sector-1.blocks", "sector-1.paths"];
	assert_eq!(names(&folder), [&whole[..], &["storage.index", "storage.lock"]].concat());
	// What is sealed by then is there to be read.
	assert_eq!(committed(&folder).sectors, 2);
	let before = whole.map(|name| inode(&folder, name));
	// What an interrupted write leaves.
	fs::write(folder.path().join("sector-2.blocks.new"), b"torn").expect("written");
	fs::write(folder.path().join("sector-2.blocks"), b"without paths").expect("written");
	let sealed = seal(&folder);
	assert!(sealed.block_nanos().is_some());
	assert_eq!(whole.map(|name| inode(&folder, name)), before);
	assert_eq!(names(&folder).len(), 8);
	let at_once = self::folder();
	seal(&at_once);
	assert_eq!(committed(&folder), committed(&at_once));
}

#[test]
fn an_index_that_was_never_finished_should_not_keep_anyone_from_sealing() {
	let folder = folder();
	fs::write(folder.path().join("storage.index.new"), b"torn").expect("written");
	seal(&folder);
	assert_eq!(names(&folder).len(), 8);
}

#[test]
fn sealing_should_stop_when_it_should() {
	let folder = folder();
	let stopped = seal_until(&folder, PLAN, &|| true);
	assert!(matches!(stopped, Err(StorageFault::Stopped)));
	assert_eq!(names(&folder), ["storage.index", "storage.lock"]);
}

#[test]
fn sectors_should_be_added_to_those_that_are_sealed() {
	let folder = folder();
	let few = SealPlan { sectors: 1, ..PLAN };
	try_seal(&folder, few).expect("sealed");
	let kept = ["sector-0.blocks", "sector-0.paths"];
	let before = kept.map(|name| inode(&folder, name));
	let one = committed(&folder);
	let grown = seal(&folder);
	assert_eq!((grown.plan(), grown.block_nanos().is_some()), (PLAN, true));
	assert_eq!(kept.map(|name| inode(&folder, name)), before);
	assert_eq!(first(grown, 1).storage(), one, "the first ones are as they were");
	let at_once = self::folder();
	seal(&at_once);
	assert_eq!(committed(&folder), committed(&at_once));
	// Growing is interrupted as anything else is.
	let more = SealPlan { sectors: 4, ..PLAN };
	seal_until(&folder, more, &|| true).expect_err("stopped");
	assert_eq!(committed(&folder), committed(&at_once));
	assert_eq!(try_seal(&folder, more).expect("sealed").plan(), more);
}

#[test]
fn less_should_be_planned_only_where_no_more_is_sealed() {
	let folder = folder();
	let done = folder.path().join("sector-0.paths");
	seal_until(&folder, SealPlan { sectors: 9, ..PLAN }, &|| done.exists()).expect_err("stopped");
	fs::write(folder.path().join("sector-8.blocks.new"), b"torn").expect("written");
	let sealed = seal(&folder);
	assert_eq!(sealed.plan(), PLAN);
	assert_eq!(names(&folder).len(), 8, "{:?}", names(&folder));
	let fewer = try_seal(&folder, SealPlan { sectors: 2, ..PLAN });
	let error = fewer.expect_err("three are sealed");
	assert!(matches!(error, StorageFault::More { sealed: 3, .. }), "{error}");
	assert_eq!(names(&folder).len(), 8);
}

#[test]
fn it_should_be_told_how_far_sealing_is() {
	let folder = folder();
	let told = RefCell::new(Vec::new());
	let seal = |plan| {
		let tell = |progress: SealProgress| told.borrow_mut().push(progress);
		SealedSectors::seal(folder.path(), plan, NonZeroUsize::MIN, &go_on, tell).expect("sealed");
		told.take()
	};
	let all = seal(PLAN);
	let progress =
		|sectors, blocks| SealProgress { sectors, of_sectors: 3, blocks, of_blocks: 450 };
	assert!(all.len() >= 2);
	assert_eq!(all.last(), Some(&progress(3, 450)));
	for pair in all.windows(2) {
		assert!(pair[0].sectors <= pair[1].sectors && pair[0].blocks <= pair[1].blocks);
	}
	// What was sealed before is not filled again.
	let grown = seal(SealPlan { sectors: 5, ..PLAN });
	let end = SealProgress { sectors: 5, of_sectors: 5, blocks: 300, of_blocks: 300 };
	assert!(grown[0].sectors >= 3 && grown.last() == Some(&end), "{grown:?}");
	let nothing = seal(SealPlan { sectors: 5, ..PLAN });
	let end = SealProgress { blocks: 0, of_blocks: 0, ..end };
	assert!(nothing.iter().all(|told| *told == end), "{nothing:?}");
	assert_eq!(end.left(Duration::from_secs(1)), None);
	let left = progress(1, 150).left(Duration::from_secs(10));
	assert_eq!(left, Some(Duration::from_secs(20)));
	assert_eq!(progress(3, 450).left(Duration::from_secs(10)), Some(Duration::ZERO));
}

#[test]
fn a_sector_that_is_cut_short_or_gone_should_be_sealed_again() {
	let folder = folder();
	seal(&folder);
	let before = committed(&folder);
	let short = folder.path().join("sector-1.blocks");
	fs::OpenOptions::new()
		.write(true)
		.open(short)
		.and_then(|file| file.set_len(1_000))
		.expect("cut");
	fs::remove_file(folder.path().join("sector-2.paths")).expect("removed");
	let kept = inode(&folder, "sector-0.blocks");
	// Whoever reads meanwhile finds them mended.
	let sectors = first(SealedSectors::open(folder.path()).expect("sealed"), 3);
	for at in [(1, 149), (2, 149)] {
		let error = stored(&sectors, at).expect_err("damaged");
		assert!(matches!(error, StorageFault::Damaged { at: 149, .. }), "{error}");
	}
	seal(&folder);
	assert_eq!(committed(&folder), before);
	assert_eq!(inode(&folder, "sector-0.blocks"), kept);
	for sector in 0..3 {
		assert!(stored(&sectors, (sector, 149)).is_ok());
	}
}

#[test]
fn damage_should_be_told_when_a_block_is_opened() {
	let folder = folder();
	let sectors = first(seal(&folder), 3);
	bend(&folder, "sector-0.blocks", 5 * BLOCK_LEN + 7);
	// The hash of block 70, the seventh of its group.
	bend(&folder, "sector-1.paths", Records::new(150).offset(70) as usize + 6 * 32);
	fs::remove_file(folder.path().join("sector-2.blocks")).expect("removed");
	for (sector, at) in [(0, 5), (1, 64), (1, 71), (2, 0)] {
		let error = sectors.stored(&[(0, 0), (sector, at), (0, 1)]).expect_err("damaged");
		let told = matches!(
			&error,
			StorageFault::Damaged { sector: found, at: block, .. } if (*found, *block) == (sector, at)
		);
		assert!(told, "{error}");
	}
	let error = shown(&sectors, (0, 6)).expect_err("its predecessor is damaged");
	assert!(matches!(error, StorageFault::Damaged { sector: 0, at: 5, .. }), "{error}");
	// Neither on their own paths, nor beside them.
	for (sector, at) in [(0, 6), (1, 63), (1, 70)] {
		assert!(stored(&sectors, (sector, at)).is_ok(), "{sector} {at}");
	}
}

#[test]
fn a_sector_should_never_get_another_root() {
	let folder = folder();
	seal(&folder);
	let directory = Directory::shared(folder.path()).expect("locked");
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
	seal(&folder);
	let storage = committed(&folder);
	for other in [
		SealPlan { genesis: H256::zero(), ..PLAN },
		SealPlan { device: DeviceId(3), ..PLAN },
		SealPlan { blocks: 151, ..PLAN },
		SealPlan { compressions: 4, ..PLAN },
		SealPlan { compressions: 4, sectors: 4, ..PLAN },
	] {
		assert!(matches!(try_seal(&folder, other), Err(StorageFault::Other(_))));
	}
	let again = seal(&folder);
	assert_eq!((committed(&folder), again.block_nanos()), (storage, None));
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
		changed[16 + 32 + 4] = count;
		changed
	};
	for damaged in [whole[..whole.len() - 1].to_vec(), longer, sectors(0), sectors(2)] {
		fs::write(&index, damaged).expect("written");
		assert!(matches!(try_seal(&folder, PLAN), Err(StorageFault::DamagedIndex(_))));
		let opened = SealedSectors::open(folder.path());
		assert!(matches!(opened, Err(StorageFault::DamagedIndex(_))));
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
fn what_is_read_should_not_be_removed_meanwhile() {
	let folder = folder();
	let sealed = seal(&folder);
	assert!(matches!(SealedSectors::remove(folder.path()), Err(StorageFault::InUse(_))));
	let sectors = first(sealed, 3);
	assert!(matches!(SealedSectors::remove(folder.path()), Err(StorageFault::InUse(_))));
	// Others read, too, and somebody seals.
	let others = first(SealedSectors::open(folder.path()).expect("shared"), 2);
	try_seal(&folder, SealPlan { sectors: 4, ..PLAN }).expect("sealed");
	assert!(stored(&sectors, (2, 0)).is_ok() && stored(&others, (1, 0)).is_ok());
	drop((sectors, others));
	SealedSectors::remove(folder.path()).expect("nobody reads");
	assert!(names(&folder).is_empty());
}

#[test]
fn one_at_a_time_should_seal_and_others_should_read_meanwhile() {
	let folder = folder();
	try_seal(&folder, SealPlan { sectors: 1, ..PLAN }).expect("sealed");
	// Sealing lasts until it is told to go on.
	let (go_on, may_go_on) = mpsc::channel::<()>();
	let may_go_on = std::sync::Mutex::new(may_go_on);
	let (begin, begun) = mpsc::channel::<()>();
	let is_stopped = || {
		begin.send(()).ok();
		may_go_on.lock().expect("not poisoned").recv().ok();
		false
	};
	std::thread::scope(|scope| {
		let folder = &folder;
		let sealing = scope.spawn(move || seal_until(folder, PLAN, &is_stopped).map(|_| ()));
		begun.recv().expect("begun");
		assert!(matches!(try_seal(folder, PLAN), Err(StorageFault::InUse(_))));
		assert!(matches!(SealedSectors::remove(folder.path()), Err(StorageFault::InUse(_))));
		let sectors = first(SealedSectors::open(folder.path()).expect("shared"), 1);
		assert!(stored(&sectors, (0, 149)).is_ok());
		drop(go_on);
		sealing.join().expect("no panic").expect("sealed");
		assert!(stored(&sectors, (0, 149)).is_ok());
	});
	assert_eq!(committed(&folder).sectors, 3);
	seal(&folder);
}

#[test]
fn sizes_out_of_bounds_should_be_refused_before_anything_is_written() {
	let parent = folder();
	let directory = parent.path().join("sealed");
	let refused = |plan| {
		let refused = SealedSectors::seal(&directory, plan, NonZeroUsize::MIN, &go_on, |_| ());
		match refused.expect_err("out of bounds") {
			StorageFault::Size(error) => error,
			error => panic!("{error}"),
		}
	};
	assert_eq!(refused(SealPlan { sectors: 0, ..PLAN }), SizeError::TooSmall);
	assert_eq!(refused(SealPlan { sectors: MAX_SECTORS + 1, ..PLAN }), SizeError::TooLarge);
	assert_eq!(refused(SealPlan { blocks: 1, ..PLAN }), SizeError::TooSmall);
	assert_eq!(refused(SealPlan { compressions: 0, ..PLAN }), SizeError::TooSmall);
	assert_eq!(refused(SealPlan { compressions: 1_025, ..PLAN }), SizeError::TooLarge);
	assert!(!directory.exists());
	assert_eq!(SealPlan { sectors: MAX_SECTORS, blocks: 2, ..PLAN }.check(), Ok(()));
}

#[test]
fn room_should_be_looked_at_where_the_system_tells_it() {
	let folder = folder();
	let directory = Directory::shared(folder.path()).expect("locked");
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
	let directory = Directory::shared(folder.path()).expect("locked");
	let full = || Err(io::Error::from(ErrorKind::StorageFull));
	let error = directory.write("some", |_| full()).expect_err("full");
	assert!(matches!(error, StorageFault::Full(_)), "{error}");
	assert!(names(&folder).is_empty());
}
