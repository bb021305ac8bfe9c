//! The way between a device and its verifiers: echoes that somebody may have made up, chunks that
//! somebody asks for, and what is made of times, rates and places that anybody may say.
#![no_main]

use armature_fuzz::{device, Input};
use armature_primitives::{
	challenge::{ChallengeTask, NetworkChallenge, Work},
	ed25519::{Public, Signature},
	location::{LocationFinding, Position},
	service::Network,
	DeviceId, RoundId, H256,
};
use armature_verifier::challenge::{
	location::{appraise_location, is_within, light_reach, RoundTrip, REFUTERS, SUPPORTERS},
	network::{check_echo, chunk, kbps, receipt, together, Direction, MAX_CHUNK_LEN},
};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;

/// Chunks of at least this length are never the same by chance.
const TELLING_LEN: u32 = 16;

fn task(input: &mut Input<'_>) -> ChallengeTask {
	ChallengeTask {
		round: RoundId(u64::from_le_bytes(input.array())),
		device: DeviceId(u32::from_le_bytes(input.array())),
		seed: H256(input.array()),
		work: Work::Network(NetworkChallenge {
			echoes: u16::from_le_bytes(input.array()),
			lead_millis: u32::from_le_bytes(input.array()),
			transfer_millis: u32::from_le_bytes(input.array()),
			transfer_kib: u32::from_le_bytes(input.array()),
		}),
		deadline: u64::from_le_bytes(input.array()),
	}
}

/// Bytes as the answer to a nonce, under the device's key and any other: only what the device signs
/// passes under its own. Then that with one bit changed, and of another nonce.
fn judge_echo(input: &mut Input<'_>) {
	let task = task(input);
	let (nonce, other) = (H256(input.array()), H256(input.array()));
	let (place, bit) = (usize::from(input.u8() % 64), input.u8() % 8);
	let said = Signature::from_raw(input.array());
	let key = Public::from_raw(input.array());
	let honest = device::sign_echo(&task, nonce);
	assert!(device::check_echo(&task, nonce, &honest));
	assert_eq!(device::check_echo(&task, nonce, &said), said == honest, "forged");
	assert_eq!(device::check_echo(&task, other, &honest), other == nonce, "another nonce");
	let mut changed = honest.0;
	changed[place] ^= 1 << bit;
	assert!(!device::check_echo(&task, nonce, &Signature::from_raw(changed)), "changed");
	// There are keys under which more than one signature passes: nobody has to have registered one.
	let judged = || check_echo(&device::GENESIS, &task, &key, nonce, &said);
	assert_eq!(judged(), judged());
}

/// Rates of any verifiers: none counts beyond the lower median, and their order does not matter.
fn judge_rates(input: &mut Input<'_>) {
	let rates = input.list(|input| u32::from_le_bytes(input.array()));
	let sum = u64::from(together(&rates));
	let mut sorted = rates.clone();
	sorted.sort_unstable();
	assert_eq!(sum, u64::from(together(&sorted)), "their order matters");
	let Some(median) = sorted.get(rates.len().saturating_sub(1) / 2) else {
		assert_eq!(sum, 0);
		return;
	};
	let all: u64 = rates.iter().map(|rate| u64::from(*rate)).sum();
	let most = u64::from(u32::MAX);
	assert!(sum <= all.min(most));
	assert!(sum <= u64::from(*median) * rates.len() as u64);
	let counted: u64 = rates.iter().map(|rate| u64::from(*rate.min(median))).sum();
	assert_eq!(sum, counted.min(most));
}

/// What is moved in a time: rounded down, and the most that there is where it is more.
fn judge_speed(input: &mut Input<'_>) {
	let (bytes, micros) = (u64::from_le_bytes(input.array()), u64::from_le_bytes(input.array()));
	let rate = kbps(bytes, micros);
	if micros == 0 {
		assert_eq!(rate, 0, "no time is no measurement");
		return;
	}
	let moved = u128::from(bytes) * 8_000;
	let within = |rate: u128| rate * u128::from(micros) <= moved;
	assert!(within(rate.into()), "rounded up");
	assert!(rate == u32::MAX || !within(u128::from(rate) + 1), "rounded down too far");
}

