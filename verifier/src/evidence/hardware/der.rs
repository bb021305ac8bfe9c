//! A DER reader for what the X.509 crates do not read: tag numbers above 30 (Android), and
//! extensions whose makers take liberties.
//!
//! It borrows, allocates nothing, does not recurse, and ends on every input: each step takes at
//! least two bytes off the front.

use const_oid::ObjectIdentifier;

/// The bytes are no DER, or not what was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DerError;

/// Class of a tag, X.690 8.1.2.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
	/// Types of ASN.1 itself.
	Universal,
	/// `[APPLICATION n]`.
	Application,
	/// `[n]`.
	Context,
	/// `[PRIVATE n]`.
	Private,
}

/// Universal tag numbers that are asked for.
pub mod universal {
	#![allow(missing_docs, reason = "the names of X.680")]
	pub const BOOLEAN: u32 = 1;
	pub const INTEGER: u32 = 2;
	pub const OCTET_STRING: u32 = 4;
	pub const NULL: u32 = 5;
	pub const OID: u32 = 6;
	pub const ENUMERATED: u32 = 10;
	pub const UTF8_STRING: u32 = 12;
	pub const SEQUENCE: u32 = 16;
	pub const SET: u32 = 17;
	pub const IA5_STRING: u32 = 22;
}

/// One element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element<'a> {
	/// Class of the tag.
	pub class: Class,
	/// Whether its value consists of elements.
	pub constructed: bool,
	/// Number of the tag.
	pub number: u32,
	/// The value.
	pub value: &'a [u8],
}

impl<'a> Element<'a> {
	/// Whether it is of this universal type.
	pub fn is(&self, number: u32) -> bool {
		self.class == Class::Universal && self.number == number
	}

	/// Its elements.
	///
	/// # Errors
	///
	/// When it is primitive.
	pub fn elements(&self) -> Result<Reader<'a>, DerError> {
		if self.constructed {
			Ok(Reader::new(self.value))
		} else {
			Err(DerError)
		}
	}

	/// The value of an INTEGER or ENUMERATED from 0 to 2^64 - 1.
	///
	/// # Errors
	///
	/// When it is none.
	pub fn unsigned(&self) -> Result<u64, DerError> {
		if !(self.is(universal::INTEGER) || self.is(universal::ENUMERATED)) {
			return Err(DerError);
		}
		integer(self.value)
	}
}

/// A non-negative big-endian two's-complement number of at most 64 bits.
pub fn integer(value: &[u8]) -> Result<u64, DerError> {
	let (first, _) = value.split_first().ok_or(DerError)?;
	if *first >= 0x80 || value.len() > 9 || (value.len() == 9 && *first != 0) {
		return Err(DerError);
	}
	Ok(value.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte)))
}

/// Reads elements one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
	rest: &'a [u8],
}

impl<'a> Reader<'a> {
	/// Over these bytes.
	pub fn new(bytes: &'a [u8]) -> Self {
		Self { rest: bytes }
	}

	/// Whether nothing is left.
	pub fn is_empty(&self) -> bool {
		self.rest.is_empty()
	}

	fn byte(&mut self) -> Result<u8, DerError> {
		let (first, rest) = self.rest.split_first().ok_or(DerError)?;
		self.rest = rest;
		Ok(*first)
	}

