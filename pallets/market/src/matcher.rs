//! Who is matched with whom: an algorithm over a frozen snapshot.

use alloc::vec::Vec;
use armature_primitives::{Balance, DeviceId, OrderId};
use core::cmp::Reverse;

/// An order of the snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OrderRow {
	/// The order.
	pub order: OrderId,
	/// Most that it pays for 10^9 fuel.
	pub max_price_per_gfuel: Balance,
}

/// An ask of the snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AskRow {
	/// The device.
	pub device: DeviceId,
	/// Least that it works for, for 10^9 fuel.
	pub price_per_gfuel: Balance,
}

/// A proposed match: indices into the snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Assignment {
	/// Index of the order.
	pub order: usize,
	/// Index of the ask.
	pub ask: usize,
}

/// Answers whether a pair is feasible, given what was reserved so far.
pub trait Oracle {
	/// Whether the ask can serve the order. Answers `false` for indices outside of the snapshot and
	/// beyond one question per pair, for which the batch's weight is accounted.
	fn feasible(&mut self, order: usize, ask: usize) -> bool;

	/// Takes the ask's device and its site's power for the order: later answers count on it.
	fn reserve(&mut self, order: usize, ask: usize);
}

/// Matches a snapshot. Not trusted by the pallet: every assignment is checked again before it is
/// opened.
pub trait MatchAlgorithm {
	/// Proposes assignments, at most one per order and per ask.
	fn assign(orders: &[OrderRow], asks: &[AskRow], oracle: &mut dyn Oracle) -> Vec<Assignment>;
}

/// Orders from the highest limit down, each with the cheapest feasible ask. Ties go to the lower
/// id.
pub struct Greedy;

impl MatchAlgorithm for Greedy {
	fn assign(orders: &[OrderRow], asks: &[AskRow], oracle: &mut dyn Oracle) -> Vec<Assignment> {
		let mut by_limit: Vec<(usize, &OrderRow)> = orders.iter().enumerate().collect();
		by_limit.sort_by_key(|(_, row)| (Reverse(row.max_price_per_gfuel), row.order));
		let mut by_price: Vec<(usize, &AskRow)> = asks.iter().enumerate().collect();
		by_price.sort_by_key(|(_, row)| (row.price_per_gfuel, row.device));

		let mut assignments = Vec::new();
		for (order, _) in by_limit {
			// Asks above the limit and taken ones are asked too: their refusal may be the one that
			// got furthest.
			if let Some((ask, _)) = by_price.iter().find(|(ask, _)| oracle.feasible(order, *ask)) {
				oracle.reserve(order, *ask);
				assignments.push(Assignment { order, ask: *ask });
			}
		}
		assignments
	}
}
