//! What the formulas say.

/// `C(total - wrong, samples) / C(total, samples)`: what one verifier misses.
pub(crate) fn miss(total: u32, wrong: u32, samples: u32) -> f64 {
	let total = f64::from(total);
	(0..samples)
		.map(f64::from)
		.map(|i| (total - f64::from(wrong) - i) / (total - i))
		.product()
}

/// At least three of five.
pub(crate) fn majority(p: f64) -> f64 {
	let q = 1.0 - p;
	10.0 * p.powi(3) * q.powi(2) + 5.0 * p.powi(4) * q + p.powi(5)
}

/// A part in percent; none of nothing.
pub(crate) fn percent(part: u32, of: u32) -> f64 {
	f64::from(part) / f64::from(of.max(1)) * 100.0
}

/// The mean of a sum over so many.
pub(crate) fn mean(sum: f64, of: u32) -> f64 {
	sum / f64::from(of.max(1))
}
