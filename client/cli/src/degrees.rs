//! Places as people write them: degrees with up to six decimals.

use anyhow::{bail, Result};
use armature_primitives::location::Position;

/// Decimals of a micro-degree.
const DECIMALS: usize = 6;

/// `50.11` is 50,110,000 micro-degrees, and `-8.5` is west or south.
pub(crate) fn parse_degrees(text: &str) -> Result<i32> {
	let text = text.trim();
	let (sign, number) = match text.strip_prefix('-') {
		Some(number) => (-1, number),
		None => (1, text),
	};
	let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
	if fraction.len() > DECIMALS {
		bail!("{text} has more than {DECIMALS} decimals: a millionth of a degree is a tenth of a metre");
	}
	let digits = format!("{whole}{fraction:0<DECIMALS$}");
	if whole.is_empty() || whole.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
		bail!("{text} is no number of degrees such as 50.11 or -8.5");
	}
	// Nine digits at most.
	Ok(digits.parse::<i32>()?.saturating_mul(sign))
}

/// Degrees north, of a place on the Earth.
pub(crate) fn parse_latitude(text: &str) -> Result<i32> {
	let latitude = parse_degrees(text)?;
	if !(Position { latitude, longitude: 0 }).is_valid() {
		bail!("{text} is beyond a pole: give -90 to 90 degrees north");
	}
	Ok(latitude)
}

/// Degrees east, of a place on the Earth.
pub(crate) fn parse_longitude(text: &str) -> Result<i32> {
	let longitude = parse_degrees(text)?;
	if !(Position { latitude: 0, longitude }).is_valid() {
		bail!("{text} is beyond a half turn: give -180 to 180 degrees east");
	}
	Ok(longitude)
}

/// A place, as it was written.
pub(crate) fn show_place(place: &Position) -> String {
	let side = |micro: i32, positive: char, negative: char| {
		let degrees = micro.unsigned_abs() / 1_000_000;
		let rest = micro.unsigned_abs() % 1_000_000;
		let fraction = format!("{rest:0>DECIMALS$}");
		let fraction = fraction.trim_end_matches('0');
		let point = if fraction.is_empty() { "" } else { "." };
		let side = if micro < 0 { negative } else { positive };
		format!("{degrees}{point}{fraction} {side}")
	};
	format!("{}, {}", side(place.latitude, 'N', 'S'), side(place.longitude, 'E', 'W'))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn degrees_should_be_read_to_the_millionth() {
		for (text, micro) in [
			("50.11", 50_110_000),
			("-8.5", -8_500_000),
			("0", 0),
			("-0", 0),
			("7.", 7_000_000),
			(" 179.999999 ", 179_999_999),
			("999.999999", 999_999_999),
		] {
			assert_eq!(parse_degrees(text).unwrap(), micro, "{text}");
		}
		for wrong in
			["", "-", ".5", "--1", "+1", "1.0000001", "1000", "1,5", "1e1", "N 5", "5 N", "-.1"]
		{
			assert!(parse_degrees(wrong).is_err(), "{wrong}");
		}
	}

	#[test]
	fn places_should_be_on_the_earth() {
		assert_eq!(parse_latitude("90").unwrap(), 90_000_000);
		assert_eq!(parse_latitude("-90.0").unwrap(), -90_000_000);
		assert_eq!(parse_longitude("180").unwrap(), 180_000_000);
		assert_eq!(parse_longitude("-180").unwrap(), -180_000_000);
		let told = |result: Result<i32>| result.unwrap_err().to_string();
		for beyond in ["90.000001", "-90.000001"] {
			assert!(told(parse_latitude(beyond)).contains("-90 to 90"), "{beyond}");
		}
		for beyond in ["180.000001", "-180.000001"] {
			assert!(told(parse_longitude(beyond)).contains("-180 to 180"), "{beyond}");
		}
		assert!(told(parse_longitude("1.0000001")).contains("more than 6 decimals"));
	}

	#[test]
	fn places_should_be_shown_as_they_were_written() {
		let shown = |latitude, longitude| show_place(&Position { latitude, longitude });
		assert_eq!(shown(50_110_000, 8_680_000), "50.11 N, 8.68 E");
		assert_eq!(shown(-33_870_001, -151_000_000), "33.870001 S, 151 W");
		assert_eq!(shown(0, 0), "0 N, 0 E");
		assert_eq!(shown(i32::MIN, 500), "2147.483648 S, 0.0005 E");
	}
}
