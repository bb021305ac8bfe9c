//! A chain in memory, for tests.

use crate::chain::{
	Announced, AttestationView, BestBlock, ChainError, ChainPort, ChainResult, ChallengeStanding,
	DeviceView, EvidenceOutlook, LeasePhase, LeaseView, OpenRound, PlantedView, UptimeTiming,
};
use crate::{clock, metrics::Metrics};
use armature_p2p::{peer_id_of, PeerId};
use armature_primitives::{
	challenge::ChallengeTask,
	device::Tier,
	ed25519,
	evidence::EvidenceBytes,
	lease::RunReport,
	telemetry::{EpochClock, Leaf},
	DeviceId, LeaseId, Moment, RegionId, RoundId, H256,
};
use async_trait::async_trait;
use std::{
	num::NonZeroU64,
	sync::{Arc, Mutex},
};

/// The block in which every announcement gets.
pub(crate) const PLANTED_IN: u32 = 1_000;

pub(crate) const GENESIS: H256 = H256([1; 32]);
pub(crate) const NONCE: H256 = H256([2; 32]);

/// Counters that nobody reads.
pub(crate) fn metrics() -> Arc<Metrics> {
	Arc::new(Metrics::new().0)
}

/// Peers by their numbers, which their nodes have as seeds.
pub(crate) fn peer(number: u8) -> PeerId {
	peer_id_of([number; 32]).expect("a key")
}

#[derive(Debug)]
pub(crate) struct FakeState {
	pub(crate) down: bool,
	pub(crate) slot_millis: u64,
	pub(crate) device: Option<DeviceView>,
	pub(crate) attestation: Option<AttestationView>,
	pub(crate) standing: ChallengeStanding,
	/// Those that wait for a verifier.
	pub(crate) rounds: Vec<ChallengeTask>,
	/// When each was drawn: after any agent's start unless set otherwise.
	pub(crate) opened_at: Moment,
	/// Rounds that all have sealed, and that have not closed.
	pub(crate) sealed: Vec<RoundId>,
	/// Of each round: peers 1 to 5 unless set otherwise.
	pub(crate) committee: Vec<PeerId>,
	/// `None`: not enrolled.
	pub(crate) planted: Option<PlantedView>,
	/// What calls about planted answers come to.
	pub(crate) refuse_planted: Option<ChainError>,
	/// Planted answers that were shown: round, root and salt.
	pub(crate) shown: Vec<(RoundId, H256, H256)>,
	pub(crate) orchestrators: Vec<String>,
	pub(crate) verifiers: Vec<String>,
	pub(crate) leases: Vec<LeaseView>,
	pub(crate) evidence: Vec<EvidenceBytes>,
	/// What is said of hardware's evidence; of a device key's it is always good.
	pub(crate) outlook: Result<EvidenceOutlook, String>,
	pub(crate) refuse_renewals: bool,
	pub(crate) leaves: Vec<(Leaf, ed25519::Signature)>,
	/// Leaves of these epochs are refused.
	pub(crate) refuse_leaves: bool,
	pub(crate) reports: Vec<(LeaseId, RunReport)>,
	/// Calls that changed something, in order.
	pub(crate) calls: Vec<&'static str>,
}

#[derive(Debug)]
pub(crate) struct FakeChain(Mutex<FakeState>);

impl Default for FakeChain {
	fn default() -> Self {
		Self(Mutex::new(FakeState {
			down: false,
			slot_millis: 1_000,
			device: None,
			attestation: None,
			standing: ChallengeStanding::NotEnrolled,
			rounds: Vec::new(),
			opened_at: Moment::MAX,
			sealed: Vec::new(),
			committee: (1..=5).map(peer).collect(),
			planted: None,
			refuse_planted: None,
			shown: Vec::new(),
			orchestrators: Vec::new(),
			verifiers: Vec::new(),
			leases: Vec::new(),
			evidence: Vec::new(),
			outlook: Ok(EvidenceOutlook { tier: Tier::T2, renews: false }),
			refuse_renewals: false,
			leaves: Vec::new(),
			refuse_leaves: false,
			reports: Vec::new(),
			calls: Vec::new(),
		}))
	}
}

impl FakeChain {
	pub(crate) fn edit<T>(&self, edit: impl FnOnce(&mut FakeState) -> T) -> T {
		edit(&mut self.0.lock().expect("no test panicked with it"))
	}

	fn ask<T>(&self, ask: impl FnOnce(&mut FakeState) -> T) -> ChainResult<T> {
		self.edit(|state| {
			if state.down {
				Err(ChainError::Unavailable("down".into()))
			} else {
				Ok(ask(state))
			}
		})
	}

	/// Moves a lease from one phase to the next.
	fn advance(
		&self,
		call: &'static str,
		lease: LeaseId,
		next: impl Fn(LeasePhase) -> Option<LeasePhase>,
	) -> ChainResult<()> {
		self.ask(|state| {
			let found = state.leases.iter_mut().find(|known| known.id == lease);
			let moved = found.and_then(|known| {
				known.phase = next(known.phase)?;
				Some(())
			});
			moved.ok_or_else(|| ChainError::Rejected(format!("{call} in this phase")))?;
			state.calls.push(call);
			Ok(())
		})?
	}
}

#[async_trait]
impl ChainPort for FakeChain {
	async fn genesis(&self) -> ChainResult<H256> {
		self.ask(|_| GENESIS)
	}

	async fn best_block(&self) -> ChainResult<BestBlock> {
		self.ask(|_| BestBlock { hash: H256([5; 32]), time: clock::now() })
	}

	async fn uptime_timing(&self) -> ChainResult<UptimeTiming> {
		self.ask(|state| UptimeTiming {
			clock: EpochClock {
				slot_millis: NonZeroU64::new(state.slot_millis).expect("not zero"),
			},
			catch_up_epochs: 1,
		})
	}

