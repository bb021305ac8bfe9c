//! Keeps the device attested: with which evidence, and by which call.

use crate::{
	chain::{ChainError, ChainPort},
	config::{EvidenceConfig, EvidenceSource, GpuUse},
	inventory::inventory,
	key::DeviceKey,
};
use armature_evidence::{probe_platforms, CollectError, Collector, Source, State, Survey};
use armature_primitives::{
	device::Tier,
	evidence::{Evidence, EvidenceBytes, GpuReports, InventoryStatement, PlatformEvidence},
	signing::Domain,
	DeviceId, H256,
};
use armature_verifier::evidence::{report_data, Context};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{oneshot, Mutex};

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
	/// GPUs are wanted, and there is no platform that they count beside.
	#[error(
		"there is no SEV-SNP or TDX evidence that GPUs would count beside; to do: {0}, or set \
		 evidence.gpus to \"auto\""
	)]
	NoPlatform(String),
	/// The device holds an attestation of its platform, and shows none now.
	#[error("the platform that attested this device shows nothing now; to do: {0}")]
	PlatformLost(String),
	/// It did not answer in time.
	#[error("the hardware did not answer within {0:?}; to do: see the kernel's log (dmesg)")]
	Silent(Duration),
	/// It still has not answered what it was asked before.
	#[error(
		"the hardware still has not answered what it was asked before; to do: see the kernel's log \
		 (dmesg), and restart the machine if a driver hangs"
	)]
	Busy,
	/// Collecting was cut off.
	#[error("collecting evidence was interrupted: {0}")]
	Interrupted(String),
}

/// How long a machine may take to answer. Eight GPUs need some ten seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// What collects evidence on a machine.
pub(crate) trait Machine: Send + Sync + 'static {
	/// What platforms there are to ask. Reads files only.
	fn survey(&self) -> Survey;

	/// Asks one platform. May take seconds.
	fn platform(
		&self,
		source: Source,
		report_data: &[u8; 32],
	) -> Result<PlatformEvidence, CollectError>;

	/// Whether GPUs can be asked. Asks their driver.
	fn gpu_state(&self) -> State;

	/// Asks every GPU beside a platform that answered. May take seconds.
	fn gpus(
		&self,
		report_data: &[u8; 32],
		platform: &PlatformEvidence,
	) -> Result<GpuReports, CollectError>;
}

impl Machine for Collector {
	fn survey(&self) -> Survey {
		probe_platforms(&self.roots)
	}

	fn platform(
		&self,
		source: Source,
		report_data: &[u8; 32],
	) -> Result<PlatformEvidence, CollectError> {
		Collector::platform(self, source, report_data)
	}

	fn gpu_state(&self) -> State {
		Collector::gpu_state(self)
	}

	fn gpus(
		&self,
		report_data: &[u8; 32],
		platform: &PlatformEvidence,
	) -> Result<GpuReports, CollectError> {
		Collector::gpus(self, report_data, platform)
	}
}

/// What may vouch for the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
	/// The device key alone.
	Key,
	/// A platform.
	Platform(Source),
	/// A platform with its GPUs.
	WithGpus(Source),
}

impl Way {
	/// The most that it gives.
	fn tier(self) -> Tier {
		match self {
			Way::Key | Way::Platform(Source::Tpm | Source::NvidiaGpu) => Tier::T0,
			Way::Platform(Source::SevSnp | Source::Tdx) => Tier::T2,
			Way::WithGpus(_) => Tier::T3,
		}
	}

	/// Whether a weaker way may do better after this failure of it. A driver that still hangs says
	/// nothing of a platform.
	fn is_worse_than_the_next(self, error: &AttestError) -> bool {
		match error {
			AttestError::Chain(ChainError::Unavailable(_)) => false,
			AttestError::Busy => matches!(self, Way::WithGpus(_)),
			_ => true,
		}
	}
}

