//! The class of a device: the region of what devices can show that it lies in.
//!
//! A class has no name. Each dimension is cut into octaves, from a power of two to below the next one: what lies
//! in one differs by less than a factor of two, and few octaves hold all machines, so that a small network has
//! others to compare with as well.

use armature_primitives::device::Performance;
use serde::Serialize;

const MIB_PER_GIB: u64 = 1 << 10;
const MIB_PER_TIB: u64 = 1 << 20;

/// All whole numbers from a power of two to below the next one, or none but 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Octave {
	least: u64,
	most: u64,
}

impl Octave {
	/// The one that a number lies in.
	pub(super) fn of(number: u64) -> Self {
		number.checked_ilog2().map_or(Self { least: 0, most: 0 }, |exponent| {
			let least = 1 << exponent;
			Self { least, most: least | (least - 1) }
		})
	}

	/// As numbers of lanes.
	fn lanes(self) -> String {
		match self {
			Self { most: 1, .. } => "1 lane".into(),
			Self { least, most } => format!("{least} to {most} lanes"),
		}
	}

	/// As sizes in MiB.
	fn size(self) -> String {
		let (unit, name) = match self.least {
			0 => return "under 1 MiB".into(),
			least if least >= MIB_PER_TIB => (MIB_PER_TIB, "TiB"),
			least if least >= MIB_PER_GIB => (MIB_PER_GIB, "GiB"),
			_ => (1, "MiB"),
		};
		let least = self.least / unit;
		format!("{least} to under {} {name}", least.saturating_mul(2))
	}
}

/// What a class has bounds of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Dimension {
	/// Lanes that were busy together.
	Lanes,
	/// Memory that was shown.
	MemoryMib,
	/// Memory of accelerators that was shown.
	AcceleratorMib,
	/// Storage that was shown.
	StorageMib,
}

/// Where a device lies, by what it has shown and still counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Class {
	/// Lanes that were busy together; `null` where their speed was not shown.
	lanes: Option<Octave>,
	/// Memory, in MiB; `null` where none was shown.
	memory_mib: Option<Octave>,
	/// Memory of accelerators, in MiB; `null` where none was shown.
	accelerator_mib: Option<Octave>,
	/// Storage, in MiB; `null` where none was shown.
	storage_mib: Option<Octave>,
}

impl Class {
	/// Of the parts of a score, all of which have to count.
	pub(super) fn of(score: &Performance) -> Self {
		Self {
			lanes: score.cpu.map(|cpu| Octave::of(cpu.lanes.into())),
			memory_mib: score.memory.map(|memory| Octave::of(memory.offered_mib.into())),
			accelerator_mib: score.gemm.map(|gemm| Octave::of(gemm.shown_mib.into())),
			storage_mib: score.storage.map(|storage| Octave::of(storage.offer.mib())),
		}
	}

	/// Whether it is known to be the same as another one along these dimensions.
	///
	/// Any device has lanes and memory, so that one that has not shown them may have however much. Without an
	/// accelerator or storage is where most devices are.
	pub(super) fn is_same(&self, other: &Self, by: &[Dimension]) -> bool {
		by.iter().all(|dimension| match dimension {
			Dimension::Lanes => self.lanes.is_some() && self.lanes == other.lanes,
			Dimension::MemoryMib => {
				self.memory_mib.is_some() && self.memory_mib == other.memory_mib
			},
			Dimension::AcceleratorMib => self.accelerator_mib == other.accelerator_mib,
			Dimension::StorageMib => self.storage_mib == other.storage_mib,
		})
	}

	/// In words; `None` where nothing was shown.
	pub(super) fn show(&self) -> Option<String> {
		if *self == Self::default() {
			return None;
		}
		let or_none = |what: Option<String>, none: &str| what.unwrap_or_else(|| none.to_owned());
		let size = |octave: Option<Octave>| octave.map(Octave::size);
		let memory = size(self.memory_mib).map(|size| format!("{size} of memory"));
		let accelerator = size(self.accelerator_mib).map(|size| format!("accelerator of {size}"));
		let storage = size(self.storage_mib).map(|size| format!("storage of {size}"));
		let dimensions = [
			or_none(self.lanes.map(Octave::lanes), "lanes not shown"),
			or_none(memory, "memory not shown"),
			or_none(accelerator, "no accelerator"),
			or_none(storage, "no storage"),
		];
		Some(dimensions.join(", "))
	}
}

#[cfg(test)]
mod tests {
	use super::{super::samples, *};
	use serde_json::json;

	const ALL: [Dimension; 4] =
		[Dimension::Lanes, Dimension::MemoryMib, Dimension::AcceleratorMib, Dimension::StorageMib];

	#[test]
	fn octaves_should_end_below_the_next_power_of_two() {
		assert_eq!(Octave::of(0), Octave { least: 0, most: 0 });
		assert_eq!(Octave::of(1), Octave { least: 1, most: 1 });
		for exponent in 1..64 {
			let least = 1u64 << exponent;
			let octave = Octave::of(least);
			assert_eq!(octave.least, least);
			assert_eq!(octave.most, least - 1 + least);
			// Both sides of both ends.
			assert_eq!(Octave::of(octave.most), octave);
			assert_ne!(Octave::of(least - 1), octave);
			if let Some(next) = octave.most.checked_add(1) {
				assert_ne!(Octave::of(next), octave);
			}
		}
	}

