//! Off-chain services and where they are reached.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::net::{Ipv4Addr, Ipv6Addr};
use scale_info::TypeInfo;
use sp_core::ConstU32;
use sp_runtime::BoundedVec;

/// The longest address of a service, in bytes.
pub const MAX_ADDRESS_LEN: u32 = 128;

/// A libp2p multiaddress in text form, ending in `/p2p/<peer id>`. Only its length is checked on
/// chain; who dials it verifies the peer id.
pub type ServiceAddress = BoundedVec<u8, ConstU32<MAX_ADDRESS_LEN>>;

/// Part of the internet that one party usually holds as a whole, as an address shows it. Nobody on chain
/// dials an address; devices do, and a verifier that they cannot reach earns nothing.
#[derive(
	Clone,
	Copy,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Debug,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub enum Network {
	/// No number that stands for one place: names cost next to nothing, so that all of them are one
	/// network, and so are private addresses.
	#[codec(index = 0)]
	Unknown,
	/// The first 16 bits of an IPv4 address.
	#[codec(index = 1)]
	V4([u8; 2]),
	/// The first 32 bits of an IPv6 address.
	#[codec(index = 2)]
	V6([u8; 4]),
}

impl Network {
	/// The network of a multiaddress: of its first part.
	pub fn of(address: &[u8]) -> Self {
		Self::read(address).unwrap_or(Network::Unknown)
	}

	fn read(address: &[u8]) -> Option<Self> {
		let mut parts = core::str::from_utf8(address).ok()?.split('/');
		if !parts.next()?.is_empty() {
			return None;
		}
		let (protocol, value) = (parts.next()?, parts.next()?);
		match protocol {
			"ip4" => Self::of_v4(value.parse().ok()?),
			"ip6" => Self::of_v6(value.parse().ok()?),
			_ => None,
		}
	}

	/// `None` for addresses that many machines have at once, or none.
	fn of_v4(address: Ipv4Addr) -> Option<Self> {
		let [a, b, ..] = address.octets();
		// RFC 6598: behind carriers' translators.
		let is_shared = a == 100 && (64..128).contains(&b);
		let nowhere = address.is_unspecified() || address.is_multicast() || address.is_broadcast();
		let local = address.is_private() || address.is_loopback() || address.is_link_local();
		(!is_shared && !nowhere && !local && a != 0).then_some(Network::V4([a, b]))
	}

	fn of_v6(address: Ipv6Addr) -> Option<Self> {
		// An IPv4 address in an IPv6 one is still that.
		if let Some(mapped) = address.to_ipv4_mapped() {
			return Self::of_v4(mapped);
		}
		let [a, b, c, d, e, f, ..] = address.octets();
		match (a, b) {
			// RFC 3056: 6to4 has it behind its prefix.
			(0x20, 0x02) => Self::of_v4(Ipv4Addr::new(c, d, e, f)),
			// RFC 4291: what can be reached from everywhere begins with 001.
			_ if a >> 5 == 1 => Some(Network::V6([a, b, c, d])),
			_ => None,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn addresses_should_be_in_their_networks() {
		for (address, network) in [
			("/ip4/203.0.113.7/tcp/30333/p2p/x", Network::V4([203, 0])),
			("/ip4/203.0.114.8/udp/1/quic-v1", Network::V4([203, 0])),
			("/ip6/2001:db8:1:2::3/tcp/1", Network::V6([0x20, 0x01, 0x0d, 0xb8])),
			("/ip6/::ffff:203.0.113.7/tcp/1", Network::V4([203, 0])),
			("/ip6/2002:cb00:7107::1/tcp/1", Network::V4([203, 0])),
			("/ip4/100.63.0.1/tcp/1", Network::V4([100, 63])),
			("/ip4/100.128.0.1/tcp/1", Network::V4([100, 128])),
			("/ip4/172.32.0.1/tcp/1", Network::V4([172, 32])),
		] {
			assert_eq!(Network::of(address.as_bytes()), network, "{address}");
		}
	}

	#[test]
	fn addresses_that_say_nothing_should_be_one_network() {
		for address in [
			"",
			"/",
			"ip4/1.2.3.4",
			"/ip4",
			"/ip4/1.2.3",
			"/ip4/1.2.3.4.5/tcp/1",
			"/ip6/1.2.3.4/tcp/1",
			"/ip4/10.1.2.3/tcp/1",
			"/ip4/172.31.0.1/tcp/1",
			"/ip4/192.168.1.1/tcp/1",
			"/ip4/127.0.0.1/tcp/1",
			"/ip4/169.254.1.1/tcp/1",
			"/ip4/0.1.2.3/tcp/1",
			"/ip4/100.64.0.1/tcp/1",
			"/ip4/224.0.0.1/tcp/1",
			"/ip6/::1/tcp/1",
			"/ip6/fe80::1/tcp/1",
			"/ip6/fd00::1/tcp/1",
			"/ip6/2002:a01:203::1/tcp/1",
			"/ip6/::ffff:10.0.0.1/tcp/1",
			"/unix/x",
			"/dns/a.example.org/tcp/1",
			"/dns4/1.2.3.4",
			"/p2p/x",
		] {
			assert_eq!(Network::of(address.as_bytes()), Network::Unknown, "{address}");
		}
		assert_eq!(Network::of(&[0xff, 0xfe]), Network::Unknown);
	}
}