	async fn device(&self, _: DeviceId) -> ChainResult<Option<DeviceView>> {
		self.ask(|state| state.device.clone())
	}

	async fn attestation(&self, _: DeviceId) -> ChainResult<Option<AttestationView>> {
		self.ask(|state| state.attestation)
	}

	async fn attestation_nonce(&self, _: DeviceId) -> ChainResult<H256> {
		self.ask(|_| NONCE)
	}

	async fn evidence_outlook(
		&self,
		_: DeviceId,
		evidence: &EvidenceBytes,
	) -> ChainResult<EvidenceOutlook> {
		self.ask(|state| match evidence.first() {
			Some(0) => Ok(EvidenceOutlook { tier: Tier::T0, renews: false }),
			_ => state.outlook.clone().map_err(ChainError::Rejected),
		})?
	}

	async fn renew(&self, _: DeviceId, evidence: EvidenceBytes) -> ChainResult<()> {
		self.ask(|state| {
			if state.refuse_renewals {
				state.calls.push("renewal refused");
				return Err(ChainError::Rejected("NotRenewable".into()));
			}
			state.evidence.push(evidence);
			state.calls.push("renew");
			Ok(())
		})?
	}

	async fn submit_evidence(&self, _: DeviceId, evidence: EvidenceBytes) -> ChainResult<()> {
		self.ask(|state| {
			state.evidence.push(evidence);
			state.calls.push("attest");
			let now = clock::now();
			state.attestation = Some(AttestationView {
				tier: Tier::T0,
				attested_at: now,
				expires_at: now + 3_600_000,
			});
		})
	}

	async fn submit_leaf(&self, leaf: Leaf, signature: ed25519::Signature) -> ChainResult<()> {
		self.ask(|state| {
			if state.refuse_leaves {
				state.calls.push("leaf refused");
				return Err(ChainError::Rejected("leaf".into()));
			}
			state.calls.push("leaf");
			state.leaves.push((leaf, signature));
			Ok(())
		})?
	}

	async fn challenge_standing(&self, _: DeviceId) -> ChainResult<ChallengeStanding> {
		self.ask(|state| state.standing)
	}

	async fn enrol_device(&self, _: DeviceId) -> ChainResult<()> {
		self.ask(|state| {
			state.calls.push("enrol");
			state.standing = ChallengeStanding::Unscored;
		})
	}

	async fn request_challenge(&self, _: DeviceId) -> ChainResult<()> {
		self.ask(|state| {
			state.calls.push("request");
			state.standing = ChallengeStanding::Settled;
		})
	}

	async fn open_round(&self, round: RoundId) -> ChainResult<Option<OpenRound>> {
		self.ask(|state| {
			let task = *state.rounds.iter().find(|task| task.round == round)?;
			let (opened_at, committee) = (state.opened_at, state.committee.clone());
			Some(OpenRound { task, opened_at, committee })
		})
	}

	async fn is_round_closed(&self, round: RoundId) -> ChainResult<bool> {
		self.ask(|state| {
			!state.sealed.contains(&round) && state.rounds.iter().all(|task| task.round != round)
		})
	}

	async fn planted(&self, _: DeviceId) -> ChainResult<Option<PlantedView>> {
		self.ask(|state| state.planted)
	}

	async fn plant_answer(&self, _: DeviceId, hash: H256) -> ChainResult<()> {
		self.ask(|state| {
			if let Some(error) = &state.refuse_planted {
				state.calls.push("planting refused");
				return Err(error.clone());
			}
			state.calls.push("plant");
			if let Some(view) = &mut state.planted {
				view.announced = Some(Announced { hash, planted_in: PLANTED_IN });
			}
			Ok(())
		})?
	}

	async fn show_planted(&self, round: RoundId, root: H256, salt: H256) -> ChainResult<()> {
		self.ask(|state| {
			if let Some(error) = &state.refuse_planted {
				state.calls.push("showing refused");
				return Err(error.clone());
			}
			state.calls.push("show");
			state.shown.push((round, root, salt));
			if let Some(view) = &mut state.planted {
				view.announced = None;
			}
			Ok(())
		})?
	}

	async fn orchestrators_of(&self, _: RegionId) -> ChainResult<Vec<String>> {
		self.ask(|state| state.orchestrators.clone())
	}

	async fn verifiers(&self) -> ChainResult<Vec<String>> {
		self.ask(|state| state.verifiers.clone())
	}

	async fn leases_of_device(&self, _: DeviceId) -> ChainResult<Vec<LeaseView>> {
		self.ask(|state| state.leases.clone())
	}

	async fn acknowledge(&self, lease: LeaseId) -> ChainResult<()> {
		self.advance("acknowledge", lease, |phase| match phase {
			LeasePhase::Offered { until } => Some(LeasePhase::Acknowledged { until }),
			_ => None,
		})
	}

	async fn start(&self, lease: LeaseId) -> ChainResult<()> {
		self.advance("start", lease, |phase| match phase {
			LeasePhase::Acknowledged { until } => Some(LeasePhase::Running { until }),
			_ => None,
		})
	}

	async fn report(&self, lease: LeaseId, report: RunReport) -> ChainResult<()> {
		self.advance("report", lease, |phase| match phase {
			LeasePhase::Running { .. } => Some(LeasePhase::Reported),
			_ => None,
		})?;
		self.ask(|state| state.reports.push((lease, report)))
	}

	async fn decline(&self, lease: LeaseId) -> ChainResult<()> {
		self.ask(|state| {
			state.calls.push("decline");
			state.leases.retain(|known| known.id != lease);
		})
	}
}
