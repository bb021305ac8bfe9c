//! [`ChainView`] over the SDK.

use super::{ChainError, ChainView, Dispute, Renewal, RenewalOutcome};
use armature_primitives::{
	challenge::{ChallengeTask, Verdict},
	ed25519,
	evidence::MAX_EVIDENCE_LEN,
	lease::RunReport,
	DeviceId, LeaseId, RoundId, H256,
};
use armature_sdk::{
	api::{self, runtime_types::bounded_collections::bounded_vec::BoundedVec},
	bounded,
	evidence::{self, DisputeOutcome},
	query::{self, LeaseState},
	Account, AtBlock, Chain, Error, Static, Wait,
};
use async_trait::async_trait;

/// A chain reached over RPC, and the verifier's account.
pub struct SdkChain {
	chain: Chain,
	account: Account,
}

impl SdkChain {
	/// Over a connection, acting as the registered verifier `account`.
	pub fn new(chain: Chain, account: Account) -> Self {
		Self { chain, account }
	}

	async fn best(&self) -> Result<AtBlock, ChainError> {
		self.chain.best().await.map_err(failed)
	}

	async fn submit(&self, call: &impl armature_sdk::Payload) -> Result<(), ChainError> {
		self.chain
			.submit(call, &self.account, Wait::Best)
			.await
			.map(|_| ())
			.map_err(failed)
	}
}

/// What the chain's execution refused will be refused again; the rest may pass later.
fn failed(error: Error) -> ChainError {
	match error {
		Error::Refused { .. } | Error::RefusedByRuntime { .. } => {
			ChainError::Rejected(error.to_string())
		},
		other => ChainError::Unavailable(other.to_string()),
	}
}

#[async_trait]
impl ChainView for SdkChain {
	fn genesis(&self) -> H256 {
		self.chain.genesis()
	}

	async fn device_key(&self, id: DeviceId) -> Result<Option<ed25519::Public>, ChainError> {
		let device = query::device(&self.best().await?, id).await.map_err(failed)?;
		Ok(device.map(|device| ed25519::Public::from_raw(device.key)))
	}

	async fn open_rounds(&self) -> Result<Vec<ChallengeTask>, ChainError> {
		query::open_rounds_of(&self.best().await?, &self.account.id())
			.await
			.map_err(failed)
	}

	async fn post_verdicts(&self, verdicts: &[(RoundId, Verdict)]) -> Result<(), ChainError> {
		let verdicts = verdicts
			.iter()
			.map(|(round, verdict)| (Static(*round), Static(*verdict)))
			.collect();
		self.submit(&api::tx().challenges().post_verdicts(BoundedVec(verdicts))).await
	}

	async fn open_disputes(&self) -> Result<Vec<Dispute>, ChainError> {
		let at = self.best().await?;
		let me = self.account.id();
		let mut disputes = Vec::new();
		for (lease, found) in query::leases(&at).await.map_err(failed)? {
			let LeaseState::Disputed { verifier, resolve_by, .. } = &found.state else { continue };
			if *verifier != me {
				continue;
			}
			let site = query::site(&at, found.site.0).await.map_err(failed)?;
			let region = site.map(|site| site.region.0);
			let orchestrators = query::orchestrators(&at, region)
				.await
				.map_err(failed)?
				.into_iter()
				.map(|(_, _, address)| address)
				.collect();
			disputes.push(Dispute {
				lease,
				spec: found.spec.0.clone(),
				orchestrators,
				resolve_by: *resolve_by,
			});
		}
		Ok(disputes)
	}

	async fn pending_renewals(&self) -> Result<Vec<Renewal>, ChainError> {
		let at = self.best().await?;
		let now = query::now(&at).await.map_err(failed)?;
		let pending = evidence::pending_renewals(&at).await.map_err(failed)?;
		Ok(pending
			.into_iter()
			.filter(|(_, renewal)| now < renewal.disputable_until)
			.map(|(device, renewal)| Renewal { device, evidence: renewal.evidence_hash })
			.collect())
	}

	async fn renewal_evidence(&self, renewal: &Renewal) -> Result<Option<Vec<u8>>, ChainError> {
		let at = self.best().await?;
		let pending = evidence::pending_renewal(&at, renewal.device).await.map_err(failed)?;
		match pending.filter(|pending| pending.evidence_hash == renewal.evidence) {
			Some(pending) => evidence::renewal_evidence(&self.chain, &at, renewal.device, &pending)
				.await
				.map_err(failed),
			None => Ok(None),
		}
	}

	async fn renewal_outcome(
		&self,
		device: DeviceId,
		evidence: &[u8],
	) -> Result<RenewalOutcome, ChainError> {
		let at = self.best().await?;
		let outcome = evidence::dispute_outcome(&at, device, evidence.to_vec())
			.await
			.map_err(failed)?;
		Ok(match outcome.map_err(ChainError::Rejected)? {
			DisputeOutcome::Upheld | DisputeOutcome::Outdated { .. } => RenewalOutcome::Stands,
			DisputeOutcome::Refuted { error, forged } => {
				RenewalOutcome::Refuted { reason: evidence::explain(&at, &error), forged }
			},
		})
	}

	async fn dispute_renewal(&self, device: DeviceId, evidence: &[u8]) -> Result<(), ChainError> {
		let evidence =
			bounded(evidence.to_vec(), MAX_EVIDENCE_LEN, "the evidence").map_err(failed)?;
		self.submit(&api::tx().attestation().dispute_renewal(Static(device), evidence))
			.await
	}

	async fn resolve_dispute(&self, lease: LeaseId, report: RunReport) -> Result<(), ChainError> {
		self.submit(&api::tx().leases().resolve_dispute(Static(lease), Static(report)))
			.await
	}
}
