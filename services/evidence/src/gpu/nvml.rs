//! The driver as NVML shows it, loaded when it is asked for: machines without GPUs need none of it.

use super::{Driver, GpuError, Mode, CERTIFICATES, REPORT};
use nvml_wrapper::{error::NvmlError, Device, Nvml as Library};
use std::path::{Path, PathBuf};

/// NVIDIA's library, in use.
pub(crate) struct Nvml {
	library: Library,
	path: PathBuf,
}

impl Nvml {
	/// Loads the library, which opens the driver.
	pub(crate) fn open(path: &Path) -> Result<Self, GpuError> {
		let library = Library::builder()
			.lib_path(path.as_os_str())
			.init()
			.map_err(|error| failed(path, &error))?;
		Ok(Self { library, path: path.to_owned() })
	}

	/// One GPU.
	fn device(&self, gpu: u32, what: &'static str) -> Result<Device<'_>, GpuError> {
		self.library
			.device_by_index(gpu)
			.map_err(|error| self.refused(gpu, what, &error))
	}

	/// What an answer about one GPU means.
	fn refused(&self, gpu: u32, what: &'static str, error: &NvmlError) -> GpuError {
		match error {
			NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => {
				failed(&self.path, error)
			},
			_ => GpuError::Refused { gpu, what, said: error.to_string() },
		}
	}
}

impl Driver for Nvml {
	fn mode(&self) -> Result<Mode, GpuError> {
		// The library's question is about the system, and the wrapper asks it of a device.
		if self.count()? == 0 {
			return Err(GpuError::None);
		}
		let device = self.device(0, "mode")?;
		let asked = device
			.is_cc_enabled()
			.and_then(|enabled| Ok((enabled, enabled && device.is_cc_dev_mode_enabled()?)));
		match asked {
			Ok((false, _)) | Err(NvmlError::NotSupported) => Ok(Mode::Off),
			Ok((true, true)) => Ok(Mode::Developer),
			Ok((true, false)) => Ok(Mode::Confidential),
			Err(error) => Err(self.refused(0, "mode", &error)),
		}
	}

	fn count(&self) -> Result<u32, GpuError> {
		self.library.device_count().map_err(|error| failed(&self.path, &error))
	}

	fn certificates(&self, gpu: u32) -> Result<Vec<u8>, GpuError> {
		let device = self.device(gpu, CERTIFICATES)?;
		let found = device
			.confidential_compute_gpu_certificate()
			.map_err(|error| self.refused(gpu, CERTIFICATES, &error))?;
		Ok(found.attestation_cert_chain)
	}

	fn report(&self, gpu: u32, nonce: &[u8; 32]) -> Result<Vec<u8>, GpuError> {
		let device = self.device(gpu, REPORT)?;
		let found = device
			.confidential_compute_gpu_attestation_report(*nonce)
			.map_err(|error| self.refused(gpu, REPORT, &error))?;
		Ok(found.attestation_report)
	}
}

/// What a failure of library or driver as a whole means.
fn failed(path: &Path, error: &NvmlError) -> GpuError {
	match error {
		NvmlError::LibloadingError(_)
		| NvmlError::LibraryNotFound
		| NvmlError::FailedToLoadSymbol(_)
		| NvmlError::FunctionNotFound => {
			GpuError::Library { library: path.display().to_string(), said: error.to_string() }
		},
		_ => GpuError::Driver(error.to_string()),
	}
}
