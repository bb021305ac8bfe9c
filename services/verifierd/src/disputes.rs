//! Settling a dispute: run the module again.

use crate::{chain::Dispute, config::DisputeConfig};
use armature_p2p::{get_blob, Handle, P2pError};
use armature_primitives::{
	lease::{RunReport, RunStatus},
	H256,
};
use armature_sandbox::{Limits, Sandbox, SandboxError, MAX_MODULE_BYTES};

/// Why a dispute cannot be settled here, for now or for good.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsettled {
	#[error("the order wants {wanted} MiB of memory, more than this machine lends")]
	TooMuchMemory { wanted: u32 },
	#[error("no orchestrator of the region is known")]
	NoOrchestrator,
	#[error("fetching {what} {hash:?}")]
	Blob {
		what: &'static str,
		hash: H256,
		#[source]
		source: P2pError,
	},
	#[error("running the module")]
	Sandbox(#[source] SandboxError),
}

/// Fetches module and input and runs them within the order's limits.
pub(crate) async fn rerun(
	handle: &Handle,
	sandbox: &Sandbox,
	config: &DisputeConfig,
	dispute: &Dispute,
) -> Result<RunReport, Unsettled> {
	let spec = &dispute.spec;
	if spec.max_memory_mib > config.max_memory_mib {
		return Err(Unsettled::TooMuchMemory { wanted: spec.max_memory_mib });
	}
	let max_module = u64::try_from(MAX_MODULE_BYTES).unwrap_or(u64::MAX);
	let module = fetch(handle, dispute, "the module", spec.module, max_module).await?;
	let input = fetch(handle, dispute, "the input", spec.input, config.max_input_bytes).await?;
	let limits = Limits::of_order(spec);
	// Another machine's speed proves nothing, so this one may take longer.
	let duration = limits.duration.saturating_mul(config.time_factor);
	let limits = Limits { duration, ..limits };
	match sandbox.run_async(module, input, limits).await {
		Ok(outcome) => Ok(report(outcome.status, &outcome.output, outcome.fuel)),
		// Not runnable on any machine: nothing was computed and nothing burnt.
		Err(SandboxError::InvalidModule(reason)) => {
			tracing::info!(lease = dispute.lease.0, reason, "module is not runnable");
			Ok(report(RunStatus::Trapped, &[], 0))
		},
		Err(error) => Err(Unsettled::Sandbox(error)),
	}
}

fn report(status: RunStatus, output: &[u8], fuel: u64) -> RunReport {
	RunReport {
		status,
		output: H256(sp_crypto_hashing::blake2_256(output)),
		output_len: u64::try_from(output.len()).unwrap_or(u64::MAX),
		fuel,
	}
}

/// The blob from the first orchestrator that has it. Its hash is checked.
async fn fetch(
	handle: &Handle,
	dispute: &Dispute,
	what: &'static str,
	hash: H256,
	max_len: u64,
) -> Result<Vec<u8>, Unsettled> {
	let mut failure = None;
	for address in &dispute.orchestrators {
		let fetched = async {
			let peer = handle.dial(address).await?;
			get_blob(handle, peer, hash, max_len).await
		};
		match fetched.await {
			Ok(bytes) => return Ok(bytes),
			Err(error) => {
				tracing::debug!(address, blob = ?hash, %error, "orchestrator has no such blob");
				failure = Some(error);
			},
		}
	}
	match failure {
		Some(source) => Err(Unsettled::Blob { what, hash, source }),
		None => Err(Unsettled::NoOrchestrator),
	}
}
