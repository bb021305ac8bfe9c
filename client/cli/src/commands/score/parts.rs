//! The parts of a score, speed, memory, network, accelerator and storage: until when each counts, and how
//! it compares.

use super::{
	aspects,
	compare::{Aspect, Standings},
	peers::{Peers, Span},
};
use crate::show::{or_dash, when};
use armature_primitives::{challenge::WorkKind, Moment};
use serde::Serialize;

/// A part of a score.
#[derive(Clone, Debug, Serialize)]
struct Part {
	#[serde(flatten)]
	span: Span,
	comparison: Standings,
}

/// What a device is asked about beside its lanes, its memory and its way to verifiers: what it offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Asked {
	/// Products of its accelerator.
	pub(super) gemm: bool,
	/// Blocks of its storage.
	pub(super) storage: bool,
	/// Only what can be measured beside a lease.
	pub(super) is_leased: bool,
}

impl Asked {
	fn is_about(&self, kind: WorkKind) -> bool {
		match kind {
			WorkKind::Cpu => true,
			WorkKind::Memory | WorkKind::Network => !self.is_leased,
			WorkKind::Gemm => self.gemm && !self.is_leased,
			WorkKind::Storage => self.storage,
		}
	}
}

/// The parts of a score that count.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Parts {
	/// `null` without a speed that counts.
	cpu: Option<Part>,
	/// `null` without memory that counts.
	memory: Option<Part>,
	/// `null` without ways to verifiers that count.
	network: Option<Part>,
	/// `null` without products that count.
	gemm: Option<Part>,
	/// `null` without storage that counts.
	storage: Option<Part>,
}

impl Parts {
	/// Of the device that the others are peers of.
	pub(super) fn new(peers: &Peers) -> Self {
		let part = |measured_at: Option<Moment>, aspect: &Aspect| {
			let span = measured_at.map(|measured_at| peers.span(measured_at));
			span.map(|span| Part { span, comparison: Standings::new(aspect, peers) })
		};
		let own = peers.own().score;
		Self {
			cpu: part(own.cpu.map(|cpu| cpu.measured_at), &aspects::CPU),
			memory: part(own.memory.map(|memory| memory.measured_at), &aspects::MEMORY),
			network: part(own.network.map(|network| network.measured_at), &aspects::NETWORK),
			gemm: part(own.gemm.map(|gemm| gemm.measured_at), &aspects::GEMM),
			storage: part(own.storage.map(|storage| storage.measured_at), &aspects::STORAGE),
		}
	}

	fn part(&self, kind: WorkKind) -> Option<&Part> {
		match kind {
			WorkKind::Cpu => self.cpu.as_ref(),
			WorkKind::Memory => self.memory.as_ref(),
			WorkKind::Network => self.network.as_ref(),
			WorkKind::Gemm => self.gemm.as_ref(),
			WorkKind::Storage => self.storage.as_ref(),
		}
	}

	/// Whether the part that rounds of this kind are about counts.
	pub(super) fn has(&self, kind: WorkKind) -> bool {
		self.part(kind).is_some()
	}

	/// From when on each part that is asked about is missing; 0 where it is already. In the order in which
	/// the chain asks for what is missing.
	fn missing(&self, asked: Asked) -> impl Iterator<Item = (WorkKind, Moment)> + '_ {
		// A part counts up to its end.
		let from = |kind| self.part(kind).map_or(0, |part| part.span.expires_at.saturating_add(1));
		let kinds = WorkKind::ALL.into_iter().filter(move |kind| asked.is_about(*kind));
		kinds.map(move |kind| (kind, from(kind)))
	}

	/// The first moment at which a part is missing; 0 where one is already.
	pub(super) fn missing_from(&self, asked: Asked) -> Moment {
		self.missing(asked).map(|(_, from)| from).min().unwrap_or(0)
	}

	/// What a round that is asked for at a moment is about; `None` where nothing is missing then.
	pub(super) fn lacking_at(&self, asked: Asked, moment: Moment) -> Option<WorkKind> {
		let mut missing = self.missing(asked);
		missing.find(|(_, from)| *from <= moment).map(|(kind, _)| kind)
	}

	/// Rows for a table.
	pub(super) fn rows(&self, now: Moment) -> Vec<(&'static str, String)> {
		const ROWS: [(WorkKind, &str, &str); 5] = [
			(WorkKind::Cpu, "speed counts until", "speed compared"),
			(WorkKind::Memory, "memory counts until", "memory compared"),
			(WorkKind::Network, "network counts until", "network compared"),
			(WorkKind::Gemm, "accelerator counts until", "accelerator compared"),
			(WorkKind::Storage, "storage counts until", "storage compared"),
		];
		let rows = ROWS.into_iter().flat_map(|(kind, counts, compared)| {
			let part = self.part(kind);
			let until = part.map(|part| when(part.span.expires_at, now));
			let sentence = part.and_then(|part| part.comparison.sentence());
			[(counts, or_dash(&until)), (compared, or_dash(&sentence))]
		});
		rows.collect()
	}
}

#[cfg(test)]
mod tests;
