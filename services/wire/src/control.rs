//! Greetings, beats, challenges and notices.

use crate::{Message, Refusal};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask},
	ed25519::Signature,
	telemetry::{Beat, BeatAck},
	DeviceId, LeaseId, Moment, RoundId, H256,
};
use codec::{Decode, Encode};

/// Name of the control protocol.
pub const CONTROL_PROTOCOL: &str = "/armature/control/6";

/// The largest control request or response, in bytes.
pub const MAX_CONTROL_LEN: u32 = 256 * 1024;

/// The longest peer id, in bytes.
pub const MAX_PEER_ID_LEN: usize = 64;

/// The most segments that one request may ask to be opened: their openings fit one response.
pub const MAX_SEGMENTS: usize = 160;

/// The most blocks of filled memory or storage that one request may ask to be opened.
pub const MAX_BLOCKS: usize = 14;

/// The most segments of a walk that one request may ask to be opened: those of eight reads fit.
pub const MAX_WALK_SEGMENTS: usize = 12;

/// The most entries of products that one request may ask to be opened; of long rows fewer fit.
pub const MAX_ENTRIES: usize = 64;

/// The most blocks of storage that one request may ask to be read.
pub const MAX_STORED: usize = 64;

/// The most bytes of openings in one response.
pub const MAX_OPENINGS_LEN: usize = 255 * 1024;

/// The most bytes of data in one request or response.
pub const MAX_DATA_LEN: usize = 240 * 1024;

/// The longest version string of a status report, in bytes.
pub const MAX_VERSION_LEN: usize = 64;

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ServiceKind {
	/// Runs a device.
	#[codec(index = 0)]
	Agent,
	/// Serves a region.
	#[codec(index = 1)]
	Orchestrator,
	/// Challenges devices and settles disputes.
	#[codec(index = 2)]
	Verifier,
	/// An application's or provider's command line.
	#[codec(index = 3)]
	Client,
}

