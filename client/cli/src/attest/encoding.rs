//! Bytes that are written as text: hex, base64, PEM.

use base64::{engine::general_purpose::STANDARD_NO_PAD, Engine};

/// The text of a file, without a byte order mark, white space and zeros around it. `None` for what
/// is no text.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
	let text = std::str::from_utf8(bytes).ok()?.trim_start_matches('\u{feff}');
	let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
	let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
	(!text.is_empty() && text.chars().all(is_text)).then_some(text)
}

fn without_space(text: &str) -> String {
	text.chars().filter(|c| !c.is_ascii_whitespace()).collect()
}

/// Hex of either case, with or without `0x` and white space.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
	let digits = without_space(text);
	let digits = digits.strip_prefix("0x").unwrap_or(&digits);
	if digits.is_empty() {
		return None;
	}
	hex::decode(digits).ok()
}

/// Base64, standard or URL-safe, with or without padding and white space.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
	let digits = without_space(text);
	let padding = digits.len().saturating_sub(digits.trim_end_matches('=').len());
	if padding > 2 {
		return None;
	}
	let digits = digits.trim_end_matches('=').replace('-', "+").replace('_', "/");
	if digits.is_empty() {
		return None;
	}
	STANDARD_NO_PAD.decode(digits).ok()
}

/// Hex if it can be, otherwise base64.
pub(crate) fn hex_or_base64(text: &str) -> Option<Vec<u8>> {
	hex(text).or_else(|| base64(text))
}

/// A block of a PEM text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
	/// What stands behind BEGIN.
	pub(crate) label: String,
	pub(crate) bytes: Vec<u8>,
}

/// The blocks of a PEM text; what stands between them is passed over. `None` where there is no
/// block.
///
/// # Errors
///
/// A sentence about a block that cannot be read.
pub(crate) fn pem(text: &str) -> Option<Result<Vec<Block>, String>> {
	let mut parts = text.split("-----BEGIN ");
	parts.next();
	let blocks: Vec<_> = parts.collect();
	if blocks.is_empty() {
		return None;
	}
	Some((1usize..).zip(blocks).map(|(at, block)| pem_block(at, block)).collect())
}

fn pem_block(at: usize, block: &str) -> Result<Block, String> {
	let ends = || format!("block {at} of the PEM text has no end: the file is cut short");
	let (label, rest) = block.split_once("-----").ok_or_else(ends)?;
	let (body, _) = rest.split_once("-----END").ok_or_else(ends)?;
	let bytes =
		base64(body).ok_or_else(|| format!("block {at} of the PEM text ({label}) is no base64"))?;
	Ok(Block { label: label.to_owned(), bytes })
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn hex_should_be_read_however_it_is_written() {
		for text in ["00ffA1", "00FFa1", "0x00ffa1", "00 ff\n a1\t"] {
			assert_eq!(hex(text), Some(vec![0, 0xff, 0xa1]), "{text}");
		}
		for text in ["", "0x", "0", "0g", "00:ff"] {
			assert_eq!(hex(text), None, "{text}");
		}
	}

	#[test]
	fn base64_should_be_read_however_it_is_written() {
		for text in ["+/8B", "-_8B", " +/\n8B "] {
			assert_eq!(base64(text), Some(vec![0xfb, 0xff, 1]), "{text}");
		}
		for text in ["+/8=", "+/8", "-_8=", "-_8"] {
			assert_eq!(base64(text), Some(vec![0xfb, 0xff]), "{text}");
		}
		for text in ["", "=", "+", "+/8B===", "+=/8", "é"] {
			assert_eq!(base64(text), None, "{text}");
		}
	}

	#[test]
	fn text_should_be_freed_of_what_surrounds_it() {
		assert_eq!(text(b"\xef\xbb\xbf a b\r\n\0"), Some("a b"));
		assert_eq!(text(b"a\x01b"), None);
		assert_eq!(text(b"\xff"), None);
		assert_eq!(text(b" \n"), None);
	}

	#[test]
	fn pem_should_have_whole_blocks() {
		let bundle = "subject=x\n-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n\n\
		              -----BEGIN PUBLIC KEY-----\r\nBA==\r\n-----END PUBLIC KEY-----";
		let blocks = pem(bundle).unwrap().unwrap();
		assert_eq!(blocks[0], Block { label: "CERTIFICATE".into(), bytes: vec![1, 2, 3] });
		assert_eq!(blocks[1], Block { label: "PUBLIC KEY".into(), bytes: vec![4] });
		assert_eq!(pem("nothing"), None);
		assert!(pem("-----BEGIN X-----\nAQ").unwrap().unwrap_err().contains("block 1"));
		let no_base64 = pem("-----BEGIN X-----\n!\n-----END X-----").unwrap().unwrap_err();
		assert_eq!(no_base64, "block 1 of the PEM text (X) is no base64");
	}
}
