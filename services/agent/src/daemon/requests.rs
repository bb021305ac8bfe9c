//! What peers ask of a running agent.

use super::{Agent, AgentError};
use crate::{challenge::ChallengeFault, clock};
use armature_p2p::{
	messages::MAX_VERSION_LEN, ControlRequest, ControlResponse, Inbound, InboundRequest, PeerId,
	Refusal, Reply, ServiceKind, StatusReport,
};
use armature_verifier::challenge::task_hash;
use std::sync::Arc;
use tokio::{sync::mpsc, task::JoinSet};

/// Requests of peers that are worked on at once: a committee of five moves sixteen chunks each, of
/// 240 KiB at most.
const MAX_INBOUND: usize = 128;

impl Agent {
	/// Answers requests until the agent stops.
	///
	/// # Errors
	///
	/// [`AgentError::Task`] when the node stopped.
	pub(super) async fn answer(
		self: Arc<Self>,
		mut inbound: mpsc::Receiver<Inbound>,
	) -> Result<(), AgentError> {
		let mut stop = self.stop.clone();
		// Ends with this task.
		let mut requests = JoinSet::new();
		loop {
			let request = tokio::select! {
				request = inbound.recv() => request,
				Some(done) = requests.join_next(), if !requests.is_empty() => {
					if let Err(error) = done {
						tracing::error!(%error, "a request failed");
					}
					continue;
				},
				_ = stop.wait_for(|stop| *stop) => return Ok(()),
			};
			let Some(Inbound { peer, request, reply }) = request else {
				return Err(AgentError::Task("the node stopped".into()));
			};
			if requests.len() >= MAX_INBOUND {
				reply.refuse(Refusal::Busy);
				continue;
			}
			let agent = self.clone();
			requests.spawn(async move { agent.answer_one(peer, request, reply).await });
		}
	}

	async fn answer_one(&self, peer: PeerId, request: InboundRequest, reply: Reply) {
		let roles = self.peers.roles(&peer);
		let request = match request {
			InboundRequest::Control(request) => request,
			// An agent stores nothing for others.
			InboundRequest::Blob(_) => return reply.refuse(Refusal::NotFound),
		};
		match request {
			ControlRequest::LeaseNotice { .. } if roles.orchestrator => {
				self.lease_notice.notify_one();
				reply.control(ControlResponse::Accepted);
			},
			ControlRequest::Status if roles != Default::default() => {
				reply.control(ControlResponse::Status { report: self.status() });
			},
			request if roles.verifier => self.answer_verifier(peer, request, reply).await,
			_ => reply.refuse(Refusal::NotAssigned),
		}
	}

	/// Answers what a verifier asks of a round.
	async fn answer_verifier(&self, peer: PeerId, request: ControlRequest, reply: Reply) {
		let challenges = &self.challenges;
		let opened = |openings| ControlResponse::Opened { openings };
		let round = match &request {
			ControlRequest::StartChallenge { task } => Some(task.round.0),
			ControlRequest::OpenSegments { round, .. } => Some(round.0),
			_ => None,
		};
		let (asked, task, answer) = match request {
			ControlRequest::StartChallenge { task } => {
				let answer = challenges.commit(peer, task).await;
				let committed =
					|(commit, signature)| ControlResponse::Committed { commit, signature };
				("a challenge", task_hash(&task), answer.map(committed))
			},
			ControlRequest::OpenSegments { task, segments, .. } => {
				let answer = challenges.open(peer, task, &segments).await;
				("segments", task, answer.map(opened))
			},
			ControlRequest::ReserveWalk { task } => {
				let answer = challenges.reserve_walk(peer, task).await;
				("a turn", task, answer.map(|()| ControlResponse::Accepted))
			},
			ControlRequest::Walk { task, key } => {
				let answer = challenges.walk(peer, task, key).await;
				("a walk", task, answer.map(|ends| ControlResponse::Walked { ends }))
			},
			ControlRequest::OpenBlocks { task, positions } => {
				let answer = challenges.open_blocks(peer, task, &positions).await;
				("blocks", task, answer.map(opened))
			},
			ControlRequest::OpenWalk { task, key, segments } => {
				let answer = challenges.open_walk(peer, task, key, &segments).await;
				("segments of a walk", task, answer.map(opened))
			},
			ControlRequest::OpenEntries { task, entries } => {
				let answer = challenges.open_entries(peer, task, entries).await;
				("entries", task, answer.map(opened))
			},
			ControlRequest::ReadStored { task, blocks } => {
				let answer = challenges.read_stored(peer, task, blocks).await;
				("stored blocks", task, answer.map(opened))
			},
			ControlRequest::OpenSealed { task, blocks } => {
				let answer = challenges.open_sealed(peer, task, blocks).await;
				("sealed blocks", task, answer.map(opened))
			},
			ControlRequest::Echo { task, nonce } => {
				let answer = challenges.echo(peer, task, nonce).await;
				("an echo", task, answer.map(|signature| ControlResponse::Echoed { signature }))
			},
			ControlRequest::Fetch { task, key, number, len } => {
				let answer = challenges.fetch(peer, task, key, number, len).await;
				("data", task, answer.map(|data| ControlResponse::Data { data }))
			},
			ControlRequest::Deliver { task, key, number, data } => {
				let answer = challenges.deliver(peer, task, key, number, &data).await;
				("a delivery", task, answer.map(|receipt| ControlResponse::Received { receipt }))
			},
			_ => return reply.refuse(Refusal::NotAssigned),
		};
		match answer {
			Ok(response) => reply.control(response),
			Err(error) => {
				match &error {
					ChallengeFault::OtherRoot | ChallengeFault::SignedLost => {
						tracing::error!(%peer, round, ?task, %error, "no answer to {asked}")
					},
					// It is in the log already.
					ChallengeFault::NoMemory { .. }
					| ChallengeFault::Accelerator(_)
					| ChallengeFault::Storage(_) => {
						tracing::debug!(%peer, round, ?task, %error, "no answer to {asked}")
					},
					error if error.is_askers() => {
						tracing::debug!(%peer, round, ?task, %error, "no answer to {asked}")
					},
					error => tracing::warn!(%peer, round, ?task, %error, "no answer to {asked}"),
				}
				reply.refuse(error.refusal());
			},
		}
	}

	fn status(&self) -> StatusReport {
		let mut version = env!("CARGO_PKG_VERSION").as_bytes().to_vec();
		version.truncate(MAX_VERSION_LEN);
		StatusReport {
			service: ServiceKind::Agent,
			version,
			now: clock::now(),
			started_at: self.started_at,
			devices: 1,
			in_flight: u32::try_from(self.challenges.in_flight()).unwrap_or(u32::MAX),
			blobs: 0,
			blob_bytes: 0,
		}
	}
}
