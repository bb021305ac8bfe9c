//! `KeyDescription`, the extension in which a keystore says what it made and where (Android Key
//! Attestation, "Key attestation extension data schema").
//!
//! Context tags go above 30, and lists differ from version to version, so this is a walk over DER
//! elements: fields that are asked for may appear once, others are passed over.

use super::super::{
	check::Fault,
	der::{universal, Class, DerError, Element, Reader},
	policy::SecurityLevel,
};
use alloc::{string::String, vec::Vec};
use const_oid::ObjectIdentifier;

/// The extension's identifier.
pub const KEY_DESCRIPTION: ObjectIdentifier =
	ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.17");

/// The longest challenge of the format (KeyMint `IKeyMintDevice.aidl`, `ATTESTATION_CHALLENGE`).
pub const MAX_CHALLENGE_LEN: usize = 128;

/// Versions of the extension: Keymaster 2 to 4.1, KeyMint 1 to 5.
const VERSIONS: [u32; 9] = [1, 2, 3, 4, 100, 200, 300, 400, 500];

/// State of the booted system, `VerifiedBootState`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BootState {
	/// Verified up to a key of the maker.
	Verified,
	/// Verified up to a key that the owner put in.
	SelfSigned,
	/// Not verified.
	Unverified,
	/// Verification failed.
	Failed,
}

impl BootState {
	pub(super) fn name(self) -> &'static str {
		match self {
			BootState::Verified => "verified",
			BootState::SelfSigned => "self-signed",
			BootState::Unverified => "unverified",
			BootState::Failed => "failed",
		}
	}
}

/// `RootOfTrust`.
#[derive(Clone, Copy, Debug)]
pub(super) struct RootOfTrust<'a> {
	pub(super) boot_key: &'a [u8],
	pub(super) locked: bool,
	pub(super) state: BootState,
	/// From version 3 on.
	pub(super) boot_hash: Option<&'a [u8]>,
}

/// The fields of an `AuthorizationList` that are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Authorizations<'a> {
	pub(super) purposes: Option<Vec<u64>>,
	pub(super) algorithm: Option<u64>,
	pub(super) key_size: Option<u64>,
	pub(super) digests: Option<Vec<u64>>,
	pub(super) no_auth_required: Option<()>,
	pub(super) created: Option<u64>,
	pub(super) origin: Option<u64>,
	pub(super) root_of_trust: Option<RootOfTrust<'a>>,
	pub(super) os_version: Option<u64>,
	pub(super) os_patch: Option<u64>,
	pub(super) application_id: Option<&'a [u8]>,
	pub(super) brand: Option<&'a [u8]>,
	pub(super) manufacturer: Option<&'a [u8]>,
	pub(super) model: Option<&'a [u8]>,
	pub(super) vendor_patch: Option<u64>,
	pub(super) boot_patch: Option<u64>,
}

impl<'a> Authorizations<'a> {
	fn read(list: Element<'a>) -> Result<Self, DerError> {
		if !list.is(universal::SEQUENCE) {
			return Err(DerError);
		}
		let mut fields = list.elements()?;
		let mut read = Self::default();
		while let Some(field) = fields.next()? {
			if field.class != Class::Context {
				return Err(DerError);
			}
			match field.number {
				1 => once(&mut read.purposes, numbers(explicit(&field)?)?)?,
				2 => once(&mut read.algorithm, explicit(&field)?.unsigned()?)?,
				3 => once(&mut read.key_size, explicit(&field)?.unsigned()?)?,
				5 => once(&mut read.digests, numbers(explicit(&field)?)?)?,
				503 => once(&mut read.no_auth_required, null(explicit(&field)?)?)?,
				701 => once(&mut read.created, explicit(&field)?.unsigned()?)?,
				702 => once(&mut read.origin, explicit(&field)?.unsigned()?)?,
				704 => once(&mut read.root_of_trust, root_of_trust(explicit(&field)?)?)?,
				705 => once(&mut read.os_version, explicit(&field)?.unsigned()?)?,
				706 => once(&mut read.os_patch, explicit(&field)?.unsigned()?)?,
				709 => once(&mut read.application_id, octets(explicit(&field)?)?)?,
				710 => once(&mut read.brand, octets(explicit(&field)?)?)?,
				716 => once(&mut read.manufacturer, octets(explicit(&field)?)?)?,
				717 => once(&mut read.model, octets(explicit(&field)?)?)?,
				718 => once(&mut read.vendor_patch, explicit(&field)?.unsigned()?)?,
				719 => once(&mut read.boot_patch, explicit(&field)?.unsigned()?)?,
				_ => {},
			}
		}
		Ok(read)
	}
}

/// What the keystore says.
#[derive(Clone, Debug)]
pub(super) struct KeyDescription<'a> {
	pub(super) version: u32,
	/// Where the attestation was made.
	pub(super) attestation_level: SecurityLevel,
	/// Of Keymaster or KeyMint.
	pub(super) keystore_version: u32,
	/// Where the key is.
	pub(super) keystore_level: SecurityLevel,
	pub(super) challenge: &'a [u8],
	pub(super) unique_id: &'a [u8],
	/// What the operating system vouches for.
	pub(super) software: Authorizations<'a>,
	/// What the secure hardware vouches for.
	pub(super) hardware: Authorizations<'a>,
}

