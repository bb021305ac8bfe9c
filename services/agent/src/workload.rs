//! Runs leases: acknowledge, fetch, start, run, store the output, report.
//!
//! The chain says where a lease stands and the journal what this device has already computed, so
//! an agent that was restarted goes on from there. A finished run is never repeated; a run that
//! was cut off begins anew, which gives the same result and is paid once, for the lease is.

use crate::{
	chain::{ChainError, ChainPort, LeasePhase, LeaseView},
	clock,
	lock::lock,
	metrics::Metrics,
	store::{database, decode, Store, StoreError},
};
use armature_primitives::{lease::RunReport, LeaseId, Moment, H256};
use armature_sandbox::{Limits, Sandbox, SandboxError, MAX_INPUT_BYTES, MAX_MODULE_BYTES};
use async_trait::async_trait;
use codec::{Decode, Encode};
use redb::{ReadableTable, TableDefinition};
use std::{
	collections::HashMap,
	sync::{Arc, Mutex},
	time::Duration,
};

/// Finished runs by lease.
const RUNS: TableDefinition<u64, &[u8]> = TableDefinition::new("runs");

/// Attempts to fetch a lease's blobs before it is declined.
const FETCH_ATTEMPTS: u32 = 5;

/// How long a module may take to compile when it is looked at before the start.
const VALIDATION_TIME: Duration = Duration::from_secs(60);

/// Why a blob could not be moved.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
	/// Nobody who was asked has it.
	#[error("no orchestrator has the blob")]
	NotFound,
	/// It is larger than allowed.
	#[error("the blob has {len} bytes; at most {max} are allowed")]
	TooLarge {
		/// Its length.
		len: u64,
		/// The cap.
		max: u64,
	},
	/// Nobody could be asked, or moving it failed.
	#[error("moving a blob: {0}")]
	Unavailable(String),
}

/// Where blobs are.
#[async_trait]
pub trait BlobPort: Send + Sync + 'static {
	/// Fetches a blob of at most `max` bytes. Its bytes have the hash.
	async fn fetch(&self, hash: H256, max: u64) -> Result<Vec<u8>, BlobError>;

	/// Stores a blob where the tenant will look for it.
	async fn store(&self, bytes: &[u8]) -> Result<(), BlobError>;
}

