//! What devices do instead of answering and moving data, and what verifiers see of it.

use crate::committee::{Looked, Round};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, Echo, Measured, NetworkChallenge, Work},
	ed25519::Signature,
	signing::{device_payload, Domain},
	DeviceId, RoundId, H256,
};
use armature_verifier::challenge::{
	network::{check_echo, chunk, commit_root, receipt, Direction},
	task_hash,
};
use rand::{rngs::StdRng, Rng};
use sp_core::{ed25519::Pair, Pair as _};

/// What a round asks for; a chunk here is small.
const NETWORK: NetworkChallenge = NetworkChallenge {
	echoes: 4,
	lead_millis: 20_000,
	transfer_millis: 5_000,
	transfer_kib: 32_768,
};

/// Bytes of a chunk.
const CHUNK_LEN: u32 = 1_024;

/// Chunks each way.
const CHUNKS: u32 = 4;

const GENESIS: H256 = H256([1; 32]);

/// The keys of device 7 and of another device.
const SEEDS: [[u8; 32]; 2] = [[7; 32], [8; 32]];

/// What a device does instead of the work.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Device {
	Honest,
	/// Answers with signatures of an earlier round.
	OldEchoes,
	/// Has another device answer.
	OtherKey,
	/// Sends data made under a key of its own, before it is asked.
	DataMadeAhead,
	/// Acknowledges data that have not come.
	ReceiptsMadeUp,
	/// Answers with bytes.
	Garbage,
	/// Commits when data should move.
	Late,
}

/// A device in a round.
pub(super) struct Answer {
	device: Device,
	task: ChallengeTask,
}

impl Answer {
	pub(super) fn new(device: Device, rng: &mut StdRng) -> Self {
		Self { device, task: task(rng) }
	}

	fn echo(&self, task: &ChallengeTask, nonce: H256, key: &Pair) -> Signature {
		let echo = Echo { task: task_hash(task), nonce };
		key.sign(&device_payload(Domain::Echo, &GENESIS, task.device, &echo))
	}

	/// What it signs.
	fn echoed(&self, nonce: H256, rng: &mut StdRng) -> Signature {
		let [own, other] = SEEDS.map(|seed| Pair::from_seed(&seed));
		match self.device {
			Device::OldEchoes => self.echo(&task(rng), nonce, &own),
			Device::OtherKey => self.echo(&self.task, nonce, &other),
			Device::Garbage => {
				let mut bytes = [0; 64];
				rng.fill(&mut bytes);
				Signature::from_raw(bytes)
			},
			_ => self.echo(&self.task, nonce, &own),
		}
	}
}

fn task(rng: &mut StdRng) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(rng.gen()),
		device: DeviceId(7),
		seed: H256(rng.gen()),
		work: Work::Network(NETWORK),
		deadline: 1,
	}
}

impl Round for Answer {
	fn task(&self) -> &ChallengeTask {
		&self.task
	}

	fn root(&self) -> H256 {
		commit_root(&self.task)
	}

	fn look(&mut self, root: H256, rng: &mut StdRng) -> Looked {
		if root != commit_root(&self.task) {
			return Err(ChallengeFailure::WrongResult);
		}
		if self.device == Device::Late {
			return Err(ChallengeFailure::NoAnswer);
		}
		let key = Pair::from_seed(&SEEDS[0]).public();
		for _ in 0..NETWORK.echoes {
			let nonce = H256(rng.gen());
			let signature = self.echoed(nonce, rng);
			if !check_echo(&GENESIS, &self.task, &key, nonce, &signature) {
				return Err(ChallengeFailure::BadSignature);
			}
		}
		let (hash, up, down) = (task_hash(&self.task), H256(rng.gen()), H256(rng.gen()));
		for number in 0..CHUNKS {
			let of = |direction, key: &H256| chunk(direction, &hash, key, number, CHUNK_LEN);
			let wanted = of(Direction::Up, &up);
			let sent = match self.device {
				Device::DataMadeAhead => of(Direction::Up, &H256(rng.gen())),
				_ => of(Direction::Up, &up),
			};
			let came = of(Direction::Down, &down);
			let said = match self.device {
				Device::ReceiptsMadeUp => H256(rng.gen()),
				_ => receipt(&hash, &down, number, &came),
			};
			if sent != wanted || said != receipt(&hash, &down, number, &came) {
				return Err(ChallengeFailure::WrongResult);
			}
		}
		Ok(())
	}

	fn measured(&self, rng: &mut StdRng) -> Measured {
		let kbps = rng.gen_range(18_000..22_000);
		measured(rng.gen_range(5_000..50_000), kbps)
	}
}

/// What a verifier measures that moves so much each way.
pub(super) fn measured(round_trip_micros: u32, kbps: u32) -> Measured {
	Measured::Network { answer_millis: 200, round_trip_micros, up_kbps: kbps, down_kbps: kbps }
}

/// A round that an honest device or, with data that it made ahead, a cheat answers.
pub(crate) fn round(is_cheat: bool, rng: &mut StdRng) -> Box<dyn Round> {
	Box::new(Answer::new(if is_cheat { Device::DataMadeAhead } else { Device::Honest }, rng))
}
