//! One call for every source.

use crate::{
	gpu::{self, GpuError},
	probe::{self, State},
	snp::{self, SnpError},
	tsm::{self, TsmError, TsmReport},
	Roots, Source,
};
use armature_primitives::evidence::{GpuReports, PlatformEvidence};
use std::path::PathBuf;

#[cfg(test)]
mod tests;

/// Name of AMD's guest driver in configfs-tsm.
const SEV_GUEST: &str = "sev_guest";

/// Name of Intel's.
const TDX_GUEST: &str = "tdx_guest";

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
	/// Another maker's hardware answered.
	#[error("asked for {asked} evidence, and the guest's driver is {provider}")]
	OtherProvider {
		/// What was asked for.
		asked: Source,
		/// Who answered.
		provider: String,
	},
	/// It is larger than what the chain takes.
	#[error("the quote has {0} bytes, more than the chain takes")]
	TooLarge(usize),
	/// This build cannot collect it.
	#[error("this build does not collect {0} evidence")]
	NotBuilt(Source),
	/// It is no platform, and counts only beside one.
	#[error("{0} evidence is none of a platform")]
	NoPlatform(Source),
	/// The GPUs gave no reports.
	#[error(transparent)]
	Gpu(#[from] GpuError),
	/// The kernel gave no report.
	#[error(transparent)]
	Tsm(#[from] TsmError),
	/// The report is no evidence.
	#[error(transparent)]
	Snp(#[from] SnpError),
	/// The TPM gave no quote.
	#[cfg(feature = "tpm")]
	#[error(transparent)]
	Tpm(#[from] crate::tpm::TpmError),
}

impl CollectError {
	/// What a person can do about it.
	pub fn what_to_do(&self) -> String {
		match self {
			CollectError::OtherProvider { provider, .. } => match provider.as_str() {
				SEV_GUEST => format!("ask for {}", Source::SevSnp),
				TDX_GUEST => format!("ask for {}", Source::Tdx),
				_ => "attest with the device key alone: no evidence of this kind is known".into(),
			},
			CollectError::TooLarge(_) => {
				"have the host's quote generation service put the short chain of the platform's key in".into()
			},
			CollectError::NotBuilt(Source::Tpm) => {
				"install libtss2-dev and build with --features tpm".into()
			},
			CollectError::NotBuilt(_) | CollectError::NoPlatform(_) => {
				"ask for another source".into()
			},
			CollectError::Gpu(error) => error.what_to_do().into(),
			CollectError::Tsm(error) => error.what_to_do().into(),
			CollectError::Snp(error) => error.what_to_do(),
			#[cfg(feature = "tpm")]
			CollectError::Tpm(error) => error.what_to_do().into(),
		}
	}
}

/// Collects evidence on this machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Collector {
	/// Where the kernel shows itself.
	pub roots: Roots,
	/// Directory of certificates that the machine does not give itself: VCEK, ASK and ARK for
	/// SEV-SNP; the chain of the attestation key for a TPM.
	pub certificates: Option<PathBuf>,
	/// Another TPM than the machine's own, by the words of tpm2-tss: `swtpm:host=127.0.0.1,port=2321`.
	pub tpm: Option<String>,
}

impl Collector {
	/// Asks `source` for evidence over `report_data`. Blocks, for seconds with some hardware.
	///
	/// # Errors
	///
	/// See [`CollectError`]; [`CollectError::what_to_do`] has the rest.
	pub fn platform(
		&self,
		source: Source,
		report_data: &[u8; 32],
	) -> Result<PlatformEvidence, CollectError> {
		match source {
			Source::SevSnp | Source::Tdx => {
				let report_data = tsm::padded(report_data);
				let report = tsm::quote(&self.roots.sys, &report_data)?;
				self.of_report(source, report, &report_data)
			},
			#[cfg(feature = "tpm")]
			Source::Tpm => Ok(self.tpm(report_data)?),
			#[cfg(not(feature = "tpm"))]
			Source::Tpm => Err(CollectError::NotBuilt(source)),
			Source::NvidiaGpu => Err(CollectError::NoPlatform(source)),
		}
	}

	/// Whether there are NVIDIA GPUs that could be asked beside a platform. Asks the driver.
	pub fn gpu_state(&self) -> State {
		probe::gpu_state(&self.roots)
	}

	/// Asks every NVIDIA GPU for a report beside `platform`, which answered to the same
	/// `report_data`. Blocks, for about a second with each.
	///
	/// # Errors
	///
	/// [`CollectError::Gpu`].
	pub fn gpus(
		&self,
		report_data: &[u8; 32],
		platform: &PlatformEvidence,
	) -> Result<GpuReports, CollectError> {
		let driver = gpu::Nvml::open(&self.roots.nvml)?;
		Ok(gpu::reports(&driver, report_data, platform)?)
	}

	fn of_report(
		&self,
		asked: Source,
		report: TsmReport,
		report_data: &[u8; 64],
	) -> Result<PlatformEvidence, CollectError> {
		let TsmReport { provider, outblob, auxblob } = report;
		match (asked, provider.as_str()) {
			(Source::SevSnp, SEV_GUEST) => {
				Ok(snp::evidence(&outblob, report_data, &auxblob, self.certificates.as_deref())?)
			},
			(Source::Tdx, TDX_GUEST) => {
				let len = outblob.len();
				let quote = outblob.try_into().map_err(|_| CollectError::TooLarge(len))?;
				Ok(PlatformEvidence::Dcap { quote })
			},
			_ => Err(CollectError::OtherProvider { asked, provider }),
		}
	}

	#[cfg(feature = "tpm")]
	fn tpm(&self, report_data: &[u8; 32]) -> Result<PlatformEvidence, crate::tpm::TpmError> {
		let certificates = match &self.certificates {
			Some(directory) => crate::certificates::Pool::from_directory(directory)?,
			None => crate::certificates::Pool::default(),
		};
		let mut tpm = match &self.tpm {
			Some(tcti) => crate::tpm::Tpm::connect(tcti)?,
			None => crate::tpm::Tpm::open(&self.roots)?,
		};
		tpm.evidence(report_data, &certificates)
	}
}
