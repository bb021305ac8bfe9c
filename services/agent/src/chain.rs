//! What the agent needs of the chain.

pub mod sdk;

use armature_p2p::PeerId;
use armature_primitives::{
	challenge::ChallengeTask,
	device::{DeviceStatus, Performance, Tier},
	ed25519,
	evidence::EvidenceBytes,
	lease::RunReport,
	market::OrderSpec,
	telemetry::{EpochClock, Leaf},
	DeviceId, LeaseId, Moment, RegionId, RoundId, H256,
};
use async_trait::async_trait;

/// Why the chain did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
	/// No node could be reached, or none answered in time. Trying again may help.
	#[error("no answer from the chain: {0}")]
	Unavailable(String),
	/// The chain refused the call. The same call will be refused again.
	#[error("the chain refused: {0}")]
	Rejected(String),
}

/// Shorthand for results of the port.
pub type ChainResult<T> = Result<T, ChainError>;

/// The chain's best block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BestBlock {
	/// Its hash.
	pub hash: H256,
	/// Its time.
	pub time: Moment,
}

/// How epochs run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UptimeTiming {
	/// Slots and epochs.
	pub clock: EpochClock,
	/// How many full epochs late a leaf is still taken.
	pub catch_up_epochs: u32,
}

/// The device, as the chain knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceView {
	/// Its registered key.
	pub key: ed25519::Public,
	/// Its status.
	pub status: DeviceStatus,
	/// The region of its site.
	pub region: RegionId,
	/// Memory that it offers, in MiB.
	pub memory_mib: u32,
}

/// An attestation: one that is valid, or in its time of grace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttestationView {
	/// The tier that it gives.
	pub tier: Tier,
	/// When it was made.
	pub attested_at: Moment,
	/// When it ends.
	pub expires_at: Moment,
}

/// What evidence would come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EvidenceOutlook {
	/// The tier that it gives.
	pub tier: Tier,
	/// Whether the attestation can be renewed with it, which is cheaper than a verification.
	pub renews: bool,
}

/// Whether the device takes part in challenges, and how it stands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChallengeStanding {
	/// Not enrolled.
	NotEnrolled,
	/// Enrolled, and a part of its score is missing, or too old to count; a round may be asked for now.
	Unscored,
	/// Enrolled; there is nothing to ask for now: a round is to come or open, all parts of the score are
	/// valid, or it has to wait.
	Settled,
}

/// A round that waits for a verifier that has not judged it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenRound {
	/// What the device has to do.
	pub task: ChallengeTask,
	/// When it was drawn, by the chain's clock.
	pub opened_at: Moment,
	/// The peers of its committee, as far as their addresses name them.
	pub committee: Vec<PeerId>,
}

/// A wrong answer that was announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announced {
	/// See [`armature_verifier::challenge::verdict::planted_hash`].
	pub hash: H256,
	/// In which block it was announced.
	pub planted_in: u32,
}

/// What an enrolled device has planted, at one block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlantedView {
	/// What is announced and not shown.
	pub announced: Option<Announced>,
	/// From when on one may be shown again; 0 when none ever was.
	pub may_show_from: Moment,
	/// In which block the device's open round was drawn.
	pub opened_in: Option<u32>,
	/// How many blocks before its round an answer has to be announced.
	pub lead_blocks: u32,
	/// The parts of the device's score that count.
	pub performance: Performance,
	/// The block's time.
	pub now: Moment,
}

/// Where an open lease stands, as far as the provider has to act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeasePhase {
	/// To be acknowledged.
	Offered {
		/// By then.
		until: Moment,
	},
	/// To be started.
	Acknowledged {
		/// By then.
		until: Moment,
	},
	/// To be run and reported.
	Running {
		/// By then.
		until: Moment,
	},
	/// Reported or disputed: nothing left to do.
	Reported,
}

