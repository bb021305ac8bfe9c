use super::*;
use crate::challenge::fill::{open_fill, tests::Filled, MAX_COMPRESSIONS};
use codec::{DecodeAll, MaxEncodedLen};
use merkle::Tree;

const SECTORS: u32 = 3;
const BLOCKS: u32 = 12;
const COMPRESSIONS: u16 = 2;
const TASK: H256 = H256([8; 32]);
const SALT: H256 = H256([9; 32]);

/// Sealed sectors, as a device keeps them.
struct Sealed {
	sectors: Vec<Filled>,
	tree: Tree,
	storage: SealedStorage,
}

impl Sealed {
	fn new() -> Self {
		let size = FillSize { lanes: 1, blocks: BLOCKS, compressions: COMPRESSIONS };
		let key = |sector| sector_key(&H256([1; 32]), DeviceId(2), sector);
		let sectors: Vec<_> = (0..SECTORS).map(|at| Filled::new(&key(at), size)).collect();
		let tree = Tree::new(sectors.iter().map(|sector| sector.tree.root().0)).unwrap();
		let storage = SealedStorage {
			sectors: SECTORS,
			blocks: BLOCKS,
			compressions: COMPRESSIONS,
			task: TASK,
			root: committed_root(&TASK, &SALT, &tree.root()),
		};
		Self { sectors, tree, storage }
	}

	fn open(&self, sector: u32, at: u32) -> StoredBlock {
		let filled = &self.sectors[sector as usize];
		let opened = filled.opened(at).unwrap();
		StoredBlock {
			sector,
			at,
			bytes: opened.bytes,
			path: opened.path,
			place: self.place(sector),
		}
	}

	fn place(&self, sector: u32) -> SectorPlace {
		let path = self.tree.prove(sector).unwrap().into_inner().try_into().unwrap();
		SectorPlace { root: self.sectors[sector as usize].tree.root(), path, salt: SALT }
	}
}

#[test]
fn what_was_sealed_should_pass() {
	let sealed = Sealed::new();
	let wanted = sample_storage(&H256([4; 32]), &sealed.storage, 10).unwrap();
	assert_eq!(wanted.len(), 10);
	for (sector, at) in wanted {
		let opening = sealed.open(sector, at);
		assert_eq!(check_stored(&sealed.storage, (sector, at), &opening), Ok(()));
	}
	let all = sample_storage(&H256([4; 32]), &sealed.storage, 99).unwrap();
	assert_eq!(all.len(), 36);
	assert_eq!(all.last(), Some(&(2, 11)));
}

/// Checked against a second implementation, in Python, which is not kept here.
#[test]
fn what_is_sealed_and_committed_to_should_never_drift() {
	let sealed = Sealed::new();
	assert_eq!(
		format!("{:?}", sealed.tree.root()),
		"0xf2482dcd92d2c912fe8d6e35753323573bdd2cc2c006dba0fb6965476fe359dd"
	);
	assert_eq!(
		format!("{:?}", sealed.storage.root),
		"0x6c0991e85be69d614534a87285cc44782f8b1170e671d6c91d3f8d64693cdfc5"
	);
}

#[test]
fn another_block_should_not_pass() {
	let sealed = Sealed::new();
	let good = sealed.open(1, 5);
	let edited = |edit: &dyn Fn(&mut StoredBlock)| {
		let mut opening = good.clone();
		edit(&mut opening);
		check_stored(&sealed.storage, (1, 5), &opening)
	};
	assert_eq!(edited(&|_| ()), Ok(()));
	let malformed = Err(ChallengeFailure::Malformed);
	assert_eq!(edited(&|opening| opening.sector = 2), malformed);
	assert_eq!(edited(&|opening| opening.at = 6), malformed);
	assert_eq!(check_stored(&sealed.storage, (1, 6), &good), malformed);
	let bad = Err(ChallengeFailure::BadOpening);
	assert_eq!(edited(&|opening| opening.bytes[9] ^= 1), bad);
	assert_eq!(edited(&|opening| opening.place.root.0[9] ^= 1), bad);
	assert_eq!(edited(&|opening| opening.place.salt.0[9] ^= 1), bad);
	let other = SealedStorage { task: H256([7; 32]), ..sealed.storage };
	assert_eq!(check_stored(&other, (1, 5), &good), bad);
	assert_eq!(
		edited(&|opening| {
			opening.path.pop();
		}),
		bad
	);
	assert_eq!(
		edited(&|opening| {
			opening.place.path.pop();
		}),
		bad
	);
	// A true block of another sector, called by the wanted one's number.
	let foreign = StoredBlock { sector: 1, at: 5, ..sealed.open(0, 5) };
	assert_eq!(check_stored(&sealed.storage, (1, 5), &foreign), bad);
}

