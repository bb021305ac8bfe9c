//! Instants as text, RFC 3339.

use core::{fmt, time::Duration};
use x509_cert::der::DateTime;

/// Milliseconds since 1970 of an RFC 3339 instant: `2026-01-31T12:00:00Z`, with a fraction of a
/// second (cut to milliseconds) or an offset (`+01:00`) if there is one. `None` for anything else
/// and for years outside 1970 to 9999; leap seconds (`:60`) are not known.
pub fn parse_rfc3339(text: &str) -> Option<u64> {
	let (date, time) = text.split_once(['T', 't', ' '])?;
	let mut date = date.split('-');
	let year = number(date.next()?, 4)?;
	let month = u8::try_from(number(date.next()?, 2)?).ok()?;
	let day = u8::try_from(number(date.next()?, 2)?).ok()?;
	let at = time.find(['Z', 'z', '+', '-'])?;
	let (clock, zone) = time.split_at_checked(at)?;
	let (clock, fraction) = match clock.split_once('.') {
		Some((clock, fraction)) => (clock, milliseconds(fraction)?),
		None => (clock, 0),
	};
	let mut clock = clock.split(':');
	let hour = u8::try_from(number(clock.next()?, 2)?).ok()?;
	let minute = u8::try_from(number(clock.next()?, 2)?).ok()?;
	let second = u8::try_from(number(clock.next()?, 2)?).ok()?;
	if date.next().is_some() || clock.next().is_some() {
		return None;
	}
	let moment = DateTime::new(year, month, day, hour, minute, second).ok()?;
	let local = u64::try_from(moment.unix_duration().as_millis()).ok()?.checked_add(fraction)?;
	match zone.strip_prefix(['+', '-']) {
		None => zone.eq_ignore_ascii_case("z").then_some(local),
		Some(offset) => {
			let (hours, minutes) = offset.split_once(':')?;
			let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
			if hours > 23 || minutes > 59 {
				return None;
			}
			let minutes = u64::from(hours).checked_mul(60)?.checked_add(u64::from(minutes))?;
			let offset = minutes.checked_mul(60_000)?;
			if zone.starts_with('+') {
				local.checked_sub(offset)
			} else {
				local.checked_add(offset)
			}
		},
	}
}

/// A number of exactly `digits` digits.
fn number(text: &str, digits: usize) -> Option<u16> {
	if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()) {
		text.parse().ok()
	} else {
		None
	}
}

/// The first three digits of a fraction.
fn milliseconds(fraction: &str) -> Option<u64> {
	if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
		return None;
	}
	let digits = fraction.bytes().chain([b'0', b'0']).take(3);
	Some(digits.fold(0, |sum: u64, byte| {
		sum.saturating_mul(10).saturating_add(u64::from(byte.saturating_sub(b'0')))
	}))
}

/// Milliseconds since 1970, shown as RFC 3339 in UTC; instants after the year 9999 as a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rfc3339(pub u64);

impl fmt::Display for Rfc3339 {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Ok(moment) = DateTime::from_unix_duration(Duration::from_secs(self.0 / 1_000)) else {
			return write!(f, "{} ms after 1970", self.0);
		};
		write!(
			f,
			"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
			moment.year(),
			moment.month(),
			moment.day(),
			moment.hour(),
			moment.minutes(),
			moment.seconds()
		)?;
		match self.0 % 1_000 {
			0 => f.write_str("Z"),
			millis => write!(f, ".{millis:03}Z"),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::string::ToString;
	use proptest::prelude::*;

	#[test]
	fn instants_should_be_read_as_rfc_3339_has_them() {
		assert_eq!(parse_rfc3339("1970-01-01T00:00:00Z"), Some(0));
		assert_eq!(parse_rfc3339("2026-01-01T00:00:00Z"), Some(1_767_225_600_000));
		assert_eq!(parse_rfc3339("2026-01-01t01:00:00.5+01:00"), Some(1_767_225_600_500));
		assert_eq!(parse_rfc3339("2025-12-31 18:30:00.123456789-05:30"), Some(1_767_225_600_123));
		assert_eq!(parse_rfc3339("2024-02-29T23:59:59z"), Some(1_709_251_199_000));
	}

	#[test]
	fn other_texts_should_be_refused() {
		for text in [
			"",
			"now",
			"2026-01-01",
			"2026-01-01T00:00:00",
			"2026-01-01T00:00Z",
			"2026-01-01T00:00:00.Z",
			"2026-01-01T00:00:00Zz",
			"2026-01-01T00:00:00+1:00",
			"2026-01-01T00:00:00+24:00",
			"2026-01-01T00:00:00+01:60",
			"2026-01-01T24:00:00Z",
			"2026-02-29T00:00:00Z",
			"2026-13-01T00:00:00Z",
			"2026-1-1T00:00:00Z",
			"+026-01-01T00:00:00Z",
			"2026-01-01-01T00:00:00Z",
			"2026-01-01T00:00:00:00Z",
			"1970-01-01T00:00:00+00:01",
			"1969-12-31T23:59:59Z",
			"2026-01-01T00:00:00é",
		] {
			assert_eq!(parse_rfc3339(text), None, "{text}");
		}
	}

	#[test]
	fn instants_beyond_the_calendar_should_be_numbers() {
		assert_eq!(Rfc3339(1_531_381_425_477).to_string(), "2018-07-12T07:43:45.477Z");
		assert_eq!(Rfc3339(u64::MAX).to_string(), "18446744073709551615 ms after 1970");
	}

	proptest! {
		#[test]
		fn shown_instants_should_be_read_back(millis in 0..253_402_300_800_000u64) {
			prop_assert_eq!(parse_rfc3339(&Rfc3339(millis).to_string()), Some(millis));
		}

		#[test]
		fn any_text_should_end(text in "\\PC{0,40}") {
			let _ = parse_rfc3339(&text);
		}
	}
}
