use armature_verifier::challenge::fill::SizeError;
use cudarc::driver::DriverError;
use std::io;

/// Why a GPU computed nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CudaError {
	/// There is no driver's library.
	#[error("no NVIDIA driver was found: install it so that libcuda.so.1 is there, or do not ask for products on a GPU")]
	NoDriver,

	/// The driver has no GPU of this number.
	#[error("there is no NVIDIA GPU {ordinal}, the driver lists {found}: see nvidia-smi -L and CUDA_VISIBLE_DEVICES, and name one that is listed, from 0 on")]
	NoGpu {
		/// The number that was asked for, from 0.
		ordinal: usize,
		/// How many there are.
		found: usize,
	},

	/// The GPU lacks `dp4a`.
	#[error("{name} has compute capability {major}.{minor}, and 6.1 is needed: name another GPU")]
	OldGpu {
		/// The GPU's name.
		name: String,
		/// Of its compute capability.
		major: i32,
		/// Of its compute capability.
		minor: i32,
	},

	/// The driver lacks a function.
	#[error(
		"the NVIDIA driver lacks a function that is needed: update it to version 525 or above"
	)]
	OldDriver,

	/// The GPU does not compute what the reference computes.
	#[error("{0}: do not use this GPU; update its driver, and report it if that does not help")]
	Wrong(&'static str),

	/// The GPU's memory does not hold what is needed.
	#[error("the GPU's memory has {free} bytes free, and {needed} are needed: end what else uses the GPU, or ask for a smaller side or fewer states")]
	OutOfMemory {
		/// Bytes that were to be allocated.
		needed: u64,
		/// Bytes that nobody holds.
		free: u64,
	},

	/// The driver refused, or the GPU failed.
	#[error("the NVIDIA driver failed to {doing}: see dmesg for lines with NVRM or Xid, and start again; a GPU that fails again has to be reset")]
	Driver {
		/// What was to be done.
		doing: &'static str,
		/// What it said.
		source: DriverError,
	},

	/// The task's size makes no sense.
	#[error("{0}: ask for a size within the bounds of GemmSize")]
	Size(#[from] SizeError),

	/// A step of a task that was not begun, or not the next one.
	#[error("step {step} is not the next one of the task that was begun: begin the task, then make its steps in their order")]
	Order {
		/// The step that was asked for.
		step: u32,
	},

	/// The rows that the columns of a step choose are not as many as columns, or not there any more.
	#[error("a column of step {step} chooses no row that is kept: choose as many as the side, within the window")]
	Choices {
		/// The step.
		step: u32,
	},

	/// A thread could not be started.
	#[error("no thread could be started to hash keys: raise the limit of processes (ulimit -u)")]
	Threads(#[source] io::Error),
}
