//! Integer products on all cores.

use armature_primitives::H256;
use armature_verifier::challenge::gemm::{
	keep, masked, row_hash, Backend, Factor, GemmTask, HostStates,
};
use multiversion::multiversion;
use std::{
	io,
	num::NonZeroUsize,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	thread::Builder,
};

/// Columns that a thread multiplies a row with before it takes the next row: together with the row
/// they stay in a core's cache up to a side of some thousand.
const TILE: usize = 32;

/// The backend of processors, bit for bit the reference: the sums are exact in whatever order.
#[derive(Clone, Debug)]
pub struct CpuGemm {
	/// `None` before the first task.
	states: Option<HostStates>,
	threads: NonZeroUsize,
	/// Ends the step that is made.
	stop: Arc<AtomicBool>,
}

/// What the threads of a step have in common.
struct Step<'a> {
	states: &'a HostStates,
	task: &'a GemmTask,
	step: u32,
	side: usize,
	threads: NonZeroUsize,
	stop: &'a AtomicBool,
}

impl Step<'_> {
	/// Hands out `items` of one row each in equal parts, with the number of the first row.
	fn share<T: Send>(
		&self,
		items: &mut [T],
		row_len: usize,
		work: &(impl Fn(u32, &mut [T]) + Sync),
	) -> io::Result<()> {
		let rows = self.side.div_ceil(self.threads.get()).max(1);
		std::thread::scope(|scope| {
			for (part, items) in items.chunks_mut(rows.saturating_mul(row_len).max(1)).enumerate() {
				let first = u32::try_from(part.saturating_mul(rows)).unwrap_or(u32::MAX);
				Builder::new()
					.name("gemm".into())
					.spawn_scoped(scope, move || work(first, items))?;
			}
			Ok(())
		})
	}

	/// A row of a factor, widened.
	fn row(&self, factor: Factor, back: u32, row: u32) -> Vec<i16> {
		let source = self.states.before(back, row).unwrap_or_default();
		widened(&masked(factor, self.task, self.step, row, &source))
	}

	/// The rows of the right factor.
	fn rights(&self, back: &[u32]) -> io::Result<Vec<Vec<i16>>> {
		let mut rights = vec![Vec::new(); self.side];
		self.share(&mut rights, 1, &|first, rights| {
			let backs = back.iter().skip(usize::try_from(first).unwrap_or(usize::MAX));
			for ((column, back), right) in (first..).zip(backs).zip(rights) {
				*right = self.row(Factor::Right, *back, column);
			}
		})?;
		Ok(rights)
	}

	/// Makes the rows of one thread, from `first` on.
	fn rows(&self, first: u32, rights: &[Vec<i16>], out: &mut [u8]) {
		let lefts: Vec<_> = (first..)
			.zip(out.chunks_exact(self.side))
			.map(|(row, _)| self.row(Factor::Left, 0, row))
			.collect();
		for (tile, rights) in rights.chunks(TILE).enumerate() {
			if self.stop.load(Ordering::Relaxed) {
				return;
			}
			for (left, out) in lefts.iter().zip(out.chunks_exact_mut(self.side)) {
				let out = out.iter_mut().skip(tile.saturating_mul(TILE));
				for (value, right) in out.zip(rights) {
					*value = keep(dot(left, right));
				}
			}
		}
	}

	/// The hashes of the rows of a state.
	fn hashes(&self, state: &[u8]) -> io::Result<Vec<H256>> {
		let mut hashes = vec![H256::zero(); self.side];
		self.share(&mut hashes, 1, &|first, hashes| {
			let first = usize::try_from(first).unwrap_or(usize::MAX);
			let rows = state.chunks_exact(self.side).skip(first);
			for (hash, row) in hashes.iter_mut().zip(rows) {
				*hash = row_hash(row);
			}
		})?;
		Ok(hashes)
	}
}

impl CpuGemm {
	/// With so many threads.
	pub fn new(threads: NonZeroUsize) -> Self {
		Self { states: None, threads, stop: Arc::default() }
	}

	/// What ends a step that lasts, and all that would follow, when it is set: they fail with
	/// [`io::ErrorKind::Interrupted`]. Of long rows a step takes minutes.
	pub fn stopper(&self) -> Arc<AtomicBool> {
		self.stop.clone()
	}
}

impl Backend for CpuGemm {
	/// A thread could not be started, or the step was ended.
	type Error = io::Error;

