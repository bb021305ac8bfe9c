//! Signatures of devices and accounts.
//!
//! Ed25519 has one validity rule here, on chain and off: ZIP-215, as
//! [`sp_io::crypto::ed25519_verify`] has it. [`verify_batch`] may only ever be faster than checking
//! one by one, never of another opinion: what is valid decides who is paid and who is slashed.

#[cfg(feature = "std")]
use alloc::vec::Vec;
use armature_primitives::{
	signing::{device_payload, registration_payload, Domain},
	DeviceId, H256,
};
use codec::Encode;
use sp_core::{ed25519, sr25519};

/// Whether `signature` is the device's over `body` for this purpose, chain and device.
pub fn verify_device<T: Encode>(
	domain: Domain,
	genesis: &H256,
	device: DeviceId,
	body: &T,
	key: &ed25519::Public,
	signature: &ed25519::Signature,
) -> bool {
	verify_raw(&device_payload(domain, genesis, device, body), signature, key)
}

/// Whether the holder of a fresh device `key` agreed to serve `provider`, which registers it as its
/// `nonce`-th device on the chain of `genesis`.
pub fn verify_registration<AccountId: Encode>(
	genesis: &H256,
	provider: &AccountId,
	nonce: u32,
	key: &ed25519::Public,
	signature: &ed25519::Signature,
) -> bool {
	verify_raw(&registration_payload(genesis, provider, nonce), signature, key)
}

/// Whether `signature` is the account's over `payload` (sr25519, substrate's signing context). The
/// caller has put a domain prefix and the genesis hash into `payload`.
pub fn verify_account(
	payload: &[u8],
	signature: &sr25519::Signature,
	key: &sr25519::Public,
) -> bool {
	sp_io::crypto::sr25519_verify(signature, payload, key)
}

/// ZIP-215 over the bytes as they are.
fn verify_raw(payload: &[u8], signature: &ed25519::Signature, key: &ed25519::Public) -> bool {
	sp_io::crypto::ed25519_verify(signature, payload, key)
}

/// The y coordinates of the points of small order, reduced or not, little-endian, sign bit clear:
/// with either sign bit these are all fourteen encodings of the eight points that ZIP-215 decodes.
const SMALL_ORDER: [[u8; 32]; 7] = {
	const fn filled(first: u8, middle: u8, last: u8) -> [u8; 32] {
		let mut out = [middle; 32];
		out[0] = first;
		out[31] = last;
		out
	}
	[
		// y = 0: order 4.
		filled(0, 0, 0),
		// y = 1: the neutral element.
		filled(1, 0, 0),
		// y = -1: order 2.
		filled(0xec, 0xff, 0x7f),
		// y = p, not reduced: order 4.
		filled(0xed, 0xff, 0x7f),
		// y = p + 1, not reduced: the neutral element.
		filled(0xee, 0xff, 0x7f),
		// The two y coordinates of order 8.
		[
			0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
			0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
			0x6d, 0x53, 0xfc, 0x05,
		],
		[
			0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
			0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
			0x92, 0xac, 0x03, 0x7a,
		],
	]
};

/// Whether a key is one of the fourteen that anybody can sign for under ZIP-215. Signatures under
/// such a key prove nothing, so it must not be registered.
pub fn is_small_order(key: &ed25519::Public) -> bool {
	let mut bytes = key.0;
	if let Some(last) = bytes.last_mut() {
		*last &= 0x7f;
	}
	SMALL_ORDER.contains(&bytes)
}

/// Signatures that one pass over the curve checks together. Larger gains little, and a bad
/// signature costs its whole chunk a second look.
#[cfg(feature = "std")]
const BATCH: usize = 256;

