//! Proofs of fraud that are judged to the end: rounds of each kind whose device committed to what an input
//! changed in its work, under right paths and its own signature; then with something changed in them.
#![no_main]

#[path = "frauds/block.rs"]
mod block;
#[path = "frauds/changes.rs"]
mod changes;
#[path = "frauds/entry.rs"]
mod entry;
#[path = "frauds/judge.rs"]
mod judge;
#[path = "frauds/roots.rs"]
mod roots;
#[path = "frauds/sealed.rs"]
mod sealed;
#[path = "frauds/segment.rs"]
mod segment;

use armature_fuzz::Input;
use armature_primitives::{
	challenge::{
		ChallengeTask, CpuChallenge, GemmChallenge, MemoryChallenge, NetworkChallenge,
		StorageChallenge, Work,
	},
	DeviceId, RoundId, H256,
};
use changes::Changes;
use judge::judge;
use libfuzzer_sys::fuzz_target;

// Small, and with trees that are none of a power of two.
const CPU: CpuChallenge = CpuChallenge { lanes: 3, segments: 5, steps_per_segment: 1 };
const MEMORY: MemoryChallenge = MemoryChallenge { lanes: 2, blocks: 9, segments: 3, reads: 2 };
const NETWORK: NetworkChallenge =
	NetworkChallenge { echoes: 1, lead_millis: 1, transfer_millis: 1, transfer_kib: 1 };
const GEMM: GemmChallenge = GemmChallenge { side: 3, states: 5 };
const STORAGE: StorageChallenge =
	StorageChallenge { sectors: 3, blocks: 9, compressions: 2, commit_millis: 1, read_millis: 1 };

const WORKS: [Work; 5] = [
	Work::Cpu(CPU),
	Work::Memory(MEMORY),
	Work::Network(NETWORK),
	Work::Gemm(GEMM),
	Work::Storage(STORAGE),
];

/// A round with this work.
const fn task(work: Work) -> ChallengeTask {
	let (round, device, seed) = (RoundId(7), DeviceId(9), H256([4; 32]));
	ChallengeTask { round, device, seed, work, deadline: 0 }
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	let kind = input.u8() % 5;
	if kind == 4 {
		roots::judge_roots(&mut input);
		return;
	}
	let changes = Changes::read(&mut input);
	match kind {
		0 => judge(&mut input, &changes, &segment::Lanes::new(&changes)),
		1 => judge(&mut input, &changes, &block::Filled::new(&changes)),
		2 => judge(&mut input, &changes, &entry::Products::new(&changes)),
		_ => {
			let salt = H256(input.array());
			judge(&mut input, &changes, &sealed::Sectors::new(&changes, salt));
		},
	}
});
