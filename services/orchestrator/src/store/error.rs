//! Why the store refuses or fails.

use armature_p2p::Refusal;
use std::io;

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
	/// The blob is over the cap.
	#[error("blob is over the cap")]
	TooLarge,
	/// The owner's or the store's room is used up.
	#[error("quota is used up")]
	QuotaExceeded,
	/// Too many uploads are under way.
	#[error("too many uploads are under way")]
	Busy,
	/// The part does not continue an upload.
	#[error("part does not continue an upload")]
	OutOfOrder,
	/// The bytes do not have the announced hash.
	#[error("bytes do not have the announced hash")]
	HashMismatch,
	/// A stored blob no longer has its hash; it has been removed.
	#[error("stored blob is damaged")]
	Damaged,
	/// There is no such blob.
	#[error("no such blob")]
	NotFound,
	/// A range lies outside the blob.
	#[error("range lies outside the blob")]
	OutOfRange,
	/// The file system failed.
	#[error("file system")]
	Io(#[from] io::Error),
	/// The index failed.
	#[error("index: {0}")]
	Index(String),
}

impl StoreError {
	/// What the peer is told.
	pub(crate) fn refusal(&self) -> Refusal {
		match self {
			StoreError::TooLarge => Refusal::TooLarge,
			StoreError::QuotaExceeded => Refusal::QuotaExceeded,
			StoreError::Busy => Refusal::Busy,
			StoreError::OutOfOrder | StoreError::OutOfRange => Refusal::Malformed,
			StoreError::HashMismatch | StoreError::Damaged => Refusal::HashMismatch,
			StoreError::NotFound => Refusal::NotFound,
			StoreError::Io(_) | StoreError::Index(_) => Refusal::Internal,
		}
	}
}

pub(super) fn index(error: impl std::fmt::Display) -> StoreError {
	StoreError::Index(error.to_string())
}
