//! Shares of bonds.

use crate::math::{mul_div_up, ONE};
use armature_primitives::{Balance, Ppm};

/// `share` of `bond`, rounded up and never more than `bond`. Any share of a bond that is not zero
/// takes at least one planck.
pub fn slash_amount(bond: Balance, share: Ppm) -> Balance {
	// The product only overflows for a share above the whole, which takes all.
	mul_div_up(bond, share.0.into(), ONE).unwrap_or(bond).min(bond)
}
