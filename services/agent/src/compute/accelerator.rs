//! What computes integer products: processors, or hardware that gives the same bytes.

use super::CpuGemm;
use armature_primitives::{challenge::GemmChallenge, H256};
use armature_verifier::challenge::gemm::{Backend, GemmTask};
use serde::{Deserialize, Serialize};
use std::{
	num::NonZeroUsize,
	sync::{atomic::AtomicBool, Arc},
};

/// What a state takes beside its own bytes for each of its rows: its hash, and the hashes above it, about
/// as many.
const BESIDE_ROW: u128 = 64;

/// What each row of a step takes here where an accelerator has its own memory: keys, addresses, hashes.
const ROW_OF_PLAN: u128 = 512;

/// The `[accelerator]` part of a configuration: what computes the products that a device offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct AcceleratorConfig {
	/// What it is.
	pub backend: AcceleratorBackend,
	/// Which one of several, by the number that its driver gives it, from 0 on.
	pub ordinal: usize,
}

/// A kind of accelerator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AcceleratorBackend {
	/// The machine's processors, all of them.
	#[default]
	Processor,
	/// An NVIDIA GPU. Needs its driver.
	Cuda,
}

/// Why products were not computed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceleratorError {
	/// A thread could not be started, or was ended ([`std::io::ErrorKind::Interrupted`]).
	#[error("a thread that multiplies could not be started, or was ended: {0}")]
	Thread(#[from] std::io::Error),
	/// The GPU could not be used.
	#[cfg(feature = "cuda")]
	#[error(transparent)]
	Cuda(#[from] armature_cuda::CudaError),
	/// The program cannot use such an accelerator.
	#[error("this build does not use NVIDIA GPUs: build it with the feature `cuda`")]
	NotBuilt,
}

/// An accelerator that is ready.
#[derive(Debug)]
pub enum Accelerator {
	/// The machine's processors.
	Processor(CpuGemm),
	/// An NVIDIA GPU.
	#[cfg(feature = "cuda")]
	Cuda(Box<armature_cuda::CudaGemm>),
}

impl Accelerator {
	/// Opens an accelerator. A GPU is tried with a small product, which takes some tenths of a second.
	///
	/// # Errors
	///
	/// [`AcceleratorError`].
	pub fn open(config: &AcceleratorConfig) -> Result<Self, AcceleratorError> {
		match config.backend {
			AcceleratorBackend::Processor => Ok(Self::processor(
				std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
			)),
			#[cfg(feature = "cuda")]
			AcceleratorBackend::Cuda => {
				Ok(Self::Cuda(Box::new(armature_cuda::CudaGemm::new(config.ordinal)?)))
			},
			#[cfg(not(feature = "cuda"))]
			AcceleratorBackend::Cuda => Err(AcceleratorError::NotBuilt),
		}
	}

	/// The machine's processors, with so many threads.
	pub fn processor(threads: NonZeroUsize) -> Self {
		Self::Processor(CpuGemm::new(threads))
	}

	/// What it is called.
	pub fn name(&self) -> &str {
		match self {
			Accelerator::Processor(_) => "processor",
			#[cfg(feature = "cuda")]
			Accelerator::Cuda(gpu) => gpu.name(),
		}
	}

	/// What ends a step that lasts; `None` where none lasts.
	pub fn stopper(&self) -> Option<Arc<AtomicBool>> {
		match self {
			Accelerator::Processor(backend) => Some(backend.stopper()),
			#[cfg(feature = "cuda")]
			Accelerator::Cuda(_) => None,
		}
	}

	/// Whether it draws power that the processors' own counters do not see.
	pub fn is_apart(&self) -> bool {
		match self {
			Accelerator::Processor(_) => false,
			#[cfg(feature = "cuda")]
			Accelerator::Cuda(_) => true,
		}
	}

	/// The most bytes of this machine's memory that a round takes, see [`needed_host_bytes`].
	pub fn needed_host_bytes(&self, gemm: &GemmChallenge) -> u64 {
		match self {
			Accelerator::Processor(_) => needed_host_bytes(gemm, true),
			#[cfg(feature = "cuda")]
			Accelerator::Cuda(_) => needed_host_bytes(gemm, false),
		}
	}
}

/// The most bytes of a machine's memory that a round of products takes: trees over the rows, and where they
/// are `kept_here` all states, both factors of a step with two bytes for each entry, and the next state.
/// Saturates.
pub fn needed_host_bytes(gemm: &GemmChallenge, kept_here: bool) -> u64 {
	let side = u128::from(gemm.side);
	let trees = side.saturating_mul(gemm.states.into()).saturating_mul(BESIDE_ROW);
	let others = if kept_here {
		side.saturating_pow(2).saturating_mul(5).saturating_add(gemm.bytes())
	} else {
		side.saturating_mul(ROW_OF_PLAN)
	};
	u64::try_from(trees.saturating_add(others)).unwrap_or(u64::MAX)
}

impl Backend for Accelerator {
	type Error = AcceleratorError;

	fn begin(&mut self, task: &GemmTask) -> Result<(), AcceleratorError> {
		match self {
			Accelerator::Processor(backend) => Ok(backend.begin(task)?),
			#[cfg(feature = "cuda")]
			Accelerator::Cuda(backend) => Ok(backend.begin(task)?),
		}
	}

	fn step(
		&mut self,
		task: &GemmTask,
		step: u32,
		back: &[u32],
	) -> Result<Vec<H256>, AcceleratorError> {
		match self {
			Accelerator::Processor(backend) => Ok(backend.step(task, step, back)?),
			#[cfg(feature = "cuda")]
			Accelerator::Cuda(backend) => Ok(backend.step(task, step, back)?),
		}
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, AcceleratorError> {
		match self {
			Accelerator::Processor(backend) => Ok(backend.row(step, row)?),
			#[cfg(feature = "cuda")]
			Accelerator::Cuda(backend) => Ok(backend.row(step, row)?),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn needed_memory_should_be_that_of_states_trees_and_a_step() {
		let gemm = GemmChallenge { side: 1_024, states: 10 };
		let trees = 10 * 1_024 * 64;
		assert_eq!(needed_host_bytes(&gemm, false), trees + 1_024 * 512);
		assert_eq!(needed_host_bytes(&gemm, true), trees + (5 + 10) * 1_024 * 1_024);
		let most = GemmChallenge { side: u32::MAX, states: u32::MAX };
		assert_eq!(needed_host_bytes(&most, true), u64::MAX);
	}

	#[test]
	fn processors_should_be_there_and_a_gpu_or_why_there_is_none() {
		let open = |backend| Accelerator::open(&AcceleratorConfig { backend, ordinal: 0 });
		assert_eq!(open(AcceleratorBackend::Processor).expect("processors").name(), "processor");
		match open(AcceleratorBackend::Cuda) {
			Ok(gpu) => assert!(!gpu.name().is_empty()),
			Err(error) => assert!(error.to_string().contains("NVIDIA"), "{error}"),
		}
	}
}
