//! A chain in memory.

use super::*;
use async_trait::async_trait;

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
	/// Where devices are told to find the verifier.
	pub(crate) address: Mutex<Option<String>>,
	/// Rounds that the chain refuses seals of and verdicts on.
	pub(crate) refused: Mutex<Vec<RoundId>>,
}

impl MemoryChain {
	/// Opens a round of lanes.
	pub(crate) fn open_round(&self, round: u64, device: u32, millis: u64) -> ChallengeTask {
		let cpu = CpuChallenge { lanes: 2, segments: 20, steps_per_segment: 16 };
		self.open_work(round, device, millis, Work::Cpu(cpu))
	}

	/// Opens a round of memory, with [`READS`] of each lane.
	pub(crate) fn open_memory_round(&self, round: u64, device: u32, millis: u64) -> ChallengeTask {
		let memory = MemoryChallenge { lanes: 2, blocks: 64, segments: 8, reads: 4 };
		self.open_work(round, device, millis, Work::Memory(memory))
	}

	/// Opens a round of products, with [`ENTRIES`] entries.
	pub(crate) fn open_gemm_round(&self, round: u64, device: u32, millis: u64) -> ChallengeTask {
		let gemm = GemmChallenge { side: 5, states: 4 };
		self.open_work(round, device, millis, Work::Gemm(gemm))
	}

	/// Opens a round of storage.
	pub(crate) fn open_storage_round(&self, round: u64, device: u32, millis: u64) -> ChallengeTask {
		self.open_work(round, device, millis, storage(COMMIT_MILLIS, READ_MILLIS))
	}

	pub(crate) fn open_work(
		&self,
		round: u64,
		device: u32,
		millis: u64,
		work: Work,
	) -> ChallengeTask {
		let task = ChallengeTask {
			round: RoundId(round),
			device: DeviceId(device),
			seed: H256::from_low_u64_be(round),
			work,
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

	async fn own_address(&self) -> Result<Option<String>, ChainError> {
		Ok(self.address.lock().unwrap().clone())
	}

	async fn device_key(&self, id: DeviceId) -> Result<Option<Public>, ChainError> {
		Ok((id.0 < 100).then(|| public_key(id)))
	}

	async fn open_rounds(&self) -> Result<Vec<Assignment>, ChainError> {
		let open = self.open.lock().unwrap();
		let assignment = |task: &ChallengeTask| Assignment { task: *task, phase: self.phase(task) };
		Ok(open.iter().map(assignment).collect())
	}

	async fn fraud_window_millis(&self) -> Result<u64, ChainError> {
		Ok(90_000_000)
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
			let call = "Challenges.prove_fraud";
			let text = format!("{call} was refused: Challenges.FraudKnown: round {round}");
			return Err(ChainError::Rejected(text));
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

/// Storage that is committed to and read in such times.
pub(crate) fn storage(commit_millis: u32, read_millis: u32) -> Work {
	let (sectors, blocks, compressions) = (3, 16, 2);
	Work::Storage(StorageChallenge { sectors, blocks, compressions, commit_millis, read_millis })
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
