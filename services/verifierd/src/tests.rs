//! The service over real connections on loopback, with a chain in memory and scripted devices.

mod disputes;
mod frauds;
mod journal;
mod renewals;
mod restart;
mod rounds;
mod sealing;

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
		Assignment, AssignmentPhase, ChallengeCommit, ChallengeTask, CpuChallenge, Verdict,
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
use async_trait::async_trait;
use codec::Encode;
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
use tokio::sync::mpsc;

pub(crate) const WAIT: Duration = Duration::from_secs(20);
pub(crate) const GENESIS: H256 = H256([0xa1; 32]);
pub(crate) const ACCOUNT: AccountId32 = AccountId32([0xac; 32]);
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

#[derive(Default)]
pub(crate) struct MemoryChain {
	pub(crate) open: Mutex<Vec<ChallengeTask>>,
	pub(crate) seals: Mutex<HashMap<RoundId, H256>>,
	/// Rounds that are listed as sealed.
	pub(crate) sealed: Mutex<Vec<RoundId>>,
	/// What was revealed.
	pub(crate) verdicts: Mutex<HashMap<RoundId, Verdict>>,
	pub(crate) proofs: Mutex<Vec<(RoundId, FraudProof)>>,
	/// Proofs that were posted, taken or not.
	pub(crate) proof_calls: AtomicU32,
	/// Rounds in which no fraud can be proved.
	pub(crate) unprovable: Mutex<Vec<RoundId>>,
	/// Others have not sealed their verdicts.
	pub(crate) holds_back: AtomicBool,
	pub(crate) disputes: Mutex<Vec<Dispute>>,
	pub(crate) reports: Mutex<HashMap<LeaseId, RunReport>>,
	/// Renewals, with their evidence where the chain shows it.
	pub(crate) renewals: Mutex<Vec<(Renewal, Option<Vec<u8>>)>>,
	/// Renewals of these devices do not hold.
	pub(crate) forgers: Mutex<Vec<DeviceId>>,
	/// Nothing is said about renewals of these devices.
	pub(crate) unanswered: Mutex<Vec<DeviceId>>,
	/// Devices whose renewals were disputed, by anyone.
	pub(crate) disputed: Mutex<Vec<DeviceId>>,
	/// Calls that were made, taken or not.
	pub(crate) calls: AtomicU32,
	/// Posting fails as if no node could be reached.
	pub(crate) is_deaf: AtomicBool,
	/// Posting succeeds and the lists do not change, as before a block is imported.
	pub(crate) is_lagging: AtomicBool,
	/// Rounds that the chain refuses seals of and verdicts on.
	pub(crate) refused: Mutex<Vec<RoundId>>,
}

impl MemoryChain {
	pub(crate) fn open_round(&self, round: u64, device: u32, millis: u64) -> ChallengeTask {
		let task = ChallengeTask {
			round: RoundId(round),
			device: DeviceId(device),
			seed: H256::from_low_u64_be(round),
			cpu: CpuChallenge { lanes: 2, segments: 20, steps_per_segment: 16 },
			deadline: unix_millis() + millis,
		};
		self.open.lock().unwrap().push(task);
		task
	}

	/// What was revealed of a round.
	pub(crate) async fn verdict(&self, round: u64) -> Verdict {
		entry(&self.verdicts, round).await
	}

	/// What was sealed of a round.
	pub(crate) async fn seal(&self, round: u64) -> H256 {
		entry(&self.seals, round).await
	}

	fn phase(&self, task: &ChallengeTask) -> AssignmentPhase {
		if !self.sealed.lock().unwrap().contains(&task.round) {
			AssignmentPhase::Seal
		} else if self.holds_back.load(Ordering::SeqCst) {
			AssignmentPhase::Wait
		} else {
			AssignmentPhase::Reveal { until: task.deadline + 60_000 }
		}
	}