/// Checks many device signatures, `(payload, signature, key)` each; the answers are in order.
///
/// The batch equation of `ed25519-dalek` is a fast accept: it holds (up to 2^-128) only if every
/// signature is valid under ZIP-215. Where it does not hold, or an entry cannot be decoded, each
/// signature of the chunk is decided alone. So the answers never depend on what shares the batch.
#[cfg(feature = "std")]
pub fn verify_batch<P: AsRef<[u8]>>(
	entries: &[(P, ed25519::Signature, ed25519::Public)],
) -> Vec<bool> {
	let mut valid = Vec::with_capacity(entries.len());
	for chunk in entries.chunks(BATCH) {
		if chunk.len() > 1 && accept_batch(chunk) {
			valid.resize(valid.len().saturating_add(chunk.len()), true);
		} else {
			valid.extend(
				chunk.iter().map(|(payload, sig, key)| verify_raw(payload.as_ref(), sig, key)),
			);
		}
	}
	valid
}

/// Whether the batch equation holds. `false` says nothing about any one signature.
#[cfg(feature = "std")]
fn accept_batch<P: AsRef<[u8]>>(entries: &[(P, ed25519::Signature, ed25519::Public)]) -> bool {
	let mut keys = Vec::with_capacity(entries.len());
	for (_, _, key) in entries {
		match ed25519_dalek::VerifyingKey::from_bytes(&key.0) {
			Ok(key) => keys.push(key),
			Err(_) => return false,
		}
	}
	let payloads: Vec<&[u8]> = entries.iter().map(|(payload, _, _)| payload.as_ref()).collect();
	let signatures: Vec<ed25519_dalek::Signature> = entries
		.iter()
		.map(|(_, sig, _)| ed25519_dalek::Signature::from_bytes(&sig.0))
		.collect();
	ed25519_dalek::verify_batch(&payloads, &signatures, &keys).is_ok()
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;
	use sp_core::Pair;

	type Entry = (Vec<u8>, ed25519::Signature, ed25519::Public);

	/// Every encoding of a point of small order, found by multiplying a point of the full group by
	/// the prime order and listing all encodings that decode to a multiple of the result.
	const SMALL_ORDER_ENCODINGS: [&str; 14] = [
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0000000000000000000000000000000000000000000000000000000000000080",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	];

	/// Signatures over `torsion 0` with a component of small order in the key, in the commitment
	/// and in both, made so that the equation without the cofactor does not hold.
	const TORSION: [(&str, &str); 3] = [
		(
			"9b0563e1f39e2653f8154662d0f791ca65fc3692acddad3559946c7e6bb8b460",
			"d59bac74d12a948c32366a337d4c6ba78c4e7336fa09fd5846eb14540ad40802\
			 307bde6fb56a3f0de86502cac4cf0021156ffeb6fc51ad8370a48630b0ae890a",
		),
		(
			"86e56f7a94d366b11dd7d791e9e672c7ce52cb75f004c1f778af98050b4cecf5",
			"9509f6e034e730e505751a9992a1ea57f69a1bb1f4e1e64f5c88277c279277a2\
			 0b3163cab728c0c0f97f03d8bc3024f9629afd86191ecbf72f46636aa912aa0b",
		),
		(
			"37c79ba3e4f5812557da1f3426dad79e50feabaef2e3d4c4b333414d5ba1c1e8",
			"a90a010f1fa257a17ec7c8ac69f6c59ee728ce9b16b6e23c32b4aabb658fca06\
			 de0cb780fcf2f5b5f752dcd64f0d6c2af0f8bacd743a91f58a850dce537b1a0e",
		),
	];

	/// The prime order of the base point, little-endian.
	const ORDER: [u8; 32] = [
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
		0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	];

	fn unhex<const N: usize>(text: &str) -> [u8; N] {
		assert_eq!(text.len(), 2 * N);
		core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
	}

	fn torsion_entries() -> Vec<Entry> {
		TORSION
			.iter()
			.map(|(key, sig)| {
				(
					b"torsion 0".to_vec(),
					ed25519::Signature::from_raw(unhex(sig)),
					ed25519::Public::from_raw(unhex(key)),
				)
			})
			.collect()
	}

	fn small_order_entries() -> Vec<Entry> {
		let mut out = Vec::new();
		for key in SMALL_ORDER_ENCODINGS {
			for commitment in SMALL_ORDER_ENCODINGS {
				let mut sig = [0u8; 64];
				sig[..32].copy_from_slice(&unhex::<32>(commitment));
				out.push((
					b"anything".to_vec(),
					ed25519::Signature::from_raw(sig),
					ed25519::Public::from_raw(unhex(key)),
				));
			}
		}
		out
	}

	fn honest(seed: u8, payload: &[u8]) -> Entry {
		let pair = ed25519::Pair::from_seed(&[seed; 32]);
		(payload.to_vec(), pair.sign(payload), pair.public())
	}

	/// The same signature with the group order added to its scalar.
	fn with_unreduced_scalar(entry: &Entry) -> Entry {
		let mut sig = entry.1 .0;
		let mut carry = 0u16;
		for (byte, order) in sig[32..].iter_mut().zip(ORDER) {
			let sum = u16::from(*byte) + u16::from(order) + carry;
			*byte = (sum & 0xff) as u8;
			carry = sum >> 8;
		}
		assert_eq!(carry, 0);
		(entry.0.clone(), ed25519::Signature::from_raw(sig), entry.2)
	}

	fn one_by_one(entries: &[Entry]) -> Vec<bool> {
		entries
			.iter()
			.map(|(payload, sig, key)| verify_raw(payload, sig, key))
			.collect()
	}

	#[test]
	fn device_signature_should_be_bound_to_domain_chain_device_and_body() {
		let pair = ed25519::Pair::from_seed(&[7; 32]);
		let (genesis, device, key) = (H256([1; 32]), DeviceId(5), pair.public());
		let sig = pair.sign(&device_payload(Domain::Leaf, &genesis, device, &42u32));

		assert!(verify_device(Domain::Leaf, &genesis, device, &42u32, &key, &sig));
		assert!(!verify_device(Domain::Beat, &genesis, device, &42u32, &key, &sig));
		assert!(!verify_device(Domain::Leaf, &H256([2; 32]), device, &42u32, &key, &sig));
		assert!(!verify_device(Domain::Leaf, &genesis, DeviceId(6), &42u32, &key, &sig));
		assert!(!verify_device(Domain::Leaf, &genesis, device, &43u32, &key, &sig));
		let other = ed25519::Pair::from_seed(&[8; 32]).public();
		assert!(!verify_device(Domain::Leaf, &genesis, device, &42u32, &other, &sig));
	}

	#[test]
	fn registration_signature_should_be_bound_to_chain_provider_and_nonce() {
		let pair = ed25519::Pair::from_seed(&[9; 32]);
		let (genesis, key) = (H256([3; 32]), pair.public());
		let sig = pair.sign(&registration_payload(&genesis, &11u64, 4));

		assert!(verify_registration(&genesis, &11u64, 4, &key, &sig));
		assert!(!verify_registration(&H256([4; 32]), &11u64, 4, &key, &sig));
		assert!(!verify_registration(&genesis, &12u64, 4, &key, &sig));
		assert!(!verify_registration(&genesis, &11u64, 5, &key, &sig));
	}

	#[test]
	fn account_signature_should_be_refused_when_payload_or_key_differs() {
		let pair = sr25519::Pair::from_seed(&[1; 32]);
		let sig = pair.sign(b"payload");
		assert!(verify_account(b"payload", &sig, &pair.public()));
		assert!(!verify_account(b"payloae", &sig, &pair.public()));
		let other = sr25519::Pair::from_seed(&[2; 32]).public();
		assert!(!verify_account(b"payload", &sig, &other));
	}

	#[test]
	fn torsion_signatures_should_be_valid_alone_and_in_any_batch() {
		let entries = torsion_entries();
		// The vectors are of use only if the two rules really differ on them.
		for (payload, sig, key) in &entries {
			let key = ed25519_dalek::VerifyingKey::from_bytes(&key.0).unwrap();
			let sig = ed25519_dalek::Signature::from_bytes(&sig.0);
			assert!(key.verify_strict(payload, &sig).is_err());
		}
		assert_eq!(one_by_one(&entries), vec![true; 3]);
		assert_eq!(verify_batch(&entries), vec![true; 3]);
		for entry in entries {
			let batch = [honest(1, b"a"), entry, honest(2, b"b")];
			assert_eq!(verify_batch(&batch), vec![true; 3]);
		}
	}

	#[test]
	fn small_order_signatures_should_be_valid_alone_and_in_batch() {
		let entries = small_order_entries();
		assert_eq!(entries.len(), 196);
		assert_eq!(one_by_one(&entries), vec![true; 196]);
		assert_eq!(verify_batch(&entries), vec![true; 196]);
	}

	#[test]
	fn small_order_keys_should_be_told_from_others() {
		for encoding in SMALL_ORDER_ENCODINGS {
			assert!(is_small_order(&ed25519::Public::from_raw(unhex(encoding))));
		}
		for (_, _, key) in torsion_entries() {
			assert!(!is_small_order(&key));
		}
		assert!(!is_small_order(&honest(3, b"").2));
	}

	#[test]
	fn unreduced_scalar_should_be_refused_alone_and_in_batch() {
		let good = honest(4, b"x");
		let bad = with_unreduced_scalar(&good);
		assert_eq!(one_by_one(&[good.clone(), bad.clone()]), vec![true, false]);
		assert_eq!(verify_batch(&[good, bad]), vec![true, false]);
	}

	#[test]
	fn undecodable_key_should_be_refused_without_harm_to_its_neighbours() {
		// y = 2 is on no point of the curve.
		let mut bytes = [0u8; 32];
		bytes[0] = 2;
		let mut bad = honest(5, b"x");
		bad.2 = ed25519::Public::from_raw(bytes);
		assert_eq!(verify_batch(&[honest(5, b"x"), bad, honest(6, b"y")]), vec![true, false, true]);
	}

	#[test]
	fn batch_should_keep_order_over_chunk_borders() {
		let mut entries: Vec<Entry> =
			(0..BATCH + 3).map(|i| honest(1, &(i as u32).to_le_bytes())).collect();
		entries[0].0.push(1);
		entries[BATCH].0.push(1);
		let got = verify_batch(&entries);
		let bad: Vec<usize> = (0..got.len()).filter(|i| !got[*i]).collect();
		assert_eq!((got.len(), bad), (BATCH + 3, vec![0, BATCH]));
		assert!(verify_batch::<Vec<u8>>(&[]).is_empty());
	}

	fn any_entry() -> impl Strategy<Value = Entry> {
		prop_oneof![
			4 => (any::<u8>(), prop::collection::vec(any::<u8>(), 0..40))
				.prop_map(|(seed, payload)| honest(seed, &payload)),
			1 => (any::<u8>(), 0usize..64, any::<u8>()).prop_map(|(seed, at, mask)| {
				let mut entry = honest(seed, b"flip");
				entry.1 .0[at] ^= mask;
				entry
			}),
			1 => any::<u8>().prop_map(|seed| with_unreduced_scalar(&honest(seed, b"s"))),
			1 => (0usize..3, any::<bool>()).prop_map(|(i, spoil)| {
				let mut entry = torsion_entries().swap_remove(i);
				if spoil {
					entry.0.push(0);
				}
				entry
			}),
			1 => (0usize..196).prop_map(|i| small_order_entries().swap_remove(i)),
			1 => (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(k, r, s)| {
				let mut sig = [0u8; 64];
				sig[..32].copy_from_slice(&r);
				sig[32..].copy_from_slice(&s);
				(
					Vec::new(),
					ed25519::Signature::from_raw(sig),
					ed25519::Public::from_raw(k),
				)
			}),
		]
	}

	proptest! {
		#![proptest_config(ProptestConfig::with_cases(64))]

		#[test]
		fn batch_should_agree_with_single(entries in prop::collection::vec(any_entry(), 0..12)) {
			prop_assert_eq!(verify_batch(&entries), one_by_one(&entries));
		}
	}
}
