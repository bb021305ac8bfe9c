//! NVIDIA GPU confidential computing: SPDM 1.1 measurement reports of the GPUs of one box, each
//! signed with a key that its chip certifies.
//!
//! The chain of a device goes from the key of its firmware (the leaf) over the key of its boot ROM,
//! which only this one chip has, to the provisioner, the product and the maker's root. It never
//! expires: only the policy's lists can end it.
//!
//! NVSwitches (LS10) report in the same form. They are parts of a box with GPUs: they may stand
//! beside one, and name no box alone.
//!
//! The firmware's digests mean something only next to the maker's reference values (RIM), which are
//! the policy's to bring ([`Policy::gpu_measurements`](super::policy::Policy::gpu_measurements)). A
//! report says that the device exists and answered; not which board it sits on.

pub mod report;

pub use report::{Report, MAX_REPORT_LEN};

use super::{
	check::{Check, Checks, Failure, Fault},
	claims::{Claims, Format, Hex, Identity, IdentityKind, Window},
	der::{universal, DerError, Reader},
	policy::Policy,
	x509::{parse_chain, verify_chain, Certificate, ChainRules},
	Question,
};
use alloc::{
	borrow::Cow,
	collections::{BTreeMap, BTreeSet},
	format,
	string::String,
	vec::Vec,
};
use const_oid::ObjectIdentifier;
use report::{opaque, vbios_text};

/// The most GPUs and switches of one box.
pub const MAX_GPUS: usize = 16;

/// The longest chain of a device, root included. Real ones have 5 certificates.
pub const MAX_GPU_CHAIN_LEN: usize = 6;

/// `tcg-dice-TcbInfo`, which NVIDIA fills with the `CompositeDeviceID` that TCG described before.
const DEVICE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.1");
/// `id-sha384`.
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");

/// How the names of boot ROMs end, by the processor that runs them: of Hopper's GPUs GSP, of
/// switches and of later GPUs FSP.
const BOOT_ROMS: [&str; 2] = [" GSP BROM", " FSP BROM"];

/// The reports of the GPUs of one box.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NvidiaEvidence {
	/// The GPUs, from one to [`MAX_GPUS`], all asked with the same nonce.
	pub gpus: Vec<GpuEvidence>,
}

/// The report of one GPU.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GpuEvidence {
	/// The SPDM request and its response, one behind the other.
	pub report: Vec<u8>,
	/// The certificates in DER, leaf first, root last.
	pub chain: Vec<Vec<u8>>,
}

/// Verifies the reports of a box. The nonce is that of the requests, and one for all.
///
/// The claims of one GPU are the result; with several, the result has the claims of each in
/// [`Claims::parts`], no identity of its own (whoever takes a box in must take the identity of every
/// part, or one box could come as many), and the lowest [`Claims::tcb`] of the parts. That number is
/// the VBIOS version.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify(
	evidence: &NvidiaEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let devices = read(evidence, question, checks)?;
	let mut parts = Vec::with_capacity(devices.len());
	for (part, device) in numbered(&devices) {
		checks.enter(part);
		device.check_binding(checks)?;
	}
	checks.enter(None);
	check_distinct(&devices, checks)?;
	for (part, device) in numbered(&devices) {
		checks.enter(part);
		parts.push(device.claims(device.check_signatures(question, checks)?, question.policy));
	}
	let has_gpu = parts.iter().any(|part| part.identity.kind.names_box());
	for ((part, device), claims) in numbered(&devices).zip(&parts) {
		checks.enter(part);
		device.check_policy(claims, has_gpu, question, checks)?;
	}
	checks.enter(None);
	Ok(match <[Claims; 1]>::try_from(parts) {
		Ok([claims]) => claims,
		Err(parts) => together(parts),
	})
}

/// The devices with their numbers as parts; a single one is no part but the whole.
fn numbered<T>(devices: &[T]) -> impl Iterator<Item = (Option<u8>, &T)> {
	let is_alone = devices.len() == 1;
	(0..).zip(devices).map(move |(at, device)| ((!is_alone).then_some(at), device))
}