	fn check_rounds(&self, rounds: impl IntoIterator<Item = RoundId>) -> Result<(), ChainError> {
		let refused = self.refused.lock().unwrap();
		match rounds.into_iter().find(|round| refused.contains(round)) {
			Some(round) => {
				Err(ChainError::Rejected(format!("Challenges.RoundNotFound: round {round}")))
			},
			None => Ok(()),
		}
	}

	fn answer(&self) -> Result<(), ChainError> {
		self.calls.fetch_add(1, Ordering::SeqCst);
		if self.is_deaf.load(Ordering::SeqCst) {
			Err(ChainError::Unavailable("connection refused".into()))
		} else {
			Ok(())
		}
	}
}

#[async_trait]
impl ChainView for MemoryChain {
	fn genesis(&self) -> H256 {
		GENESIS
	}

	fn account(&self) -> AccountId32 {
		ACCOUNT
	}

	async fn device_key(&self, id: DeviceId) -> Result<Option<Public>, ChainError> {
		Ok((id.0 < 100).then(|| public_key(id)))
	}

	async fn open_rounds(&self) -> Result<Vec<Assignment>, ChainError> {
		let open = self.open.lock().unwrap();
		let assignment = |task: &ChallengeTask| Assignment { task: *task, phase: self.phase(task) };
		Ok(open.iter().map(assignment).collect())
	}

	async fn seal_verdicts(&self, seals: &[(RoundId, H256)]) -> Result<(), ChainError> {
		self.answer()?;
		self.check_rounds(seals.iter().map(|(round, _)| *round))?;
		for (round, hash) in seals {
			let old = self.seals.lock().unwrap().insert(*round, *hash);
			assert!(old.is_none() || old == Some(*hash), "{round}: {old:?}, {hash:?}");
		}
		if !self.is_lagging.load(Ordering::SeqCst) {
			self.sealed.lock().unwrap().extend(seals.iter().map(|(round, _)| *round));
		}
		Ok(())
	}

	async fn reveal_verdicts(
		&self,
		reveals: &[(RoundId, Verdict, H256)],
	) -> Result<(), ChainError> {
		self.answer()?;
		self.check_rounds(reveals.iter().map(|(round, ..)| *round))?;
		assert!(!self.holds_back.load(Ordering::SeqCst), "revealed too early: {reveals:?}");
		for (round, verdict, salt) in reveals {
			let sealed = self.seals.lock().unwrap().get(round).copied();
			assert_eq!(sealed, Some(seal(*round, &ACCOUNT, verdict, salt)), "{round}");
			self.verdicts.lock().unwrap().insert(*round, *verdict);
		}
		if !self.is_lagging.load(Ordering::SeqCst) {
			let done = |task: &ChallengeTask| reveals.iter().any(|(id, ..)| *id == task.round);
			self.open.lock().unwrap().retain(|task| !done(task));
		}
		Ok(())
	}

	async fn prove_fraud(&self, round: RoundId, proof: &FraudProof) -> Result<(), ChainError> {
		self.proof_calls.fetch_add(1, Ordering::SeqCst);
		self.answer()?;
		if self.unprovable.lock().unwrap().contains(&round) {
			return Err(ChainError::Rejected(format!("Challenges.FraudKnown: round {round}")));
		}
		self.proofs.lock().unwrap().push((round, proof.clone()));
		Ok(())
	}

	async fn open_disputes(&self) -> Result<Vec<Dispute>, ChainError> {
		Ok(self.disputes.lock().unwrap().clone())
	}

	async fn pending_renewals(&self) -> Result<Vec<Renewal>, ChainError> {
		Ok(self.renewals.lock().unwrap().iter().map(|(renewal, _)| *renewal).collect())
	}

	async fn renewal_evidence(&self, renewal: &Renewal) -> Result<Option<Vec<u8>>, ChainError> {
		let all = self.renewals.lock().unwrap();
		let found = all.iter().find(|(known, _)| known == renewal);
		Ok(found.and_then(|(_, evidence)| evidence.clone()))
	}