/// A request of [`CONTROL_PROTOCOL`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ControlRequest {
	/// A device introduces the peer that speaks for it.
	#[codec(index = 0)]
	Hello {
		/// The device.
		device: DeviceId,
		/// The sender's own peer id.
		peer: Vec<u8>,
		/// The sender's clock.
		sent_at: Moment,
		/// The device key's, over [`crate::hello_payload`].
		signature: Signature,
	},
	/// Proof of life.
	#[codec(index = 1)]
	Beat {
		/// The beat.
		beat: Beat,
		/// The device key's, over [`crate::beat_payload`].
		signature: Signature,
	},
	/// Run the challenge and answer with the commitment.
	#[codec(index = 2)]
	StartChallenge {
		/// What to run.
		task: ChallengeTask,
	},
	/// Open segments of a committed round.
	#[codec(index = 3)]
	OpenSegments {
		/// The round.
		round: RoundId,
		/// Hash of the task that was committed to: a round whose block was replaced has another.
		task: H256,
		/// Lane and segment of each, at most [`MAX_SEGMENTS`].
		segments: Vec<(u16, u32)>,
	},
	/// A lease waits for the device. A hint only: the device reads the lease from the chain.
	#[codec(index = 4)]
	LeaseNotice {
		/// The lease.
		lease: LeaseId,
	},
	/// How are you?
	#[codec(index = 5)]
	Status,
	/// Keep the next walk over the memory of a committed round for this peer: nobody else's runs beside
	/// it. `Busy` while another one's does.
	#[codec(index = 6)]
	ReserveWalk {
		/// Hash of the task that was committed to.
		task: H256,
	},
	/// Walk over the memory of a committed round, after `ReserveWalk`, and answer with the root of what
	/// came of it.
	#[codec(index = 7)]
	Walk {
		/// Hash of the task that was committed to.
		task: H256,
		/// What the walk starts from; not known to anybody before.
		key: H256,
	},
	/// Open blocks of the memory of a committed round.
	#[codec(index = 8)]
	OpenBlocks {
		/// Hash of the task that was committed to.
		task: H256,
		/// Their positions, at most [`MAX_BLOCKS`].
		positions: Vec<u32>,
	},
	/// Open segments of a walk that was answered.
	#[codec(index = 9)]
	OpenWalk {
		/// Hash of the task that was committed to.
		task: H256,
		/// What the walk started from.
		key: H256,
		/// Lane and segment of each, at most [`MAX_WALK_SEGMENTS`].
		segments: Vec<(u16, u32)>,
	},
	/// Sign this at once: the round trip is measured.
	#[codec(index = 10)]
	Echo {
		/// Hash of the task that was committed to.
		task: H256,
		/// Random, new for each echo.
		nonce: H256,
	},
	/// Send a chunk of data, as `armature_verifier::challenge::network::chunk` makes it.
	#[codec(index = 11)]
	Fetch {
		/// Hash of the task that was committed to.
		task: H256,
		/// What the data is made of; not known to anybody before.
		key: H256,
		/// Number of the chunk.
		number: u32,
		/// Its length in bytes, 1 to [`MAX_DATA_LEN`].
		len: u32,
	},
	/// Take a chunk of data, and answer with `armature_verifier::challenge::network::receipt`.
	#[codec(index = 12)]
	Deliver {
		/// Hash of the task that was committed to.
		task: H256,
		/// What the data is made of; not known to anybody before.
		key: H256,
		/// Number of the chunk.
		number: u32,
		/// The data, 1 to [`MAX_DATA_LEN`] bytes.
		data: Vec<u8>,
	},
	/// Open entries of the states of a committed round.
	#[codec(index = 13)]
	OpenEntries {
		/// Hash of the task that was committed to.
		task: H256,
		/// Step, row and column of each, at most [`MAX_ENTRIES`].
		entries: Vec<(u32, u32, u32)>,
	},
	/// Read blocks of the storage of a committed round, within the time that the task gives for that.
	#[codec(index = 14)]
	ReadStored {
		/// Hash of the task that was committed to.
		task: H256,
		/// Sector and number of each, at most [`MAX_STORED`].
		blocks: Vec<(u32, u32)>,
	},
	/// Open blocks of the storage of a committed round, with what they were filled from.
	#[codec(index = 15)]
	OpenSealed {
		/// Hash of the task that was committed to.
		task: H256,
		/// Sector and number of each, at most [`MAX_BLOCKS`].
		blocks: Vec<(u32, u32)>,
	},
}

/// A response of [`CONTROL_PROTOCOL`].
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum ControlResponse {
	/// To `Hello`.
	#[codec(index = 0)]
	Welcome {
		/// What the answering service is.
		service: ServiceKind,
		/// Its clock.
		now: Moment,
	},
	/// To `Beat`.
	#[codec(index = 1)]
	BeatAck {
		/// The acknowledgement.
		ack: BeatAck,
		/// The orchestrator's, over [`crate::beat_ack_payload`].
		signature: Signature,
	},
	/// To `StartChallenge`.
	#[codec(index = 2)]
	Committed {
		/// The commitment.
		commit: ChallengeCommit,
		/// The device key's, over [`crate::commit_payload`].
		signature: Signature,
	},
	/// To `OpenSegments`, `OpenBlocks`, `OpenWalk`, `OpenEntries`, `ReadStored` and `OpenSealed`.
	#[codec(index = 3)]
	Opened {
		/// SCALE of a list of `armature_verifier::challenge::SegmentOpening`, `fill::FillOpening`,
		/// `memory::WalkOpening`, `gemm::EntryOpening`, `storage::StoredBlock` or
		/// `storage::SealedOpening`, one for each asked for and in that order; at most
		/// [`MAX_OPENINGS_LEN`] bytes.
		openings: Vec<u8>,
	},
	/// To `LeaseNotice` and `ReserveWalk`.
	#[codec(index = 4)]
	Accepted,
	/// To `Status`.
	#[codec(index = 5)]
	Status {
		/// The report.
		report: StatusReport,
	},
	/// To anything.
	#[codec(index = 6)]
	Refused {
		/// Why.
		reason: Refusal,
	},
	/// To `Walk`.
	#[codec(index = 7)]
	Walked {
		/// Over the roots of all lanes' ends.
		ends: H256,
	},
	/// To `Echo`.
	#[codec(index = 8)]
	Echoed {
		/// The device key's, over [`crate::echo_payload`].
		signature: Signature,
	},
	/// To `Fetch`.
	#[codec(index = 9)]
	Data {
		/// At most [`MAX_DATA_LEN`] bytes.
		data: Vec<u8>,
	},
	/// To `Deliver`.
	#[codec(index = 10)]
	Received {
		/// Only who has all of the data knows it.
		receipt: H256,
	},
}

