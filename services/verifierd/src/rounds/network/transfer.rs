//! Moving data for a given time.

use super::flow::Flow;
use crate::rounds::{pause, randomness, Halt, Judge};
use armature_p2p::{messages::MAX_DATA_LEN, ControlRequest, ControlResponse, P2pError};
use armature_primitives::{
	challenge::{ChallengeFailure, ChallengeTask, NetworkChallenge},
	DeviceId, H256,
};
use armature_verifier::challenge::{
	network::{chunk, kbps, receipt, Direction, MAX_CHUNK_LEN},
	task_hash,
};
use futures::{stream::FuturesUnordered, StreamExt};
use std::time::Duration;
use tokio::time::Instant;

// What the verifier's code makes fits a message.
const _: () = assert!(MAX_CHUNK_LEN as usize == MAX_DATA_LEN);

/// Pause before a chunk that was refused or lost is asked for again.
const LOST_PAUSE: Duration = Duration::from_millis(100);

/// One transfer, to one device, in one direction.
#[derive(Clone, Copy)]
struct Transfer {
	device: DeviceId,
	task: H256,
	direction: Direction,
	/// Unknown to anybody before the transfer.
	key: H256,
	ends: Instant,
}

/// What became of a chunk.
enum Chunk {
	/// It has come, after this time.
	Came { len: u32, took: Duration },
	/// It has not.
	Lost { len: u32 },
}

impl Judge {
	/// What is moved in one direction from `starts` on, in kilobits per second.
	pub(super) async fn transfer(
		&self,
		task: &ChallengeTask,
		network: &NetworkChallenge,
		direction: Direction,
		starts: Instant,
	) -> Result<u32, Halt> {
		tokio::time::sleep_until(starts).await;
		let time = Duration::from_millis(network.transfer_millis.into());
		let transfer = Transfer {
			device: task.device,
			task: task_hash(task),
			direction,
			key: randomness()?,
			ends: starts + time,
		};
		let most = u64::from(network.transfer_kib).saturating_mul(1_024);
		let (mut asked, mut moved, mut number) = (0u64, 0u64, 0u32);
		let mut flow = Flow::default();
		let mut under_way = FuturesUnordered::new();
		// Whatever is under way at the end does not count.
		let took = loop {
			while under_way.len() < flow.window() && asked < most {
				let left = u32::try_from(most.saturating_sub(asked)).unwrap_or(u32::MAX);
				let len = flow.len().min(left);
				under_way.push(self.chunk(transfer, number, len));
				asked = asked.saturating_add(len.into());
				number = number.saturating_add(1);
			}
			let done = tokio::select! {
				biased;
				() = tokio::time::sleep_until(transfer.ends) => break time,
				Some(done) = under_way.next() => done?,
			};
			match done {
				Chunk::Came { len, took } => {
					moved = moved.saturating_add(len.into());
					flow.came(took);
				},
				Chunk::Lost { len } => {
					asked = asked.saturating_sub(len.into());
					flow.shrink();
				},
			}
			if moved >= most {
				break starts.elapsed().min(time);
			}
		};
		self.metrics.moved(direction, moved);
		let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
		Ok(kbps(moved, micros.max(1)))
	}

	/// Moves one chunk.
	async fn chunk(
		&self,
		transfer: Transfer,
		number: u32,
		len: u32,
	) -> Result<Chunk, ChallengeFailure> {
		let Transfer { device, task, direction, key, ends } = transfer;
		let lost = || async {
			pause(ends, LOST_PAUSE).await;
			Ok(Chunk::Lost { len })
		};
		let Some(peer) = self.peer_of(device) else { return lost().await };
		let data = chunk(direction, &task, &key, number, len);
		let (request, expected) = match direction {
			Direction::Up => {
				let request = ControlRequest::Fetch { task, key, number, len };
				(request, ControlResponse::Data { data })
			},
			Direction::Down => {
				let receipt = receipt(&task, &key, number, &data);
				let request = ControlRequest::Deliver { task, key, number, data };
				(request, ControlResponse::Received { receipt })
			},
		};
		let since = Instant::now();
		let left = ends.saturating_duration_since(since);
		match self.handle.control(peer, request, left).await {
			Ok(response) if response == expected => Ok(Chunk::Came { len, took: since.elapsed() }),
			Ok(ControlResponse::Refused { reason }) => {
				tracing::debug!(device = device.0, %reason, "device refuses data");
				lost().await
			},
			Ok(ControlResponse::Data { .. } | ControlResponse::Received { .. }) => {
				Err(ChallengeFailure::WrongResult)
			},
			Ok(_) | Err(P2pError::BadResponse) => Err(ChallengeFailure::Malformed),
			Err(error) => {
				tracing::debug!(device = device.0, %error, "data was lost");
				lost().await
			},
		}
	}
}
