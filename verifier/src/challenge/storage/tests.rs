use super::*;
use crate::challenge::fill::{open_fill, tests::Filled};
use codec::{DecodeAll, MaxEncodedLen};
use merkle::Tree;

const SECTORS: u32 = 3;
const BLOCKS: u32 = 12;

/// Sealed sectors, as a device keeps them.
struct Sealed {
	sectors: Vec<Filled>,
	tree: Tree,
	storage: SealedStorage,
}

impl Sealed {
	fn new() -> Self {
		let size = FillSize { lanes: 1, blocks: BLOCKS };
		let key = |sector| sector_key(&H256([1; 32]), DeviceId(2), &H256([3; 32]), sector);
		let sectors: Vec<_> = (0..SECTORS).map(|at| Filled::new(&key(at), size)).collect();
		let tree = Tree::new(sectors.iter().map(|sector| sector.tree.root().0)).unwrap();
		let storage = SealedStorage { sectors: SECTORS, blocks: BLOCKS, root: tree.root() };
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
			sector_root: filled.tree.root(),
			sector_path: self.tree.prove(sector).unwrap().into_inner().try_into().unwrap(),
		}
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
	assert_eq!(edited(&|opening| opening.sector_root.0[9] ^= 1), bad);
	assert_eq!(
		edited(&|opening| {
			opening.path.pop();
		}),
		bad
	);
	assert_eq!(
		edited(&|opening| {
			opening.sector_path.pop();
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
	for (sectors, blocks) in [(0, 12), (MAX_SECTORS + 1, 12), (3, 1)] {
		let storage = SealedStorage { sectors, blocks, ..sealed.storage };
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
fn sectors_should_be_of_one_device_and_time() {
	let key = |genesis, device, epoch, number| {
		sector_key(&H256([genesis; 32]), DeviceId(device), &H256([epoch; 32]), number)
	};
	let base = key(1, 2, 3, 4);
	for other in [key(0, 2, 3, 4), key(1, 0, 3, 4), key(1, 2, 0, 4), key(1, 2, 3, 0)] {
		assert_ne!(base, other);
	}
}

#[test]
fn deadlines_should_be_a_share_of_sealing() {
	let storage = SealedStorage { sectors: 9, blocks: 4 << 20, root: H256::zero() };
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
			sector_root: filled.tree.root(),
			sector_path: sealed.tree.prove(sector).unwrap().into_inner().try_into().unwrap(),
		}
	};
	let check = |device, epoch, wanted, opening: &SealedOpening| {
		let (genesis, epoch) = (H256([1; 32]), H256([epoch; 32]));
		check_sealed(&genesis, DeviceId(device), &epoch, &sealed.storage, wanted, opening)
	};
	for (sector, at) in wanted {
		assert_eq!(check(2, 3, (sector, at), &open(sector, at)), Ok(()));
	}
	let wrong = Err(ChallengeFailure::WrongResult);
	assert_eq!(check(7, 3, (1, 0), &open(1, 0)), wrong);
	assert_eq!(check(2, 7, (1, 0), &open(1, 0)), wrong);
	assert_eq!(check(2, 3, (1, 1), &open(1, 0)), Err(ChallengeFailure::Malformed));
	// A well-filled sector that the device did not commit to.
	let bad = Err(ChallengeFailure::BadOpening);
	let foreign = SealedOpening { sector: 1, ..open(0, 5) };
	assert_eq!(check(2, 3, (1, 5), &foreign), bad);
	let mut torn = open(1, 5);
	torn.fill.block.bytes[0] ^= 1;
	assert_eq!(check(2, 3, (1, 5), &torn), bad);
	let opening = open(2, 11);
	assert_eq!(SealedOpening::decode_all(&mut &opening.encode()[..]), Ok(opening));
	assert!((16_500..17_500).contains(&SealedOpening::max_encoded_len()));
}
