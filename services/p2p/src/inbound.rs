//! Requests of peers, as the application gets them.

use crate::messages::{BlobRequest, BlobResponse, ControlRequest, ControlResponse, Refusal};
use libp2p::PeerId;
use tokio::sync::oneshot;

/// A request of a peer, decoded and within its bounds.
#[derive(Debug)]
pub struct Inbound {
	/// Who asks; the transport has authenticated it.
	pub peer: PeerId,
	/// What it asks.
	pub request: InboundRequest,
	/// Where the response goes. Dropping it answers [`Refusal::Internal`].
	pub reply: Reply,
}

/// A request of one of the protocols.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InboundRequest {
	/// Of the control protocol.
	Control(ControlRequest),
	/// Of the blob protocol.
	Blob(BlobRequest),
}

/// Takes the response to one request.
#[derive(Debug)]
pub struct Reply(pub(crate) ReplySender);

#[derive(Debug)]
pub(crate) enum ReplySender {
	Control(oneshot::Sender<ControlResponse>),
	Blob(oneshot::Sender<BlobResponse>),
}

impl Reply {
	/// Answers a control request.
	pub fn control(self, response: ControlResponse) {
		match self.0 {
			ReplySender::Control(sender) => {
				// The receiver is gone when the connection is.
				let _ = sender.send(response);
			},
			ReplySender::Blob(_) => tracing::error!("blob request given a control response"),
		}
	}

	/// Answers a blob request.
	pub fn blob(self, response: BlobResponse) {
		match self.0 {
			ReplySender::Blob(sender) => {
				let _ = sender.send(response);
			},
			ReplySender::Control(_) => tracing::error!("control request given a blob response"),
		}
	}

	/// Refuses either kind of request.
	pub fn refuse(self, reason: Refusal) {
		match self.0 {
			ReplySender::Control(sender) => {
				let _ = sender.send(ControlResponse::Refused { reason });
			},
			ReplySender::Blob(sender) => {
				let _ = sender.send(BlobResponse::Refused { reason });
			},
		}
	}
}