	async fn renewal_outcome(
		&self,
		device: DeviceId,
		_: &[u8],
	) -> Result<RenewalOutcome, ChainError> {
		if self.unanswered.lock().unwrap().contains(&device) {
			return Err(ChainError::Unavailable("connection refused".into()));
		}
		if self.disputed.lock().unwrap().contains(&device) {
			return Err(ChainError::Rejected("NoPendingRenewal".into()));
		}
		Ok(if self.forgers.lock().unwrap().contains(&device) {
			RenewalOutcome::Refuted { reason: "nonce".into(), forged: true }
		} else {
			RenewalOutcome::Stands
		})
	}

	async fn dispute_renewal(&self, device: DeviceId, evidence: &[u8]) -> Result<(), ChainError> {
		self.answer()?;
		assert_eq!(evidence, [u8::try_from(device.0).unwrap()]);
		self.disputed.lock().unwrap().push(device);
		Ok(())
	}

	async fn resolve_dispute(&self, lease: LeaseId, report: RunReport) -> Result<(), ChainError> {
		self.answer()?;
		assert_eq!(self.reports.lock().unwrap().insert(lease, report), None);
		self.disputes.lock().unwrap().retain(|dispute| dispute.lease != lease);
		Ok(())
	}
}

/// Waits for the entry of a round.
async fn entry<T: Copy>(entries: &Mutex<HashMap<RoundId, T>>, round: u64) -> T {
	for _ in 0..2_000 {
		if let Some(entry) = entries.lock().unwrap().get(&RoundId(round)) {
			return *entry;
		}
		tokio::time::sleep(Duration::from_millis(10)).await;
	}
	panic!("nothing of round {round} in 20 s")
}

pub(crate) fn device_key(id: u32) -> SigningKey {
	SigningKey::from_bytes(&H256::from_low_u64_be(u64::from(id) + 1).0)
}

pub(crate) fn test_config(dir: &Path) -> Config {
	let mut config = Config::new(dir.join("data"));
	config.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
	config.network.requests_per_second = 1_000;
	config.network.request_burst = 1_000;
	config.challenges.poll_millis = 20;
	config.challenges.samples = 10;
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

/// What a device does with challenges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Script {
	Honest,
	/// Takes its time before it commits.
	Slow(Duration),
	/// Makes up the second half of every lane.
	Skips,
	/// Commits to one computation and opens another.
	OpensOthers,
	/// Opens all but one of the segments.
	OpensTooFew,
	/// Opens with bytes that are no openings.
	OpensGarbage,
	/// Commits honestly and never opens.
	NeverOpens,
	/// Signs the commitment with another key.
	ForgesSignature,
	/// Signs a commitment to another task.
	OtherTask,
	/// Draws less under load than idle.
	AbsurdPower,
	/// Answers a challenge with something else.
	Confused,
	/// Never answers.
	Silent,
	/// Refuses the first times, then is honest.
	BusyAtFirst(u32),
}

pub(crate) struct Device {
	pub(crate) id: u32,
	pub(crate) handle: Handle,
	/// Challenges that it was asked to start.
	pub(crate) started: Arc<AtomicU32>,
}

impl Device {
	/// A device that has said hello.
	pub(crate) async fn connect(id: u32, script: Script, verifier: &Verifier) -> Self {
		let device = Self::offline(id, script);
		let response = device.hello(verifier).await;
		assert!(matches!(response, ControlResponse::Welcome { .. }), "{response:?}");
		device
	}

	pub(crate) fn offline(id: u32, script: Script) -> Self {
		let (handle, inbound) = Node::spawn(NodeConfig {
			identity: [u8::try_from(id).unwrap(); 32],
			listen: vec![],
			request_timeout: Duration::from_secs(60),
			max_peers: 4,
			rate: RateLimit::default(),
		})
		.unwrap();
		let started = Arc::new(AtomicU32::new(0));
		tokio::spawn(act(id, script, inbound, started.clone()));
		Self { id, handle, started }
	}

	pub(crate) async fn dial(&self, verifier: &Verifier) -> PeerId {
		self.handle.dial(&verifier.addresses()[0]).await.unwrap()
	}