impl<'a> KeyDescription<'a> {
	/// Reads the value of the extension.
	///
	/// # Errors
	///
	/// [`Fault::UnknownVersion`], [`Fault::Malformed`], [`Fault::TrailingBytes`];
	/// [`Fault::TooLarge`] for a challenge above [`MAX_CHALLENGE_LEN`].
	pub(super) fn read(value: &'a [u8]) -> Result<Self, Fault> {
		let malformed = |_| Fault::Malformed;
		let mut outer = Reader::new(value);
		let mut fields = outer.sequence().map_err(malformed)?;
		outer.finish().map_err(|_| Fault::TrailingBytes)?;
		let version = version(&mut fields).map_err(malformed)?;
		if !VERSIONS.contains(&version) {
			return Err(Fault::UnknownVersion(version));
		}
		let read = Self {
			version,
			attestation_level: level(&mut fields).map_err(malformed)?,
			keystore_version: self::version(&mut fields).map_err(malformed)?,
			keystore_level: level(&mut fields).map_err(malformed)?,
			challenge: fields.expect(universal::OCTET_STRING).map_err(malformed)?,
			unique_id: fields.expect(universal::OCTET_STRING).map_err(malformed)?,
			software: fields.element().and_then(Authorizations::read).map_err(malformed)?,
			hardware: fields.element().and_then(Authorizations::read).map_err(malformed)?,
		};
		fields.finish().map_err(|_| Fault::TrailingBytes)?;
		if read.challenge.len() > MAX_CHALLENGE_LEN {
			return Err(Fault::TooLarge);
		}
		Ok(read)
	}

	/// Whether this version has patch levels of vendor and boot loader.
	pub(super) fn has_all_patch_levels(&self) -> bool {
		self.version >= 3
	}
}

/// `AttestationApplicationId`: who asked for the key. The operating system says so, not the
/// hardware.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct ApplicationId<'a> {
	/// Names and versions of the packages that share the user id.
	pub(super) packages: Vec<(String, u64)>,
	/// Digests of the certificates that signed them.
	pub(super) signatures: Vec<&'a [u8]>,
}

impl<'a> ApplicationId<'a> {
	/// Reads the value of field 709.
	pub(super) fn read(value: &'a [u8]) -> Result<Self, DerError> {
		let mut outer = Reader::new(value);
		let mut fields = outer.sequence()?;
		outer.finish()?;
		let mut infos = set(fields.element()?)?;
		let mut digests = set(fields.element()?)?;
		fields.finish()?;
		let mut packages = Vec::new();
		while !infos.is_empty() {
			let mut info = infos.sequence()?;
			let name = info.expect(universal::OCTET_STRING)?;
			let version = info.small_integer()?;
			info.finish()?;
			packages.push((String::from_utf8_lossy(name).into_owned(), version));
		}
		let mut signatures = Vec::new();
		while !digests.is_empty() {
			signatures.push(digests.expect(universal::OCTET_STRING)?);
		}
		Ok(Self { packages, signatures })
	}
}

/// Puts a value where none is yet.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), DerError> {
	match slot.replace(value) {
		None => Ok(()),
		Some(_) => Err(DerError),
	}
}

/// The one element inside an explicit tag.
fn explicit<'a>(field: &Element<'a>) -> Result<Element<'a>, DerError> {
	let mut inner = field.elements()?;
	let value = inner.element()?;
	inner.finish()?;
	Ok(value)
}

fn set(element: Element<'_>) -> Result<Reader<'_>, DerError> {
	if element.is(universal::SET) {
		element.elements()
	} else {
		Err(DerError)
	}
}

fn numbers(element: Element<'_>) -> Result<Vec<u64>, DerError> {
	let mut elements = set(element)?;
	let mut numbers = Vec::new();
	while !elements.is_empty() {
		numbers.push(elements.small_integer()?);
	}
	Ok(numbers)
}

fn octets(element: Element<'_>) -> Result<&[u8], DerError> {
	if element.is(universal::OCTET_STRING) {
		Ok(element.value)
	} else {
		Err(DerError)
	}
}

fn null(element: Element<'_>) -> Result<(), DerError> {
	if element.is(universal::NULL) && element.value.is_empty() {
		Ok(())
	} else {
		Err(DerError)
	}
}

fn version(fields: &mut Reader<'_>) -> Result<u32, DerError> {
	fields
		.small_integer()
		.and_then(|number| u32::try_from(number).map_err(|_| DerError))
}

fn enumerated(fields: &mut Reader<'_>) -> Result<u64, DerError> {
	let element = fields.element()?;
	if element.is(universal::ENUMERATED) {
		element.unsigned()
	} else {
		Err(DerError)
	}
}

fn level(fields: &mut Reader<'_>) -> Result<SecurityLevel, DerError> {
	match enumerated(fields)? {
		0 => Ok(SecurityLevel::Software),
		1 => Ok(SecurityLevel::TrustedEnvironment),
		2 => Ok(SecurityLevel::StrongBox),
		_ => Err(DerError),
	}
}

fn root_of_trust(element: Element<'_>) -> Result<RootOfTrust<'_>, DerError> {
	if !element.is(universal::SEQUENCE) {
		return Err(DerError);
	}
	let mut fields = element.elements()?;
	let boot_key = fields.expect(universal::OCTET_STRING)?;
	let locked = match fields.expect(universal::BOOLEAN)? {
		[0x00] => false,
		[0xff] => true,
		_ => return Err(DerError),
	};
	let state = match enumerated(&mut fields)? {
		0 => BootState::Verified,
		1 => BootState::SelfSigned,
		2 => BootState::Unverified,
		3 => BootState::Failed,
		_ => return Err(DerError),
	};
	let boot_hash =
		if fields.is_empty() { None } else { Some(fields.expect(universal::OCTET_STRING)?) };
	fields.finish()?;
	Ok(RootOfTrust { boot_key, locked, state, boot_hash })
}
