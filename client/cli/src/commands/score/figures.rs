//! What a device has shown, in words.

use crate::{
	amount::{show_kbps, show_micros, show_millis, show_operations},
	commands::storage::show_offer,
	show::{or_dash, when},
};
use armature_primitives::{device::Performance, Moment};

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
			"{} up, {} down, {} to two verifiers, {} to half of them, measured {}",
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

#[cfg(test)]
mod tests {
	use super::{super::samples, *};

	#[test]
	fn figures_should_name_their_units() {
		let own = Performance {
			memory: samples::large(1_000, 300).memory,
			network: samples::near(9_050, 12_345, 250_000).network,
			gemm: samples::multiplying(12_345_678_901_234, 22_112).gemm,
			storage: samples::storing(500, 812).storage,
			..samples::fast(5)
		};
		let [speed, memory, network, gemm, storage] = figures(&own, 150);
		let expected = "5 steps/s on each of 4 lanes, measured 50 ms ago";
		assert_eq!(speed, ("speed", expected.to_owned()));
		let expected =
			"1000 MiB offered, 900 MiB filled at 450 MiB/s, 300 ns a read, measured 50 ms ago";
		assert_eq!(memory, ("memory shown", expected.to_owned()));
		let expected = "12.345 Mbit/s up, 250.000 Mbit/s down, 9.050 ms to two verifiers, \
		                20.000 ms to half of them, measured 50 ms ago";
		assert_eq!(network, ("network", expected.to_owned()));
		let expected =
			"12.3 tera-operations/s with a side of 4096 rows, 22112 MiB shown of 24576 MiB \
		                offered, measured 50 ms ago";
		assert_eq!(gemm, ("accelerator shown", expected.to_owned()));
		let expected = "500 sectors, 512000 MiB, blocks read within 812 ms, measured 50 ms ago";
		assert_eq!(storage, ("storage shown", expected.to_owned()));
		let rows = ["speed", "memory shown", "network", "accelerator shown", "storage shown"];
		let expected = rows.map(|row| (row, "-".to_owned()));
		assert_eq!(figures(&Performance::default(), 150), expected);
	}
}