/// What a service says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct StatusReport {
	/// What it is.
	pub service: ServiceKind,
	/// Its version, at most [`MAX_VERSION_LEN`] bytes.
	pub version: Vec<u8>,
	/// Its clock.
	pub now: Moment,
	/// When it started, by its clock.
	pub started_at: Moment,
	/// Devices that have said hello and are connected.
	pub devices: u32,
	/// Challenges, leases or disputes that it works on.
	pub in_flight: u32,
	/// Blobs that it stores.
	pub blobs: u64,
	/// Bytes of these blobs.
	pub blob_bytes: u64,
}

impl Message for ControlRequest {
	const CAP: u32 = MAX_CONTROL_LEN;

	fn is_within_bounds(&self) -> bool {
		match self {
			ControlRequest::Hello { peer, .. } => peer.len() <= MAX_PEER_ID_LEN,
			ControlRequest::OpenSegments { segments, .. } => segments.len() <= MAX_SEGMENTS,
			ControlRequest::OpenBlocks { positions, .. } => positions.len() <= MAX_BLOCKS,
			ControlRequest::OpenWalk { segments, .. } => segments.len() <= MAX_WALK_SEGMENTS,
			ControlRequest::OpenEntries { entries, .. } => entries.len() <= MAX_ENTRIES,
			ControlRequest::ReadStored { blocks, .. } => blocks.len() <= MAX_STORED,
			ControlRequest::OpenSealed { blocks, .. } => blocks.len() <= MAX_BLOCKS,
			ControlRequest::Fetch { len, .. } => {
				usize::try_from(*len).is_ok_and(|len| (1..=MAX_DATA_LEN).contains(&len))
			},
			ControlRequest::Deliver { data, .. } => (1..=MAX_DATA_LEN).contains(&data.len()),
			ControlRequest::Beat { .. }
			| ControlRequest::Echo { .. }
			| ControlRequest::ReserveWalk { .. }
			| ControlRequest::Walk { .. }
			| ControlRequest::StartChallenge { .. }
			| ControlRequest::LeaseNotice { .. }
			| ControlRequest::Status => true,
		}
	}
}

impl Message for ControlResponse {
	const CAP: u32 = MAX_CONTROL_LEN;

	fn is_within_bounds(&self) -> bool {
		match self {
			ControlResponse::Opened { openings } => openings.len() <= MAX_OPENINGS_LEN,
			ControlResponse::Data { data } => data.len() <= MAX_DATA_LEN,
			ControlResponse::Status { report } => report.version.len() <= MAX_VERSION_LEN,
			ControlResponse::Welcome { .. }
			| ControlResponse::BeatAck { .. }
			| ControlResponse::Committed { .. }
			| ControlResponse::Accepted
			| ControlResponse::Walked { .. }
			| ControlResponse::Echoed { .. }
			| ControlResponse::Received { .. }
			| ControlResponse::Refused { .. } => true,
		}
	}
}
