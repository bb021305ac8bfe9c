//! What AMD's certificate says of the key that signs reports (AMD 57230, "VCEK and VLEK
//! certificates").

use super::{
	super::{
		check::Fault,
		der::{self, universal, DerError},
		x509::Certificate,
	},
	report::{Product, Tcb},
};
use const_oid::ObjectIdentifier;

const PRODUCT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.2");
const SPL_BOOTLOADER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.1");
const SPL_TEE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.2");
const SPL_SNP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.3");
const SPL_MICROCODE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.8");
const SPL_FMC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.3.9");
const HARDWARE_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.4");
const CSP_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.3704.1.5");

/// The two keys that sign reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyKind {
	/// Versioned chip endorsement key: derived from a secret of one chip.
	Vcek,
	/// Versioned loaded endorsement key: AMD gives the same one to all machines of a cloud.
	Vlek,
}

impl KeyKind {
	/// Its number in the key flags of a report.
	pub fn number(self) -> u32 {
		match self {
			KeyKind::Vcek => 0,
			KeyKind::Vlek => 1,
		}
	}

	/// What the name of its issuer begins with; the product's name follows.
	fn issuer_prefix(self) -> &'static str {
		match self {
			KeyKind::Vcek => "SEV-",
			KeyKind::Vlek => "SEV-VLEK-",
		}
	}
}

/// What the certificate says. A part that is missing or not of its form is a fault of the check
/// that needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endorsement<'a> {
	/// The kind of key.
	pub kind: KeyKind,
	/// The product.
	pub product: Product,
	/// The product's name with its stepping, where the certificate has one: "Milan-B0".
	pub product_name: &'a str,
	/// The firmware that the key was derived from.
	pub tcb: Result<Tcb, Fault>,
	/// The chip; a VLEK has none.
	pub hardware_id: Result<&'a [u8], Fault>,
	/// The cloud; a VCEK has none.
	pub csp_id: Result<&'a str, Fault>,
}

impl<'a> Endorsement<'a> {
	/// Reads the extensions of a VCEK's or VLEK's certificate.
	///
	/// # Errors
	///
	/// What leaves everything else without meaning: [`Fault::Missing`] without a product name,
	/// [`Fault::Malformed`] for a product or a kind of key that is not known.
	pub fn read(leaf: &'a Certificate<'_>) -> Result<Self, Fault> {
		let kind = match leaf.common_name() {
			Some("SEV-VCEK") => KeyKind::Vcek,
			Some("SEV-VLEK") => KeyKind::Vlek,
			_ => return Err(Fault::Malformed),
		};
		let product_name = text(leaf, PRODUCT_NAME)?;
		let product = Product::of(product_name).ok_or(Fault::Malformed)?;
		Ok(Self {
			kind,
			product,
			product_name,
			tcb: tcb(leaf, product),
			hardware_id: hardware_id(leaf, product.chip_id_len()),
			csp_id: text(leaf, CSP_ID),
		})
	}

	/// Whether the issuing certificate is the one for this kind of key and this product.
	pub fn is_issued_by(&self, issuer: Option<&str>) -> bool {
		issuer.and_then(|name| name.strip_prefix(self.kind.issuer_prefix()))
			== Some(self.product.name())
	}

	/// Whether the root is this product's.
	pub fn is_rooted_in(&self, root: Option<&str>) -> bool {
		root.and_then(|name| name.strip_prefix("ARK-")) == Some(self.product.name())
	}
}

fn malformed(_: DerError) -> Fault {
	Fault::Malformed
}

/// An extension that is an IA5String.
fn text<'a>(leaf: &'a Certificate<'_>, oid: ObjectIdentifier) -> Result<&'a str, Fault> {
	let value = leaf.extension(oid).ok_or(Fault::Missing)?;
	let mut reader = der::Reader::new(value);
	let bytes = reader.expect(universal::IA5_STRING).map_err(malformed)?;
	reader.finish().map_err(malformed)?;
	if bytes.is_ascii() {
		core::str::from_utf8(bytes).map_err(|_| Fault::Malformed)
	} else {
		Err(Fault::Malformed)
	}
}

/// An extension that is an INTEGER from 0 to 255.
fn level(leaf: &Certificate<'_>, oid: ObjectIdentifier) -> Result<u8, Fault> {
	let value = leaf.extension(oid).ok_or(Fault::Missing)?;
	let mut reader = der::Reader::new(value);
	let level = reader.small_integer().map_err(malformed)?;
	reader.finish().map_err(malformed)?;
	u8::try_from(level).map_err(|_| Fault::Malformed)
}

fn tcb(leaf: &Certificate<'_>, product: Product) -> Result<Tcb, Fault> {
	let fmc = match product {
		Product::Milan | Product::Genoa => 0,
		Product::Turin => level(leaf, SPL_FMC)?,
	};
	Ok(Tcb {
		fmc,
		bootloader: level(leaf, SPL_BOOTLOADER)?,
		tee: level(leaf, SPL_TEE)?,
		snp: level(leaf, SPL_SNP)?,
		microcode: level(leaf, SPL_MICROCODE)?,
	})
}

/// Older certificates have the bare bytes as the extension's value, newer ones an OCTET STRING.
fn hardware_id<'a>(leaf: &'a Certificate<'_>, len: usize) -> Result<&'a [u8], Fault> {
	let value = leaf.extension(HARDWARE_ID).ok_or(Fault::Missing)?;
	if value.len() == len {
		return Ok(value);
	}
	let mut reader = der::Reader::new(value);
	let bytes = reader.expect(universal::OCTET_STRING).map_err(malformed)?;
	reader.finish().map_err(malformed)?;
	if bytes.len() == len {
		Ok(bytes)
	} else {
		Err(Fault::Malformed)
	}
}
