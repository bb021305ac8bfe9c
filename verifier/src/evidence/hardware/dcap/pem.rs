//! Certificates as text (RFC 7468, section 3, the strict form): base64 between two lines.

use super::super::{base64, check::Fault, x509::MAX_CHAIN_LEN};
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
		found.push(base64::standard(body).ok_or(Fault::Malformed)?);
		rest = after.trim_ascii_start();
	}
	Ok(found)
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

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
		fn any_text_should_end(text in "\\PC{0,80}") {
			let _ = certificates(text.as_bytes());
		}
	}
}