/// An open lease of the device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaseView {
	/// Its id.
	pub id: LeaseId,
	/// What is to be computed.
	pub spec: OrderSpec,
	/// Where it stands.
	pub phase: LeasePhase,
}

/// The agent's view of the chain, and its calls on it. Calls return once they are in a block.
///
/// Calls are signed by the account that the implementation holds: the device's provider or
/// operator. Everything here may be asked again after a failure.
#[async_trait]
pub trait ChainPort: Send + Sync + 'static {
	/// Hash of the first block.
	async fn genesis(&self) -> ChainResult<H256>;

	/// The best block.
	async fn best_block(&self) -> ChainResult<BestBlock>;

	/// How epochs run.
	async fn uptime_timing(&self) -> ChainResult<UptimeTiming>;

	/// The device; `None` when it is not registered.
	async fn device(&self, device: DeviceId) -> ChainResult<Option<DeviceView>>;

	/// The attestation of the device, if there is one.
	async fn attestation(&self, device: DeviceId) -> ChainResult<Option<AttestationView>>;

	/// A nonce for new evidence: the one that waits, or a fresh one.
	async fn attestation_nonce(&self, device: DeviceId) -> ChainResult<H256>;

	/// What the chain would say of evidence now, by the same verification; its refusal is
	/// [`ChainError::Rejected`]. Costs nothing.
	async fn evidence_outlook(
		&self,
		device: DeviceId,
		evidence: &EvidenceBytes,
	) -> ChainResult<EvidenceOutlook>;

	/// Submits evidence to be verified in full.
	async fn submit_evidence(&self, device: DeviceId, evidence: EvidenceBytes) -> ChainResult<()>;

	/// Renews the attestation.
	async fn renew(&self, device: DeviceId, evidence: EvidenceBytes) -> ChainResult<()>;

	/// Submits the leaf of an epoch.
	async fn submit_leaf(&self, leaf: Leaf, signature: ed25519::Signature) -> ChainResult<()>;

	/// How the device stands with challenges.
	async fn challenge_standing(&self, device: DeviceId) -> ChainResult<ChallengeStanding>;

	/// Enrols the device for challenges.
	async fn enrol_device(&self, device: DeviceId) -> ChainResult<()>;

	/// Queues a round for the device.
	async fn request_challenge(&self, device: DeviceId) -> ChainResult<()>;

	/// An open round, as long as it waits for a verifier that has not judged it.
	async fn open_round(&self, round: RoundId) -> ChainResult<Option<OpenRound>>;

	/// Whether a round has closed, or never was: nothing can be said in it any more.
	async fn is_round_closed(&self, round: RoundId) -> ChainResult<bool>;

	/// What the device has planted; `None` when it is not enrolled.
	async fn planted(&self, device: DeviceId) -> ChainResult<Option<PlantedView>>;

	/// Announces a wrong answer to some later round, by its hash.
	async fn plant_answer(&self, device: DeviceId, hash: H256) -> ChainResult<()>;

	/// Shows that a round, which has ended, was answered with what was announced. Returns once that is
	/// final.
	async fn show_planted(&self, round: RoundId, root: H256, salt: H256) -> ChainResult<()>;

	/// The addresses of the orchestrators of a region.
	async fn orchestrators_of(&self, region: RegionId) -> ChainResult<Vec<String>>;

	/// The addresses of all verifiers that take rounds.
	async fn verifiers(&self) -> ChainResult<Vec<String>>;

	/// The open leases of the device.
	async fn leases_of_device(&self, device: DeviceId) -> ChainResult<Vec<LeaseView>>;

	/// Takes a lease.
	async fn acknowledge(&self, lease: LeaseId) -> ChainResult<()>;

	/// Says that the run begins.
	async fn start(&self, lease: LeaseId) -> ChainResult<()>;

	/// Reports how the run ended.
	async fn report(&self, lease: LeaseId, report: RunReport) -> ChainResult<()>;

	/// Gives a lease back.
	async fn decline(&self, lease: LeaseId) -> ChainResult<()>;
}
