//! Google's list of revoked attestation certificates, `status.json`
//! (<https://android.googleapis.com/attestation/status>).

use alloc::{format, string::String, vec::Vec};
use core::fmt;
use serde::{
	de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor},
	Deserializer,
};

/// The largest list that is read. In 2025 the real one had some hundred kilobytes.
pub const MAX_STATUS_LEN: usize = 4 * 1024 * 1024;

/// The list is no JSON, or has no `entries`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StatusError;

/// For each certificate, whether the list has an entry for its serial number. Serial numbers are
/// big endian without leading zeros.
///
/// Keys are hex in lower case as documented, or decimal as in Google's older lists: a key counts in
/// either notation, so a number that can be read as both revokes both. The documented states of an
/// entry are REVOKED and SUSPENDED and both refuse; so does one that is not known yet.
pub(super) fn listed(json: &[u8], serials: &[&[u8]]) -> Result<Vec<bool>, StatusError> {
	let names = serials.iter().map(|serial| (hex(serial), decimal(serial))).collect();
	let mut list = List { names, listed: serials.iter().map(|_| false).collect() };
	let mut deserializer = serde_json::Deserializer::from_slice(json);
	let found = deserializer.deserialize_map(Top(&mut list)).map_err(|_| StatusError)?;
	deserializer.end().map_err(|_| StatusError)?;
	if found {
		Ok(list.listed)
	} else {
		Err(StatusError)
	}
}

/// Lower-case hex without leading zeros.
fn hex(serial: &[u8]) -> String {
	let digits: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
	digits.trim_start_matches('0').into()
}

/// Decimal. Serial numbers have at most 20 bytes, a few more do no harm: the time is quadratic.
fn decimal(serial: &[u8]) -> String {
	// Digits in rising order of weight.
	let mut digits: Vec<u8> = Vec::new();
	for byte in serial {
		let mut carry = u16::from(*byte);
		for digit in &mut digits {
			let sum = u16::from(*digit).saturating_mul(256).saturating_add(carry);
			*digit = u8::try_from(sum % 10).unwrap_or_default();
			carry = sum / 10;
		}
		while carry > 0 {
			digits.push(u8::try_from(carry % 10).unwrap_or_default());
			carry /= 10;
		}
	}
	digits
		.iter()
		.rev()
		.map(|digit| char::from(digit.saturating_add(b'0')))
		.collect()
}

struct List {
	names: Vec<(String, String)>,
	listed: Vec<bool>,
}

impl List {
	fn meet(&mut self, key: &str) {
		let key = key.strip_prefix("0x").unwrap_or(key).trim_start_matches('0');
		if key.is_empty() {
			return;
		}
		for ((hex, decimal), listed) in self.names.iter().zip(&mut self.listed) {
			*listed |= key.eq_ignore_ascii_case(hex) || key == decimal;
		}
	}
}

/// The outer object; says whether it has `entries`. Both objects are walked without being kept.
struct Top<'a>(&'a mut List);

impl<'de> Visitor<'de> for Top<'_> {
	type Value = bool;

	fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("an object with \"entries\"")
	}

	fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
		let mut found = false;
		while let Some(key) = map.next_key::<String>()? {
			if key == "entries" {
				map.next_value_seed(Entries(self.0))?;
				found = true;
			} else {
				map.next_value::<IgnoredAny>()?;
			}
		}
		Ok(found)
	}
}

/// The inner object: serial numbers to states.
struct Entries<'a>(&'a mut List);

impl<'de> DeserializeSeed<'de> for Entries<'_> {
	type Value = ();

	fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
		deserializer.deserialize_map(self)
	}
}

impl<'de> Visitor<'de> for Entries<'_> {
	type Value = ();

	fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("an object from serial numbers to states")
	}

	fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
		while let Some(key) = map.next_key::<String>()? {
			if !key.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'x') {
				return Err(A::Error::custom("a key is no serial number"));
			}
			self.0.meet(&key);
			map.next_value::<IgnoredAny>()?;
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn serials_should_be_written_in_both_notations() {
		assert_eq!((hex(&[0x0c, 0x6e]), decimal(&[0x0c, 0x6e])), ("c6e".into(), "3182".into()));
		assert_eq!(
			decimal(&[0xe8, 0xfa, 0x19, 0x63, 0x14, 0xd2, 0xfa, 0x18]),
			"16787758474318772760"
		);
		assert_eq!((hex(&[]), decimal(&[])), (String::new(), String::new()));
		assert_eq!(decimal(&[0xff; 16]), format!("{}", u128::MAX));
	}
}
