//! Base64 (RFC 4648). There is one text for each value: bits that no byte needs must be zero.

use alloc::vec::Vec;

/// The standard alphabet (section 4) with its padding; white space is skipped.
pub(super) fn standard(text: &str) -> Option<Vec<u8>> {
	let digits = text
		.trim_ascii_end()
		.trim_end_matches(|c: char| c == '=' || c.is_ascii_whitespace());
	let padding = text.bytes().filter(|byte| *byte == b'=').count();
	let mut reader = Reader::default();
	for byte in digits.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
		reader.digit(byte, [b'+', b'/'])?;
	}
	let (bytes, missing) = reader.finish()?;
	(missing == padding).then_some(bytes)
}

/// The alphabet for names (section 5) without padding, as RFC 7515 has it.
pub(super) fn url(text: &str) -> Option<Vec<u8>> {
	let mut reader = Reader::default();
	for byte in text.bytes() {
		reader.digit(byte, [b'-', b'_'])?;
	}
	reader.finish().map(|(bytes, _)| bytes)
}

/// Digits to bytes.
#[derive(Default)]
struct Reader {
	out: Vec<u8>,
	/// The digits since the last whole group of four.
	group: u32,
	digits: u8,
}

impl Reader {
	/// Takes a digit; the last two of the alphabet are given.
	fn digit(&mut self, byte: u8, last: [u8; 2]) -> Option<()> {
		let [plus, slash] = last;
		let (start, value) = match byte {
			b'A'..=b'Z' => (b'A', 0),
			b'a'..=b'z' => (b'a', 26),
			b'0'..=b'9' => (b'0', 52),
			_ if byte == plus => (plus, 62),
			_ if byte == slash => (slash, 63),
			_ => return None,
		};
		let value: u8 = byte.saturating_sub(start).saturating_add(value);
		self.group = (self.group << 6) | u32::from(value);
		self.digits = self.digits.saturating_add(1);
		if self.digits == 4 {
			let [_, bytes @ ..] = self.group.to_be_bytes();
			self.out.extend(bytes);
			(self.group, self.digits) = (0, 0);
		}
		Some(())
	}

	/// The bytes, and how many digits the last group lacks.
	fn finish(mut self) -> Option<(Vec<u8>, usize)> {
		// What is left are 12 or 18 bits, of which the last 4 or 2 must be zero.
		let missing = match self.digits {
			0 => 0,
			2 if self.group & 0xf == 0 => {
				let [_, first, ..] = (self.group << 12).to_be_bytes();
				self.out.push(first);
				2
			},
			3 if self.group & 0x3 == 0 => {
				let [_, first, second, _] = (self.group << 6).to_be_bytes();
				self.out.extend([first, second]);
				1
			},
			_ => return None,
		};
		Some((self.out, missing))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use base64::{
		engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
		Engine,
	};
	use proptest::prelude::*;

	#[test]
	fn base64_should_have_one_text_for_each_value() {
		assert_eq!(standard("AQID"), Some(alloc::vec![1, 2, 3]));
		assert_eq!(standard("A\nQ I="), Some(alloc::vec![1, 2]));
		assert_eq!(standard("+/8="), Some(alloc::vec![0xfb, 0xff]));
		for text in
			["A", "AQ", "AQI", "AR==", "AQJ=", "AQ=", "AQ===", "=", "AQ==AQID", "AQ-_", "A=Q="]
		{
			assert_eq!(standard(text), None, "{text}");
		}
	}

	proptest! {
		#[test]
		fn standard_should_agree_with_the_crate(text in "[A-Za-z0-9+/=_-]{0,12}") {
			prop_assert_eq!(standard(&text), STANDARD.decode(&text).ok());
		}

		#[test]
		fn url_should_agree_with_the_crate(text in "[A-Za-z0-9_=+-]{0,12}") {
			prop_assert_eq!(url(&text), URL_SAFE_NO_PAD.decode(&text).ok());
		}

		#[test]
		fn bytes_should_be_read_back(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
			prop_assert_eq!(standard(&STANDARD.encode(&bytes)), Some(bytes.clone()));
			prop_assert_eq!(url(&URL_SAFE_NO_PAD.encode(&bytes)), Some(bytes));
		}

		#[test]
		fn any_text_should_end(text in "\\PC{0,80}") {
			let _ = (standard(&text), url(&text));
		}
	}
}
