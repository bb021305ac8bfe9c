//! Peers that break the rules.

use super::{address, config, exchange::wait_until, pair, serve, WAIT};
use crate::{
	messages::{CONTROL_PROTOCOL, MAX_CONTROL_LEN},
	BlobResponse, ControlRequest, ControlResponse, Node, NodeConfig, P2pError, RateLimit, Refusal,
};
use codec::Encode;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::{
	identity, noise, request_response,
	request_response::{Event, Message as Exchange, ProtocolSupport},
	swarm::SwarmEvent,
	tcp, yamux, Multiaddr, StreamProtocol, Swarm,
};
use std::io;

/// Writes what it is given and reads all that comes.
#[derive(Clone, Default)]
struct RawCodec;

impl request_response::Codec for RawCodec {
	type Protocol = StreamProtocol;
	type Request = Vec<u8>;
	type Response = Vec<u8>;

	async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
	where
		T: AsyncRead + Unpin + Send,
	{
		let mut bytes = Vec::new();
		io.read_to_end(&mut bytes).await?;
		Ok(bytes)
	}

	async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
	where
		T: AsyncRead + Unpin + Send,
	{
		let mut bytes = Vec::new();
		io.read_to_end(&mut bytes).await?;
		Ok(bytes)
	}

	async fn write_request<T>(
		&mut self,
		_: &StreamProtocol,
		io: &mut T,
		bytes: Vec<u8>,
	) -> io::Result<()>
	where
		T: AsyncWrite + Unpin + Send,
	{
		io.write_all(&bytes).await
	}

	async fn write_response<T>(
		&mut self,
		_: &StreamProtocol,
		io: &mut T,
		bytes: Vec<u8>,
	) -> io::Result<()>
	where
		T: AsyncWrite + Unpin + Send,
	{
		io.write_all(&bytes).await
	}
}

struct RawPeer {
	swarm: Swarm<request_response::Behaviour<RawCodec>>,
}

impl RawPeer {
	fn new() -> Self {
		let swarm = libp2p::SwarmBuilder::with_existing_identity(
			identity::Keypair::ed25519_from_bytes([77; 32]).unwrap(),
		)
		.with_tokio()
		.with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
		.unwrap()
		.with_behaviour(|_| {
			request_response::Behaviour::<RawCodec>::new(
				[(StreamProtocol::new(CONTROL_PROTOCOL), ProtocolSupport::Full)],
				request_response::Config::default(),
			)
		})
		.unwrap()
		.with_swarm_config(|swarm| swarm.with_idle_connection_timeout(WAIT))
		.build();
		Self { swarm }
	}

	async fn dial(&mut self, address: &str) -> libp2p::PeerId {
		self.swarm.dial(address.parse::<Multiaddr>().unwrap()).unwrap();
		loop {
			if let SwarmEvent::ConnectionEstablished { peer_id, .. } =
				self.swarm.select_next_some().await
			{
				return peer_id;
			}
		}
	}

	/// The raw bytes of the answer, `None` when there is none.
	async fn ask(&mut self, peer: libp2p::PeerId, bytes: Vec<u8>) -> Option<Vec<u8>> {
		let id = self.swarm.behaviour_mut().send_request(&peer, bytes);
		let answer = async {
			loop {
				match self.swarm.select_next_some().await {
					SwarmEvent::Behaviour(Event::Message {
						message: Exchange::Response { request_id, response },
						..
					}) if request_id == id => return Some(response).filter(|bytes| !bytes.is_empty()),
					SwarmEvent::Behaviour(Event::OutboundFailure { request_id, .. })
						if request_id == id =>
					{
						return None
					},
					_ => {},
				}
			}
		};
		tokio::time::timeout(WAIT, answer).await.unwrap()
	}
}

fn frame(message: &[u8]) -> Vec<u8> {
	let mut bytes = u32::try_from(message.len()).unwrap().to_le_bytes().to_vec();
	bytes.extend_from_slice(message);
	bytes
}

fn refused(reason: Refusal) -> Option<Vec<u8>> {
	Some(frame(&ControlResponse::Refused { reason }.encode()))
}

async fn server(config: NodeConfig) -> (crate::Handle, String) {
	let (server, inbound) = Node::spawn(config).unwrap();
	serve(inbound, |_| ControlResponse::Accepted, |_| BlobResponse::Stat { len: None });
	let address = address(&server).await;
	(server, address)
}

#[tokio::test]
async fn oversize_prefix_should_be_refused_without_reading_on() {
	let (_server, address) = server(config(2)).await;
	let mut raw = RawPeer::new();
	let peer = raw.dial(&address).await;
	// Only a prefix is sent: the answer shows that nothing more was waited for.
	let over = (MAX_CONTROL_LEN + 1).to_le_bytes().to_vec();
	assert_eq!(raw.ask(peer, over).await, refused(Refusal::TooLarge));
	let most = u32::MAX.to_le_bytes().to_vec();
	assert_eq!(raw.ask(peer, most).await, refused(Refusal::TooLarge));
}

