//! Amounts and durations as people write them.

use anyhow::{bail, Context, Result};
use armature_primitives::{units::ARMA, Balance};
use std::time::Duration;

/// Decimals of one ARMA.
const DECIMALS: usize = 12;

/// `1.5`, `1.5ARMA` and `1.5 ARMA` are ARMA; `1500plk` is planck.
pub(crate) fn parse_amount(text: &str) -> Result<Balance> {
	let text = text.trim();
	if let Some(planck) = text.strip_suffix("plk") {
		return planck.trim().parse().with_context(|| format!("reading the amount {text}"));
	}
	let number = text.strip_suffix("ARMA").unwrap_or(text).trim();
	let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
	if fraction.len() > DECIMALS {
		bail!("the amount {text} has more than {DECIMALS} decimals");
	}
	let whole: Balance = whole.parse().with_context(|| format!("reading the amount {text}"))?;
	let fraction: Balance = if fraction.is_empty() {
		0
	} else {
		format!("{fraction:0<DECIMALS$}")
			.parse()
			.with_context(|| format!("reading the amount {text}"))?
	};
	whole
		.checked_mul(ARMA)
		.and_then(|planck| planck.checked_add(fraction))
		.with_context(|| format!("the amount {text} is too large"))
}

/// Planck as ARMA, without trailing zeros.
pub(crate) fn show_amount(planck: Balance) -> String {
	let (whole, fraction) = (planck / ARMA, planck % ARMA);
	if fraction == 0 {
		return format!("{whole} ARMA");
	}
	let fraction = format!("{fraction:0>DECIMALS$}");
	format!("{whole}.{} ARMA", fraction.trim_end_matches('0'))
}

/// A decimal number of at most six decimals in millionths: tariffs per kWh, PUE, shares.
pub(crate) fn parse_millionths(text: &str) -> Result<u32> {
	let text = text.trim();
	let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
	if fraction.len() > 6 {
		bail!("the number {text} has more than 6 decimals");
	}
	let digits = format!("{whole}{fraction:0<6}");
	if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
		bail!("{text} is no decimal number such as 0.29");
	}
	digits.parse().with_context(|| format!("the number {text} is too large"))
}

/// `500ms`, `90s`, `15m`, `2h`, `7d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration> {
	let text = text.trim();
	let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
	let (number, unit) = text.split_at(split);
	let number: u64 = number
		.parse()
		.with_context(|| format!("reading the duration {text}: write for instance 90s or 15m"))?;
	let millis = match unit {
		"ms" => Some(1),
		"s" => Some(1_000),
		"m" | "min" => Some(60_000),
		"h" => Some(3_600_000),
		"d" => Some(86_400_000),
		_ => bail!("the duration {text} needs a unit: ms, s, m, h or d"),
	}
	.and_then(|factor: u64| factor.checked_mul(number))
	.with_context(|| format!("the duration {text} is too long"))?;
	Ok(Duration::from_millis(millis))
}

/// `512MiB`, `500GiB`, `2TiB`, in bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64> {
	let text = text.trim();
	let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
	let (number, unit) = text.split_at(split);
	let number: u64 = number
		.parse()
		.with_context(|| format!("reading the size {text}: write for instance 500GiB"))?;
	let bytes: u64 = match unit.trim() {
		"MiB" => 1 << 20,
		"GiB" => 1 << 30,
		"TiB" => 1 << 40,
		_ => bail!("the size {text} needs a unit: MiB, GiB or TiB"),
	};
	number
		.checked_mul(bytes)
		.with_context(|| format!("the size {text} is too large"))
}

/// Milliseconds in the largest unit that leaves at least one.
pub(crate) fn show_millis(millis: u64) -> String {
	match millis {
		0..=999 => format!("{millis} ms"),
		1_000..=59_999 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
		60_000..=3_599_999 => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
		_ => format!("{} h {} min", millis / 3_600_000, millis % 3_600_000 / 60_000),
	}
}

/// Microseconds as milliseconds.
pub(crate) fn show_micros(micros: u32) -> String {
	format!("{}.{:0>3} ms", micros / 1_000, micros % 1_000)
}

/// Kilobits per second as megabits.
pub(crate) fn show_kbps(kbps: u32) -> String {
	format!("{}.{:0>3} Mbit/s", kbps / 1_000, kbps % 1_000)
}

