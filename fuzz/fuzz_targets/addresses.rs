//! Addresses that verifiers announce: whatever they write there, it is known what network they are in.
#![no_main]

use armature_fuzz::Input;
use armature_primitives::service::{Network, ServiceAddress, MAX_ADDRESS_LEN};
use codec::{DecodeAll, Encode, MaxEncodedLen};
use libfuzzer_sys::fuzz_target;
use std::net::{Ipv4Addr, Ipv6Addr};

/// IPv4 addresses that many machines have at once, or none, as first and last.
const LOCAL_V4: [([u8; 4], [u8; 4]); 9] = [
	([0, 0, 0, 0], [0, 255, 255, 255]),
	([10, 0, 0, 0], [10, 255, 255, 255]),
	([100, 64, 0, 0], [100, 127, 255, 255]),
	([127, 0, 0, 0], [127, 255, 255, 255]),
	([169, 254, 0, 0], [169, 254, 255, 255]),
	([172, 16, 0, 0], [172, 31, 255, 255]),
	([192, 168, 0, 0], [192, 168, 255, 255]),
	([224, 0, 0, 0], [239, 255, 255, 255]),
	([255, 255, 255, 255], [255, 255, 255, 255]),
];

/// The network of an IPv4 address: its first 16 bits, unless it is of no one place.
fn of_v4(octets: [u8; 4]) -> Network {
	if LOCAL_V4.iter().any(|(first, last)| (*first..=*last).contains(&octets)) {
		Network::Unknown
	} else {
		Network::V4([octets[0], octets[1]])
	}
}

/// The network of an IPv6 address: of the IPv4 address in it, or its first 32 bits where it is one of
/// 2000::/3.
fn of_v6(octets: [u8; 16]) -> Network {
	let [a, b, c, d, e, f, ..] = octets;
	if octets.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) {
		of_v4([octets[12], octets[13], octets[14], octets[15]])
	} else if [a, b] == [0x20, 0x02] {
		of_v4([c, d, e, f])
	} else if (0x20..0x40).contains(&a) {
		Network::V6([a, b, c, d])
	} else {
		Network::Unknown
	}
}

/// Bytes as an address. It says the same whatever comes behind its first part, and what has no number
/// there is of no network.
fn judge_bytes(bytes: &[u8]) {
	let network = Network::of(bytes);
	assert_eq!(network, Network::of(bytes));
	assert_eq!(Network::of(&[bytes, b"/tcp/1"].concat()), network, "what is behind it counts");
	if network == Network::Unknown {
		return;
	}
	let text = std::str::from_utf8(bytes).expect("all of it is text");
	let mut parts = text.split('/');
	assert_eq!(parts.next(), Some(""));
	let (protocol, number) = (parts.next(), parts.next().expect("a number"));
	let expected = match protocol {
		Some("ip4") => of_v4(number.parse::<Ipv4Addr>().expect("an address").octets()),
		Some("ip6") => of_v6(number.parse::<Ipv6Addr>().expect("an address").octets()),
		_ => Network::Unknown,
	};
	assert_eq!(network, expected, "{text}");
}

/// An IPv4 address near the end of a range, which is not hit by chance: up to 128 addresses away, or as many
/// networks of 24, 16 or 8 bits.
fn near_end(input: &mut Input<'_>) -> Ipv4Addr {
	let (range, flags, distance) = (input.u8(), input.u8(), input.u8() as i8);
	let (first, last) = LOCAL_V4[usize::from(range) % LOCAL_V4.len()];
	let end = u32::from_be_bytes(if flags & 1 == 0 { first } else { last });
	Ipv4Addr::from(end.wrapping_add_signed(i32::from(distance) << (8 * (flags >> 1 & 3))))
}

/// An address with any number, written in more than one way, at a port and for a peer of any name.
fn judge_numbers(input: &mut Input<'_>) {
	let flags = input.u8();
	let mut octets: [u8; 16] = input.array();
	if flags & 4 == 4 {
		let end = near_end(input).octets();
		octets[12..].copy_from_slice(&end);
		octets[2..6].copy_from_slice(&end);
	}
	let port = u16::from_le_bytes(input.array());
	let peer = input.text();
	// Prefixes that are not hit by chance either.
	match flags % 4 {
		0 => octets[..12].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
		1 => octets[..2].copy_from_slice(&[0x20, 0x02]),
		_ => {},
	}
	let [.., a, b, c, d] = octets;
	let (four, six) = (Ipv4Addr::new(a, b, c, d), Ipv6Addr::from(octets));
	let written = |number: String, version: u8| {
		Network::of(format!("/ip{version}/{number}/tcp/{port}/p2p/{peer}").as_bytes())
	};
	assert_eq!(written(four.to_string(), 4), of_v4(four.octets()), "{four}");
	// Whoever has the same first 16 bits, and is not in a place of its own, is in the same network.
	let other = Ipv4Addr::new(a, b, !c, !d);
	let (one, another) = (written(four.to_string(), 4), written(other.to_string(), 4));
	if one != Network::Unknown && another != Network::Unknown {
		assert_eq!(one, another, "{four} and {other}");
	}
	assert_eq!(written(format!("{:x?}", octets), 6), Network::Unknown);
	let parts = six.segments().map(|part| format!("{part:x}")).join(":");
	let padded = six.segments().map(|part| format!("{part:04X}")).join(":");
	let mixed = six.segments()[..6].iter().map(|part| format!("{part:x}:")).collect::<String>();
	for number in [six.to_string(), parts, padded, format!("{mixed}{four}")] {
		assert_eq!(written(number.clone(), 6), of_v6(octets), "{number}");
		assert_eq!(written(number, 4), Network::Unknown, "no IPv4 address");
	}
	assert_eq!(written(four.to_string(), 6), Network::Unknown, "no IPv6 address");
	assert_eq!(written(format!("0{four}"), 4), Network::Unknown, "octal");
	assert_eq!(written(format!("{four}."), 4), Network::Unknown);
	assert_eq!(written(format!(" {four}"), 4), Network::Unknown);
}

fuzz_target!(|bytes: &[u8]| {
	let mut input = Input::new(bytes);
	match input.u8() % 4 {
		0 => judge_numbers(&mut input),
		1 => {
			let address =
				[if input.u8() % 2 == 0 { b"/ip4/" } else { b"/ip6/" }, input.take(usize::MAX)];
			judge_bytes(&address.concat());
		},
		2 => {
			let bytes = input.take(usize::MAX);
			let Ok(address) = ServiceAddress::decode_all(&mut &*bytes) else { return };
			assert_eq!(bytes, address.encode(), "two encodings of one address");
			assert!(bytes.len() <= ServiceAddress::max_encoded_len());
			judge_bytes(&address);
		},
		_ => {
			let bytes = input.take(usize::MAX);
			judge_bytes(bytes);
			let is_short = bytes.len() <= MAX_ADDRESS_LEN as usize;
			let taken = ServiceAddress::decode_all(&mut &*bytes.encode());
			assert_eq!(
				taken.map(|address| address.into_inner()).ok(),
				is_short.then(|| bytes.to_vec())
			);
		},
	}
});
