//! The database is closed by the main thread, after everything else has let go of it.
//!
//! RocksDB closes in the destructor of whoever held it last. Threads that nobody joins may be that
//! one, and by then the process may have left `main` and destroyed RocksDB's static timer, which
//! aborts it (facebook/rocksdb#11349).

use crate::service::FullBackend;
use sc_service::Error as ServiceError;
use std::{
	sync::{Arc, Mutex, PoisonError},
	thread,
	time::{Duration, Instant},
};

/// How long others may go on using the database when the node has stopped.
const LET_GO: Duration = Duration::from_secs(10);

/// How often they are looked for, and what they get to finish.
const LOOK: Duration = Duration::from_millis(20);

/// The database of a running node, held open until [`Self::close`].
#[derive(Clone, Default)]
pub(crate) struct OpenDatabase(Arc<Mutex<Option<Arc<FullBackend>>>>);

impl OpenDatabase {
	/// Holds `backend` until the end.
	pub(crate) fn hold(&self, backend: Arc<FullBackend>) {
		*self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(backend);
	}

	/// Waits until nobody else uses the database and closes it in this thread.
	///
	/// # Errors
	///
	/// Something still uses it after ten seconds.
	pub(crate) fn close(self) -> Result<(), ServiceError> {
		let Some(backend) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else {
			return Ok(());
		};
		let until = Instant::now() + LET_GO;
		while Arc::strong_count(&backend) > 1 {
			if Instant::now() >= until {
				return Err(ServiceError::Other(format!(
					"the database is still in use {} s after the node stopped: start it again, what \
					 was written is in its log; if it recurs, report the tasks that the lines above \
					 name",
					LET_GO.as_secs()
				)));
			}
			thread::sleep(LOOK);
		}
		// Whoever let go last may still be dropping what it read: states hold the database itself.
		thread::sleep(LOOK);
		drop(backend);
		Ok(())
	}
}