impl std::fmt::Display for Way {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		match self {
			Way::Key => f.write_str("the device key"),
			Way::Platform(source) => write!(f, "{source}"),
			Way::WithGpus(source) => write!(f, "{source} with {}", Source::NvidiaGpu),
		}
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
	gpus: GpuUse,
	machine: Arc<dyn Machine>,
	/// Taken while a platform is being asked.
	platform_turn: Arc<Mutex<()>>,
	/// Taken while GPUs are being asked: their driver must not hold up the platform.
	gpu_turn: Arc<Mutex<()>>,
	/// How long either may take to answer.
	patience: Duration,
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
		let EvidenceConfig { source, certificates, tpm, gpus } = config.clone();
		let machine = Arc::new(Collector { certificates, tpm, ..Collector::default() });
		Self {
			chain,
			key,
			genesis,
			device,
			data_dir,
			source,
			gpus,
			machine,
			platform_turn: Arc::default(),
			gpu_turn: Arc::default(),
			patience: PATIENCE,
		}
	}

	/// Attests the device, or renews its attestation. `held` is the tier that it has, in its time of
	/// grace too.
	///
	/// Where it is left to the agent, less stands in for hardware that gives nothing, which is told;
	/// but never for less than what is held: the device may run a lease that asks for it, and what is
	/// broken may work again before the attestation is gone.
	pub(crate) async fn attest(&self, held: Option<Tier>) -> Result<(), AttestError> {
		let ways = self.ways(held).await?;
		let nonce = self.chain.attestation_nonce(self.device).await?;
		let statement = InventoryStatement {
			nonce,
			inventory: inventory(&self.key, &self.genesis, &self.data_dir),
		};
		let mut ways = ways.into_iter().peekable();
		while let Some(way) = ways.next() {
			match (self.attest_by(way, &statement).await, ways.peek()) {
				(Err(error), Some(next))
					if way.is_worse_than_the_next(&error)
						&& held.is_none_or(|held| held <= next.tier()) =>
				{
					tracing::warn!(%error, "no attestation by {way}: attesting by {next} alone");
				},
				(done, _) => return done,
			}
		}
		Ok(())
	}

	/// What may vouch for the device, the best first. Not empty, and the first not below what is held
	/// where that is left to the agent.
	async fn ways(&self, held: Option<Tier>) -> Result<Vec<Way>, AttestError> {
		let (source, missing) = match self.source {
			EvidenceSource::DeviceKey => return Ok(vec![Way::Key]),
			EvidenceSource::Tpm => return Ok(vec![Way::Platform(Source::Tpm)]),
			EvidenceSource::SevSnp => (Some(Source::SevSnp), String::new()),
			EvidenceSource::Tdx => (Some(Source::Tdx), String::new()),
			EvidenceSource::Auto => {
				let survey = self.asked(&self.platform_turn, Machine::survey).await?;
				(survey.source, survey.next_step)
			},
		};
		let mut ways = Vec::new();
		if let Some(source) = source {
			if self.asks_gpus(held).await {
				ways.push(Way::WithGpus(source));
			}
			if self.gpus != GpuUse::Always {
				ways.push(Way::Platform(source));
			}
		}
		if self.source == EvidenceSource::Auto && self.gpus != GpuUse::Always {
			ways.push(Way::Key);
		}
		match ways.first() {
			None => Err(AttestError::NoPlatform(missing)),
			Some(Way::Key) if held.is_some_and(|held| held > Tier::T0) => {
				Err(AttestError::PlatformLost(missing))
			},
			Some(_) => Ok(ways),
		}
	}

	/// Whether GPUs are asked beside a platform: where they are wanted, where an attestation with them
	/// is held, and otherwise where their driver says that they can be.
	async fn asks_gpus(&self, held: Option<Tier>) -> bool {
		match self.gpus {
			GpuUse::Always => true,
			GpuUse::Never => false,
			GpuUse::Auto if held == Some(Tier::T3) => true,
			GpuUse::Auto => match self.asked(&self.gpu_turn, Machine::gpu_state).await {
				Ok(State::Available) => true,
				Ok(State::NotSupported { .. }) => false,
				Ok(State::Missing { why, what_to_do }) => {
					tracing::info!("attesting without GPUs: {why}; to do: {what_to_do}");
					false
				},
				Err(error) => {
					tracing::warn!(%error, "attesting without GPUs");
					false
				},
			},
		}
	}

	async fn attest_by(&self, way: Way, statement: &InventoryStatement) -> Result<(), AttestError> {
		let signature = self.key.sign(Domain::Evidence, &self.genesis, self.device, statement);
		let statement = statement.clone();
		let evidence = match way {
			Way::Key => Evidence::DeviceKeyInventory { statement, signature },
			Way::Platform(source) | Way::WithGpus(source) => {
				let with_gpus = way == Way::WithGpus(source);
				let (platform, gpus) = self.hardware(source, with_gpus, statement.nonce).await?;
				Evidence::Hardware { statement, signature, platform, gpus }
			},
		};
		self.submit(evidence).await
	}

	/// Asks a platform, and its GPUs if they are wanted.
	async fn hardware(
		&self,
		source: Source,
		with_gpus: bool,
		nonce: H256,
	) -> Result<(PlatformEvidence, GpuReports), AttestError> {
		let report_data = report_data(&Context {
			genesis: self.genesis,
			device: self.device,
			key: self.key.public(),
			nonce,
		});
		let of = |evidence| move |source| AttestError::Collect { evidence, source };
		let platform = self
			.asked(&self.platform_turn, move |machine| machine.platform(source, &report_data))
			.await?
			.map_err(of(source))?;
		if !with_gpus {
			return Ok((platform, GpuReports::default()));
		}
		let beside = platform.clone();
		let gpus = self
			.asked(&self.gpu_turn, move |machine| machine.gpus(&report_data, &beside))
			.await?
			.map_err(of(Source::NvidiaGpu))?;
		Ok((platform, gpus))
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

	/// Asks the machine in a thread of its own: a driver that hangs must hold up neither the agent nor
	/// its end. It is not asked again before it answered.
	async fn asked<T: Send + 'static>(
		&self,
		turn: &Arc<Mutex<()>>,
		ask: impl FnOnce(&dyn Machine) -> T + Send + 'static,
	) -> Result<T, AttestError> {
		let machine = self.machine.clone();
		let turn = turn.clone().try_lock_owned().map_err(|_| AttestError::Busy)?;
		let (answer, answered) = oneshot::channel();
		std::thread::Builder::new()
			.name("evidence".into())
			.spawn(move || {
				let found = ask(&*machine);
				drop(turn);
				// Nobody waits any more where it took too long.
				let _ = answer.send(found);
			})
			.map_err(|error| AttestError::Interrupted(error.to_string()))?;
		tokio::time::timeout(self.patience, answered)
			.await
			.map_err(|_| AttestError::Silent(self.patience))?
			.map_err(|_| AttestError::Interrupted("its thread panicked".into()))
	}
}