	fn begin(&mut self, task: &GemmTask) -> io::Result<()> {
		self.states = Some(HostStates::first(task));
		Ok(())
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> io::Result<Vec<H256>> {
		let states = self.states.get_or_insert_with(|| HostStates::first(task));
		let side = back.len();
		let mut state = vec![0; side.saturating_mul(side)];
		let this =
			Step { states, task, step, side, threads: self.threads, stop: self.stop.as_ref() };
		let rights = this.rights(back)?;
		this.share(&mut state, side, &|first, out| this.rows(first, &rights, out))?;
		if self.stop.load(Ordering::Relaxed) {
			return Err(io::ErrorKind::Interrupted.into());
		}
		let hashes = this.hashes(&state)?;
		states.put(state);
		Ok(hashes)
	}

	fn row(&mut self, step: u32, row: u32) -> io::Result<Option<Vec<u8>>> {
		let states = self.states.as_ref();
		Ok(states.and_then(|states| states.after(step, row)).map(<[u8]>::to_vec))
	}
}

/// Bytes as int8, in the width that processors multiply.
fn widened(bytes: &[u8]) -> Vec<i16> {
	bytes.iter().map(|byte| i16::from(i8::from_le_bytes([*byte]))).collect()
}

/// The sum of products, by the widest instructions that the processor has.
#[allow(unsafe_code, reason = "the macro calls the version that it found the processor to have")]
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vnni", "x86_64+avx2", "aarch64+neon"))]
fn dot(left: &[i16], right: &[i16]) -> i32 {
	let products = left.iter().zip(right).map(|(a, b)| i32::from(*a).wrapping_mul(i32::from(*b)));
	products.fold(0, i32::wrapping_add)
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::DeviceId;
	use armature_verifier::challenge::gemm::{
		check_entry, GemmError, GemmProver, GemmRound, GemmSize, Reference,
	};

	#[test]
	fn all_numbers_of_threads_should_give_the_reference() {
		for side in [1, 7, 64, 100] {
			let size = GemmSize { side, window: 3, rounds: 2, steps: 2 };
			let task = GemmTask { seed: H256([side as u8; 32]), device: DeviceId(1), size };
			let mut reference = GemmProver::begin(task, Reference::default()).expect("begun");
			let roots = [1, 2].map(|nonce| reference.round(H256([nonce; 32])).expect("done"));
			for threads in [1, 2, 5, 200] {
				let backend = CpuGemm::new(NonZeroUsize::new(threads).expect("not zero"));
				let mut prover = GemmProver::begin(task, backend).expect("begun");
				let found = [1, 2].map(|nonce| prover.round(H256([nonce; 32])).expect("done"));
				assert_eq!(found, roots, "{side} {threads}");
				let rounds = [1, 2].map(|nonce| H256([nonce; 32]));
				let rounds: Vec<_> = rounds
					.into_iter()
					.zip(roots)
					.map(|(nonce, root)| GemmRound { nonce, root })
					.collect();
				let opening = prover.open(4, side - 1, side / 2).expect("kept");
				assert_eq!(check_entry(&task, &rounds, &opening), Ok(()));
			}
		}
	}

	#[test]
	fn step_that_is_stopped_should_end_soon_and_come_to_nothing() {
		let size = GemmSize { side: 4_096, window: 1, rounds: 1, steps: 1 };
		let task = GemmTask { seed: H256([1; 32]), device: DeviceId(1), size };
		let backend = CpuGemm::new(NonZeroUsize::MIN);
		let stop = backend.stopper();
		let mut prover = GemmProver::begin(task, backend).expect("begun");
		// On one thread it takes seconds.
		std::thread::spawn(move || {
			std::thread::sleep(std::time::Duration::from_millis(50));
			stop.store(true, Ordering::Relaxed);
		});
		let ended = prover.round(H256::zero()).expect_err("stopped");
		let GemmError::Backend(error) = ended else { panic!("{ended:?}") };
		assert_eq!(error.kind(), io::ErrorKind::Interrupted);
	}

	#[test]
	fn sums_should_be_exact_at_their_extremes() {
		let least = widened(&[0x80; 32_768]);
		assert_eq!(dot(&least, &least), 32_768 << 14);
		assert_eq!(dot(&least, &widened(&[0x7f; 32_768])), -32_768 * 128 * 127);
		assert_eq!(dot(&[], &[]), 0);
	}
}