/// Operations, or those of a second, with the largest prefix that leaves at least one; rounded down.
pub(crate) fn show_operations(operations: u64) -> String {
	const PREFIXES: [(u64, &str); 6] = [
		(1_000_000_000_000_000_000, "exa"),
		(1_000_000_000_000_000, "peta"),
		(1_000_000_000_000, "tera"),
		(1_000_000_000, "giga"),
		(1_000_000, "mega"),
		(1_000, "kilo"),
	];
	let prefix = PREFIXES.into_iter().find(|(size, _)| operations >= *size);
	prefix.map_or_else(
		|| format!("{operations} operations"),
		|(size, name)| {
			let tenths = u128::from(operations).saturating_mul(10) / u128::from(size);
			format!("{}.{} {name}-operations", tenths / 10, tenths % 10)
		},
	)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn amounts_should_round_trip() {
		for (text, planck) in [
			("1", ARMA),
			("1.5 ARMA", ARMA + ARMA / 2),
			("0.000000000001", 1),
			("12ARMA", 12 * ARMA),
			("7plk", 7),
		] {
			assert_eq!(parse_amount(text).unwrap(), planck, "{text}");
			assert_eq!(parse_amount(&show_amount(planck)).unwrap(), planck, "{text}");
		}
	}

	#[test]
	fn bad_amounts_should_be_refused_with_the_text() {
		for text in ["", "-1", "1.0000000000001", "1,5", "x ARMA", "999999999999999999999999999999"]
		{
			let error = parse_amount(text).unwrap_err().to_string();
			assert!(error.contains(text), "{error}");
		}
	}

	#[test]
	fn millionths_should_be_exact() {
		for (text, millionths) in
			[("0.29", 290_000), ("1.1", 1_100_000), ("1", 1_000_000), ("0.000001", 1), ("0", 0)]
		{
			assert_eq!(parse_millionths(text).unwrap(), millionths, "{text}");
		}
		for text in ["", ".5", "-1", "+1", "1,5", "0.0000001", "99999", "NaN"] {
			assert!(parse_millionths(text).is_err(), "{text}");
		}
	}

	#[test]
	fn durations_should_need_a_unit() {
		assert_eq!(parse_duration("90s").unwrap(), Duration::from_secs(90));
		assert_eq!(parse_duration("2h").unwrap(), Duration::from_secs(7_200));
		assert!(parse_duration("90").unwrap_err().to_string().contains("needs a unit"));
		assert!(parse_duration("s").unwrap_err().to_string().contains("write for instance 90s"));
	}

	#[test]
	fn sizes_should_need_a_unit() {
		for (text, bytes) in [
			("512MiB", 512 << 20),
			(" 500 GiB", 500 << 30),
			("16777215TiB", 16_777_215 << 40),
			("0MiB", 0),
		] {
			assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
		}
		for text in ["500", "500G", "500GB", "1.5TiB", "-1GiB"] {
			let refused = parse_size(text).unwrap_err().to_string();
			assert!(refused.contains(text) && refused.contains("GiB"), "{refused}");
		}
		let refused = parse_size("16777216TiB").unwrap_err().to_string();
		assert_eq!(refused, "the size 16777216TiB is too large");
	}

	#[test]
	fn thousandths_should_keep_their_zeros() {
		let shown = [0, 9_050, 999, u32::MAX].map(show_micros);
		assert_eq!(shown, ["0.000 ms", "9.050 ms", "0.999 ms", "4294967.295 ms"]);
		let shown = [1, 12_345, 250_000].map(show_kbps);
		assert_eq!(shown, ["0.001 Mbit/s", "12.345 Mbit/s", "250.000 Mbit/s"]);
	}

	#[test]
	fn operations_should_have_the_prefix_that_fits() {
		for (operations, shown) in [
			(0, "0 operations"),
			(999, "999 operations"),
			(1_000, "1.0 kilo-operations"),
			(999_999, "999.9 kilo-operations"),
			(5_000_000, "5.0 mega-operations"),
			(1_073_741_824, "1.0 giga-operations"),
			(12_345_678_901_234, "12.3 tera-operations"),
			(1_980_000_000_000_000, "1.9 peta-operations"),
			(u64::MAX, "18.4 exa-operations"),
		] {
			assert_eq!(show_operations(operations), shown);
		}
	}
}
