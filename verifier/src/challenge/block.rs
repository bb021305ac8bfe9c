//! Blocks of one KiB, and Argon2's compression of two of them into one (RFC 9106, sections 3.5 and
//! 3.6). Every byte of the result depends on every byte of both: whoever lacks a part of a block has
//! to compute the whole of it again.

/// Bytes of a block.
pub const BLOCK_LEN: usize = 1_024;

/// Words of a block.
const WORDS: usize = BLOCK_LEN / 8;

/// Words of a row; a column has as many, two of each row.
const ROW: usize = 16;

/// A block: 128 words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block(pub(crate) [u64; WORDS]);

impl Default for Block {
	fn default() -> Self {
		Self([0; WORDS])
	}
}

impl Block {
	/// From little-endian words. Every 1,024 bytes are a block.
	pub fn from_bytes(bytes: &[u8; BLOCK_LEN]) -> Self {
		let mut block = Self::default();
		for (word, chunk) in block.0.iter_mut().zip(bytes.chunks_exact(8)) {
			let mut le = [0; 8];
			le.copy_from_slice(chunk);
			*word = u64::from_le_bytes(le);
		}
		block
	}

	/// The inverse of [`Self::from_bytes`].
	pub fn to_bytes(&self) -> [u8; BLOCK_LEN] {
		let mut bytes = [0; BLOCK_LEN];
		for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.0.iter()) {
			chunk.copy_from_slice(&word.to_le_bytes());
		}
		bytes
	}

	/// Mixes another block in, turned by some words: its word `turn` goes into word 0.
	pub(crate) fn xor_turned(&mut self, other: &Self, turn: usize) {
		let (head, tail) = other.0.split_at(turn.min(WORDS));
		let (front, back) = self.0.split_at_mut(tail.len());
		for (word, other) in front.iter_mut().zip(tail).chain(back.iter_mut().zip(head)) {
			*word ^= other;
		}
	}

	/// `G(X, Y)` of RFC 9106, section 3.5, with `X ^ Y` given.
	pub(crate) fn compress(mixed: &Self) -> Self {
		let mut state = mixed.clone();
		for row in state.0.chunks_exact_mut(ROW) {
			if let Ok(row) = <&mut [u64; ROW]>::try_from(row) {
				permute(row);
			}
		}
		for column in (0..ROW).step_by(2) {
			let mut words = [0; ROW];
			gather(&state.0, column, &mut words);
			permute(&mut words);
			scatter(&mut state.0, column, &words);
		}
		for (word, before) in state.0.iter_mut().zip(mixed.0.iter()) {
			*word ^= before;
		}
		state
	}
}

/// Reads a column: two neighbouring words of each row.
fn gather(block: &[u64; WORDS], column: usize, words: &mut [u64; ROW]) {
	for (pair, row) in words.chunks_exact_mut(2).zip(block.chunks_exact(ROW)) {
		if let Some(two) = row.get(column..column.saturating_add(2)) {
			pair.copy_from_slice(two);
		}
	}
}

/// Writes a column.
fn scatter(block: &mut [u64; WORDS], column: usize, words: &[u64; ROW]) {
	for (pair, row) in words.chunks_exact(2).zip(block.chunks_exact_mut(ROW)) {
		if let Some(two) = row.get_mut(column..column.saturating_add(2)) {
			two.copy_from_slice(pair);
		}
	}
}

/// The permutation P (section 3.6): a round of BLAKE2b with multiplications.
#[inline(always)]
fn permute(words: &mut [u64; ROW]) {
	let [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15] = words;
	mix(v0, v4, v8, v12);
	mix(v1, v5, v9, v13);
	mix(v2, v6, v10, v14);
	mix(v3, v7, v11, v15);
	mix(v0, v5, v10, v15);
	mix(v1, v6, v11, v12);
	mix(v2, v7, v8, v13);
	mix(v3, v4, v9, v14);
}

/// GB (section 3.6).
#[inline(always)]
fn mix(a: &mut u64, b: &mut u64, c: &mut u64, d: &mut u64) {
	*a = add(*a, *b);
	*d = (*d ^ *a).rotate_right(32);
	*c = add(*c, *d);
	*b = (*b ^ *c).rotate_right(24);
	*a = add(*a, *b);
	*d = (*d ^ *a).rotate_right(16);
	*c = add(*c, *d);
	*b = (*b ^ *c).rotate_right(63);
}

/// `a + b + 2 * low 32 bits of a * low 32 bits of b`, modulo 2^64.
#[inline(always)]
fn add(a: u64, b: u64) -> u64 {
	const LOW: u64 = 0xffff_ffff;
	let product = (a & LOW).wrapping_mul(b & LOW);
	a.wrapping_add(b).wrapping_add(product.wrapping_mul(2))
}

#[cfg(test)]
mod tests;
