use super::*;
use armature_primitives::{
	telemetry::{PowerSource, SLOT_MASK},
	MilliWatts, Ppm,
};
use armature_verifier::signature::verify_device;
use proptest::prelude::*;
use std::path::Path;

const CLOCK: EpochClock = EpochClock { slot_millis: NonZeroU64::new(10).unwrap() };
const GENESIS: H256 = H256([1; 32]);
const DEVICE: DeviceId = DeviceId(7);
const BLOCK: H256 = H256([5; 32]);

fn key() -> DeviceKey {
	DeviceKey::from_seed(&[3; 32])
}

fn open(path: &Path) -> Beats {
	let store = Store::open(path, &GENESIS, DEVICE).expect("opens");
	Beats::new(Arc::new(store), key(), GENESIS, DEVICE)
}

fn sample(taken_at: Moment) -> Sample {
	Sample {
		taken_at,
		power: MilliWatts(1_000),
		power_source: PowerSource::Estimated,
		power_error: Ppm(1),
		load: Ppm(u32::try_from(taken_at % 1_000).expect("small")),
		memory: Ppm(5),
		temperature: 400,
		disk_free_mib: 9,
		received: 1,
		sent: 2,
	}
}

fn beat(beats: &Beats, now: Moment) -> Result<(Beat, ed25519::Signature), Skipped> {
	beats.beat(CLOCK, now, BLOCK, &sample(now)).expect("the store works")
}

#[test]
fn beats_should_chain_and_carry_valid_signatures() {
	let dir = tempfile::tempdir().expect("a directory");
	let beats = open(&dir.path().join("db"));
	let (first, signature) = beat(&beats, 605).expect("made");
	assert_eq!((first.epoch, first.slot, first.previous), (EpochIndex(1), 0, H256::zero()));
	let verified =
		verify_device(Domain::Beat, &GENESIS, DEVICE, &first, &key().public(), &signature);
	assert!(verified);
	let (second, _) = beat(&beats, 611).expect("made");
	assert_eq!((second.slot, second.previous), (1, first.link()));
	// A new epoch starts a new chain.
	let (third, _) = beat(&beats, 1_200).expect("made");
	assert_eq!((third.epoch, third.slot, third.previous), (EpochIndex(2), 0, H256::zero()));
}

#[test]
fn a_slot_should_get_one_beat_also_after_a_restart() {
	let dir = tempfile::tempdir().expect("a directory");
	let path = dir.path().join("db");
	let beats = open(&path);
	let (first, _) = beat(&beats, 600).expect("made");
	assert_eq!(beat(&beats, 609), Err(Skipped::AlreadyMade));
	drop(beats);
	let beats = open(&path);
	assert_eq!(beat(&beats, 609), Err(Skipped::AlreadyMade));
	let (next, _) = beat(&beats, 630).expect("made");
	assert_eq!(next.previous, first.link());
	let leaves = beats.seal(1_200).expect("sealed");
	assert_eq!(leaves[0].leaf.slots, 0b1001);
	assert_eq!(leaves[0].leaf.beat_head, next.link());
}

#[test]
fn a_clock_that_went_back_should_make_no_beats() {
	let dir = tempfile::tempdir().expect("a directory");
	let beats = open(&dir.path().join("db"));
	beat(&beats, 650).expect("made");
	assert_eq!(beat(&beats, 640), Err(Skipped::ClockWentBack));
	assert_eq!(beat(&beats, 600), Err(Skipped::ClockWentBack));
	beat(&beats, 660).expect("made");
	assert_eq!(beats.seal(1_200).expect("sealed")[0].leaf.slots, 0b11 << 5);
}

#[test]
fn an_epoch_should_be_signed_once() {
	let dir = tempfile::tempdir().expect("a directory");
	let path = dir.path().join("db");
	let beats = open(&path);
	beat(&beats, 600).expect("made");
	assert!(beats.seal(1_199).expect("nothing to seal").is_empty());
	let sealed = beats.seal(1_200).expect("sealed");
	assert_eq!(sealed.len(), 1);
	assert_eq!(sealed[0].ended_at, 1_200);
	let leaf = &sealed[0];
	let verified =
		verify_device(Domain::Leaf, &GENESIS, DEVICE, &leaf.leaf, &key().public(), &leaf.signature);
	assert!(verified);
	// The epoch takes no more beats, even if the clock lies.
	assert_eq!(beat(&beats, 700), Err(Skipped::EpochSealed));
	drop(beats);
	let beats = open(&path);
	assert_eq!(beats.seal(9_999).expect("again"), sealed);
	beats.mark_submitted(EpochIndex(1)).expect("noted");
	assert!(beats.seal(9_999).expect("none").is_empty());
	// What is settled stays so.
	beats.mark_lapsed(EpochIndex(1)).expect("ignored");
	assert!(beats.seal(9_999).expect("none").is_empty());
}

