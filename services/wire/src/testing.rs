//! Messages of every kind, for tests and fuzz targets.

use crate::{
	BlobRequest, BlobResponse, ControlRequest, ControlResponse, PutAuth, Refusal, ServiceKind,
	StatusReport,
};
use armature_primitives::{
	challenge::{
		ChallengeCommit, ChallengeTask, CpuChallenge, GemmChallenge, MemoryChallenge,
		NetworkChallenge, StorageChallenge, Work,
	},
	ed25519::Signature,
	telemetry::{Beat, BeatAck, PowerReading, PowerSource},
	DeviceId, EpochIndex, LeaseId, MilliWatts, Ppm, RoundId, H256,
};

fn task() -> ChallengeTask {
	ChallengeTask {
		round: RoundId(3),
		device: DeviceId(4),
		seed: H256([5; 32]),
		work: Work::Cpu(CpuChallenge { lanes: 2, segments: 6, steps_per_segment: 7 }),
		deadline: 8,
	}
}

fn memory_task() -> ChallengeTask {
	let memory = MemoryChallenge { lanes: 2, blocks: 6, segments: 7, reads: 9 };
	ChallengeTask { work: Work::Memory(memory), ..task() }
}

fn network_task() -> ChallengeTask {
	let network =
		NetworkChallenge { echoes: 2, lead_millis: 6, transfer_millis: 7, transfer_kib: 9 };
	ChallengeTask { work: Work::Network(network), ..task() }
}

fn gemm_task() -> ChallengeTask {
	ChallengeTask { work: Work::Gemm(GemmChallenge { side: 6, states: 7 }), ..task() }
}

fn storage_task() -> ChallengeTask {
	let storage = StorageChallenge {
		sectors: 6,
		blocks: 7,
		compressions: 0x0102,
		commit_millis: 8,
		read_millis: 9,
	};
	ChallengeTask { work: Work::Storage(storage), ..task() }
}

fn beat() -> Beat {
	Beat {
		device: DeviceId(4),
		epoch: EpochIndex(9),
		slot: 10,
		previous: H256([11; 32]),
		block_hash: H256([12; 32]),
		telemetry: H256([13; 32]),
		sent_at: 14,
	}
}

fn commit() -> ChallengeCommit {
	ChallengeCommit {
		task: H256([14; 32]),
		root: H256([15; 32]),
		power: PowerReading {
			idle: MilliWatts(16),
			loaded: MilliWatts(17),
			source: PowerSource::BoardSensor,
			error: Ppm(18),
		},
	}
}

fn signature() -> Signature {
	Signature::from([19; 64])
}

/// A request of each kind, and one for each kind of work.
pub fn control_requests() -> Vec<ControlRequest> {
	vec![
		ControlRequest::Hello {
			device: DeviceId(1),
			peer: vec![2, 3],
			sent_at: 4,
			signature: signature(),
		},
		ControlRequest::Beat { beat: beat(), signature: signature() },
		ControlRequest::StartChallenge { task: task() },
		ControlRequest::OpenSegments {
			round: RoundId(3),
			task: H256([6; 32]),
			segments: vec![(1, 2), (3, 4)],
		},
		ControlRequest::LeaseNotice { lease: LeaseId(5) },
		ControlRequest::Status,
		ControlRequest::ReserveWalk { task: H256([6; 32]) },
		ControlRequest::Walk { task: H256([6; 32]), key: H256([7; 32]) },
		ControlRequest::OpenBlocks { task: H256([6; 32]), positions: vec![1, 0x0102_0304] },
		ControlRequest::OpenWalk {
			task: H256([6; 32]),
			key: H256([7; 32]),
			segments: vec![(1, 2), (3, 4)],
		},
		ControlRequest::StartChallenge { task: memory_task() },
		ControlRequest::StartChallenge { task: network_task() },
		ControlRequest::Echo { task: H256([6; 32]), nonce: H256([7; 32]) },
		ControlRequest::Fetch { task: H256([6; 32]), key: H256([7; 32]), number: 1, len: 2 },
		ControlRequest::Deliver {
			task: H256([6; 32]),
			key: H256([7; 32]),
			number: 1,
			data: vec![2, 3],
		},
		ControlRequest::StartChallenge { task: gemm_task() },
		ControlRequest::OpenEntries {
			task: H256([6; 32]),
			entries: vec![(1, 2, 3), (4, 5, 0x0102_0304)],
		},
		ControlRequest::StartChallenge { task: storage_task() },
		ControlRequest::ReadStored { task: H256([6; 32]), blocks: vec![(1, 2), (3, 0x0102_0304)] },
		ControlRequest::OpenSealed { task: H256([6; 32]), blocks: vec![(1, 2)] },
	]
}

/// A response of each kind.
pub fn control_responses() -> Vec<ControlResponse> {
	vec![
		ControlResponse::Welcome { service: ServiceKind::Verifier, now: 1 },
		ControlResponse::BeatAck {
			ack: BeatAck { head: H256([1; 32]), epoch: EpochIndex(2), slot: 3, received_at: 4 },
			signature: signature(),
		},
		ControlResponse::Committed { commit: commit(), signature: signature() },
		ControlResponse::Opened { openings: vec![1, 2, 3] },
		ControlResponse::Accepted,
		ControlResponse::Status {
			report: StatusReport {
				service: ServiceKind::Orchestrator,
				version: b"1".to_vec(),
				now: 2,
				started_at: 3,
				devices: 4,
				in_flight: 5,
				blobs: 6,
				blob_bytes: 7,
			},
		},
		ControlResponse::Refused { reason: Refusal::NotFound },
		ControlResponse::Walked { ends: H256([8; 32]) },
		ControlResponse::Echoed { signature: signature() },
		ControlResponse::Data { data: vec![2, 3] },
		ControlResponse::Received { receipt: H256([8; 32]) },
	]
}

/// A request of each kind, and one for each kind of owner.
pub fn blob_requests() -> Vec<BlobRequest> {
	let hash = H256([1; 32]);
	let put = |auth| BlobRequest::Put { hash, total: 9, offset: 4, bytes: vec![5, 6], auth };
	vec![
		BlobRequest::Stat { hash },
		BlobRequest::Get { hash, offset: 2, len: 3 },
		put(PutAuth::Account { account: [7; 32], signature: [8; 64] }),
		put(PutAuth::Device { device: DeviceId(9), signature: [8; 64] }),
	]
}

/// A response of each kind, and one for a blob that is not there.
pub fn blob_responses() -> Vec<BlobResponse> {
	vec![
		BlobResponse::Stat { len: None },
		BlobResponse::Stat { len: Some(2) },
		BlobResponse::Chunk { bytes: vec![3, 4] },
		BlobResponse::Stored { complete: true },
		BlobResponse::Refused { reason: Refusal::QuotaExceeded },
	]
}
