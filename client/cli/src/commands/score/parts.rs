//! The parts of a score, speed, memory, network, accelerator and storage: until when each counts, and how
//! it compares.

use crate::{
	amount::{show_kbps, show_micros, show_millis, show_operations},
	commands::storage::show_offer,
	show::{or_dash, when},
};
use armature_primitives::{
	challenge::WorkKind,
	device::{CpuScore, GemmScore, MemoryScore, NetworkScore, Performance, StorageScore},
	DeviceId, Moment,
};
use serde::Serialize;

/// How old a part may be.
#[derive(Clone, Copy)]
pub(super) struct Ages {
	pub(super) now: Moment,
	pub(super) max_age_millis: u64,
}

impl Ages {
	/// The last moment at which a part counts.
	fn end(&self, measured_at: Moment) -> Moment {
		measured_at.saturating_add(self.max_age_millis)
	}

	fn counts(&self, measured_at: Moment) -> bool {
		self.now <= self.end(measured_at)
	}

	fn span(&self, measured_at: Moment) -> Span {
		let age_millis = self.now.saturating_sub(measured_at);
		Span { age_millis, expires_at: self.end(measured_at) }
	}
}

/// The scores beside which one is put.
pub(super) struct Others<'a> {
	/// Scores of devices; the one's own may be among them, and parts that count no more.
	pub(super) scores: &'a [(DeviceId, Performance)],
	/// Whether there may be more.
	pub(super) partial: bool,
}

/// How long a part has counted, and will.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Span {
	age_millis: u64,
	/// It counts until then.
	expires_at: Moment,
}

