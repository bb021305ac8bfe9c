//! [`ChainPort`] over the SDK.

use super::{
	Announced, AttestationView, BestBlock, ChainError, ChainPort, ChainResult, ChallengeStanding,
	DeviceView, EvidenceOutlook, LeasePhase, LeaseView, OpenRound, PlantedView, UptimeTiming,
};
use crate::peers::peer_of;
use armature_primitives::{
	ed25519,
	evidence::{EvidenceBytes, MAX_EVIDENCE_LEN},
	lease::RunReport,
	telemetry::Leaf,
	DeviceId, LeaseId, RegionId, RoundId, H256,
};
use armature_sdk::{
	api,
	api::runtime_types::pallet_challenges::types::SeatState,
	bounded, evidence,
	query::{self, LeaseState},
	Account, AtBlock, Chain, Error, Static, Wait,
};
use async_trait::async_trait;
use std::time::{Duration, Instant};

/// How long the next block may take.
const BLOCK_PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked for.
const BLOCK_POLL: Duration = Duration::from_millis(500);

/// A chain reached over RPC, and the account that pays for and signs the agent's calls.
pub struct SdkChain {
	chain: Chain,
	account: Account,
}

impl SdkChain {
	/// Over a connection, acting as `account`: the device's provider or its operator.
	pub fn new(chain: Chain, account: Account) -> Self {
		Self { chain, account }
	}

	async fn best(&self) -> ChainResult<AtBlock> {
		self.chain.best().await.map_err(failed)
	}

	/// Waits until another block is the best one: the hash of the block that handed a nonce out decides
	/// whether a renewal is enough, and is known by then.
	async fn leave_block(&self, block: H256) -> ChainResult<()> {
		let until = Instant::now() + BLOCK_PATIENCE;
		while self.best().await?.block_hash() == block {
			if Instant::now() >= until {
				return Err(ChainError::Unavailable("no block followed in time".into()));
			}
			tokio::time::sleep(BLOCK_POLL).await;
		}
		Ok(())
	}

	async fn submit(&self, call: &impl armature_sdk::Payload) -> ChainResult<()> {
		self.chain
			.submit(call, &self.account, Wait::Best)
			.await
			.map(|_| ())
			.map_err(failed)
	}
}

/// What the chain's execution or pool refused will be refused again; the rest may pass later.
fn failed(error: Error) -> ChainError {
	match error {
		Error::Refused { .. } | Error::RefusedByRuntime { .. } => {
			ChainError::Rejected(error.to_string())
		},
		other => ChainError::Unavailable(other.to_string()),
	}
}

#[async_trait]
impl ChainPort for SdkChain {
	async fn genesis(&self) -> ChainResult<H256> {
		Ok(self.chain.genesis())
	}

	async fn best_block(&self) -> ChainResult<BestBlock> {
		let at = self.best().await?;
		let time = query::now(&at).await.map_err(failed)?;
		Ok(BestBlock { hash: at.block_hash(), time })
	}

	async fn uptime_timing(&self) -> ChainResult<UptimeTiming> {
		let (clock, catch_up_epochs) =
			query::uptime_timing(&self.best().await?).await.map_err(failed)?;
		Ok(UptimeTiming { clock, catch_up_epochs })
	}

	async fn device(&self, device: DeviceId) -> ChainResult<Option<DeviceView>> {
		let at = self.best().await?;
		let Some(found) = query::device(&at, device).await.map_err(failed)? else {
			return Ok(None);
		};
		let site = query::site(&at, found.site.0).await.map_err(failed)?;
		Ok(site.map(|site| DeviceView {
			key: ed25519::Public::from_raw(found.key),
			status: found.status.0,
			region: site.region.0,
			memory_mib: found.memory_mib,
		}))
	}

	async fn attestation(&self, device: DeviceId) -> ChainResult<Option<AttestationView>> {
		let at = self.best().await?;
		let found = query::attestation(&at, device).await.map_err(failed)?;
		Ok(found.map(|found| AttestationView {
			tier: found.tier.0,
			attested_at: found.attested_at,
			expires_at: found.expires_at,
		}))
	}