	#[test]
	fn octaves_should_be_told_in_the_largest_unit() {
		for (number, expected) in [(1, "1 lane"), (2, "2 to 3 lanes"), (15, "8 to 15 lanes")] {
			assert_eq!(Octave::of(number).lanes(), expected);
		}
		for (mib, expected) in [
			(0, "under 1 MiB"),
			(1, "1 to under 2 MiB"),
			(1_023, "512 to under 1024 MiB"),
			(1_024, "1 to under 2 GiB"),
			(2_048, "2 to under 4 GiB"),
			(MIB_PER_TIB - 1, "512 to under 1024 GiB"),
			(MIB_PER_TIB, "1 to under 2 TiB"),
		] {
			assert_eq!(Octave::of(mib).size(), expected);
		}
	}

	#[test]
	fn class_should_be_told_to_people_and_programs() {
		let all = Class::of(&Performance {
			memory: samples::large(24_000, 1).memory,
			gemm: samples::multiplying(1, 22_112).gemm,
			storage: samples::storing(500, 1).storage,
			..samples::lanes(12, 5)
		});
		let expected =
			"8 to 15 lanes, 16 to under 32 GiB of memory, accelerator of 16 to under 32 \
		                GiB, storage of 256 to under 512 GiB";
		assert_eq!(all.show().as_deref(), Some(expected));
		let expected = json!({
			"lanes": { "least": 8, "most": 15 },
			"memory_mib": { "least": 16_384, "most": 32_767 },
			"accelerator_mib": { "least": 16_384, "most": 32_767 },
			"storage_mib": { "least": 262_144, "most": 524_287 },
		});
		assert_eq!(serde_json::to_value(all).unwrap(), expected);

		let some = Class::of(&samples::lanes(1, 5));
		let expected = "1 lane, memory not shown, no accelerator, no storage";
		assert_eq!(some.show().as_deref(), Some(expected));
		let some = Class::of(&samples::large(64, 1));
		let expected = "lanes not shown, 64 to under 128 MiB of memory, no accelerator, no storage";
		assert_eq!(some.show().as_deref(), Some(expected));

		let nothing = Class::of(&Performance::default());
		assert_eq!(nothing.show(), None);
		let expected = json!({
			"lanes": null,
			"memory_mib": null,
			"accelerator_mib": null,
			"storage_mib": null,
		});
		assert_eq!(serde_json::to_value(nothing).unwrap(), expected);
	}

	#[test]
	fn classes_should_differ_beyond_the_ends_of_each_octave() {
		let score = |lanes, memory_mib, shown_mib, sectors| Performance {
			memory: samples::large(memory_mib, 1).memory,
			gemm: samples::multiplying(1, shown_mib).gemm,
			storage: samples::storing(sectors, 1).storage,
			..samples::lanes(lanes, 5)
		};
		// Sectors are of a GiB.
		let own = Class::of(&score(12, 10, 20, 40));
		for same in [score(8, 8, 16, 32), score(15, 15, 31, 63)] {
			assert!(own.is_same(&Class::of(&same), &ALL), "{same:?}");
		}
		for (dimension, below, above) in [
			(Dimension::Lanes, score(7, 10, 20, 40), score(16, 10, 20, 40)),
			(Dimension::MemoryMib, score(12, 7, 20, 40), score(12, 16, 20, 40)),
			(Dimension::AcceleratorMib, score(12, 10, 15, 40), score(12, 10, 32, 40)),
			(Dimension::StorageMib, score(12, 10, 20, 31), score(12, 10, 20, 64)),
		] {
			for other in [below, above].map(|score| Class::of(&score)) {
				let same = ALL.map(|by| own.is_same(&other, &[by]));
				assert_eq!(same, ALL.map(|by| by != dimension), "{other:?}");
				assert!(!own.is_same(&other, &ALL));
			}
		}
	}

	#[test]
	fn what_was_not_shown_should_be_a_class_only_where_devices_may_lack_it() {
		let nothing = Class::default();
		let same = ALL.map(|by| nothing.is_same(&nothing, &[by]));
		assert_eq!(same, [false, false, true, true]);
		let own = Class::of(&Performance {
			gemm: samples::multiplying(1, 20).gemm,
			storage: samples::storing(1, 1).storage,
			..Performance::default()
		});
		for by in [Dimension::AcceleratorMib, Dimension::StorageMib] {
			assert!(!own.is_same(&nothing, &[by]) && !nothing.is_same(&own, &[by]));
			assert_eq!(
				serde_json::to_value(by).unwrap(),
				match by {
					Dimension::AcceleratorMib => json!("accelerator_mib"),
					_ => json!("storage_mib"),
				}
			);
		}
	}
}
