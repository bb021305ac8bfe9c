//! The attestation report of SEV-SNP firmware (AMD 56860, "ATTESTATION_REPORT Structure").

use super::super::{check::Fault, policy::SnpTcbFloor, reader::Fields};

/// Length of a report in bytes; all versions have the same.
pub const REPORT_LEN: usize = 0x4a0;

/// Length of the part that the signature covers: everything in front of it.
pub const SIGNED_LEN: usize = 0x2a0;

/// Signature algorithm 1: ECDSA on P-384 with SHA-384.
const ECDSA_P384_SHA384: u32 = 1;

/// Bit of the guest policy: a migration agent may be associated.
const POLICY_MIGRATE_MA: u64 = 1 << 18;

/// Bit of the guest policy: the host may debug the guest.
const POLICY_DEBUG: u64 = 1 << 19;

/// Bit of the key flags: the host has masked the chip key.
const FLAG_MASK_CHIP_KEY: u32 = 1 << 1;

/// Products whose reports can be read. Each has its own root key and its own layout of versions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Product {
	/// EPYC 7003.
	Milan,
	/// EPYC 9004 and 8004.
	Genoa,
	/// EPYC 9005.
	Turin,
}

impl Product {
	/// The product of a certificate's product name: "Milan-B0" and "Milan" are both Milan.
	pub fn of(name: &str) -> Option<Self> {
		match name.split('-').next() {
			Some("Milan") => Some(Product::Milan),
			Some("Genoa") => Some(Product::Genoa),
			Some("Turin") => Some(Product::Turin),
			_ => None,
		}
	}

	/// The product of a processor by CPUID family and model, where it is one that is known.
	pub fn of_cpu(family: u8, model: u8) -> Option<Self> {
		match (family, model) {
			(0x19, 0x00..=0x0f) => Some(Product::Milan),
			(0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(Product::Genoa),
			(0x1a, 0x00..=0x1f) => Some(Product::Turin),
			_ => None,
		}
	}

	/// Its name in AMD's certificates and in policies.
	pub fn name(self) -> &'static str {
		match self {
			Product::Milan => "Milan",
			Product::Genoa => "Genoa",
			Product::Turin => "Turin",
		}
	}

	/// How many bytes of the chip id the maker gives out; the rest of the field is zero.
	pub fn chip_id_len(self) -> usize {
		match self {
			Product::Milan | Product::Genoa => 64,
			Product::Turin => 8,
		}
	}
}

/// Versions of the firmware parts that a chip's trust rests on (`TCB_VERSION`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tcb {
	/// FMC; 0 before Turin, which has none.
	pub fmc: u8,
	/// Boot loader.
	pub bootloader: u8,
	/// Trusted execution environment.
	pub tee: u8,
	/// SNP firmware.
	pub snp: u8,
	/// Microcode.
	pub microcode: u8,
}

impl Tcb {
	/// Reads the eight bytes of a report as this product lays them out.
	pub fn read(bytes: [u8; 8], product: Product) -> Self {
		let [first, second, third, fourth, _, _, seventh, microcode] = bytes;
		match product {
			Product::Milan | Product::Genoa => {
				Self { fmc: 0, bootloader: first, tee: second, snp: seventh, microcode }
			},
			Product::Turin => {
				Self { fmc: first, bootloader: second, tee: third, snp: fourth, microcode }
			},
		}
	}

	/// One number: FMC, boot loader, TEE, SNP, microcode, a byte each, the first the most
	/// significant. If no part falls, it does not fall. The reverse does not hold, therefore floors
	/// are compared part by part ([`Tcb::reaches`]).
	pub fn packed(self) -> u64 {
		u64::from_be_bytes([0, 0, 0, self.fmc, self.bootloader, self.tee, self.snp, self.microcode])
	}