/// Why a lease did not get further. Unless it was declined it is tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
	/// The chain did not do what was asked.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// A blob could not be moved.
	#[error(transparent)]
	Blob(#[from] BlobError),
	/// The store failed.
	#[error(transparent)]
	Store(#[from] StoreError),
	/// The sandbox could not run the module now.
	#[error(transparent)]
	Sandbox(#[from] SandboxError),
	/// The state's time is over; the chain will settle the lease.
	#[error("too late")]
	TooLate,
}

/// What one step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
	/// The lease moved on; look again at once.
	Moved,
	/// Nothing is left to do.
	Done,
}

/// A finished run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
struct Finished {
	report: RunReport,
	output: Vec<u8>,
}

/// A lease's blobs.
#[derive(Clone, Debug)]
struct Blobs {
	module: Vec<u8>,
	input: Vec<u8>,
}

/// Runs the leases of one device, one after the other.
pub struct Workloads {
	chain: Arc<dyn ChainPort>,
	blobs: Arc<dyn BlobPort>,
	store: Arc<Store>,
	sandbox: Sandbox,
	memory_mib: u32,
	enabled: bool,
	metrics: Arc<Metrics>,
	/// Blobs of the lease that was fetched last.
	fetched: Mutex<Option<(LeaseId, Blobs)>>,
	/// Failed attempts to fetch.
	failures: Mutex<HashMap<LeaseId, u32>>,
}

impl Workloads {
	/// For a device that offers `memory_mib`. When not `enabled`, leases are declined.
	pub(crate) fn new(
		chain: Arc<dyn ChainPort>,
		blobs: Arc<dyn BlobPort>,
		store: Arc<Store>,
		sandbox: Sandbox,
		memory_mib: u32,
		enabled: bool,
		metrics: Arc<Metrics>,
	) -> Self {
		Self {
			chain,
			blobs,
			store,
			sandbox,
			memory_mib,
			enabled,
			metrics,
			fetched: Mutex::default(),
			failures: Mutex::default(),
		}
	}

	/// Drops what is remembered of leases that are not open any more.
	pub fn forget_closed(&self, open: &[LeaseView]) -> Result<(), StoreError> {
		let is_open = |id: LeaseId| open.iter().any(|lease| lease.id == id);
		lock(&self.failures).retain(|id, _| is_open(*id));
		lock(&self.fetched).take_if(|(id, _)| !is_open(*id));
		let write = self.store.db.begin_write().map_err(database)?;
		{
			let mut runs = write.open_table(RUNS).map_err(database)?;
			runs.retain(|id, _| is_open(LeaseId(id))).map_err(database)?;
		}
		write.commit().map_err(database)
	}

	/// Takes the next step of a lease.
	pub async fn step(&self, lease: &LeaseView) -> Result<Progress, WorkError> {
		match lease.phase {
			LeasePhase::Offered { until } => {
				in_time(until)?;
				if let Some(reason) = self.unfit(lease) {
					return self.decline(lease, reason).await;
				}
				self.chain.acknowledge(lease.id).await?;
				Ok(Progress::Moved)
			},
			LeasePhase::Acknowledged { until } => {
				in_time(until)?;
				let Some(blobs) = self.fetch(lease).await? else { return Ok(Progress::Moved) };
				let sandbox = self.sandbox.clone();
				let checked = tokio::task::spawn_blocking(move || {
					sandbox.validate(&blobs.module, VALIDATION_TIME)
				})
				.await
				.map_err(|error| SandboxError::Host(error.to_string()))?;
				match checked {
					Err(SandboxError::InvalidModule(reason)) => {
						return self.decline(lease, &reason).await
					},
					checked => checked?,
				}
				self.chain.start(lease.id).await?;
				Ok(Progress::Moved)
			},
			LeasePhase::Running { until } => {
				in_time(until)?;
				let finished = match self.finished(lease.id)? {
					Some(finished) => finished,
					None => match self.run(lease).await? {
						Some(finished) => finished,
						None => return Ok(Progress::Moved),
					},
				};
				in_time(until)?;
				// A report without its output would be paid for nothing.
				self.blobs.store(&finished.output).await?;
				self.chain.report(lease.id, finished.report).await?;
				self.metrics.reported(finished.report.status);
				tracing::info!(
					lease = lease.id.0,
					status = ?finished.report.status,
					fuel = finished.report.fuel,
					output_len = finished.report.output_len,
					"reported"
				);
				Ok(Progress::Moved)
			},
			LeasePhase::Reported => Ok(Progress::Done),
		}
	}

	/// Why this device cannot take the lease.
	fn unfit(&self, lease: &LeaseView) -> Option<&'static str> {
		if !self.enabled {
			return Some("workloads are switched off");
		}
		if lease.spec.max_memory_mib > self.memory_mib {
			return Some("it wants more memory than this device offers");
		}
		None
	}

	/// The lease's blobs; `None` when it was declined for them.
	async fn fetch(&self, lease: &LeaseView) -> Result<Option<Blobs>, WorkError> {
		if let Some((id, blobs)) = &*lock(&self.fetched) {
			if *id == lease.id {
				return Ok(Some(blobs.clone()));
			}
		}
		let max_module = u64::try_from(MAX_MODULE_BYTES).unwrap_or(u64::MAX);
		let fetched = async {
			let module = self.blobs.fetch(lease.spec.module, max_module).await?;
			let input = self.blobs.fetch(lease.spec.input, MAX_INPUT_BYTES).await?;
			Ok(Blobs { module, input })
		}
		.await;
		match fetched {
			Ok(blobs) => {
				lock(&self.failures).remove(&lease.id);
				*lock(&self.fetched) = Some((lease.id, blobs.clone()));
				Ok(Some(blobs))
			},
			Err(BlobError::TooLarge { .. }) => {
				self.decline(lease, "a blob is over its size limit").await?;
				Ok(None)
			},
			Err(error) => {
				let attempts = {
					let mut failures = lock(&self.failures);
					let attempts = failures.entry(lease.id).or_default();
					*attempts = attempts.saturating_add(1);
					*attempts
				};
				if attempts < FETCH_ATTEMPTS {
					return Err(error.into());
				}
				self.decline(lease, "its blobs could not be fetched").await?;
				Ok(None)
			},
		}
	}

	/// Runs the lease's module and writes the result to the journal; `None` when it was declined.
	async fn run(&self, lease: &LeaseView) -> Result<Option<Finished>, WorkError> {
		let Some(blobs) = self.fetch(lease).await? else { return Ok(None) };
		let limits = Limits::of_order(&lease.spec);
		let outcome = match self.sandbox.run_async(blobs.module, blobs.input, limits).await {
			Err(SandboxError::InvalidModule(reason)) => {
				self.decline(lease, &reason).await?;
				return Ok(None);
			},
			outcome => outcome?,
		};
		if !outcome.diagnostics.is_empty() {
			let text = String::from_utf8_lossy(&outcome.diagnostics);
			tracing::debug!(lease = lease.id.0, ?text, "standard error of the module");
		}
		let report = RunReport {
			status: outcome.status,
			output: H256(sp_crypto_hashing::blake2_256(&outcome.output)),
			output_len: u64::try_from(outcome.output.len()).unwrap_or(u64::MAX),
			fuel: outcome.fuel,
		};
		let finished = Finished { report, output: outcome.output };
		let write = self.store.db.begin_write().map_err(database)?;
		{
			let mut runs = write.open_table(RUNS).map_err(database)?;
			runs.insert(lease.id.0, finished.encode().as_slice()).map_err(database)?;
		}
		write.commit().map_err(database)?;
		Ok(Some(finished))
	}

	fn finished(&self, lease: LeaseId) -> Result<Option<Finished>, StoreError> {
		let write = self.store.db.begin_write().map_err(database)?;
		let found = {
			let runs = write.open_table(RUNS).map_err(database)?;
			let found = runs.get(lease.0).map_err(database)?;
			found.map(|run| decode(run.value(), "run")).transpose()?
		};
		write.commit().map_err(database)?;
		Ok(found)
	}

	async fn decline(&self, lease: &LeaseView, reason: &str) -> Result<Progress, WorkError> {
		tracing::warn!(lease = lease.id.0, reason, "declining");
		self.chain.decline(lease.id).await?;
		self.metrics.declined();
		Ok(Progress::Moved)
	}
}

/// Past a state's deadline a call would only cost its fee.
fn in_time(until: Moment) -> Result<(), WorkError> {
	if clock::now() > until {
		Err(WorkError::TooLate)
	} else {
		Ok(())
	}
}

#[cfg(test)]
mod tests;