	fn take(&mut self, len: usize) -> Result<&'a [u8], DerError> {
		let (head, rest) = self.rest.split_at_checked(len).ok_or(DerError)?;
		self.rest = rest;
		Ok(head)
	}

	/// The next element, `None` at the end.
	///
	/// # Errors
	///
	/// When what follows is no DER.
	#[allow(clippy::should_implement_trait, reason = "it can fail")]
	pub fn next(&mut self) -> Result<Option<Element<'a>>, DerError> {
		if self.rest.is_empty() {
			return Ok(None);
		}
		let lead = self.byte()?;
		let class = match lead >> 6 {
			0 => Class::Universal,
			1 => Class::Application,
			2 => Class::Context,
			_ => Class::Private,
		};
		let constructed = lead & 0x20 != 0;
		let number = match lead & 0x1f {
			0x1f => self.long_tag()?,
			short => u32::from(short),
		};
		let len = self.length()?;
		let value = self.take(len)?;
		Ok(Some(Element { class, constructed, number, value }))
	}

	/// Tag numbers from 31 on, in base 128, at most four digits.
	fn long_tag(&mut self) -> Result<u32, DerError> {
		let mut number = 0u32;
		for at in 0..4 {
			let byte = self.byte()?;
			if at == 0 && byte == 0x80 {
				return Err(DerError);
			}
			number = (number << 7) | u32::from(byte & 0x7f);
			if byte & 0x80 == 0 {
				return if number >= 31 { Ok(number) } else { Err(DerError) };
			}
		}
		Err(DerError)
	}

	/// Definite lengths in their shortest form, at most three bytes.
	fn length(&mut self) -> Result<usize, DerError> {
		let first = self.byte()?;
		if first < 0x80 {
			return Ok(usize::from(first));
		}
		let digits = usize::from(first & 0x7f);
		if digits == 0 || digits > 3 {
			return Err(DerError);
		}
		let bytes = self.take(digits)?;
		let len = bytes.iter().fold(0usize, |sum, byte| (sum << 8) | usize::from(*byte));
		let shortest = if len < 0x80 {
			0
		} else if len < 0x100 {
			1
		} else if len < 0x1_0000 {
			2
		} else {
			3
		};
		if shortest == digits {
			Ok(len)
		} else {
			Err(DerError)
		}
	}

	/// The next element, which must be there.
	///
	/// # Errors
	///
	/// When nothing is left or it is no DER.
	pub fn element(&mut self) -> Result<Element<'a>, DerError> {
		self.next()?.ok_or(DerError)
	}

	/// The value of the next element, which must be of this universal type.
	///
	/// # Errors
	///
	/// When it is of another type.
	pub fn expect(&mut self, number: u32) -> Result<&'a [u8], DerError> {
		let element = self.element()?;
		if element.is(number) {
			Ok(element.value)
		} else {
			Err(DerError)
		}
	}

	/// The elements of the next SEQUENCE.
	///
	/// # Errors
	///
	/// When it is none.
	pub fn sequence(&mut self) -> Result<Reader<'a>, DerError> {
		let element = self.element()?;
		if element.is(universal::SEQUENCE) {
			element.elements()
		} else {
			Err(DerError)
		}
	}

	/// The next OBJECT IDENTIFIER.
	///
	/// # Errors
	///
	/// When it is none.
	pub fn oid(&mut self) -> Result<ObjectIdentifier, DerError> {
		let value = self.expect(universal::OID)?;
		ObjectIdentifier::from_bytes(value).map_err(|_| DerError)
	}

	/// The next INTEGER or ENUMERATED, from 0 to 2^64 - 1.
	///
	/// # Errors
	///
	/// When it is none.
	pub fn small_integer(&mut self) -> Result<u64, DerError> {
		self.element()?.unsigned()
	}

	/// Ends the reading.
	///
	/// # Errors
	///
	/// When something is left.
	pub fn finish(self) -> Result<(), DerError> {
		if self.rest.is_empty() {
			Ok(())
		} else {
			Err(DerError)
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn long_tags_should_be_read_as_android_writes_them() {
		// [704] of five bytes: bf 85 40 05.
		let bytes = [0xbf, 0x85, 0x40, 0x05, 1, 2, 3, 4, 5];
		let element = Reader::new(&bytes).element().unwrap();
		assert_eq!((element.class, element.number), (Class::Context, 704));
		assert_eq!(element.value, [1, 2, 3, 4, 5]);
	}

	#[test]
	fn lengths_should_be_shortest_and_inside() {
		assert!(Reader::new(&[0x04, 0x81, 0x7f]).element().is_err_and(|e| e == DerError));
		assert_eq!(Reader::new(&[0x04, 0x80]).element(), Err(DerError));
		assert_eq!(Reader::new(&[0x04, 0x02, 1]).element(), Err(DerError));
		assert_eq!(Reader::new(&[0x04, 0x84, 0, 0, 0, 1, 9]).element(), Err(DerError));
		let mut long = [0u8; 3 + 128];
		long[..3].copy_from_slice(&[0x04, 0x81, 0x80]);
		assert_eq!(Reader::new(&long).element().unwrap().value.len(), 128);
	}

	#[test]
	fn integers_should_be_unsigned_and_of_64_bits() {
		assert_eq!(integer(&[0x7f]), Ok(127));
		assert_eq!(integer(&[0x80]), Err(DerError));
		assert_eq!(integer(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Ok(u64::MAX));
		assert_eq!(integer(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), Err(DerError));
		assert_eq!(integer(&[]), Err(DerError));
	}

	proptest! {
		#[test]
		fn any_bytes_should_end(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
			let mut reader = Reader::new(&bytes);
			let mut steps = 0;
			while let Ok(Some(_)) = reader.next() {
				steps += 1;
			}
			prop_assert!(steps <= bytes.len() / 2);
		}
	}
}