	async fn attestation_nonce(&self, device: DeviceId) -> ChainResult<H256> {
		let at = self.best().await?;
		let now = query::now(&at).await.map_err(failed)?;
		if let Some(waiting) = query::attestation_nonce(&at, device).await.map_err(failed)? {
			if waiting.expires_at > now {
				return Ok(waiting.nonce);
			}
		}
		let included = self
			.chain
			.submit(
				&api::tx().attestation().request_nonce(Static(device)),
				&self.account,
				Wait::Best,
			)
			.await
			.map_err(failed)?;
		let issued: api::attestation::events::NonceIssued =
			included.expect("Attestation.request_nonce", "NonceIssued").map_err(failed)?;
		if !issued.full {
			self.leave_block(included.block).await?;
		}
		Ok(issued.nonce)
	}

	async fn evidence_outlook(
		&self,
		device: DeviceId,
		evidence: &EvidenceBytes,
	) -> ChainResult<EvidenceOutlook> {
		let at = self.best().await?;
		let outlook = evidence::outlook(&at, device, evidence.to_vec()).await.map_err(failed)?;
		let outlook = outlook.map_err(ChainError::Rejected)?;
		Ok(EvidenceOutlook { tier: outlook.tier.0, renews: outlook.renews })
	}

	async fn submit_evidence(&self, device: DeviceId, evidence: EvidenceBytes) -> ChainResult<()> {
		let evidence =
			bounded(evidence.into_inner(), MAX_EVIDENCE_LEN, "the evidence").map_err(failed)?;
		let call = api::tx().attestation().submit_evidence(Static(device), evidence);
		let included = self.chain.submit(&call, &self.account, Wait::Best).await.map_err(failed)?;
		// Refused hardware is counted on chain, and so the call succeeds.
		match included.find::<api::attestation::events::EvidenceRefused>() {
			None => Ok(()),
			Some(refused) => {
				let at = self.best().await?;
				Err(ChainError::Rejected(evidence::explain(&at, &refused.error)))
			},
		}
	}

	async fn renew(&self, device: DeviceId, evidence: EvidenceBytes) -> ChainResult<()> {
		let evidence =
			bounded(evidence.into_inner(), MAX_EVIDENCE_LEN, "the evidence").map_err(failed)?;
		self.submit(&api::tx().attestation().renew(Static(device), evidence)).await
	}

	async fn submit_leaf(&self, leaf: Leaf, signature: ed25519::Signature) -> ChainResult<()> {
		self.submit(&api::tx().uptime().submit_leaf(Static(leaf), signature.0)).await
	}

	async fn challenge_standing(&self, device: DeviceId) -> ChainResult<ChallengeStanding> {
		let at = self.best().await?;
		if query::enrolment(&at, device).await.map_err(failed)?.is_none() {
			return Ok(ChallengeStanding::NotEnrolled);
		}
		// While any part of its score is missing.
		let may_request = query::may_request_challenge(&at, device).await.map_err(failed)?;
		Ok(if may_request { ChallengeStanding::Unscored } else { ChallengeStanding::Settled })
	}

	async fn enrol_device(&self, device: DeviceId) -> ChainResult<()> {
		self.submit(&api::tx().challenges().enrol_device(Static(device))).await
	}

	async fn request_challenge(&self, device: DeviceId) -> ChainResult<()> {
		self.submit(&api::tx().challenges().request_challenge(Static(device))).await
	}

	async fn open_round(&self, round: RoundId) -> ChainResult<Option<OpenRound>> {
		let at = self.best().await?;
		let found = query::round(&at, round).await.map_err(failed)?;
		let waits = found.filter(|round| {
			round.seats.0.iter().any(|seat| matches!(seat.state, SeatState::Empty))
		});
		let Some(found) = waits else { return Ok(None) };
		let members = query::committee(&at, &found).await.map_err(failed)?;
		let committee = members.into_iter().filter_map(|(who, address)| {
			let peer = peer_of(&address);
			if peer.is_none() {
				tracing::warn!(
					round = round.0,
					%who,
					%address,
					"a verifier of a round is not heard: its address names no peer"
				);
			}
			peer
		});
		Ok(Some(OpenRound {
			task: found.task.0,
			opened_at: found.opened_at,
			committee: committee.collect(),
		}))
	}

