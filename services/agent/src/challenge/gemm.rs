//! The states of a round of products: computed once, opened for each verifier, and given back as soon as
//! nobody has a use for them.

use super::{
	encoded,
	holding::{End, Holding},
	quota::{asked, Quota},
	ChallengeFault,
};
use crate::{
	compute::{Accelerator, AcceleratorError},
	lock::lock,
};
use armature_p2p::PeerId;
use armature_primitives::{challenge::ChallengeTask, H256};
use armature_verifier::challenge::gemm::{
	round_nonce, EntryOpening, GemmError, GemmProver, GemmTask,
};
use std::{
	io::ErrorKind,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc, Mutex,
	},
	thread::Builder,
	time::Duration,
};

/// How often it is looked whether a step that lasts is still wanted.
const STOP_CHECK: Duration = Duration::from_millis(100);

/// How many entries of a round one verifier may ask for: it looks at 24 unless configured otherwise, at 128
/// at most; again where an answer is lost, or was too slow.
pub(super) const MAX_ENTRIES_OF_PEER: u32 = 1_024;

/// The states of one round, until they are given back.
pub(super) struct Products {
	task: ChallengeTask,
	prover: Mutex<Option<GemmProver<Accelerator>>>,
	entries: Mutex<Quota>,
	end: Arc<End>,
}

impl Products {
	/// Computes all states, and returns them with the root over theirs.
	///
	/// # Errors
	///
	/// [`ChallengeFault::Stopped`] when `is_stopped` said so, [`ChallengeFault::Accelerator`],
	/// [`ChallengeFault::Failed`].
	pub(super) fn compute(
		task: &ChallengeTask,
		products: GemmTask,
		accelerator: Accelerator,
		is_stopped: &(impl Fn() -> bool + Sync),
	) -> Result<(H256, Self), ChallengeFault> {
		let stop = accelerator.stopper();
		let mut prover = GemmProver::begin(products, accelerator)?;
		let mut compute = || prover.round_unless(round_nonce(task), is_stopped);
		let root = match stop {
			Some(stop) => stoppable(&stop, is_stopped, compute)?,
			None => compute()?,
		};
		let held = Self {
			task: *task,
			prover: Mutex::new(Some(prover)),
			entries: Mutex::new(Quota::new(MAX_ENTRIES_OF_PEER)),
			end: Arc::default(),
		};
		Ok((root, held))
	}

	/// Whether the states are given back.
	#[cfg(test)]
	pub(super) fn is_empty(&self) -> bool {
		lock(&self.prover).is_none()
	}

	/// The encoded openings of entries for a peer, in the order asked for. Waits for other peers' openings,
	/// of which none takes long.
	///
	/// # Errors
	///
	/// [`ChallengeFault::NothingToOpen`], also where the accelerator has lost them;
	/// [`ChallengeFault::TooManyRequests`], [`ChallengeFault::TooLarge`].
	pub(super) fn open(
		&self,
		peer: PeerId,
		entries: &[(u32, u32, u32)],
	) -> Result<Vec<u8>, ChallengeFault> {
		if !self.is_kept() {
			return Err(ChallengeFault::NothingToOpen);
		}
		if !lock(&self.entries).take_some(peer, asked(entries)) {
			return Err(ChallengeFault::TooManyRequests);
		}
		let mut prover = lock(&self.prover);
		let prover = prover.as_mut().ok_or(ChallengeFault::NothingToOpen)?;
		let openings: Result<Vec<EntryOpening>, _> = entries
			.iter()
			.map(|(step, row, column)| prover.open(*step, *row, *column))
			.collect();
		match openings {
			Ok(openings) => encoded(&openings),
			// The verifier has it computed again.
			Err(GemmError::Backend(error)) => {
				let round = self.task.round.0;
				tracing::error!(round, %error, "the states of a round are lost, and computed again");
				self.end.tell();
				Err(ChallengeFault::NothingToOpen)
			},
			Err(error) => Err(error.into()),
		}
	}
}

impl Holding for Products {
	fn task(&self) -> &ChallengeTask {
		&self.task
	}

	fn end(&self) -> &Arc<End> {
		&self.end
	}

	fn free(&self) {
		self.end.tell();
		let prover = lock(&self.prover).take();
		drop(prover);
	}
}

/// Does work that ends soon once `stop` is set, which it is when `is_stopped` says so.
fn stoppable<T>(
	stop: &AtomicBool,
	is_stopped: &(impl Fn() -> bool + Sync),
	work: impl FnOnce() -> T,
) -> T {
	let done = AtomicBool::new(false);
	std::thread::scope(|scope| {
		let watching = Builder::new().name("gemm-watch".into()).spawn_scoped(scope, || {
			while !done.load(Ordering::SeqCst) {
				if is_stopped() {
					stop.store(true, Ordering::SeqCst);
					break;
				}
				std::thread::park_timeout(STOP_CHECK);
			}
		});
		let came_of_it = work();
		done.store(true, Ordering::SeqCst);
		match watching {
			// It is not waited for until it looks again.
			Ok(watching) => watching.thread().unpark(),
			Err(error) => tracing::warn!(%error, "no thread to watch over a round's products"),
		}
		came_of_it
	})
}

impl From<GemmError<AcceleratorError>> for ChallengeFault {
	fn from(error: GemmError<AcceleratorError>) -> Self {
		match error {
			GemmError::Size(error) => ChallengeFault::Task(error.into()),
			GemmError::Stopped => ChallengeFault::Stopped,
			GemmError::NotThere => ChallengeFault::NothingToOpen,
			GemmError::Backend(AcceleratorError::Thread(error))
				if error.kind() == ErrorKind::Interrupted =>
			{
				ChallengeFault::Stopped
			},
			GemmError::Backend(error) => ChallengeFault::Accelerator(error.to_string()),
			GemmError::WrongLength | GemmError::Done | GemmError::Broken => {
				ChallengeFault::Failed(error.to_string())
			},
		}
	}
}
