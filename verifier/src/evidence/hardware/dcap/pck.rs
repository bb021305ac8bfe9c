//! What a PCK certificate says of its platform (Intel, "SGX PCK Certificate and Certificate
//! Revocation List Profile", 1.5, section 1.3.4: extension 1.2.840.113741.1.13.1).

use super::super::{
	check::Fault,
	der::{universal, DerError, Element, Reader},
	x509::Certificate,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use const_oid::ObjectIdentifier;
use scale_info::TypeInfo;

const SGX_EXTENSIONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1");
const TCB: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1.13.1.2");

/// `commonName` of every PCK certificate.
pub const PCK_NAME: &str = "Intel SGX PCK Certificate";

/// The authorities that issue PCK certificates.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum PckCaKind {
	/// For platforms of one processor.
	#[codec(index = 0)]
	Processor,
	/// For platforms that register with Intel, of one or more processors.
	#[codec(index = 1)]
	Platform,
}

impl PckCaKind {
	/// By `commonName`.
	pub fn of(name: &str) -> Option<Self> {
		match name {
			"Intel SGX PCK Processor CA" => Some(PckCaKind::Processor),
			"Intel SGX PCK Platform CA" => Some(PckCaKind::Platform),
			_ => None,
		}
	}

	/// For people.
	pub fn name(self) -> &'static str {
		match self {
			PckCaKind::Processor => "processor",
			PckCaKind::Platform => "platform",
		}
	}
}

/// What the extension says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pck {
	/// Platform provisioning id: one per box, the same in all of its certificates.
	pub ppid: [u8; 16],
	/// Security versions of the 16 components.
	pub components: [u8; 16],
	/// Security version of the provisioning enclave.
	pub pce_svn: u16,
	/// The components as the processor encodes them.
	pub cpu_svn: [u8; 16],
	/// Kind of provisioning enclave.
	pub pce_id: [u8; 2],
	/// Family, model, stepping, platform and SKU.
	pub fmspc: [u8; 6],
	/// 0: standard, 1: scalable, 2: scalable with integrity.
	pub sgx_type: u64,
	/// Id of the registration; in certificates of the Platform CA.
	pub platform_instance_id: Option<[u8; 16]>,
}

impl Pck {
	/// Reads the extension. Parts that are not known are skipped.
	///
	/// # Errors
	///
	/// [`Fault::Missing`] without the extension or one of its parts, [`Fault::Malformed`], also when
	/// a part is there twice.
	pub fn read(leaf: &Certificate<'_>) -> Result<Self, Fault> {
		let value = leaf.extension(SGX_EXTENSIONS).ok_or(Fault::Missing)?;
		Self::parse(value)
	}

	fn parse(value: &[u8]) -> Result<Self, Fault> {
		let mut parts = Parts::default();
		each(value, SGX_EXTENSIONS, |number, element| parts.take(number, element))?;
		Ok(Self {
			ppid: parts.ppid.ok_or(Fault::Missing)?,
			components: all(parts.components)?,
			pce_svn: parts.pce_svn.ok_or(Fault::Missing)?,
			cpu_svn: parts.cpu_svn.ok_or(Fault::Missing)?,
			pce_id: parts.pce_id.ok_or(Fault::Missing)?,
			fmspc: parts.fmspc.ok_or(Fault::Missing)?,
			sgx_type: parts.sgx_type.ok_or(Fault::Missing)?,
			platform_instance_id: parts.platform_instance_id,
		})
	}
}

#[derive(Default)]
struct Parts {
	ppid: Option<[u8; 16]>,
	components: [Option<u8>; 16],
	pce_svn: Option<u16>,
	cpu_svn: Option<[u8; 16]>,
	pce_id: Option<[u8; 2]>,
	fmspc: Option<[u8; 6]>,
	sgx_type: Option<u64>,
	platform_instance_id: Option<[u8; 16]>,
}

impl Parts {
	fn take(&mut self, number: u8, element: Element<'_>) -> Result<(), Fault> {
		match number {
			1 => once(&mut self.ppid, octets(element)?),
			2 => {
				if !element.is(universal::SEQUENCE) || !element.constructed {
					return Err(Fault::Malformed);
				}
				members(Reader::new(element.value), TCB, |number, element| {
					self.take_tcb(number, element)
				})
			},
			3 => once(&mut self.pce_id, octets(element)?),
			4 => once(&mut self.fmspc, octets(element)?),
			5 => once(&mut self.sgx_type, element.unsigned().map_err(malformed)?),
			6 => once(&mut self.platform_instance_id, octets(element)?),
			_ => Ok(()),
		}
	}

	/// Components 1 to 16, then PCESVN and CPUSVN.
	fn take_tcb(&mut self, number: u8, element: Element<'_>) -> Result<(), Fault> {
		match number {
			17 => once(&mut self.pce_svn, small(element)?),
			18 => once(&mut self.cpu_svn, octets(element)?),
			_ => {
				let at = usize::from(number).checked_sub(1);
				match at.and_then(|at| self.components.get_mut(at)) {
					Some(component) => once(component, small(element)?),
					None => Ok(()),
				}
			},
		}
	}
}

/// The members of a SEQUENCE of `SEQUENCE { id, value }`, nothing behind it.
fn each(
	value: &[u8],
	prefix: ObjectIdentifier,
	take: impl FnMut(u8, Element<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
	let mut outer = Reader::new(value);
	let inner = outer.sequence().map_err(malformed)?;
	outer.finish().map_err(malformed)?;
	members(inner, prefix, take)
}

/// Gives out the values whose id has one more (short) arc than `prefix`, by that arc.
fn members(
	mut reader: Reader<'_>,
	prefix: ObjectIdentifier,
	mut take: impl FnMut(u8, Element<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
	while !reader.is_empty() {
		let mut member = reader.sequence().map_err(malformed)?;
		let id = member.oid().map_err(malformed)?;
		let element = member.element().map_err(malformed)?;
		member.finish().map_err(malformed)?;
		match id.as_bytes().split_last() {
			Some((number, parent)) if parent == prefix.as_bytes() => take(*number, element)?,
			_ => {},
		}
	}
	Ok(())
}

fn all(components: [Option<u8>; 16]) -> Result<[u8; 16], Fault> {
	let mut out = [0; 16];
	for (to, from) in out.iter_mut().zip(components) {
		*to = from.ok_or(Fault::Missing)?;
	}
	Ok(out)
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Fault> {
	match place.replace(value) {
		None => Ok(()),
		Some(_) => Err(Fault::Malformed),
	}
}

fn octets<const N: usize>(element: Element<'_>) -> Result<[u8; N], Fault> {
	if !element.is(universal::OCTET_STRING) {
		return Err(Fault::Malformed);
	}
	element.value.try_into().map_err(|_| Fault::Malformed)
}

fn small<T: TryFrom<u64>>(element: Element<'_>) -> Result<T, Fault> {
	let value = element.unsigned().map_err(malformed)?;
	T::try_from(value).map_err(|_| Fault::Malformed)
}

fn malformed(_: DerError) -> Fault {
	Fault::Malformed
}