	pub(crate) fn hello_at(&self, sent_at: Moment, signer: u32) -> ControlRequest {
		let (device, peer) = (DeviceId(self.id), self.handle.peer_id().to_bytes());
		let payload = hello_payload(&GENESIS, device, &peer, sent_at);
		let signature = Signature::from(device_key(signer).sign(&payload).to_bytes());
		ControlRequest::Hello { device, peer, sent_at, signature }
	}

	pub(crate) async fn hello(&self, verifier: &Verifier) -> ControlResponse {
		let peer = self.dial(verifier).await;
		let hello = self.hello_at(unix_millis(), self.id);
		self.handle.control(peer, hello, WAIT).await.unwrap()
	}
}

pub(crate) fn public_key(device: DeviceId) -> Public {
	Public::from(device_key(device.0).verifying_key().to_bytes())
}

fn compute(task: &ChallengeTask, is_made_up: impl Fn(u32) -> bool) -> Transcript {
	let mut states = Vec::new();
	for lane in 0..task.cpu.lanes {
		run_lane(task, lane, |segment, state| {
			let made_up = State([u64::from(segment); 8]);
			states.push(if is_made_up(segment) { made_up } else { state });
			ControlFlow::Continue(())
		})
		.unwrap();
	}
	Transcript::new(*task, states).unwrap()
}

async fn act(
	id: u32,
	script: Script,
	mut inbound: mpsc::Receiver<Inbound>,
	started: Arc<AtomicU32>,
) {
	let mut transcripts: HashMap<H256, Transcript> = HashMap::new();
	// Kept so that a silent device's requests stay open.
	let mut ignored = Vec::new();
	while let Some(Inbound { request, reply, .. }) = inbound.recv().await {
		match request {
			InboundRequest::Control(ControlRequest::StartChallenge { task }) => {
				let count = started.fetch_add(1, Ordering::SeqCst);
				match script {
					Script::Silent => {
						ignored.push(reply);
						continue;
					},
					Script::BusyAtFirst(times) if count < times => {
						reply.refuse(Refusal::Busy);
						continue;
					},
					Script::Confused => {
						reply.control(ControlResponse::Accepted);
						continue;
					},
					Script::Slow(time) => tokio::time::sleep(time).await,
					_ => {},
				}
				let half = task.cpu.segments / 2;
				let is_made_up = |segment| script == Script::Skips && segment >= half;
				let transcript = compute(&task, is_made_up);
				let mut power = POWER;
				let mut answered = task;
				match script {
					Script::AbsurdPower => power.loaded = MilliWatts(power.idle.0 - 1),
					Script::OtherTask => answered.seed = H256::zero(),
					_ => {},
				}
				let (task_hash, root) = (task_hash(&answered), transcript.root());
				let commit = ChallengeCommit { task: task_hash, root, power };
				let signer = if script == Script::ForgesSignature { id + 1 } else { id };
				let payload = commit_payload(&GENESIS, task.device, &commit);
				let signature = Signature::from(device_key(signer).sign(&payload).to_bytes());
				let kept = if script == Script::OpensOthers {
					compute(&ChallengeTask { seed: H256::zero(), ..task }, |_| false)
				} else {
					transcript
				};
				transcripts.insert(armature_verifier::challenge::task_hash(&task), kept);
				reply.control(ControlResponse::Committed { commit, signature });
			},
			InboundRequest::Control(ControlRequest::OpenSegments {
				task, mut segments, ..
			}) => {
				let transcript = &transcripts[&task];
				match script {
					Script::NeverOpens => {
						ignored.push(reply);
						continue;
					},
					Script::OpensTooFew => {
						segments.pop();
					},
					_ => {},
				}
				let opened: Vec<_> = segments
					.iter()
					.map(|(lane, segment)| transcript.open(*lane, *segment).unwrap())
					.collect();
				let openings = match script {
					Script::OpensGarbage => vec![0xff; 100],
					_ => opened.encode(),
				};
				reply.control(ControlResponse::Segments { openings });
			},
			_ => reply.refuse(Refusal::NotAssigned),
		}
	}
}
