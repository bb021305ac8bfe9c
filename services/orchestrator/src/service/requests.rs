//! Requests of peers: hello, beats, status.

use super::{lock, unix_millis, Service};
use crate::{beats::is_timely, metrics::BeatOutcome};
use armature_p2p::{
	messages::{beat_ack_payload, beat_payload, hello_payload, MAX_VERSION_LEN},
	BlobResponse, ControlRequest, ControlResponse, Inbound, InboundRequest, PeerId, Refusal,
	ServiceKind, Session, StatusReport,
};
use armature_primitives::{
	ed25519::Signature,
	telemetry::{Beat, BeatAck},
	DeviceId, Moment,
};
use ed25519_dalek::Signer;
use std::{
	sync::{atomic::Ordering, Arc},
	time::Instant,
};
use tokio::{sync::mpsc, task::JoinSet};

/// Requests that are worked on at once; more are answered `Busy`.
const MAX_REQUESTS: usize = 1024;

/// Takes requests, each in a task of its own.
pub(super) async fn serve(service: Arc<Service>, mut inbound: mpsc::Receiver<Inbound>) {
	let mut requests = JoinSet::new();
	loop {
		tokio::select! {
			incoming = inbound.recv() => {
				let Some(Inbound { peer, request, reply }) = incoming else { return };
				lock(&service.sessions).touch(peer, Instant::now());
				if requests.len() >= MAX_REQUESTS {
					reply.refuse(Refusal::Busy);
					continue;
				}
				let service = service.clone();
				requests.spawn(async move {
					match request {
						InboundRequest::Control(request) => {
							let response = service.control(peer, request).await;
							reply.control(response.unwrap_or_else(|reason| {
								tracing::debug!(%peer, %reason, "control request refused");
								ControlResponse::Refused { reason }
							}));
						},
						InboundRequest::Blob(request) => {
							let response = service.blob(peer, request).await;
							reply.blob(response.unwrap_or_else(|reason| {
								tracing::debug!(%peer, %reason, "blob request refused");
								BlobResponse::Refused { reason }
							}));
						},
					}
				});
			},
			Some(done) = requests.join_next(), if !requests.is_empty() => {
				if let Err(error) = done {
					tracing::error!(%error, "a request failed");
				}
			},
		}
	}
}

impl Service {
	async fn control(
		&self,
		peer: PeerId,
		request: ControlRequest,
	) -> Result<ControlResponse, Refusal> {
		match request {
			ControlRequest::Hello { device, peer: claimed, sent_at, signature } => {
				self.hello(peer, device, &claimed, sent_at, signature).await
			},
			ControlRequest::Beat { beat, signature } => self.beat(peer, beat, signature).await,
			ControlRequest::Status => Ok(ControlResponse::Status { report: self.status() }),
			ControlRequest::StartChallenge { .. }
			| ControlRequest::OpenSegments { .. }
			| ControlRequest::ReserveWalk { .. }
			| ControlRequest::Walk { .. }
			| ControlRequest::OpenBlocks { .. }
			| ControlRequest::OpenWalk { .. }
			| ControlRequest::OpenEntries { .. }
			| ControlRequest::ReadStored { .. }
			| ControlRequest::OpenSealed { .. }
			| ControlRequest::Echo { .. }
			| ControlRequest::Fetch { .. }
			| ControlRequest::Deliver { .. }
			| ControlRequest::LeaseNotice { .. } => Err(Refusal::NotAssigned),
		}
	}

	async fn hello(
		&self,
		peer: PeerId,
		device: DeviceId,
		claimed: &[u8],
		sent_at: Moment,
		signature: Signature,
	) -> Result<ControlResponse, Refusal> {
		let now = unix_millis();
		let is_timely = now.abs_diff(sent_at) <= self.config.beats.clock_skew_millis;
		if claimed != peer.to_bytes() || !is_timely {
			return Err(Refusal::Malformed);
		}
		let view = self.device(device).await?;
		let payload = hello_payload(&self.genesis, device, claimed, sent_at);
		if !self.is_signed(payload, signature, view.key).await? {
			return Err(Refusal::BadSignature);
		}
		let session = Session { peer, key: view.key, hello_at: sent_at };
		let displaced = {
			let mut sessions = lock(&self.sessions);
			let displaced = sessions.open(device, session)?;
			self.metrics.devices(sessions.len());
			displaced
		};
		tracing::info!(device = device.0, %peer, status = ?view.status, "device said hello");
		if let Some(old) = displaced {
			tracing::info!(device = device.0, peer = %old, "device moved to another peer");
			if let Err(error) = self.handle.disconnect(old).await {
				tracing::warn!(peer = %old, %error, "could not disconnect");
			}
		}
		Ok(ControlResponse::Welcome { service: ServiceKind::Orchestrator, now })
	}

	async fn beat(
		&self,
		peer: PeerId,
		beat: Beat,
		signature: Signature,
	) -> Result<ControlResponse, Refusal> {
		let (outcome, answer) = match self.acknowledge(peer, &beat, signature).await {
			Ok((ack, signature)) => {
				(BeatOutcome::Acknowledged, Ok(ControlResponse::BeatAck { ack, signature }))
			},
			Err((outcome, reason)) => (outcome, Err(reason)),
		};
		self.metrics.beat(outcome);
		answer
	}

	/// Acknowledges a beat, or says what is wrong with it and what the peer is told.
	async fn acknowledge(
		&self,
		peer: PeerId,
		beat: &Beat,
		signature: Signature,
	) -> Result<(BeatAck, Signature), (BeatOutcome, Refusal)> {
		let session = lock(&self.sessions)
			.of(beat.device, peer)
			.ok_or((BeatOutcome::Unannounced, Refusal::UnknownDevice))?;
		let now = unix_millis();
		let clock = *lock(&self.clock);
		if !is_timely(beat, clock, now, self.config.beats.clock_skew_millis) {
			return Err((BeatOutcome::Untimely, Refusal::Malformed));
		}
		let payload = beat_payload(&self.genesis, beat);
		let checked = self.is_signed(payload, signature, session.key).await;
		if !checked.map_err(|reason| (BeatOutcome::Unchecked, reason))? {
			return Err((BeatOutcome::BadSignature, Refusal::BadSignature));
		}
		let sign = |ack: &_| {
			let payload = beat_ack_payload(&self.genesis, beat.device, ack);
			Signature::from(self.key.sign(&payload).to_bytes())
		};
		lock(&self.beats)
			.accept(beat, clock, now, sign)
			.map_err(|reason| (BeatOutcome::OutOfOrder, reason))
	}

	fn status(&self) -> StatusReport {
		let (blobs, blob_bytes) = self.store.totals();
		let mut version = env!("CARGO_PKG_VERSION").as_bytes().to_vec();
		version.truncate(MAX_VERSION_LEN);
		StatusReport {
			service: ServiceKind::Orchestrator,
			version,
			now: unix_millis(),
			started_at: self.started_at,
			devices: u32::try_from(lock(&self.sessions).len()).unwrap_or(u32::MAX),
			in_flight: self.offered.load(Ordering::Relaxed),
			blobs,
			blob_bytes,
		}
	}
}