#[test]
fn leaves_should_come_oldest_first_and_skip_silent_epochs() {
	let dir = tempfile::tempdir().expect("a directory");
	let beats = open(&dir.path().join("db"));
	beat(&beats, 600).expect("made");
	beat(&beats, 3_000).expect("made");
	let epochs: Vec<_> =
		beats.seal(10_000).expect("sealed").iter().map(|leaf| leaf.leaf.epoch).collect();
	assert_eq!(epochs, [EpochIndex(1), EpochIndex(5)]);
	beats.mark_lapsed(EpochIndex(1)).expect("noted");
	assert_eq!(beats.seal(10_000).expect("one").len(), 1);
}

#[test]
fn a_changed_slot_length_should_not_touch_a_number_that_is_taken() {
	let dir = tempfile::tempdir().expect("a directory");
	let beats = open(&dir.path().join("db"));
	beat(&beats, 600).expect("made");
	let slower = EpochClock { slot_millis: NonZeroU64::new(20).expect("not zero") };
	// 1,300 lies in epoch 1 of the slower clock, whose number is taken by the old epoch 1.
	let skipped = beats.beat(slower, 1_300, BLOCK, &sample(1_300)).expect("the store works");
	assert_eq!(skipped, Err(Skipped::EpochSealed));
	beats.beat(slower, 2_400, BLOCK, &sample(2_400)).expect("works").expect("made");
	let sealed = beats.seal(3_600).expect("sealed");
	assert_eq!(sealed[0].ended_at, 1_200);
	assert_eq!(sealed[1].ended_at, 3_600);
}

#[test]
fn digests_should_be_those_of_the_kept_samples() {
	let dir = tempfile::tempdir().expect("a directory");
	let beats = open(&dir.path().join("db"));
	beat(&beats, 600).expect("made");
	beat(&beats, 690).expect("made");
	let leaf = beats.seal(1_200).expect("sealed").remove(0).leaf;
	let samples = beats.samples(EpochIndex(1)).expect("kept");
	assert_eq!(samples, [(0, sample(600)), (9, sample(690))]);
	assert_eq!(leaf.telemetry_digest, telemetry_digest(&samples));
	assert_eq!(leaf.summary.mean_load, Ppm(645));
	assert!(beats.samples(EpochIndex(2)).expect("none").is_empty());
}

#[test]
fn pruning_should_keep_what_is_new_or_not_on_chain() {
	let dir = tempfile::tempdir().expect("a directory");
	let beats = open(&dir.path().join("db"));
	let last = KEEP_EPOCHS as u64 + 3;
	for epoch in 1..=last {
		beat(&beats, epoch * 600).expect("made");
	}
	let sealed = beats.seal((last + 1) * 600).expect("sealed");
	for leaf in sealed.iter().skip(1) {
		beats.mark_submitted(leaf.leaf.epoch).expect("noted");
	}
	beats.prune().expect("pruned");
	let kept = |epoch| !beats.samples(EpochIndex(epoch)).expect("read").is_empty();
	assert!(kept(1), "not on chain yet");
	assert!(!kept(2) && !kept(3));
	assert!(kept(4) && kept(last));
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(24))]

	/// Whatever the times and wherever the agent restarts, a leaf's bits are the slots of the
	/// beats that were handed out, and its head is the end of their chain.
	#[test]
	fn leaves_should_equal_the_beats_made(
		steps in prop::collection::vec((0u64..400, any::<bool>()), 1..25), back in 0u64..50,
	) {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("db");
		let mut beats = open(&path);
		let mut now = 600;
		let mut made: std::collections::BTreeMap<u64, (u64, H256)> = Default::default();
		for (i, (ahead, restart)) in steps.into_iter().enumerate() {
			if restart {
				drop(beats);
				beats = open(&path);
			}
			now += ahead;
			let at = if i % 5 == 4 { now - back } else { now };
			if let Ok((beat, _)) = beat(&beats, at) {
				let entry = made.entry(beat.epoch.0).or_insert((0, H256::zero()));
				prop_assert_eq!(entry.0 & (1 << beat.slot), 0, "a slot's beat was made twice");
				prop_assert_eq!(beat.previous, entry.1);
				*entry = (entry.0 | 1 << beat.slot, beat.link());
			}
		}
		let leaves = beats.seal(u64::MAX).expect("sealed");
		let signed: std::collections::BTreeMap<u64, (u64, H256)> = leaves
			.iter()
			.map(|leaf| (leaf.leaf.epoch.0, (leaf.leaf.slots, leaf.leaf.beat_head)))
			.collect();
		prop_assert!(signed.values().all(|(slots, _)| slots & !SLOT_MASK == 0));
		prop_assert_eq!(signed, made);
	}
}
