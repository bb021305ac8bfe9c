//! What is known of a TPM's kind: from its certificate (TCG EK Credential Profile 3.1.2, TCG Vendor
//! ID Registry) and from its firmware version.
//!
//! A TPM that lies about its firmware version lies with its own key; a certificate is the word of a
//! trusted root. The version therefore only serves to refuse.

use super::super::{
	der::{self, DerError},
	policy::from_hex,
	x509::Certificate,
};
use alloc::{string::String, vec::Vec};
use const_oid::ObjectIdentifier;
use x509_cert::{der::Decode, ext::pkix::KeyUsage};

/// `subjectAltName`.
const ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// `directoryName` in it.
const DIRECTORY_NAME: u32 = 4;
/// `tpmManufacturer`, `tpmModel`, `tpmVersion`.
const MANUFACTURER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.1");
const MODEL: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.2");
const VERSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.2.3");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// `tcg-kp-EKCertificate`.
const PURPOSE_ENDORSEMENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.1");
/// `tcg-kp-AIKCertificate`.
const PURPOSE_ATTESTATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.8.3");

/// Azure's vTPM.
const AZURE_FIRMWARE: u64 = 0x2020_0312_0012_0003;

/// Makers of TPMs in software: IBM's, and swtpm, which has IBM's PCI number.
const SOFTWARE_MAKERS: [[u8; 4]; 2] = [*b"IBM\0", [0, 0, 0x10, 0x14]];

/// Makers of TPMs of hypervisors.
const VIRTUAL_MAKERS: [[u8; 4]; 4] = [*b"AMZN", *b"GOOG", *b"MSFT", *b"VMW\0"];

/// Parts of the names of authorities for software TPMs (swtpm).
const SOFTWARE_AUTHORITIES: [&str; 1] = ["swtpm"];

/// Parts of the names of authorities for TPMs of hypervisors (Google; Azure).
const VIRTUAL_AUTHORITIES: [&str; 3] = ["EK/AK CA", "Virtual TPM", "vTPM"];

/// What a TPM runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
	/// A chip or firmware of its own; nothing says otherwise.
	Physical,
	/// A hypervisor.
	Virtual,
	/// A program.
	Software,
}

impl Kind {
	/// Its name in facts.
	pub(super) fn name(self) -> &'static str {
		match self {
			Kind::Physical => "physical",
			Kind::Virtual => "virtual",
			Kind::Software => "software",
		}
	}

	/// What certificates (leaf first) and the firmware version say.
	pub(super) fn of(firmware_version: u64, chain: &[Certificate<'_>]) -> Self {
		let maker = chain.first().map(Maker::of).unwrap_or_default().manufacturer;
		let made_by = |makers: &[[u8; 4]]| maker.is_some_and(|maker| makers.contains(&maker));
		let issued_by = |authorities: &[&str]| {
			let mut names = chain.iter().filter_map(Certificate::common_name);
			names.any(|name| authorities.iter().any(|authority| name.contains(authority)))
		};
		if made_by(&SOFTWARE_MAKERS) || issued_by(&SOFTWARE_AUTHORITIES) {
			Kind::Software
		} else if made_by(&VIRTUAL_MAKERS)
			|| issued_by(&VIRTUAL_AUTHORITIES)
			|| firmware_version == AZURE_FIRMWARE
		{
			Kind::Virtual
		} else if is_reference(firmware_version) {
			Kind::Software
		} else {
			Kind::Physical
		}
	}
}

/// Whether the first half of a firmware version is a date, YYYYMMDD. That is how TCG's reference
/// code counts its versions, which software TPMs are built from (libtpms: 0x2019102300163636);
/// makers of chips begin with small numbers.
fn is_reference(firmware_version: u64) -> bool {
	let [century, year, month, day, ..] = firmware_version.to_be_bytes();
	let decimal = |byte: u8| byte >> 4 <= 9 && byte & 0xf <= 9;
	century == 0x20
		&& decimal(year)
		&& decimal(month)
		&& decimal(day)
		&& (0x01..=0x12).contains(&month)
		&& (0x01..=0x31).contains(&day)
}

/// What an endorsement key's certificate says about the TPM.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Maker {
	/// The maker's number in the TCG registry; mostly ASCII.
	pub(super) manufacturer: Option<[u8; 4]>,
	/// The product.
	pub(super) model: Option<String>,
	/// Its version, as "id:" and hex digits.
	pub(super) version: Option<String>,
}

