//! Reports of NVIDIA GPUs in confidential mode, asked through NVIDIA's library (NVML).
//!
//! A report is signed by the GPU's own key. It counts beside the evidence of a confidential platform,
//! whose box its nonce names ([`gpu_nonce`]); so the platform is asked first.

mod nvml;
#[cfg(test)]
mod tests;

pub(crate) use nvml::Nvml;

use armature_primitives::evidence::{
	hardware::{Certificate, MAX_GPUS},
	GpuReport, GpuReports, PlatformEvidence,
};
use armature_verifier::evidence::{claimed_box, gpu_nonce, hardware::dcap::pem, EvidenceError};

/// Why GPUs give no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
	/// NVIDIA's library is not there, or is too old to know of confidential mode.
	#[error("NVIDIA's library {library} cannot be used: {said}")]
	Library {
		/// Its name or path.
		library: String,
		/// What went wrong.
		said: String,
	},
	/// The driver does not answer to the library.
	#[error("NVIDIA's driver cannot be used: {0}")]
	Driver(String),
	/// The driver shows none.
	#[error("the driver shows no GPU")]
	None,
	/// They run openly.
	#[error("the GPUs are not in confidential mode")]
	NotConfidential,
	/// They can be looked into.
	#[error("the GPUs are in the confidential mode for developers, which hides nothing")]
	DeveloperMode,
	/// More than evidence has room for.
	#[error("there are {0} GPUs, and evidence has room for {MAX_GPUS}")]
	TooMany(u32),
	/// One of them did not answer.
	#[error("GPU {gpu} gave no {what}: {said}")]
	Refused {
		/// Its number with the driver.
		gpu: u32,
		/// What was asked for.
		what: &'static str,
		/// What the driver said.
		said: String,
	},
	/// What one of them gave is none.
	#[error("what GPU {gpu} gave as {what} is {fault}")]
	Unusable {
		/// Its number with the driver.
		gpu: u32,
		/// What was asked for.
		what: &'static str,
		/// What is wrong with it.
		fault: &'static str,
	},
	/// Nothing says which box they are in.
	#[error("reports of GPUs count only beside SEV-SNP evidence with a VCEK or TDX evidence")]
	NoBox,
	/// What the platform gave cannot be read.
	#[error("the platform's evidence cannot be read: {0}")]
	Platform(#[from] EvidenceError),
}

impl GpuError {
	/// What a person can do about it.
	pub fn what_to_do(&self) -> &'static str {
		match self {
			GpuError::Library { .. } => {
				"install NVIDIA's data center driver 550 or later in this guest (nvidia-smi tells the \
				 version)"
			},
			GpuError::Driver(_) => {
				"load it: modprobe nvidia; if it is loaded, see whether nvidia-smi works for this user, and \
				 start the machine again after an update of the driver"
			},
			GpuError::None => "pass the GPUs through to this guest, and load the driver: modprobe nvidia",
			GpuError::NotConfidential => {
				"on the host set the mode with NVIDIA's gpu-admin-tools (--set-cc-mode=on \
				 --reset-after-cc-mode-switch) and start the guest again; Hopper and later have it"
			},
			GpuError::DeveloperMode => {
				"on the host set the mode to on instead of devtools (gpu-admin-tools, --set-cc-mode=on)"
			},
			GpuError::TooMany(_) => "give each device at most eight GPUs, in a guest of its own",
			GpuError::Refused { .. } => {
				"see what nvidia-smi conf-compute -f and the kernel's log say of it (dmesg, NVRM); a reset \
				 of the GPU by the host often helps"
			},
			GpuError::Unusable { .. } => "update the driver and the GPU's firmware (VBIOS)",
			GpuError::NoBox => {
				"run the agent in an SEV-SNP or TDX guest on a host of your own (a cloud's VLEK names no \
				 box; docs/operations/attesting.md); the GPUs can be used all the same"
			},
			GpuError::Platform(_) => "attest the platform alone first: its own error says more",
		}
	}
}

/// How much GPUs hide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
	/// Nothing.
	Off,
	/// All.
	Confidential,
	/// They report as if they did.
	Developer,
}

/// The driver of the GPUs.
pub(crate) trait Driver {
	/// The mode that all of them are in.
	fn mode(&self) -> Result<Mode, GpuError>;

	/// How many there are.
	fn count(&self) -> Result<u32, GpuError>;

	/// The certificates of one's attestation key, in PEM, root last.
	fn certificates(&self, gpu: u32) -> Result<Vec<u8>, GpuError>;

	/// One's report with this nonce: the SPDM request with its response behind it.
	fn report(&self, gpu: u32, nonce: &[u8; 32]) -> Result<Vec<u8>, GpuError>;
}

/// How many GPUs can be asked. Asks none of them.
pub(crate) fn ready(driver: &dyn Driver) -> Result<u32, GpuError> {
	match driver.mode()? {
		Mode::Confidential => {},
		Mode::Off => return Err(GpuError::NotConfidential),
		Mode::Developer => return Err(GpuError::DeveloperMode),
	}
	match driver.count()? {
		0 => Err(GpuError::None),
		count if count > MAX_GPUS => Err(GpuError::TooMany(count)),
		count => Ok(count),
	}
}

/// Asks every GPU beside `platform`, which answered to the same `report_data`.
pub(crate) fn reports(
	driver: &dyn Driver,
	report_data: &[u8; 32],
	platform: &PlatformEvidence,
) -> Result<GpuReports, GpuError> {
	let named = claimed_box(platform)?.ok_or(GpuError::NoBox)?;
	let nonce = gpu_nonce(report_data, &named);
	let count = ready(driver)?;
	let found: Result<Vec<_>, _> = (0..count).map(|gpu| report(driver, gpu, &nonce)).collect();
	found?.try_into().map_err(|_| GpuError::TooMany(count))
}

fn report(driver: &dyn Driver, gpu: u32, nonce: &[u8; 32]) -> Result<GpuReport, GpuError> {
	let unusable = |what, fault| GpuError::Unusable { gpu, what, fault };
	let text = driver.certificates(gpu)?;
	let chain = pem::certificates(&text)
		.map_err(|_| unusable(CERTIFICATES, "not in PEM"))?
		.into_iter()
		.map(|der| Certificate::try_from(der).map_err(|_| unusable(CERTIFICATES, "too large")))
		.collect::<Result<Vec<_>, _>>()?;
	if chain.is_empty() {
		return Err(unusable(CERTIFICATES, "empty"));
	}
	let chain = chain.try_into().map_err(|_| unusable(CERTIFICATES, "too long"))?;
	let report = driver.report(gpu, nonce)?;
	if report.is_empty() {
		return Err(unusable(REPORT, "empty"));
	}
	let report = report.try_into().map_err(|_| unusable(REPORT, "too large"))?;
	Ok(GpuReport { report, chain })
}

const CERTIFICATES: &str = "certificates";
const REPORT: &str = "report";