#[tokio::test]
async fn garbage_should_be_refused() {
	let (_server, address) = server(config(2)).await;
	let mut raw = RawPeer::new();
	let peer = raw.dial(&address).await;
	let mut tail = ControlRequest::Status.encode();
	tail.push(0);
	// Lists that announce a billion entries: of segments, of blocks, and of segments of a walk.
	let huge = [(3, 40), (8, 32), (9, 64)].map(|(index, before)| {
		let mut bytes = vec![index];
		bytes.resize(1 + before, 0);
		bytes.extend([0xfe, 0xff, 0xff, 0xff]);
		bytes
	});
	let others = [vec![], vec![0xff; 100], tail];
	for garbage in others.into_iter().chain(huge) {
		assert_eq!(raw.ask(peer, frame(&garbage)).await, refused(Refusal::Malformed));
	}
	// A frame that breaks off gets no answer.
	assert_eq!(raw.ask(peer, vec![9, 0, 0, 0, 1]).await, None);
	// The connection still serves.
	let good = frame(&ControlRequest::Status.encode());
	assert_eq!(raw.ask(peer, good).await, Some(frame(&ControlResponse::Accepted.encode())));
}

#[tokio::test]
async fn peer_that_keeps_sending_garbage_should_be_disconnected() {
	let mut strict = config(2);
	strict.rate = RateLimit { per_second: 1, burst: 100 };
	let (server, address) = server(strict).await;
	let mut raw = RawPeer::new();
	let peer = raw.dial(&address).await;
	let id = *raw.swarm.local_peer_id();
	wait_until(|| server.is_connected(&id)).await;
	let mut answers = 0;
	for _ in 0..150 {
		if raw.ask(peer, frame(&[0xff])).await.is_none() {
			break;
		}
		answers += 1;
	}
	assert!((100..150).contains(&answers), "{answers}");
	wait_until(|| !server.is_connected(&id)).await;
}

#[tokio::test]
async fn malformed_response_should_be_an_error() {
	let mut raw = RawPeer::new();
	let (client, mut inbound) = Node::spawn(config(1)).unwrap();
	let peer = raw.dial(&address(&client).await).await;
	assert_eq!(peer, client.peer_id());
	let raw_id = *raw.swarm.local_peer_id();
	wait_until(|| client.is_connected(&raw_id)).await;
	let answering = async {
		let mut answers = vec![
			frame(&[0xff]),
			frame(&[]),
			u32::MAX.to_le_bytes().to_vec(),
			// A response that decodes, with a tail.
			frame(&[4, 0]),
		]
		.into_iter();
		loop {
			if let SwarmEvent::Behaviour(Event::Message {
				message: Exchange::Request { channel, .. },
				..
			}) = raw.swarm.select_next_some().await
			{
				let answer = answers.next().unwrap();
				raw.swarm.behaviour_mut().send_response(channel, answer).unwrap();
			}
		}
	};
	let asking = async {
		for _ in 0..4 {
			let response = client.control(raw_id, ControlRequest::Status, WAIT).await;
			assert!(matches!(response, Err(P2pError::BadResponse)), "{response:?}");
		}
	};
	tokio::select! {
		() = asking => {},
		() = answering => {},
	}
	assert!(inbound.try_recv().is_err());
}

#[tokio::test]
async fn requests_over_the_rate_should_be_refused_and_then_disconnect() {
	let mut strict = config(2);
	strict.rate = RateLimit { per_second: 1, burst: 3 };
	let (client, peer, server, mut inbound) = pair(config(1), strict).await;
	let reached = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
	let counter = reached.clone();
	tokio::spawn(async move {
		while let Some(incoming) = inbound.recv().await {
			counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
			incoming.reply.control(ControlResponse::Accepted);
		}
	});
	let (mut accepted, mut limited, mut failed) = (0, 0, false);
	for _ in 0..40 {
		match client.control(peer, ControlRequest::Status, WAIT).await {
			Ok(ControlResponse::Accepted) => accepted += 1,
			Ok(ControlResponse::Refused { reason: Refusal::RateLimited }) => limited += 1,
			Ok(other) => panic!("{other:?}"),
			Err(_) => {
				failed = true;
				break;
			},
		}
	}
	assert!((3..=6).contains(&accepted), "{accepted}");
	assert!(limited >= 8, "{limited}");
	assert!(failed);
	assert_eq!(reached.load(std::sync::atomic::Ordering::SeqCst), accepted);
	wait_until(|| !server.is_connected(&client.peer_id())).await;
}
