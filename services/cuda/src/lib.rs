#![doc = include_str!("../README.md")]

mod device;
mod error;
mod gpu;
mod products;
#[cfg(test)]
mod tests;

pub use error::CudaError;

use armature_primitives::H256;
use armature_verifier::challenge::gemm::{Backend, GemmTask};
use device::Device;
use gpu::Gpu;
use products::Products;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// The backend of one NVIDIA GPU.
///
/// Its memory is held from [`Backend::begin`] on, until another task begins or this is dropped.
#[derive(Debug)]
pub struct CudaGemm {
	products: Products<Gpu>,
	name: String,
}

impl CudaGemm {
	/// Opens a GPU, from 0 on in the driver's order (`CUDA_VISIBLE_DEVICES` changes it), and has it make a
	/// small chain to see that it computes what it should. The first time, the driver compiles the kernels.
	///
	/// # Errors
	///
	/// [`CudaError::NoDriver`], [`CudaError::NoGpu`], [`CudaError::OldGpu`], [`CudaError::OldDriver`],
	/// [`CudaError::Wrong`]; [`CudaError::OutOfMemory`], [`CudaError::Driver`] and [`CudaError::Threads`] as
	/// in a step.
	pub fn new(ordinal: usize) -> Result<Self, CudaError> {
		// The bindings panic where the driver lacks a function. All but what describes errors is called
		// in here once, so that it is found out now.
		let open = || {
			let (gpu, name) = Gpu::open(ordinal)?;
			let mut products = Products::new(gpu);
			products.check()?;
			Ok(Self { products, name })
		};
		catch_unwind(AssertUnwindSafe(open)).unwrap_or(Err(CudaError::OldDriver))
	}

	/// The GPU's name, as the driver says it.
	pub fn name(&self) -> &str {
		&self.name
	}

	/// Bytes of the GPU's memory: those that nobody holds, and all.
	///
	/// # Errors
	///
	/// [`CudaError::Driver`].
	pub fn memory(&self) -> Result<(u64, u64), CudaError> {
		self.products.device().memory()
	}
}

impl Backend for CudaGemm {
	type Error = CudaError;

	/// Lets the states of the task before go and allocates the factors: two of about `side * side` bytes.
	///
	/// # Errors
	///
	/// [`CudaError::Size`]; [`CudaError::OutOfMemory`] also where the states that will have to be kept
	/// do not fit; [`CudaError::Driver`], [`CudaError::Threads`].
	fn begin(&mut self, task: &GemmTask) -> Result<(), CudaError> {
		self.products.begin(task)
	}

	/// Makes the next state and returns the hashes of its rows, `side` of them.
	///
	/// # Errors
	///
	/// [`CudaError::Order`], [`CudaError::Choices`], [`CudaError::OutOfMemory`], [`CudaError::Driver`],
	/// [`CudaError::Threads`].
	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, CudaError> {
		self.products.step(task, step, back)
	}

	/// Copies a row, `side` bytes, from the GPU.
	///
	/// # Errors
	///
	/// [`CudaError::Driver`].
	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, CudaError> {
		self.products.row(step, row)
	}
}
