//! The service over real connections on loopback, with a chain in memory and scripted devices.

mod chain;
mod device;
mod disputes;
mod evidence;
mod fairness;
mod frauds;
mod gemm;
mod journal;
mod lost;
mod memory;
mod metrics;
mod network;
mod registration;
mod renewals;
mod restart;
mod rounds;
mod sealing;
mod storage;
mod walks;

use crate::{
	chain::{ChainError, ChainView, Dispute, Renewal, RenewalOutcome},
	Config, Verifier,
};
use armature_p2p::{
	messages::{commit_payload, hello_payload},
	ControlRequest, ControlResponse, Handle, Inbound, InboundRequest, Node, NodeConfig, PeerId,
	RateLimit, Refusal,
};
use armature_primitives::{
	challenge::{
		Assignment, AssignmentPhase, ChallengeCommit, ChallengeFailure, ChallengeTask,
		CpuChallenge, GemmChallenge, Measured, MemoryChallenge, NetworkChallenge, StorageChallenge,
		Verdict, Work,
	},
	ed25519::{Public, Signature},
	lease::RunReport,
	telemetry::{PowerReading, PowerSource},
	DeviceId, LeaseId, MilliWatts, Moment, Ppm, RoundId, H256,
};
use armature_sdk::AccountId32;
use armature_verifier::challenge::{
	fraud::FraudProof, run_lane, task_hash, verdict::seal, State, Transcript,
};
use chain::MemoryChain;
use codec::Encode;
use device::{Device, Script};
use ed25519_dalek::{Signer, SigningKey};
use std::{
	collections::HashMap,
	ops::ControlFlow,
	path::Path,
	sync::{
		atomic::{AtomicBool, AtomicU32, Ordering},
		Arc, Mutex,
	},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{mpsc, Notify};

pub(crate) const WAIT: Duration = Duration::from_secs(20);
pub(crate) const GENESIS: H256 = H256([0xa1; 32]);
pub(crate) const ACCOUNT: AccountId32 = AccountId32([0xac; 32]);
/// Reads of a lane in a round of memory.
pub(crate) const READS: u64 = 32;
/// Entries of a round of products: more than one request asks for, and all of them are looked at.
pub(crate) const ENTRIES: u32 = 100;
/// Blocks of a round of storage that are filled again: more than one request asks for.
pub(crate) const SEALED: u32 = 20;
/// What a device may take to commit in a round of storage: more than a busy machine does.
pub(crate) const COMMIT_MILLIS: u32 = 10_000;
/// What a device may take to read in a round of storage: more than a busy machine does.
pub(crate) const READ_MILLIS: u32 = 10_000;

pub(crate) const POWER: PowerReading = PowerReading {
	idle: MilliWatts(10_000),
	loaded: MilliWatts(40_000),
	source: PowerSource::BoardSensor,
	error: Ppm(50_000),
};

pub(crate) fn unix_millis() -> Moment {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
	Moment::try_from(since.as_millis()).unwrap()
}

pub(crate) fn device_key(id: u32) -> SigningKey {
	SigningKey::from_bytes(&H256::from_low_u64_be(u64::from(id) + 1).0)
}

pub(crate) fn test_config(dir: &Path) -> Config {
	let mut config = Config::new(dir.join("data"));
	config.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
	config.network.requests_per_second = 1_000;
	config.network.request_burst = 1_000;
	config.network.registration_millis = 0;
	config.challenges.poll_millis = 20;
	config.challenges.samples = 10;
	config.challenges.gemm_samples = ENTRIES;
	config.challenges.sealed_samples = SEALED;
	config.challenges.posting_margin_millis = 100;
	config.challenges.min_window_millis = 0;
	config.challenges.repost_millis = 90;
	config.disputes.poll_millis = 50;
	config.disputes.posting_margin_millis = 100;
	config.renewals.poll_millis = 50;
	config
}

pub(crate) async fn start(dir: &Path, chain: &Arc<MemoryChain>) -> Verifier {
	Verifier::start(test_config(dir), chain.clone()).await.unwrap()
}

pub(crate) fn public_key(device: DeviceId) -> Public {
	Public::from(device_key(device.0).verifying_key().to_bytes())
}

pub(crate) fn failed(reason: ChallengeFailure) -> Verdict {
	Verdict::Failed { reason }
}

/// The time of a device that passed.
pub(crate) fn elapsed_of(verdict: &Verdict) -> u32 {
	let Verdict::Passed { measured, .. } = verdict else { panic!("{verdict:?}") };
	measured.elapsed_millis()
}
