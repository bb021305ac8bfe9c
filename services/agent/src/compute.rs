//! The work of challenges on this machine. What it comes to is defined by
//! [`armature_verifier::challenge`].

mod accelerator;
mod available;
mod gemm;
mod lanes;
mod memory;
mod storage;

pub use accelerator::{
	needed_host_bytes, Accelerator, AcceleratorBackend, AcceleratorConfig, AcceleratorError,
};
pub use available::{available_bytes, MEMINFO};
pub use gemm::CpuGemm;
pub use lanes::{run_lanes, LaneFault};
pub use memory::{needed_bytes, FilledMemory, MemoryFault, WalkedMemory};
pub use storage::{OfferedSectors, SealPlan, SealProgress, SealedSectors, StorageFault};
