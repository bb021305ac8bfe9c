//! Keeps the device attested: with which evidence, and by which call.

use crate::{
	chain::{ChainError, ChainPort},
	config::{EvidenceConfig, EvidenceSource},
	inventory::inventory,
	key::DeviceKey,
};
use armature_evidence::{probe, CollectError, Collector, Source, Survey};
use armature_primitives::{
	device::Tier,
	evidence::{Evidence, EvidenceBytes, InventoryStatement, PlatformEvidence},
	signing::Domain,
	DeviceId, H256,
};
use armature_verifier::evidence::{report_data, Context};
use std::{path::PathBuf, sync::Arc};

#[cfg(test)]
mod tests;

/// Why the device could not be attested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestError {
	/// The chain did not take the evidence.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// This machine gave none.
	#[error("no {evidence} evidence: {source}; to do: {}", source.what_to_do())]
	Collect {
		/// What was asked for.
		evidence: Source,
		/// What went wrong.
		source: CollectError,
	},
	/// It is over the chain's size limit.
	#[error("the evidence is longer than the chain takes")]
	TooLong,
	/// Collecting was cut off.
	#[error("collecting evidence was interrupted: {0}")]
	Interrupted(String),
}

/// What collects evidence on a machine.
pub(crate) trait Machine: Send + Sync + 'static {
	/// What there is to ask. Reads files only.
	fn survey(&self) -> Survey;

	/// Asks one source. May take seconds.
	fn platform(
		&self,
		source: Source,
		report_data: &[u8; 32],
	) -> Result<PlatformEvidence, CollectError>;
}

impl Machine for Collector {
	fn survey(&self) -> Survey {
		probe(&self.roots)
	}

	fn platform(
		&self,
		source: Source,
		report_data: &[u8; 32],
	) -> Result<PlatformEvidence, CollectError> {
		Collector::platform(self, source, report_data)
	}
}

/// Attests one device.
pub(crate) struct Attestor {
	chain: Arc<dyn ChainPort>,
	key: DeviceKey,
	genesis: H256,
	device: DeviceId,
	data_dir: PathBuf,
	source: EvidenceSource,
	machine: Arc<dyn Machine>,
}

impl Attestor {
	pub(crate) fn new(
		chain: Arc<dyn ChainPort>,
		key: DeviceKey,
		genesis: H256,
		device: DeviceId,
		data_dir: PathBuf,
		config: &EvidenceConfig,
	) -> Self {
		let EvidenceConfig { certificates, tpm, .. } = config.clone();
		let machine = Collector { certificates, tpm, ..Collector::default() };
		let source = config.source;
		Self { chain, key, genesis, device, data_dir, source, machine: Arc::new(machine) }
	}

	/// Attests the device, or renews its attestation. Where the source is left to the agent, the
	/// device key alone stands in for hardware that gives nothing, which is told.
	pub(crate) async fn attest(&self) -> Result<(), AttestError> {
		let nonce = self.chain.attestation_nonce(self.device).await?;
		let statement = InventoryStatement {
			nonce,
			inventory: inventory(&self.key, &self.genesis, &self.data_dir),
		};
		if let Some(source) = self.source().await? {
			match self.attest_by(source, &statement).await {
				Err(error) if self.source == EvidenceSource::Auto && is_about_evidence(&error) => {
					tracing::warn!(%source, %error, "attesting with the device key alone");
				},
				done => return done,
			}
		}
		let signature = self.sign(&statement);
		self.submit(Evidence::DeviceKeyInventory { statement, signature }).await
	}

	/// The hardware to ask; none is the device key alone.
	async fn source(&self) -> Result<Option<Source>, AttestError> {
		Ok(match self.source {
			EvidenceSource::DeviceKey => None,
			EvidenceSource::SevSnp => Some(Source::SevSnp),
			EvidenceSource::Tdx => Some(Source::Tdx),
			EvidenceSource::Tpm => Some(Source::Tpm),
			EvidenceSource::Auto => self.blocking(|machine| machine.survey().source).await?,
		})
	}

	async fn attest_by(
		&self,
		source: Source,
		statement: &InventoryStatement,
	) -> Result<(), AttestError> {
		let report_data = report_data(&Context {
			genesis: self.genesis,
			device: self.device,
			key: self.key.public(),
			nonce: statement.nonce,
		});
		let platform = self
			.blocking(move |machine| machine.platform(source, &report_data))
			.await?
			.map_err(|error| AttestError::Collect { evidence: source, source: error })?;
		let signature = self.sign(statement);
		let gpus = Default::default();
		let statement = statement.clone();
		self.submit(Evidence::Hardware { statement, signature, platform, gpus }).await
	}

	fn sign(&self, statement: &InventoryStatement) -> armature_primitives::ed25519::Signature {
		self.key.sign(Domain::Evidence, &self.genesis, self.device, statement)
	}

	/// Sends evidence by the cheapest call that takes it. Evidence that the chain would refuse is not
	/// sent: the refusal costs as much as the verification, and a renewal that does not hold the bond.
	async fn submit(&self, evidence: Evidence) -> Result<(), AttestError> {
		let bytes: EvidenceBytes = evidence.to_bytes().ok_or(AttestError::TooLong)?;
		let outlook = self.chain.evidence_outlook(self.device, &bytes).await?;
		let renewed = outlook.renews && self.renew(bytes.clone()).await?;
		if renewed {
			tracing::info!(tier = ?outlook.tier, "attestation renewed");
		} else {
			self.chain.submit_evidence(self.device, bytes).await?;
			tracing::info!(tier = ?outlook.tier, "attested");
		}
		if outlook.tier == Tier::T0 {
			tracing::info!(
				"T0 proves a key, not a machine: `armature provider doctor` tells of more"
			);
		}
		Ok(())
	}

	/// Renews; false where the chain does not let it, because something changed since it was asked: the
	/// record ended, or the reference values are new.
	async fn renew(&self, evidence: EvidenceBytes) -> Result<bool, ChainError> {
		match self.chain.renew(self.device, evidence).await {
			Ok(()) => Ok(true),
			Err(ChainError::Rejected(error)) => {
				tracing::warn!(%error, "no renewal; the evidence is verified in full");
				Ok(false)
			},
			Err(error) => Err(error),
		}
	}

	/// Asks the machine where blocking is allowed.
	async fn blocking<T: Send + 'static>(
		&self,
		ask: impl FnOnce(&dyn Machine) -> T + Send + 'static,
	) -> Result<T, AttestError> {
		let machine = self.machine.clone();
		tokio::task::spawn_blocking(move || ask(&*machine))
			.await
			.map_err(|error| AttestError::Interrupted(error.to_string()))
	}
}

/// Whether other evidence may do better.
fn is_about_evidence(error: &AttestError) -> bool {
	matches!(error, AttestError::Collect { .. } | AttestError::Chain(ChainError::Rejected(_)))
}
