//! Two nodes on loopback, and one raw peer that keeps no rules.

mod exchange;
mod hostile;
mod keys;
mod limit;

use crate::{
	messages::{BlobResponse, ControlResponse},
	Handle, Inbound, InboundRequest, Node, NodeConfig, RateLimit,
};
use libp2p::PeerId;
use std::time::Duration;
use tokio::sync::mpsc;

const WAIT: Duration = Duration::from_secs(10);

fn config(seed: u8) -> NodeConfig {
	NodeConfig {
		identity: [seed; 32],
		listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
		request_timeout: Duration::from_secs(30),
		max_peers: 16,
		rate: RateLimit { per_second: 1000, burst: 1000 },
	}
}

async fn address(handle: &Handle) -> String {
	handle.listen_addresses().await.unwrap().remove(0)
}

/// A client connected to a server, both with these configurations.
async fn pair(
	client: NodeConfig,
	server: NodeConfig,
) -> (Handle, PeerId, Handle, mpsc::Receiver<Inbound>) {
	let (server, inbound) = Node::spawn(server).unwrap();
	let (client, _) = Node::spawn(client).unwrap();
	let peer = client.dial(&address(&server).await).await.unwrap();
	assert_eq!(peer, server.peer_id());
	(client, peer, server, inbound)
}

/// Answers every request with `control` or `blob`.
fn serve(
	mut inbound: mpsc::Receiver<Inbound>,
	control: impl Fn(crate::ControlRequest) -> ControlResponse + Send + 'static,
	blob: impl Fn(crate::BlobRequest) -> BlobResponse + Send + 'static,
) {
	tokio::spawn(async move {
		while let Some(Inbound { request, reply, .. }) = inbound.recv().await {
			match request {
				InboundRequest::Control(request) => reply.control(control(request)),
				InboundRequest::Blob(request) => reply.blob(blob(request)),
			}
		}
	});
}