#[test]
fn sizes_should_be_bounded() {
	let sealed = Sealed::new();
	let good = sealed.open(1, 5);
	let compressions = MAX_COMPRESSIONS + 1;
	for (sectors, blocks, compressions) in
		[(0, 12, 2), (MAX_SECTORS + 1, 12, 2), (3, 1, 2), (3, 12, 0), (3, 12, compressions)]
	{
		let storage = SealedStorage { sectors, blocks, compressions, ..sealed.storage };
		assert_eq!(check_stored(&storage, (1, 5), &good), Err(ChallengeFailure::Malformed));
		assert!(sample_storage(&H256::zero(), &storage, 1).is_err());
	}
	let most = SealedStorage { sectors: MAX_SECTORS, blocks: u32::MAX, ..sealed.storage };
	assert_eq!(sample_storage(&H256::zero(), &most, 10).map(|wanted| wanted.len()), Ok(10));
	assert_eq!(most.bytes(), 65_536 * 1_024 * 4_294_967_295);
	let largest = StoredBlock::max_encoded_len();
	assert!((2_600..2_800).contains(&largest), "{largest}");
	assert_eq!(StoredBlock::decode_all(&mut &good.encode()[..]), Ok(good));
}

#[test]
fn sectors_should_be_of_one_device_and_chain() {
	let key = |genesis, device, number| sector_key(&H256([genesis; 32]), DeviceId(device), number);
	let base = key(1, 2, 4);
	for other in [key(0, 2, 4), key(1, 0, 4), key(1, 2, 0)] {
		assert_ne!(base, other);
	}
}

#[test]
fn deadlines_should_be_a_share_of_sealing() {
	let storage = SealedStorage {
		sectors: 9,
		blocks: 4 << 20,
		compressions: 1,
		task: TASK,
		root: H256::zero(),
	};
	let deadline = |nanos, share| longest_deadline(&storage, nanos, Ppm(share));
	assert_eq!(deadline(500, 1_000_000), 2_097);
	assert_eq!(deadline(500, 50_000), 104);
	assert_eq!((deadline(0, 50_000), deadline(500, 0)), (0, 0));
}

#[test]
fn only_what_was_filled_for_this_device_should_count_as_sealed() {
	let sealed = Sealed::new();
	let wanted = sample_sealed(&H256([4; 32]), &sealed.storage, 99).unwrap();
	assert_eq!(wanted.len(), 36);
	assert_ne!(
		sample_sealed(&H256([4; 32]), &sealed.storage, 5),
		sample_storage(&H256([4; 32]), &sealed.storage, 5)
	);
	let open = |sector: u32, at| {
		let filled = &sealed.sectors[sector as usize];
		SealedOpening {
			sector,
			fill: open_fill(&filled.size, at, |at| filled.opened(at)).unwrap(),
			place: sealed.place(sector),
		}
	};
	let check = |genesis, device, wanted, opening: &SealedOpening| {
		let genesis = H256([genesis; 32]);
		check_sealed(&genesis, DeviceId(device), &sealed.storage, wanted, opening)
	};
	for (sector, at) in wanted {
		assert_eq!(check(1, 2, (sector, at), &open(sector, at)), Ok(()));
	}
	let wrong = Err(ChallengeFailure::WrongResult);
	assert_eq!(check(1, 7, (1, 0), &open(1, 0)), wrong);
	assert_eq!(check(7, 2, (1, 0), &open(1, 0)), wrong);
	assert_eq!(check(1, 2, (1, 1), &open(1, 0)), Err(ChallengeFailure::Malformed));
	// A well-filled sector that the device did not commit to.
	let bad = Err(ChallengeFailure::BadOpening);
	let foreign = SealedOpening { sector: 1, ..open(0, 5) };
	assert_eq!(check(1, 2, (1, 5), &foreign), bad);
	let mut torn = open(1, 5);
	torn.fill.block.bytes[0] ^= 1;
	assert_eq!(check(1, 2, (1, 5), &torn), bad);
	let opening = open(2, 11);
	assert_eq!(SealedOpening::decode_all(&mut &opening.encode()[..]), Ok(opening));
	assert!((16_500..17_500).contains(&SealedOpening::max_encoded_len()));
}

#[test]
fn rounds_should_be_of_a_bounded_size() {
	let good = StorageChallenge {
		sectors: 1,
		blocks: 2,
		compressions: 1,
		commit_millis: 1,
		read_millis: 1,
	};
	let most = StorageChallenge {
		sectors: MAX_SECTORS,
		blocks: u32::MAX,
		compressions: MAX_COMPRESSIONS,
		commit_millis: u32::MAX,
		read_millis: u32::MAX,
	};
	assert_eq!((check_size(&good), check_size(&most)), (Ok(()), Ok(())));
	for small in [
		StorageChallenge { sectors: 0, ..good },
		StorageChallenge { blocks: 1, ..good },
		StorageChallenge { compressions: 0, ..good },
		StorageChallenge { commit_millis: 0, ..good },
		StorageChallenge { read_millis: 0, ..good },
	] {
		assert_eq!(check_size(&small), Err(SizeError::TooSmall), "{small:?}");
	}
	for large in [
		StorageChallenge { sectors: MAX_SECTORS + 1, ..good },
		StorageChallenge { compressions: MAX_COMPRESSIONS + 1, ..good },
	] {
		assert_eq!(check_size(&large), Err(SizeError::TooLarge), "{large:?}");
	}
}
