//! Certificates as text (RFC 7468, section 3, the strict form): base64 between two lines.

use super::super::{check::Fault, x509::MAX_CHAIN_LEN};
use alloc::vec::Vec;

/// The largest text that is read. A chain of three real certificates has 3,700 bytes.
pub const MAX_PEM_LEN: usize = 16 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates of a text, in order, as DER. Only white space may stand between them.
///
/// # Errors
///
/// [`Fault::TooLarge`] for a text above [`MAX_PEM_LEN`] or more than [`MAX_CHAIN_LEN`] certificates,
/// [`Fault::Malformed`].
pub fn certificates(text: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
	if text.len() > MAX_PEM_LEN {
		return Err(Fault::TooLarge);
	}
	let mut rest = core::str::from_utf8(text).map_err(|_| Fault::Malformed)?.trim_ascii();
	let mut found = Vec::new();
	while !rest.is_empty() {
		if found.len() >= MAX_CHAIN_LEN {
			return Err(Fault::TooLarge);
		}
		let body = rest.strip_prefix(BEGIN).ok_or(Fault::Malformed)?;
		let (body, after) = body.split_once(END).ok_or(Fault::Malformed)?;
		found.push(base64(body).ok_or(Fault::Malformed)?);
		rest = after.trim_ascii_start();
	}
	Ok(found)
}

/// The bytes of base64 (RFC 4648, section 4) with its padding; white space is skipped.
fn base64(text: &str) -> Option<Vec<u8>> {
	let mut out = Vec::with_capacity(text.len());
	let mut group = 0u32;
	let mut digits = 0u8;
	let mut padding = 0u8;
	for byte in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
		if byte == b'=' {
			padding = padding.saturating_add(1);
			continue;
		}
		if padding > 0 {
			return None;
		}
		group = (group << 6) | u32::from(digit(byte)?);
		digits = digits.saturating_add(1);
		if digits == 4 {
			let [_, bytes @ ..] = group.to_be_bytes();
			out.extend(bytes);
			(group, digits) = (0, 0);
		}
	}
	// What is left are 12 or 18 bits, of which the last 4 or 2 must be zero: one text for each value.
	match (digits, padding) {
		(0, 0) => {},
		(2, 2) if group & 0xf == 0 => {
			let [_, first, ..] = (group << 12).to_be_bytes();
			out.push(first);
		},
		(3, 1) if group & 0x3 == 0 => {
			let [_, first, second, _] = (group << 6).to_be_bytes();
			out.extend([first, second]);
		},
		_ => return None,
	}
	Some(out)
}

fn digit(byte: u8) -> Option<u8> {
	let (start, value) = match byte {
		b'A'..=b'Z' => (b'A', 0),
		b'a'..=b'z' => (b'a', 26),
		b'0'..=b'9' => (b'0', 52),
		b'+' => (b'+', 62),
		b'/' => (b'/', 63),
		_ => return None,
	};
	Some(byte.saturating_sub(start).saturating_add(value))
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	#[test]
	fn base64_should_have_one_text_for_each_value() {
		assert_eq!(base64("AQID"), Some(alloc::vec![1, 2, 3]));
		assert_eq!(base64("A\nQ I="), Some(alloc::vec![1, 2]));
		assert_eq!(base64("+/8="), Some(alloc::vec![0xfb, 0xff]));
		for text in ["A", "AQ", "AQI", "AR==", "AQJ=", "AQ=", "AQ===", "=", "AQ==AQID", "AQ-_"] {
			assert_eq!(base64(text), None, "{text}");
		}
	}

	#[test]
	fn texts_should_hold_certificates_only() {
		let one = alloc::format!("{BEGIN}\nAQID\n{END}\n");
		assert_eq!(certificates(one.repeat(2).as_bytes()).map(|found| found.len()), Ok(2));
		assert_eq!(certificates(b" \n"), Ok(Vec::new()));
		assert_eq!(certificates(one.repeat(9).as_bytes()), Err(Fault::TooLarge));
		assert_eq!(certificates(&[b' '; MAX_PEM_LEN + 1]), Err(Fault::TooLarge));
		for bad in [
			alloc::format!("x{one}"),
			alloc::format!("{one}x"),
			alloc::format!("{one}\0"),
			alloc::format!("{BEGIN}AQID"),
			one.replace("AQID", "AQI"),
			one.replace("CERTIFICATE", "CRL"),
		] {
			assert_eq!(certificates(bad.as_bytes()), Err(Fault::Malformed), "{bad}");
		}
		assert_eq!(certificates(&[0xff]), Err(Fault::Malformed));
	}

	proptest! {
		#[test]
		fn bytes_should_be_read_back(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
			use base64::Engine;
			let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
			prop_assert_eq!(super::base64(&text), Some(bytes));
		}

		#[test]
		fn any_text_should_end(text in "\\PC{0,80}") {
			let _ = super::base64(&text);
			let _ = certificates(text.as_bytes());
		}
	}
}