	/// Whether every part is at its floor or above.
	pub fn reaches(self, floor: &SnpTcbFloor) -> bool {
		self.fmc >= floor.fmc
			&& self.bootloader >= floor.bootloader
			&& self.tee >= floor.tee
			&& self.snp >= floor.snp
			&& self.microcode >= floor.microcode
	}
}

/// Version of the SNP firmware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirmwareVersion {
	/// Major.
	pub major: u8,
	/// Minor.
	pub minor: u8,
	/// Build.
	pub build: u8,
}

/// Family, model and stepping of the processor, from version 3 of the report on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CpuId {
	/// Combined extended and base family.
	pub family: u8,
	/// Combined extended and base model.
	pub model: u8,
	/// Stepping.
	pub stepping: u8,
}

/// A report, without its signature. Nothing in it is checked beyond version, signature algorithm
/// and length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
	/// Version of the report: 2 to 5.
	pub version: u32,
	/// Security version of the guest.
	pub guest_svn: u32,
	/// Guest policy.
	pub policy: u64,
	/// Family id that the guest's owner gave at launch.
	pub family_id: [u8; 16],
	/// Image id that the guest's owner gave at launch.
	pub image_id: [u8; 16],
	/// Privilege level that asked for the report; 0 is the most privileged.
	pub vmpl: u32,
	/// `CURRENT_TCB`: the firmware that runs.
	pub current_tcb: [u8; 8],
	/// Platform flags: SMT, TSME, ECC and others.
	pub platform_info: u64,
	/// Bit 0: an author key was used at launch; bit 1: the chip key is masked; bits 2 to 4: the
	/// signing key.
	pub key_flags: u32,
	/// What the guest wanted to have signed.
	pub report_data: [u8; 64],
	/// Launch measurement.
	pub measurement: [u8; 48],
	/// What the host gave at launch.
	pub host_data: [u8; 32],
	/// SHA-384 of the key that signed the guest's identity block; zero without one.
	pub id_key_digest: [u8; 48],
	/// SHA-384 of the key that certified that key; zero without one.
	pub author_key_digest: [u8; 48],
	/// Id of this guest, new at each launch.
	pub report_id: [u8; 32],
	/// Id of its migration agent; all ones without one.
	pub report_id_ma: [u8; 32],
	/// `REPORTED_TCB`: the versions that the signing key was derived from.
	pub reported_tcb: [u8; 8],
	/// The processor, from version 3 on.
	pub cpuid: Option<CpuId>,
	/// Chip id; zero where the host masks it, and with keys that are not a chip's.
	pub chip_id: [u8; 64],
	/// `COMMITTED_TCB`: the versions that the chip cannot go back from.
	pub committed_tcb: [u8; 8],
	/// The firmware that runs.
	pub current_version: FirmwareVersion,
	/// The firmware that the chip cannot go back from.
	pub committed_version: FirmwareVersion,
	/// `LAUNCH_TCB`: the firmware at launch.
	pub launch_tcb: [u8; 8],
	/// Mitigations that were verified at launch, and now, from version 5 on.
	pub mitigations: Option<(u64, u64)>,
}