	async fn is_round_closed(&self, round: RoundId) -> ChainResult<bool> {
		let found = query::round(&self.best().await?, round).await.map_err(failed)?;
		Ok(found.is_none())
	}

	async fn planted(&self, device: DeviceId) -> ChainResult<Option<PlantedView>> {
		let at = self.best().await?;
		let Some(record) = query::enrolment(&at, device).await.map_err(failed)? else {
			return Ok(None);
		};
		let parameters = query::challenge_parameters(&at).await.map_err(failed)?;
		let opened_in = match query::open_round_of(&at, device).await.map_err(failed)? {
			Some(id) => query::round(&at, id).await.map_err(failed)?.map(|round| round.opened_in),
			None => None,
		};
		Ok(Some(PlantedView {
			announced: record
				.planted
				.map(|planted| Announced { hash: planted.hash, planted_in: planted.planted_in }),
			may_show_from: record
				.planted_shown_at
				.map_or(0, |shown| shown.saturating_add(parameters.planted_interval_millis)),
			opened_in,
			lead_blocks: parameters.planted_lead_blocks,
			performance: query::performance(&at, device).await.map_err(failed)?,
			now: query::now(&at).await.map_err(failed)?,
		}))
	}

	async fn plant_answer(&self, device: DeviceId, hash: H256) -> ChainResult<()> {
		self.submit(&api::tx().challenges().plant_answer(Static(device), hash)).await
	}

	async fn show_planted(&self, round: RoundId, root: H256, salt: H256) -> ChainResult<()> {
		// What is shown is forgotten here: a fork must not take it back.
		let call = api::tx().challenges().show_planted(Static(round), root, salt);
		let included = self.chain.submit(&call, &self.account, Wait::Finalized).await;
		included.map(|_| ()).map_err(failed)
	}

	async fn orchestrators_of(&self, region: RegionId) -> ChainResult<Vec<String>> {
		let found =
			query::orchestrators(&self.best().await?, Some(region)).await.map_err(failed)?;
		Ok(found.into_iter().map(|(_, _, address)| address).collect())
	}

	async fn verifiers(&self) -> ChainResult<Vec<String>> {
		let found = query::verifiers(&self.best().await?).await.map_err(failed)?;
		Ok(found.into_iter().map(|(_, address)| address).collect())
	}

	async fn leases_of_device(&self, device: DeviceId) -> ChainResult<Vec<LeaseView>> {
		let at = self.best().await?;
		let Some(id) = query::lease_of_device(&at, device).await.map_err(failed)? else {
			return Ok(Vec::new());
		};
		let found = query::lease(&at, id).await.map_err(failed)?;
		Ok(found
			.map(|lease| LeaseView { id, spec: lease.spec.0.clone(), phase: phase(&lease.state) })
			.into_iter()
			.collect())
	}

	async fn acknowledge(&self, lease: LeaseId) -> ChainResult<()> {
		self.submit(&api::tx().leases().acknowledge(Static(lease))).await
	}

	async fn start(&self, lease: LeaseId) -> ChainResult<()> {
		self.submit(&api::tx().leases().start(Static(lease))).await
	}

	async fn report(&self, lease: LeaseId, report: RunReport) -> ChainResult<()> {
		self.submit(&api::tx().leases().report_result(Static(lease), Static(report)))
			.await
	}

	async fn decline(&self, lease: LeaseId) -> ChainResult<()> {
		self.submit(&api::tx().leases().decline(Static(lease))).await
	}
}

fn phase<AccountId>(state: &LeaseState<AccountId>) -> LeasePhase {
	match state {
		LeaseState::Offered { ack_by } => LeasePhase::Offered { until: *ack_by },
		LeaseState::Acknowledged { start_by } => LeasePhase::Acknowledged { until: *start_by },
		LeaseState::Running { finish_by, .. } => LeasePhase::Running { until: *finish_by },
		LeaseState::Reported { .. } | LeaseState::Disputed { .. } => LeasePhase::Reported,
	}
}
