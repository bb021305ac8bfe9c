//! Integer matrix products on all cores.

use armature_primitives::H256;
use armature_verifier::challenge::gemm::{keep, masked, Backend, Factor, GemmTask, HostStates};
use multiversion::multiversion;
use std::{io, num::NonZeroUsize, thread::Builder};

/// Columns that a thread multiplies a row with before it takes the next row: together with the row
/// they stay in a core's cache up to a side of some thousand.
const TILE: usize = 32;

/// The backend of processors, bit for bit the reference: the sums are exact in whatever order.
#[derive(Clone, Debug)]
pub struct CpuGemm {
	states: HostStates,
	threads: NonZeroUsize,
}

impl CpuGemm {
	/// With so many threads.
	pub fn new(threads: NonZeroUsize) -> Self {
		Self { states: HostStates::default(), threads }
	}

	/// Makes the rows of one thread, from `first` on.
	fn rows(&self, task: &GemmTask, step: u32, first: u32, rights: &[Vec<i16>], out: &mut [u8]) {
		let side = rights.len();
		let lefts: Vec<Vec<i16>> = (first..)
			.zip(out.chunks_exact(side))
			.map(|(row, _)| {
				let last = self.states.before(0, row).unwrap_or_default();
				widened(&masked(Factor::Left, task, step, row, last))
			})
			.collect();
		for (tile, rights) in rights.chunks(TILE).enumerate() {
			for (left, out) in lefts.iter().zip(out.chunks_exact_mut(side)) {
				let out = out.iter_mut().skip(tile.saturating_mul(TILE));
				for (value, right) in out.zip(rights) {
					*value = keep(dot(left, right));
				}
			}
		}
	}
}

impl Backend for CpuGemm {
	/// A thread could not be started.
	type Error = io::Error;

	fn begin(&mut self, task: &GemmTask) -> io::Result<()> {
		self.states = HostStates::first(task);
		Ok(())
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> io::Result<Vec<H256>> {
		let side = back.len();
		let rights: Vec<Vec<i16>> = (0u32..)
			.zip(back)
			.map(|(column, back)| {
				let row = self.states.before(*back, column).unwrap_or_default();
				widened(&masked(Factor::Right, task, step, column, row))
			})
			.collect();
		let mut state = vec![0; side.saturating_mul(side)];
		let share = side.div_ceil(self.threads.get()).max(1);
		std::thread::scope(|scope| {
			let (this, rights) = (&*self, &rights);
			let parts = state.chunks_mut(share.saturating_mul(side).max(1));
			for (part, out) in parts.enumerate() {
				let first = u32::try_from(part.saturating_mul(share)).unwrap_or(u32::MAX);
				Builder::new()
					.name("gemm".into())
					.spawn_scoped(scope, move || this.rows(task, step, first, rights, out))?;
			}
			io::Result::Ok(())
		})?;
		Ok(self.states.push(state))
	}

	fn row(&mut self, step: u32, row: u32) -> io::Result<Option<Vec<u8>>> {
		Ok(self.states.after(step, row).map(<[u8]>::to_vec))
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
		check_entry, GemmProver, GemmRound, GemmSize, Reference,
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
	fn sums_should_be_exact_at_their_extremes() {
		let least = widened(&[0x80; 32_768]);
		assert_eq!(dot(&least, &least), 32_768 << 14);
		assert_eq!(dot(&least, &widened(&[0x7f; 32_768])), -32_768 * 128 * 127);
		assert_eq!(dot(&[], &[]), 0);
	}
}