/// Reads reports, then nonces, then chains.
fn read<'a>(
	evidence: &'a NvidiaEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Vec<Device<'a>>, Failure> {
	if evidence.gpus.len() > MAX_GPUS {
		return Err(checks.unreadable(Check::Layout, Fault::TooLarge));
	}
	let mut reports = Vec::with_capacity(evidence.gpus.len());
	for (part, gpu) in numbered(&evidence.gpus) {
		checks.enter(part);
		let report = Report::parse(&gpu.report);
		reports.push(report.map_err(|fault| checks.unreadable(Check::Layout, fault))?);
	}
	checks.enter(None);
	let Some(first) = reports.first() else {
		return Err(checks.unreadable(Check::Layout, Fault::Missing));
	};
	checks.note(Check::Layout, Ok(()))?;
	question.check_nonce(&first.nonce, checks)?;
	if reports.len() > 1 {
		let same = reports.iter().all(|report| report.nonce == first.nonce);
		checks.require(Check::Nonce, same, Fault::Mismatch)?;
	}
	let mut devices = Vec::with_capacity(reports.len());
	for ((part, gpu), report) in numbered(&evidence.gpus).zip(reports) {
		checks.enter(part);
		if gpu.chain.len() > MAX_GPU_CHAIN_LEN {
			return Err(checks.unreadable(Check::CertificateLayout(0), Fault::TooLarge));
		}
		let device = Device::new(report, parse_chain(&gpu.chain, checks)?);
		devices.push(
			device.ok_or_else(|| checks.unreadable(Check::CertificateLayout(1), Fault::Missing))?,
		);
	}
	checks.enter(None);
	Ok(devices)
}

/// Checks that no chip is there twice.
fn check_distinct(devices: &[Device<'_>], checks: &mut Checks) -> Result<(), Failure> {
	if devices.len() < 2 {
		return Ok(());
	}
	let mut seen = BTreeSet::new();
	let distinct = devices.iter().all(|device| {
		let Identity { kind, id } = device.identity();
		kind == IdentityKind::None || seen.insert(id)
	});
	checks.require(Check::ChipBinding, distinct, Fault::Mismatch)
}

/// The claims of several devices in one.
fn together(parts: Vec<Claims>) -> Claims {
	let mut claims = Claims::new(Format::NvidiaGpu, "NVIDIA");
	let mut models = BTreeMap::<_, usize>::new();
	for part in &parts {
		claims.valid = claims.valid.intersect(part.valid);
		let count = models.entry(part.model.as_str()).or_default();
		*count = count.saturating_add(1);
	}
	let models: Vec<_> = models.iter().map(|(model, count)| format!("{count} x {model}")).collect();
	let firmware: BTreeSet<_> = parts.iter().map(|part| part.firmware.as_str()).collect();
	claims.model = models.join(", ");
	claims.firmware = firmware.into_iter().collect::<Vec<_>>().join("; ");
	claims.nonce = parts.first().map(|part| part.nonce.clone()).unwrap_or_default();
	claims.tcb = parts.iter().map(|part| part.tcb).min().unwrap_or_default();
	claims.fact("gpus", parts.len());
	claims.parts = parts;
	claims
}

/// What the leaf says of itself: `CompositeDeviceID` of TCG, "Implicit Identity Based Device
/// Attestation".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct DeviceId<'a> {
	/// The public key that issued it, the content of its `SubjectPublicKeyInfo`.
	issuer: &'a [u8],
	/// Digest of the firmware that holds the leaf's key, SHA-384.
	fwid: &'a [u8],
}

impl<'a> DeviceId<'a> {
	/// Of a leaf. [`Fault::Missing`] where it has none, [`Fault::UnknownAlgorithm`] for another
	/// hash, [`Fault::Malformed`].
	fn of(leaf: &'a Certificate<'_>) -> Result<Self, Fault> {
		let extension = leaf.extension(DEVICE_ID).ok_or(Fault::Missing)?;
		let (hash, id) = Self::read(extension).map_err(|DerError| Fault::Malformed)?;
		if hash == SHA384 {
			Ok(id)
		} else {
			Err(Fault::UnknownAlgorithm)
		}
	}