impl Report {
	/// Reads one.
	///
	/// # Errors
	///
	/// [`Fault::Truncated`] and [`Fault::TrailingBytes`] for another length than [`REPORT_LEN`],
	/// [`Fault::UnknownVersion`], [`Fault::UnknownAlgorithm`].
	pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
		if bytes.len() < REPORT_LEN {
			return Err(Fault::Truncated);
		}
		if bytes.len() > REPORT_LEN {
			return Err(Fault::TrailingBytes);
		}
		let mut fields = Fields::new(bytes);
		let version = fields.u32_le()?;
		if !(2..=5).contains(&version) {
			return Err(Fault::UnknownVersion(version));
		}
		let guest_svn = fields.u32_le()?;
		let policy = fields.u64_le()?;
		let family_id = fields.array()?;
		let image_id = fields.array()?;
		let vmpl = fields.u32_le()?;
		if fields.u32_le()? != ECDSA_P384_SHA384 {
			return Err(Fault::UnknownAlgorithm);
		}
		let current_tcb = fields.array()?;
		let platform_info = fields.u64_le()?;
		let key_flags = fields.u32_le()?;
		// Reserved fields are signed, and a later firmware may give them a meaning.
		fields.take(4)?;
		let report_data = fields.array()?;
		let measurement = fields.array()?;
		let host_data = fields.array()?;
		let id_key_digest = fields.array()?;
		let author_key_digest = fields.array()?;
		let report_id = fields.array()?;
		let report_id_ma = fields.array()?;
		let reported_tcb = fields.array()?;
		let [family, model, stepping] = fields.array()?;
		fields.take(21)?;
		let chip_id = fields.array()?;
		let committed_tcb = fields.array()?;
		let current_version = firmware_version(&mut fields)?;
		let committed_version = firmware_version(&mut fields)?;
		let launch_tcb = fields.array()?;
		let mitigations = (fields.u64_le()?, fields.u64_le()?);
		Ok(Self {
			version,
			guest_svn,
			policy,
			family_id,
			image_id,
			vmpl,
			current_tcb,
			platform_info,
			key_flags,
			report_data,
			measurement,
			host_data,
			id_key_digest,
			author_key_digest,
			report_id,
			report_id_ma,
			reported_tcb,
			cpuid: (version >= 3).then_some(CpuId { family, model, stepping }),
			chip_id,
			committed_tcb,
			current_version,
			committed_version,
			launch_tcb,
			mitigations: (version >= 5).then_some(mitigations),
		})
	}

	/// Whether the host may debug the guest.
	pub fn allows_debug(&self) -> bool {
		self.policy & POLICY_DEBUG != 0
	}

	/// Whether a migration agent may move the guest to another machine.
	pub fn allows_migration(&self) -> bool {
		self.policy & POLICY_MIGRATE_MA != 0
	}

	/// Whether the report says that the host has masked the chip key.
	pub fn masks_chip_key(&self) -> bool {
		self.key_flags & FLAG_MASK_CHIP_KEY != 0
	}

	/// Number of the signing key: 0 VCEK, 1 VLEK, 7 none.
	pub fn signing_key(&self) -> u32 {
		(self.key_flags >> 2) & 7
	}

	/// Whether the chip id is withheld.
	pub fn hides_chip(&self) -> bool {
		self.chip_id.iter().all(|byte| *byte == 0)
	}
}

/// Build, minor, major and a reserved byte.
fn firmware_version(fields: &mut Fields<'_>) -> Result<FirmwareVersion, Fault> {
	let [build, minor, major, _] = fields.array()?;
	Ok(FirmwareVersion { major, minor, build })
}

/// The signature at the end of a report as `r || s`, big endian, 48 bytes each. The report has
/// both in little endian, in fields of 72 bytes; whatever the numbers do not fill is zero, so that
/// the same signature cannot be written in two ways.
///
/// # Errors
///
/// [`Fault::Truncated`], [`Fault::TrailingBytes`], [`Fault::Malformed`] when what must be zero is
/// not.
pub fn signature(bytes: &[u8]) -> Result<[u8; 96], Fault> {
	let mut fields = Fields::new(bytes);
	let r: [u8; 48] = fields.array()?;
	let r_padding = fields.take(24)?;
	let s: [u8; 48] = fields.array()?;
	let s_padding = fields.take(24)?;
	let reserved = fields.take(368)?;
	fields.finish()?;
	if [r_padding, s_padding, reserved].into_iter().flatten().any(|byte| *byte != 0) {
		return Err(Fault::Malformed);
	}
	let mut out = [0u8; 96];
	let halves = r.iter().rev().chain(s.iter().rev());
	out.iter_mut().zip(halves).for_each(|(to, from)| *to = *from);
	Ok(out)
}
