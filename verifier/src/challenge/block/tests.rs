//! The compression inside Argon2d, whose tags others compute too.

use super::*;
use alloc::{vec, vec::Vec};
use blake2::{digest::consts::U32, Blake2b, Blake2b512, Digest};

/// `H'` of RFC 9106, section 3.3, for 1,024 bytes.
fn long_hash(input: &[u8]) -> Block {
	let mut last: Vec<u8> = Blake2b512::digest([&1_024u32.to_le_bytes(), input].concat()).to_vec();
	let mut bytes = last[..32].to_vec();
	for _ in 0..29 {
		last = Blake2b512::digest(&last).to_vec();
		bytes.extend_from_slice(&last[..32]);
	}
	bytes.extend_from_slice(&Blake2b512::digest(&last));
	Block::from_bytes(&bytes.try_into().unwrap())
}

/// Argon2d, version 0x13, one pass, one lane, of a password of 32 ones and a salt of 16 twos.
fn argon2d(blocks: u32) -> [u8; 32] {
	let mut input = Vec::new();
	for number in [1, 32, blocks, 1, 0x13, 0, 32] {
		input.extend_from_slice(&number.to_le_bytes());
	}
	input.extend_from_slice(&[1; 32]);
	input.extend_from_slice(&16u32.to_le_bytes());
	input.extend_from_slice(&[2; 16]);
	input.extend_from_slice(&[0; 8]);
	let start = Blake2b512::digest(&input).to_vec();
	let first =
		|number: u32| long_hash(&[&start[..], &number.to_le_bytes(), &0u32.to_le_bytes()].concat());
	let mut memory = vec![first(0), first(1)];
	for at in 2..u64::from(blocks) {
		let before = memory.last().unwrap().clone();
		let draw = before.0[0] & 0xffff_ffff;
		let area = at - 1;
		let reference = area - 1 - ((area * ((draw * draw) >> 32)) >> 32);
		let mut mixed = before;
		mixed.xor_turned(&memory[reference as usize], 0);
		memory.push(Block::compress(&mixed));
	}
	let last = memory.last().unwrap().to_bytes();
	Blake2b::<U32>::digest([&32u32.to_le_bytes(), &last[..]].concat()).into()
}

/// By the reference implementation (argon2-cffi).
#[test]
fn compression_should_be_argon2s() {
	let tag = |blocks| hex::encode(argon2d(blocks));
	assert_eq!(tag(8), "22ef43d48d72dce1c35b50b118d7186b2f413a64585b77e8c594a228adfd27d0");
	assert_eq!(tag(64), "2c2dda2da1c28341428ffe1776c5e6f5e21ad339aa4ecb77b4ecd96d3b85d280");
}

#[test]
fn bytes_should_be_read_back() {
	let bytes: [u8; BLOCK_LEN] = core::array::from_fn(|at| at as u8);
	let block = Block::from_bytes(&bytes);
	assert_eq!(block.0[1], u64::from_le_bytes([8, 9, 10, 11, 12, 13, 14, 15]));
	assert_eq!(block.to_bytes(), bytes);
}

#[test]
fn every_word_should_reach_every_word() {
	let zero = Block::default();
	let base = Block::compress(&zero);
	for at in [0, 17, 127] {
		let mut other = zero.clone();
		other.0[at] = 1;
		let changed = Block::compress(&other);
		assert!(base.0.iter().zip(changed.0.iter()).all(|(a, b)| a != b), "{at}");
	}
}

#[test]
fn turned_blocks_should_not_cancel() {
	let mut one = Block::default();
	one.0[5] = 9;
	let mut mixed = Block::default();
	mixed.xor_turned(&one, 0);
	mixed.xor_turned(&one, 2);
	assert_eq!((mixed.0[5], mixed.0[3]), (9, 9));
	let mut turned = Block::default();
	turned.xor_turned(&one, 6);
	assert_eq!(turned.0[127], 9);
}