impl Maker {
	/// Reads what there is.
	pub(super) fn of(certificate: &Certificate<'_>) -> Self {
		let mut maker = Self::default();
		// What is cut off by an error is missing, no more.
		let _ = maker.read(certificate.extension(ALT_NAME).unwrap_or_default());
		maker
	}

	fn read(&mut self, names: &[u8]) -> Result<(), DerError> {
		let mut names = der::Reader::new(names).sequence()?;
		while let Some(name) = names.next()? {
			if name.class != der::Class::Context || name.number != DIRECTORY_NAME {
				continue;
			}
			let mut sets = name.elements()?.sequence()?;
			while let Some(set) = sets.next()? {
				let mut attributes = set.elements()?;
				while let Some(attribute) = attributes.next()? {
					let mut attribute = attribute.elements()?;
					self.take(attribute.oid()?, attribute.element()?.value);
				}
			}
		}
		Ok(())
	}

	fn take(&mut self, attribute: ObjectIdentifier, value: &[u8]) {
		let Ok(text) = core::str::from_utf8(value) else { return };
		match attribute {
			MANUFACTURER => {
				let number = text.strip_prefix("id:").and_then(from_hex);
				self.manufacturer = number.and_then(|number| number.try_into().ok());
			},
			MODEL => self.model = Some(String::from(text)),
			VERSION => self.version = Some(String::from(text)),
			_ => {},
		}
	}

	/// The maker's name.
	pub(super) fn name(&self) -> &'static str {
		match self.manufacturer.as_ref() {
			Some(b"AMD\0") => "AMD",
			Some(b"AMZN") => "Amazon",
			Some(b"ATML") => "Atmel",
			Some(b"BRCM") => "Broadcom",
			Some(b"GOOG") => "Google",
			Some(b"IBM\0") => "IBM",
			Some(b"IFX\0") => "Infineon",
			Some(b"INTC") => "Intel",
			Some(b"LEN\0") => "Lenovo",
			Some(b"MSFT") => "Microsoft",
			Some(b"NSM ") => "National Semiconductor",
			Some(b"NTC\0") => "Nuvoton",
			Some(b"NTZ\0") => "Nationz",
			Some(b"QCOM") => "Qualcomm",
			Some(b"SMSN") => "Samsung",
			Some(b"STM ") => "STMicroelectronics",
			Some(b"VMW\0") => "VMware",
			_ => "unknown",
		}
	}
}

/// Whether a certificate is one of an endorsement key, which decrypts. Older ones have no purpose,
/// but the name of the TPM has to be there.
pub(super) fn certifies_endorsement_key(leaf: &Certificate<'_>) -> bool {
	let purpose = match purposes(leaf) {
		Some(purposes) => purposes.contains(&PURPOSE_ENDORSEMENT),
		None => Maker::of(leaf).manufacturer.is_some(),
	};
	purpose && usage_allows(leaf, |usage| usage.key_encipherment() || usage.key_agreement())
}

/// Whether a certificate is one of an attestation key. Other keys that sign may be anywhere, and
/// therefore its purpose has to be there.
pub(super) fn certifies_attestation_key(leaf: &Certificate<'_>) -> bool {
	purposes(leaf).is_some_and(|purposes| purposes.contains(&PURPOSE_ATTESTATION))
		&& usage_allows(leaf, KeyUsage::digital_signature)
}

/// Whether the key usage allows it, or there is none.
fn usage_allows(leaf: &Certificate<'_>, allows: impl Fn(&KeyUsage) -> bool) -> bool {
	match leaf.extension(KEY_USAGE).map(KeyUsage::from_der) {
		None => true,
		Some(usage) => usage.is_ok_and(|usage| allows(&usage)),
	}
}

/// The extended key usage, if there is one. What cannot be read has no purpose.
fn purposes(leaf: &Certificate<'_>) -> Option<Vec<ObjectIdentifier>> {
	let read = |value| {
		let mut list = der::Reader::new(value).sequence()?;
		let mut purposes = Vec::new();
		while !list.is_empty() {
			purposes.push(list.oid()?);
		}
		Ok::<_, DerError>(purposes)
	};
	leaf.extension(EXTENDED_KEY_USAGE).map(|value| read(value).unwrap_or_default())
}
