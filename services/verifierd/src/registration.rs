//! Whether the chain sends devices to this node.
//!
//! A verifier whose registered address names another node, as after its identity file was lost, gets no
//! hello and fails every device, which costs it its pay. So it does not run like that.

use crate::{
	chain::ChainView,
	error::Error,
	service::{ticker, timed, CHAIN_TIMEOUT},
};
use armature_p2p::PeerId;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::Instant};

/// How often the address is read.
const INTERVAL: Duration = Duration::from_secs(3);

/// Reads the address that the chain has for this verifier until it is its own, and says if it stays another
/// node's for longer than `patience`: whoever starts a verifier may be about to change it. That the chain
/// does not know it, or does not answer, is nothing.
pub(crate) async fn watch_registration(
	chain: Arc<dyn ChainView>,
	own: PeerId,
	patience: Duration,
	failures: mpsc::Sender<Error>,
) {
	let mut poll = ticker(INTERVAL);
	let mut since: Option<Instant> = None;
	loop {
		poll.tick().await;
		let error = match timed(CHAIN_TIMEOUT, chain.own_address()).await {
			Ok(Some(address)) => match check_address(address, own) {
				Ok(()) => return,
				Err(error) => error,
			},
			Ok(None) => {
				tracing::debug!("this verifier is not registered");
				continue;
			},
			Err(error) => {
				tracing::warn!(%error, "cannot read this verifier's own address");
				continue;
			},
		};
		if since.get_or_insert_with(Instant::now).elapsed() < patience {
			tracing::warn!(%error, "devices are sent to another node");
			continue;
		}
		tracing::error!(%error, "verifier cannot go on");
		// Without a receiver it is stopping already.
		let _ = failures.send(error).await;
		return;
	}
}

/// Whether who dials the `address` arrives at the node `own`.
fn check_address(address: String, own: PeerId) -> Result<(), Error> {
	let registered = address.rsplit_once("/p2p/").map_or("nobody", |(_, peer)| peer);
	if registered.parse::<PeerId>().is_ok_and(|peer| peer == own) {
		return Ok(());
	}
	Err(Error::OtherPeer { registered: registered.into(), own, address })
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_p2p::peer_id_of;

	#[test]
	fn address_should_end_in_the_nodes_own_peer_id() {
		let (own, other) = (peer_id_of([1; 32]).unwrap(), peer_id_of([2; 32]).unwrap());
		let named = |address: String| match check_address(address, own) {
			Ok(()) => None,
			Err(Error::OtherPeer { registered, own: named, .. }) => {
				assert_eq!(named, own);
				Some(registered)
			},
			Err(error) => panic!("{error}"),
		};
		assert_eq!(named(format!("/ip4/192.0.2.1/tcp/30500/p2p/{own}")), None);
		assert_eq!(named(format!("/dns/a.example/udp/1/quic-v1/p2p/{own}")), None);
		// Through another node to this one.
		assert_eq!(named(format!("/ip4/192.0.2.1/tcp/1/p2p/{other}/p2p-circuit/p2p/{own}")), None);
		assert_eq!(named(format!("/ip4/192.0.2.1/tcp/1/p2p/{other}")), Some(other.to_string()));
		assert_eq!(
			named(format!("/ip4/192.0.2.1/tcp/1/p2p/{own}/p2p-circuit")),
			Some(format!("{own}/p2p-circuit"))
		);
		for nobody in ["/ip4/192.0.2.1/tcp/30500", ""] {
			assert_eq!(named(nobody.into()), Some("nobody".into()), "{nobody}");
		}
		assert_eq!(named("/ip4/192.0.2.1/tcp/1/p2p/".into()), Some(String::new()));
	}
}