	/// `SEQUENCE { version, deviceID SubjectPublicKeyInfo, fwid SEQUENCE { hashAlg, fwid } }`.
	fn read(extension: &'a [u8]) -> Result<(ObjectIdentifier, Self), DerError> {
		let mut outer = Reader::new(extension);
		let mut content = outer.sequence()?;
		outer.finish()?;
		let _version = content.small_integer()?;
		let issuer = content.expect(universal::SEQUENCE)?;
		let mut firmware = content.sequence()?;
		content.finish()?;
		let hash = firmware.oid()?;
		let fwid = firmware.expect(universal::OCTET_STRING)?;
		firmware.finish()?;
		Ok((hash, Self { issuer, fwid }))
	}
}

/// A device that could be read.
struct Device<'a> {
	report: Report<'a>,
	/// At least two certificates.
	chain: Vec<Certificate<'a>>,
}

impl<'a> Device<'a> {
	/// `None` where the chain does not even have a leaf and its issuer.
	fn new(report: Report<'a>, chain: Vec<Certificate<'a>>) -> Option<Self> {
		(chain.len() > 1).then_some(Self { report, chain })
	}

	fn certificate(&self, at: usize) -> Result<&Certificate<'a>, Fault> {
		self.chain.get(at).ok_or(Fault::Missing)
	}

	/// Name of the leaf's issuer.
	fn boot_rom(&self) -> &str {
		self.certificate(1).ok().and_then(Certificate::common_name).unwrap_or_default()
	}

	/// The product, where the leaf's issuer is a boot ROM.
	fn model(&self) -> Option<&str> {
		let name = self.boot_rom();
		BOOT_ROMS.iter().find_map(|suffix| name.strip_suffix(suffix))
	}

	/// Whether it is a GPU, by its product, the model's first word: NVIDIA calls its GPUs by two
	/// letters, the first a G, and three digits (GH100, GB202). Whatever else reports, as the switch
	/// LS_10 does, is none.
	fn is_gpu(&self) -> bool {
		let product = self.model().and_then(|model| model.split(' ').next());
		matches!(
			product.map(str::as_bytes),
			Some([b'G', b'A'..=b'Z', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'])
		)
	}

	/// The serial number of the boot ROM's certificate: NVIDIA gives each chip one. Keys of anything
	/// else name no chip.
	fn identity(&self) -> Identity {
		match (self.model(), self.certificate(1).map(Certificate::serial)) {
			(Some(_), Ok(serial)) if !serial.is_empty() => {
				let kind = if self.is_gpu() {
					IdentityKind::NvidiaGpu
				} else {
					IdentityKind::NvidiaSwitch
				};
				Identity { kind, id: serial.to_vec() }
			},
			_ => Identity { kind: IdentityKind::None, id: Vec::new() },
		}
	}

	/// Checks that leaf, boot ROM and report are about the same chip and firmware.
	fn check_binding(&self, checks: &mut Checks) -> Result<(), Failure> {
		checks.note(Check::KeyBinding, self.key_agrees())
	}

	fn key_agrees(&self) -> Result<(), Fault> {
		let id = DeviceId::of(self.certificate(0)?)?;
		let issuer = Reader::new(self.certificate(1)?.spki())
			.expect(universal::SEQUENCE)
			.map_err(|DerError| Fault::Malformed)?;
		if id.issuer != issuer {
			return Err(Fault::Mismatch);
		}
		match self.report.opaque(opaque::FWID) {
			Some(fwid) if fwid == id.fwid => Ok(()),
			Some(_) => Err(Fault::Mismatch),
			// Switches do not report it; GPUs do.
			None if self.is_gpu() => Err(Fault::Missing),
			None => Ok(()),
		}
	}

	/// Checks root, report and chain, and returns when the chain is valid.
	fn check_signatures(
		&self,
		question: &Question<'_>,
		checks: &mut Checks,
	) -> Result<Window, Failure> {
		question.check_root(&self.chain, &question.policy.roots.nvidia, checks)?;
		// One signature before many.
		checks.note(Check::ReportSignature, self.verify_report())?;
		// Leaf and boot ROM are of one chip.
		let rules = ChainRules { shared_from: 2, ..ChainRules::default() };
		verify_chain(&self.chain, rules, question, checks)
	}

	fn verify_report(&self) -> Result<(), Fault> {
		let Report { signed, signature, .. } = self.report;
		self.certificate(0)?.verify_p384(signed, signature)
	}

	fn check_policy(
		&self,
		claims: &Claims,
		beside_gpu: bool,
		question: &Question<'_>,
		checks: &mut Checks,
	) -> Result<(), Failure> {
		let named = match claims.identity.kind {
			IdentityKind::NvidiaSwitch => beside_gpu,
			kind => kind.names_box(),
		};
		checks.require(Check::BoxIdentity, named, Fault::NotAccepted)?;
		checks.note(Check::Measurement, self.measurements_accepted(question.policy))?;
		question.check_revocation(&self.chain, &claims.identity, checks)
	}

	/// [`Fault::Missing`] for an index that the device does not measure.
	fn measurements_accepted(&self, policy: &Policy) -> Result<(), Fault> {
		policy.gpu_measurements.iter().try_for_each(|(index, accepted)| {
			let digest = self.report.measurements.get(index).ok_or(Fault::Missing)?;
			if accepted.iter().any(|known| known.0 == *digest) {
				Ok(())
			} else {
				Err(Fault::NotAccepted)
			}
		})
	}

	/// What the report says.
	fn claims(&self, valid: Window, policy: &Policy) -> Claims {
		let report = &self.report;
		let mut claims = Claims::new(Format::NvidiaGpu, "NVIDIA");
		claims.nonce = report.nonce.to_vec();
		claims.identity = self.identity();
		claims.model = String::from(self.model().unwrap_or_default());
		claims.valid = valid;
		let vbios = report.vbios();
		claims.tcb = vbios
			.map(|parts| parts.iter().fold(0, |sum, part| (sum << 8) | u64::from(*part)))
			.unwrap_or_default();
		let vbios = vbios
			.map(|parts| Cow::Owned(vbios_text(parts)))
			.or_else(|| report.opaque_text(opaque::VBIOS_VERSION));
		let driver = report.opaque_text(opaque::DRIVER_VERSION);
		claims.firmware = [("VBIOS", &vbios), ("driver", &driver)]
			.into_iter()
			.filter_map(|(name, version)| version.as_ref().map(|text| format!("{name} {text}")))
			.collect::<Vec<_>>()
			.join(", ");
		for (index, digest) in &report.measurements {
			if digest.iter().any(|byte| *byte != 0) {
				claims.measure(format!("gpu{index}"), digest);
			}
		}
		self.add_facts(&mut claims);
		let (measured, blocks) = (claims.measurements.len(), report.measurements.len());
		claims.fact("measured", format_args!("{measured} of {blocks} measurements are not zero"));
		if policy.gpu_measurements.is_empty() {
			claims.fact("reference-values", "firmware was not compared with a RIM");
		}
		claims
	}

	fn add_facts(&self, claims: &mut Claims) {
		let report = &self.report;
		claims.fact("response-nonce", Hex(&report.response_nonce));
		if let Ok(id) = self.certificate(0).and_then(DeviceId::of) {
			claims.fact("fwid", Hex(id.fwid));
		}
		for (name, kind) in [
			("driver-version", opaque::DRIVER_VERSION),
			("chip-sku", opaque::CHIP_SKU),
			("chip-sku-mod", opaque::CHIP_SKU_MOD),
			("project", opaque::PROJECT),
			("project-sku", opaque::PROJECT_SKU),
			("project-sku-mod", opaque::PROJECT_SKU_MOD),
		] {
			if let Some(text) = report.opaque_text(kind) {
				claims.fact(name, text);
			}
		}
		for (name, kind) in [
			("board-id", opaque::BOARD_ID),
			("switch-pdi", opaque::SWITCH_PDI),
			("lock-switch-status", opaque::LOCK_SWITCH_STATUS),
		] {
			if let Some(bytes) = report.opaque(kind) {
				claims.fact(name, Hex(bytes));
			}
		}
		for (name, kind) in
			[("protected-pcie", opaque::PROTECTED_PCIE_STATUS), ("nvdec0", opaque::NVDEC0_STATUS)]
		{
			match report.opaque(kind) {
				Some([opaque::ON]) => claims.fact(name, "on (0xaa)"),
				Some([opaque::OFF]) => claims.fact(name, "off (0x55)"),
				Some(other) => claims.fact(name, Hex(other)),
				None => {},
			}
		}
	}
}
