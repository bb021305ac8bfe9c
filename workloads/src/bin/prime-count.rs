//! Reads a decimal N and writes how many primes are at most N.
//!
//! A segmented sieve of Eratosthenes over the odd numbers: memory stays the same whatever N is.

#![no_std]
#![no_main]

use armature_workloads::{fail, read_number, write_number};

/// The largest N: the primes up to its root must fit `BASE`.
const MAX_N: u64 = 10_000_000_000;

/// Root of `MAX_N`.
const MAX_ROOT: usize = 100_000;

/// Primes up to `MAX_ROOT`.
const BASE_PRIMES: usize = 9_592;

/// Odd numbers of one segment.
const SEGMENT: usize = 128 * 1024;

struct Sieve {
	/// Odd primes up to the root of N.
	base: [u32; BASE_PRIMES],
	/// For each, the next odd multiple to strike out, as an index from the segment's start.
	next: [u64; BASE_PRIMES],
	/// How many of both are in use.
	used: usize,
	/// Whether the odd number at this place was struck out.
	struck: [bool; SEGMENT],
}

#[no_mangle]
extern "C" fn _start() {
	let n = match read_number() {
		Some(n) if n <= MAX_N => n,
		Some(_) => fail(b"the number is over 10000000000\n"),
		None => fail(b"standard input is not one decimal number\n"),
	};
	static mut SIEVE: Sieve =
		Sieve { base: [0; BASE_PRIMES], next: [0; BASE_PRIMES], used: 0, struck: [false; SEGMENT] };
	// SAFETY: `_start` runs once, in a module with one thread.
	let sieve = unsafe { &mut *core::ptr::addr_of_mut!(SIEVE) };
	write_number(count(n, sieve));
}

fn count(n: u64, sieve: &mut Sieve) -> u64 {
	if n < 2 {
		return 0;
	}
	base_primes(n, sieve);
	// Place i of all odd numbers stands for 2i + 1; place 0 is the 1, which is no prime, and makes
	// up for the 2, which has no place.
	let places = n.div_ceil(2);
	let mut total = 0;
	let mut start = 0;
	while start < places {
		let length = (places - start).min(SEGMENT as u64) as usize;
		let struck = &mut sieve.struck[..length];
		struck.fill(false);
		let used = sieve.used;
		for (prime, next) in sieve.base[..used].iter().zip(&mut sieve.next[..used]) {
			let mut at = *next;
			while at < length as u64 {
				struck[at as usize] = true;
				at += u64::from(*prime);
			}
			*next = at - length as u64;
		}
		total += struck.iter().filter(|struck| !**struck).count() as u64;
		start += length as u64;
	}
	total
}

/// Finds the odd primes whose square is at most `n`, with the place of each square.
fn base_primes(n: u64, sieve: &mut Sieve) {
	let struck = &mut sieve.struck[..MAX_ROOT / 2];
	struck.fill(false);
	sieve.used = 0;
	for place in 1..struck.len() {
		let prime = 2 * place as u64 + 1;
		if prime * prime > n {
			break;
		}
		if struck[place] {
			continue;
		}
		sieve.base[sieve.used] = prime as u32;
		sieve.next[sieve.used] = (prime * prime - 1) / 2;
		sieve.used += 1;
		let mut at = ((prime * prime - 1) / 2) as usize;
		while at < struck.len() {
			struck[at] = true;
			at += prime as usize;
		}
	}
}
