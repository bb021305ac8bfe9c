//! What devices and verifiers post on chain, and what the chain asks of them.

use crate::decode;
use armature_primitives::{
	challenge::{Assignment, ChallengeTask, Verdict, Work, MAX_LANES},
	device::{AcceleratorOffer, StorageOffer},
	ed25519::Signature,
	evidence::EvidenceBytes,
	lease::RunReport,
	location::Position,
	service::ServiceAddress,
	telemetry::Leaf,
	RoundId, H256,
};
use armature_verifier::challenge::{
	check_work,
	fill::MAX_COMPRESSIONS,
	fraud::FraudProof,
	gemm::{MAX_SIDE, MAX_STEPS},
	memory::{MAX_READS, MAX_SEGMENTS as MAX_WALKED, MAX_WALK_LANES},
	network::{MAX_ECHOES, MAX_LEAD_MILLIS, MAX_TRANSFER_KIB, MAX_TRANSFER_MILLIS},
	storage::MAX_SECTORS,
	MAX_CHECKPOINTS, MAX_STEPS_PER_SEGMENT,
};
use codec::{Decode, Encode, MaxEncodedLen};
use std::fmt::Debug;

/// The hash of a verdict.
type Seal = (RoundId, H256);

/// The verdict, with its salt.
type Reveal = (RoundId, Verdict, H256);

/// What is stored or posted on chain: it is never longer than its type says.
fn posted<T: Encode + Decode + Debug + PartialEq + MaxEncodedLen>(bytes: &[u8]) -> Option<T> {
	let value = decode::<T>(bytes);
	assert!(value.is_none() || bytes.len() <= T::max_encoded_len(), "too long: {value:?}");
	value
}

pub(crate) fn judge_posted(bytes: &[u8]) {
	posted::<Verdict>(bytes);
	posted::<FraudProof>(bytes);
	posted::<Seal>(bytes);
	posted::<Reveal>(bytes);
	posted::<ServiceAddress>(bytes);
	posted::<Option<Position>>(bytes);
	posted::<Option<AcceleratorOffer>>(bytes);
	posted::<Option<StorageOffer>>(bytes);
	posted::<(Leaf, Signature)>(bytes);
	posted::<RunReport>(bytes);
	posted::<EvidenceBytes>(bytes);
	if let Some(task) = posted::<ChallengeTask>(bytes) {
		judge_work(&task.work);
	}
	if let Some(Assignment { task, .. }) = posted(bytes) {
		judge_work(&task.work);
	}
}

/// A task's size is taken when it is in bounds, said here in numbers that cannot overflow.
fn judge_work(work: &Work) {
	let is_bounded = match work {
		Work::Cpu(cpu) => {
			let count = u64::from(cpu.lanes) * u64::from(cpu.segments);
			(1..=MAX_LANES).contains(&cpu.lanes)
				&& (1..=u64::from(MAX_CHECKPOINTS)).contains(&count)
				&& (1..=MAX_STEPS_PER_SEGMENT).contains(&cpu.steps_per_segment)
		},
		Work::Memory(memory) => {
			let filled = u64::from(memory.lanes) * u64::from(memory.blocks);
			let lanes = memory.lanes.min(MAX_WALK_LANES);
			let walked = u64::from(lanes) * u64::from(memory.segments);
			(1..=MAX_LANES).contains(&memory.lanes)
				&& memory.blocks >= 2
				&& filled <= u64::from(u32::MAX)
				&& (1..=u64::from(MAX_WALKED)).contains(&walked)
				&& (1..=MAX_READS).contains(&memory.reads)
		},
		Work::Network(network) => {
			(1..=MAX_ECHOES).contains(&network.echoes)
				&& (1..=MAX_LEAD_MILLIS).contains(&network.lead_millis)
				&& (1..=MAX_TRANSFER_MILLIS).contains(&network.transfer_millis)
				&& (1..=MAX_TRANSFER_KIB).contains(&network.transfer_kib)
		},
		Work::Gemm(gemm) => {
			(1..=MAX_SIDE).contains(&gemm.side) && (1..=MAX_STEPS).contains(&gemm.states)
		},
		Work::Storage(storage) => {
			(1..=MAX_SECTORS).contains(&storage.sectors)
				&& storage.blocks >= 2
				&& (1..=MAX_COMPRESSIONS).contains(&storage.compressions)
				&& storage.commit_millis >= 1
				&& storage.read_millis >= 1
		},
	};
	assert_eq!(check_work(work).is_ok(), is_bounded);
}
