//! [`ChainView`] over the SDK.

use super::{ChainError, ChainView, Dispute, Renewal, RenewalOutcome};
use armature_primitives::{
	challenge::{Assignment, Verdict},
	ed25519,
	evidence::MAX_EVIDENCE_LEN,
	lease::RunReport,
	DeviceId, LeaseId, RoundId, H256,
};
use armature_sdk::{
	api::{
		self,
		runtime_types::{
			armature_verifier::challenge::{
				fill::{FillOpening as BlockArg, OpenedBlock as OpenedArg},
				fraud::{FraudProof as ProofArg, SignedCommit as SignedArg},
				gemm::{EntryOpening as EntryArg, OpenedRow as RowArg},
				opening::SegmentOpening as OpeningArg,
				storage::{SealedOpening as SealedArg, SectorPlace as PlaceArg},
			},
			bounded_collections::bounded_vec::BoundedVec,
		},
	},
	bounded,
	evidence::{self, DisputeOutcome},
	query::{self, LeaseState},
	Account, AccountId32, AtBlock, Chain, Error, Static, Wait,
};
use armature_verifier::challenge::{
	fill::{FillOpening, OpenedBlock},
	fraud::{FraudProof, SignedCommit},
	gemm::{EntryOpening, OpenedRow},
	storage::{SealedOpening, SectorPlace},
	SegmentOpening,
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
		let included = self.chain.submit(call, &self.account, Wait::Best).await;
		included.map(|_| ()).map_err(failed)
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

/// A proof in the types that the SDK made from the metadata, field by field.
fn proof_arg(proof: &FraudProof) -> ProofArg {
	match proof {
		FraudProof::Segment { signed, opening } => {
			ProofArg::Segment { signed: signed_arg(signed), opening: opening_arg(opening) }
		},
		FraudProof::Equivocation { first, second } => {
			ProofArg::Equivocation { first: signed_arg(first), second: signed_arg(second) }
		},
		FraudProof::Block { signed, opening } => {
			ProofArg::Block { signed: signed_arg(signed), opening: Box::new(block_arg(opening)) }
		},
		FraudProof::Entry { signed, opening } => {
			ProofArg::Entry { signed: signed_arg(signed), opening: Box::new(entry_arg(opening)) }
		},
		FraudProof::Sealed { signed, opening } => {
			ProofArg::Sealed { signed: signed_arg(signed), opening: Box::new(sealed_arg(opening)) }
		},
	}
}

fn signed_arg(signed: &SignedCommit) -> SignedArg {
	let SignedCommit { commit, signature } = signed;
	SignedArg { commit: Static(commit.clone()), signature: signature.0 }
}

fn opening_arg(opening: &SegmentOpening) -> OpeningArg {
	let SegmentOpening { lane, segment, end, path, lane_root, lane_path } = opening;
	OpeningArg {
		lane: *lane,
		segment: *segment,
		end: *end,
		path: BoundedVec(path.to_vec()),
		lane_root: *lane_root,
		lane_path: BoundedVec(lane_path.to_vec()),
	}
}

fn block_arg(opening: &FillOpening) -> BlockArg {
	let FillOpening { lane, at, block, sources } = opening;
	BlockArg {
		lane: *lane,
		at: *at,
		block: opened_arg(block),
		sources: BoundedVec(sources.iter().map(opened_arg).collect()),
	}
}

fn opened_arg(opened: &OpenedBlock) -> OpenedArg {
	let OpenedBlock { bytes, path } = opened;
	OpenedArg { bytes: *bytes, path: BoundedVec(path.to_vec()) }
}

fn entry_arg(opening: &EntryOpening) -> EntryArg {
	let EntryOpening { step, row, column, last, other, result } = opening;
	EntryArg {
		step: *step,
		row: *row,
		column: *column,
		last: last.as_ref().map(row_arg),
		other: other.as_ref().map(row_arg),
		result: row_arg(result),
	}
}

fn row_arg(opened: &OpenedRow) -> RowArg {
	let OpenedRow { row, path, state_root, state_path } = opened;
	RowArg {
		row: BoundedVec(row.to_vec()),
		path: BoundedVec(path.to_vec()),
		state_root: *state_root,
		state_path: BoundedVec(state_path.to_vec()),
	}
}

fn sealed_arg(opening: &SealedOpening) -> SealedArg {
	let SealedOpening { sector, fill, place } = opening;
	let SectorPlace { root, path, salt } = place;
	SealedArg {
		sector: *sector,
		fill: block_arg(fill),
		place: PlaceArg { root: *root, path: BoundedVec(path.to_vec()), salt: *salt },
	}
}

#[async_trait]
impl ChainView for SdkChain {
	fn genesis(&self) -> H256 {
		self.chain.genesis()
	}

	fn account(&self) -> AccountId32 {
		self.account.id()
	}

	async fn own_address(&self) -> Result<Option<String>, ChainError> {
		let record =
			query::verifier(&self.best().await?, &self.account.id()).await.map_err(failed)?;
		let active = record.filter(|record| record.retired_at.is_none());
		Ok(active.map(|record| query::text(&record.address.0)))
	}

	async fn device_key(&self, id: DeviceId) -> Result<Option<ed25519::Public>, ChainError> {
		let device = query::device(&self.best().await?, id).await.map_err(failed)?;
		Ok(device.map(|device| ed25519::Public::from_raw(device.key)))
	}

	async fn open_rounds(&self) -> Result<Vec<Assignment>, ChainError> {
		query::open_rounds_of(&self.best().await?, &self.account.id())
			.await
			.map_err(failed)
	}

	async fn fraud_window_millis(&self) -> Result<u64, ChainError> {
		let at = self.best().await?;
		let parameters = query::challenge_parameters(&at).await.map_err(failed)?;
		Ok(parameters
			.window_millis
			.saturating_add(parameters.reveal_millis)
			.saturating_add(parameters.dispute_millis))
	}

	async fn seal_verdicts(&self, seals: &[(RoundId, H256)]) -> Result<(), ChainError> {
		let seals = seals.iter().map(|(round, seal)| (Static(*round), *seal)).collect();
		self.submit(&api::tx().challenges().seal_verdicts(BoundedVec(seals))).await
	}

	async fn reveal_verdicts(
		&self,
		reveals: &[(RoundId, Verdict, H256)],
	) -> Result<(), ChainError> {
		let reveals = reveals
			.iter()
			.map(|(round, verdict, salt)| (Static(*round), Static(*verdict), *salt))
			.collect();
		self.submit(&api::tx().challenges().reveal_verdicts(BoundedVec(reveals))).await
	}

	async fn prove_fraud(&self, round: RoundId, proof: &FraudProof) -> Result<(), ChainError> {
		let call = api::tx().challenges().prove_fraud(Static(round), proof_arg(proof));
		let included = match self.chain.submit(&call, &self.account, Wait::Best).await {
			Ok(included) => included,
			// No error of a pallet: the bond cannot be held.
			Err(error @ Error::RefusedByRuntime { .. }) => {
				let parameters =
					query::challenge_parameters(&self.best().await?).await.map_err(failed)?;
				let bond = parameters.dispute_bond;
				return Err(ChainError::Rejected(format!(
					"{error}; fund the verifier's account: the proof of a fraud bonds {bond} planck"
				)));
			},
			Err(error) => return Err(failed(error)),
		};
		// What proves nothing costs the bond, and so the call succeeds.
		match included.find::<api::challenges::events::FraudRefuted>() {
			None => Ok(()),
			Some(_) => Err(ChainError::Rejected(
				"Challenges.prove_fraud was refused: Challenges.FraudRefuted: what it calls wrong is \
				 right; the bond is lost"
					.into(),
			)),
		}
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