/// A figure beside those of all other devices with such a part that counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct Comparison {
	/// Devices that are behind.
	behind: usize,
	/// Devices that were compared.
	others: usize,
	/// The former in percent of the latter, rounded down.
	percent: usize,
	/// Whether there may be more others.
	partial: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct CpuPart {
	#[serde(flatten)]
	span: Span,
	/// Behind is who is slower. `null` when no other device has such a part.
	comparison: Option<Comparison>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct MemoryPart {
	#[serde(flatten)]
	span: Span,
	/// `null` when no other device has such a part.
	comparison: Option<MemoryComparison>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct MemoryComparison {
	/// Behind is who has shown less memory.
	size: Comparison,
	/// Behind is who takes longer for a read.
	reads: Comparison,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct NetworkPart {
	#[serde(flatten)]
	span: Span,
	/// `null` when no other device has such a part.
	comparison: Option<NetworkComparison>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct NetworkComparison {
	/// Behind is who is further from the nearest verifier.
	nearest: Comparison,
	/// Behind is who sends less.
	up: Comparison,
	/// Behind is who receives less.
	down: Comparison,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct GemmPart {
	#[serde(flatten)]
	span: Span,
	/// `null` when no other device has such a part.
	comparison: Option<GemmComparison>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct GemmComparison {
	/// Behind is who makes fewer operations in a second.
	speed: Comparison,
	/// Behind is who has shown less memory.
	size: Comparison,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct StoragePart {
	#[serde(flatten)]
	span: Span,
	/// `null` when no other device has such a part.
	comparison: Option<StorageComparison>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
struct StorageComparison {
	/// Behind is who has shown less storage.
	size: Comparison,
	/// Behind is who takes longer for blocks.
	reads: Comparison,
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Parts {
	/// `null` without a speed that counts.
	cpu: Option<CpuPart>,
	/// `null` without memory that counts.
	memory: Option<MemoryPart>,
	/// `null` without ways to verifiers that count.
	network: Option<NetworkPart>,
	/// `null` without products that count.
	gemm: Option<GemmPart>,
	/// `null` without storage that counts.
	storage: Option<StoragePart>,
}

impl Parts {
	/// Of the device with this id and score.
	pub(super) fn new(id: DeviceId, own: &Performance, others: &Others<'_>, ages: Ages) -> Self {
		let partial = others.partial;
		let others = || others.scores.iter().filter(move |(other, _)| *other != id);
		let cpu = |own: CpuScore| {
			let found = others().filter_map(|(_, score)| score.cpu);
			let slower = found
				.filter(|other| ages.counts(other.measured_at))
				.map(|other| other.steps_per_second_per_lane < own.steps_per_second_per_lane);
			CpuPart { span: ages.span(own.measured_at), comparison: compare(slower, partial) }
		};
		let memory = |own: MemoryScore| {
			let found = || {
				let found = others().filter_map(|(_, score)| score.memory);
				found.filter(move |other| ages.counts(other.measured_at))
			};
			let size = compare(found().map(|other| other.offered_mib < own.offered_mib), partial);
			let reads = compare(found().map(|other| other.read_nanos > own.read_nanos), partial);
			let comparison = size.zip(reads).map(|(size, reads)| MemoryComparison { size, reads });
			MemoryPart { span: ages.span(own.measured_at), comparison }
		};
		let network = |own: NetworkScore| {
			let found = || {
				let found = others().filter_map(|(_, score)| score.network);
				found.filter(move |other| ages.counts(other.measured_at))
			};
			let compared =
				|is_behind: &dyn Fn(NetworkScore) -> bool| compare(found().map(is_behind), partial);
			let nearest = compared(&|other| other.nearest_micros > own.nearest_micros);
			let up = compared(&|other| other.up_kbps < own.up_kbps);
			let down = compared(&|other| other.down_kbps < own.down_kbps);
			let comparison = nearest
				.zip(up)
				.zip(down)
				.map(|((nearest, up), down)| NetworkComparison { nearest, up, down });
			NetworkPart { span: ages.span(own.measured_at), comparison }
		};
		let gemm = |own: GemmScore| {
			let found = || {
				let found = others().filter_map(|(_, score)| score.gemm);
				found.filter(move |other| ages.counts(other.measured_at))
			};
			let slower =
				found().map(|other| other.operations_per_second < own.operations_per_second);
			let speed = compare(slower, partial);
			let size = compare(found().map(|other| other.shown_mib < own.shown_mib), partial);
			let comparison = speed.zip(size).map(|(speed, size)| GemmComparison { speed, size });
			GemmPart { span: ages.span(own.measured_at), comparison }
		};
		let storage = |own: StorageScore| {
			let found = || {
				let found = others().filter_map(|(_, score)| score.storage);
				found.filter(move |other| ages.counts(other.measured_at))
			};
			let size = compare(found().map(|other| other.offer.mib() < own.offer.mib()), partial);
			let reads = compare(found().map(|other| other.read_millis > own.read_millis), partial);
			let comparison = size.zip(reads).map(|(size, reads)| StorageComparison { size, reads });
			StoragePart { span: ages.span(own.measured_at), comparison }
		};
		Self {
			cpu: own.cpu.filter(|own| ages.counts(own.measured_at)).map(cpu),
			memory: own.memory.filter(|own| ages.counts(own.measured_at)).map(memory),
			network: own.network.filter(|own| ages.counts(own.measured_at)).map(network),
			gemm: own.gemm.filter(|own| ages.counts(own.measured_at)).map(gemm),
			storage: own.storage.filter(|own| ages.counts(own.measured_at)).map(storage),
		}
	}

	fn span(&self, kind: WorkKind) -> Option<Span> {
		match kind {
			WorkKind::Cpu => self.cpu.map(|part| part.span),
			WorkKind::Memory => self.memory.map(|part| part.span),
			WorkKind::Network => self.network.map(|part| part.span),
			WorkKind::Gemm => self.gemm.map(|part| part.span),
			WorkKind::Storage => self.storage.map(|part| part.span),
		}
	}

	/// From when on each part that is asked about is missing; 0 where it is already. In the order in which
	/// the chain asks for what is missing.
	fn missing(&self, asked: Asked) -> impl Iterator<Item = (WorkKind, Moment)> + '_ {
		// A part counts up to its end.
		let from = |kind| self.span(kind).map_or(0, |span| span.expires_at.saturating_add(1));
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
		let until = |kind| or_dash(&self.span(kind).map(|span| when(span.expires_at, now)));
		let speed = self.cpu.and_then(|part| part.comparison).map(speed_sentence);
		let memory = self.memory.and_then(|part| part.comparison).map(memory_sentence);
		let network = self.network.and_then(|part| part.comparison).map(network_sentence);
		let gemm = self.gemm.and_then(|part| part.comparison).map(gemm_sentence);
		let storage = self.storage.and_then(|part| part.comparison).map(storage_sentence);
		vec![
			("speed counts until", until(WorkKind::Cpu)),
			("speed compared", or_dash(&speed)),
			("memory counts until", until(WorkKind::Memory)),
			("memory compared", or_dash(&memory)),
			("network counts until", until(WorkKind::Network)),
			("network compared", or_dash(&network)),
			("accelerator counts until", until(WorkKind::Gemm)),
			("accelerator compared", or_dash(&gemm)),
			("storage counts until", until(WorkKind::Storage)),
			("storage compared", or_dash(&storage)),
		]
	}
}

/// Rows for what a device has shown.
pub(crate) fn figures(shown: &Performance, now: Moment) -> [(&'static str, String); 5] {
	let cpu = shown.cpu.map(|cpu| {
		format!(
			"{} steps/s on each of {} lanes, measured {}",
			cpu.steps_per_second_per_lane,
			cpu.lanes,
			when(cpu.measured_at, now)
		)
	});
	let memory = shown.memory.map(|memory| {
		format!(
			"{} MiB offered, {} MiB filled at {} MiB/s, {} ns a read, measured {}",
			memory.offered_mib,
			memory.filled_mib,
			memory.fill_mib_per_second,
			memory.read_nanos,
			when(memory.measured_at, now)
		)
	});
	let network = shown.network.map(|network| {
		format!(
			"{} up, {} down, {} to the nearest verifier, {} to half of them, measured {}",
			show_kbps(network.up_kbps),
			show_kbps(network.down_kbps),
			show_micros(network.nearest_micros),
			show_micros(network.median_micros),
			when(network.measured_at, now)
		)
	});
	let gemm = shown.gemm.map(|gemm| {
		format!(
			"{}/s with a side of {} rows, {} MiB shown of {} MiB offered, measured {}",
			show_operations(gemm.operations_per_second),
			gemm.offer.side,
			gemm.shown_mib,
			gemm.offer.memory_mib,
			when(gemm.measured_at, now)
		)
	});
	let storage = shown.storage.map(|storage| {
		format!(
			"{}, blocks read within {}, measured {}",
			show_offer(&storage.offer),
			show_millis(storage.read_millis.into()),
			when(storage.measured_at, now)
		)
	});
	let rows = [
		("speed", cpu),
		("memory shown", memory),
		("network", network),
		("accelerator shown", gemm),
		("storage shown", storage),
	];
	rows.map(|(row, cell)| (row, or_dash(&cell)))
}

/// Counts who of the others is behind. `None` without others.
fn compare(others: impl Iterator<Item = bool>, partial: bool) -> Option<Comparison> {
	let (mut behind, mut all) = (0usize, 0usize);
	for is_behind in others {
		all = all.saturating_add(1);
		behind = behind.saturating_add(usize::from(is_behind));
	}
	let percent = behind.saturating_mul(100).checked_div(all)?;
	Some(Comparison { behind, others: all, percent, partial })
}

fn speed_sentence(comparison: Comparison) -> String {
	format!("faster than {} % of {}", comparison.percent, of_whom(comparison))
}

fn memory_sentence(MemoryComparison { size, reads }: MemoryComparison) -> String {
	format!(
		"more memory than {} %, faster reads than {} % of {}",
		size.percent,
		reads.percent,
		of_whom(size)
	)
}

fn network_sentence(NetworkComparison { nearest, up, down }: NetworkComparison) -> String {
	format!(
		"nearer than {} %, faster up than {} % and down than {} % of {}",
		nearest.percent,
		up.percent,
		down.percent,
		of_whom(nearest)
	)
}

fn gemm_sentence(GemmComparison { speed, size }: GemmComparison) -> String {
	format!(
		"faster than {} %, more memory than {} % of {}",
		speed.percent,
		size.percent,
		of_whom(speed)
	)
}

fn storage_sentence(StorageComparison { size, reads }: StorageComparison) -> String {
	format!(
		"more storage than {} %, faster reads than {} % of {}",
		size.percent,
		reads.percent,
		of_whom(size)
	)
}

fn of_whom(Comparison { others, partial, .. }: Comparison) -> String {
	let at_least = if partial { "at least " } else { "" };
	let devices = if others == 1 { "device" } else { "devices" };
	format!("{at_least}{others} other measured {devices}")
}

#[cfg(test)]
mod tests;