/// A chunk that somebody asks for: as long as asked for, up to a bound, and another one for whatever
/// it is made of. Its receipt is of all of it.
fn judge_chunk(input: &mut Input<'_>) {
	let (task, key) = (H256(input.array()), H256(input.array()));
	let (number, len) = (u32::from_le_bytes(input.array()), u32::from_le_bytes(input.array()));
	let (place, bit) = (u32::from_le_bytes(input.array()) as usize, input.u8() % 8);
	let mut bytes = chunk(Direction::Up, &task, &key, number, len);
	assert_eq!(bytes.len(), len.min(MAX_CHUNK_LEN) as usize);
	let start = len.min(TELLING_LEN);
	assert!(bytes.starts_with(&chunk(Direction::Up, &task, &key, number, start)));
	if start == TELLING_LEN {
		let other = |mut hash: H256| {
			hash.0[place % 32] ^= 1 << bit;
			hash
		};
		for another in [
			chunk(Direction::Down, &task, &key, number, start),
			chunk(Direction::Up, &other(task), &key, number, start),
			chunk(Direction::Up, &task, &other(key), number, start),
			chunk(Direction::Up, &task, &key, number ^ (1 << bit), start),
		] {
			assert!(!bytes.starts_with(&another), "two chunks are the same");
		}
	}
	let whole = receipt(&task, &key, number, &bytes);
	if bytes.is_empty() {
		return;
	}
	let at = place % bytes.len();
	bytes[at] ^= 1 << bit;
	assert_ne!(receipt(&task, &key, number, &bytes), whole, "changed");
	bytes[at] ^= 1 << bit;
	bytes.pop();
	assert_ne!(receipt(&task, &key, number, &bytes), whole, "cut off");
}

/// Places and times that anybody may say, valid or not: nothing comes of too few networks, and more
/// round trips only ever take a finding further.
fn judge_places(input: &mut Input<'_>) {
	let place = |input: &mut Input<'_>| Position {
		latitude: i32::from_le_bytes(input.array()),
		longitude: i32::from_le_bytes(input.array()),
	};
	let claimed = place(input);
	let (near, slack) = (u64::from_le_bytes(input.array()), u32::from_le_bytes(input.array()));
	let trips: Vec<_> = input.list(|input| RoundTrip {
		verifier: place(input),
		network: Network::V4([9, input.u8() % 4]),
		micros: u32::from_le_bytes(input.array()),
	});
	let mut networks = BTreeSet::new();
	let mut before = LocationFinding::Unknown;
	assert_eq!(appraise_location(&claimed, near, slack, &[]), before);
	for (at, trip) in trips.iter().enumerate() {
		networks.insert(trip.network);
		let finding = appraise_location(&claimed, near, slack, &trips[..=at]);
		match finding {
			LocationFinding::Refuted => assert!(networks.len() >= REFUTERS),
			LocationFinding::Supported => assert!(networks.len() >= SUPPORTERS),
			LocationFinding::Unknown => {},
		}
		match before {
			LocationFinding::Refuted => assert_eq!(finding, before),
			LocationFinding::Supported => assert_ne!(finding, LocationFinding::Unknown),
			LocationFinding::Unknown => {},
		}
		before = finding;
		let reach = light_reach(trip.micros);
		let within = is_within(&claimed, &trip.verifier, reach);
		assert_eq!(is_within(&trip.verifier, &claimed, reach), within, "one way only");
		assert!(is_within(&claimed, &claimed, 0) && is_within(&claimed, &trip.verifier, u64::MAX));
	}
	let backwards: Vec<_> = trips.iter().rev().copied().collect();
	assert_eq!(appraise_location(&claimed, near, slack, &backwards), before, "their order matters");
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	match input.u8() % 5 {
		0 => judge_echo(&mut input),
		1 => judge_rates(&mut input),
		2 => judge_speed(&mut input),
		3 => judge_chunk(&mut input),
		_ => judge_places(&mut input),
	}
});
