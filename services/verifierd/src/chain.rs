//! What a verifier reads from the chain and posts to it.

pub mod sdk;

use armature_primitives::{
	challenge::{Assignment, Verdict},
	ed25519,
	lease::RunReport,
	market::OrderSpec,
	DeviceId, LeaseId, Moment, RoundId, H256,
};
use armature_sdk::AccountId32;
use armature_verifier::challenge::fraud::FraudProof;
use async_trait::async_trait;

/// Why the chain did not do what was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
	/// No node could be reached, or none answered in time. Whether a call was taken is unknown;
	/// trying again may help.
	#[error("no answer from the chain: {0}")]
	Unavailable(String),
	/// The chain refused the call. The same call will be refused again.
	#[error("the chain refused: {0}")]
	Rejected(String),
}

/// A dispute that this verifier was drawn for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dispute {
	/// The lease.
	pub lease: LeaseId,
	/// What was to be computed.
	pub spec: OrderSpec,
	/// Addresses of the orchestrators of the device's region, which keep the blobs.
	pub orchestrators: Vec<String>,
	/// The last moment to report.
	pub resolve_by: Moment,
}

/// A renewal of a device's attestation that can still be disputed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Renewal {
	/// The device.
	pub device: DeviceId,
	/// Blake2b-256 of its evidence.
	pub evidence: H256,
}

/// What a dispute of a renewal would come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RenewalOutcome {
	/// Nothing that anyone should pay for: it holds, or what the chain keeps changed since.
	Stands,
	/// The attestation ends.
	Refuted {
		/// Why.
		reason: String,
		/// Whether the device is slashed, too.
		forged: bool,
	},
}

/// The chain, at its best known state. Calls are signed by the account that the implementation
/// holds, the verifier's, and return once they are in a block. Implementations reconnect by
/// themselves.
#[async_trait]
pub trait ChainView: Send + Sync {
	/// The genesis hash, which every signature binds.
	fn genesis(&self) -> H256;

	/// The account that signs, which seals name.
	fn account(&self) -> AccountId32;

	/// The address that devices are told to find this verifier at; `None` where it is not registered, or
	/// takes no more rounds.
	async fn own_address(&self) -> Result<Option<String>, ChainError>;

	/// The key of a device; `None` when no such device is registered.
	async fn device_key(&self, id: DeviceId) -> Result<Option<ed25519::Public>, ChainError>;

	/// The open rounds that wait for something from this verifier, or will. Asked often: the
	/// verifier's clock for a round starts when it first shows up here.
	async fn open_rounds(&self) -> Result<Vec<Assignment>, ChainError>;

	/// How long after its block a fraud in a round can be proved at the latest, in milliseconds.
	async fn fraud_window_millis(&self) -> Result<u64, ChainError>;

	/// Posts hashes of verdicts in one call; either all are taken or none is.
	async fn seal_verdicts(&self, seals: &[(RoundId, H256)]) -> Result<(), ChainError>;

	/// Posts verdicts with the salts that they were sealed with, in one call; either all are taken or
	/// none is.
	async fn reveal_verdicts(&self, reveals: &[(RoundId, Verdict, H256)])
		-> Result<(), ChainError>;

	/// Proves that the device of a round is a fraud. [`ChainError::Rejected`] also where the chain finds
	/// that it is none, which costs the bond of the proof; the text names the error as
	/// `Challenges.prove_fraud was refused: Challenges.FraudKnown: why` and, for that,
	/// `Challenges.FraudRefuted`.
	async fn prove_fraud(&self, round: RoundId, proof: &FraudProof) -> Result<(), ChainError>;

	/// The disputes that wait for this verifier's report.
	async fn open_disputes(&self) -> Result<Vec<Dispute>, ChainError>;

	/// The renewals whose evidence nobody verified yet.
	async fn pending_renewals(&self) -> Result<Vec<Renewal>, ChainError>;

	/// The evidence of a renewal. `None` where the chain does not show it now.
	async fn renewal_evidence(&self, renewal: &Renewal) -> Result<Option<Vec<u8>>, ChainError>;

	/// What a dispute would come to now, by the chain's own verification; [`ChainError::Rejected`] where
	/// it would be refused. Costs nothing.
	async fn renewal_outcome(
		&self,
		device: DeviceId,
		evidence: &[u8],
	) -> Result<RenewalOutcome, ChainError>;

	/// Disputes a renewal.
	async fn dispute_renewal(&self, device: DeviceId, evidence: &[u8]) -> Result<(), ChainError>;

	/// Posts what the module of a disputed lease did here.
	async fn resolve_dispute(&self, lease: LeaseId, report: RunReport) -> Result<(), ChainError>;
}
