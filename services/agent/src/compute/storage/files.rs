//! The directory that sectors lie in.

use super::StorageFault;
use std::{
	fs::{self, File, OpenOptions, TryLockError},
	io::{self, ErrorKind, Read},
	os::unix::fs::MetadataExt,
	path::{Path, PathBuf},
};
use sysinfo::{DiskRefreshKind, Disks};

/// What the name of a file ends in while it is written.
const TEMPORARY: &str = ".new";

/// The file that whoever seals has locked. It is never removed but by who removes everything: a lock on
/// a file that is gone would keep nobody out.
pub(super) const LOCK: &str = "storage.lock";

/// What the root of many a new file system holds, where a disk may be sealed as a whole.
const LOST_AND_FOUND: &str = "lost+found";

/// A directory that nobody removes sectors from meanwhile.
#[derive(Debug)]
pub(super) struct Directory {
	path: PathBuf,
	/// Holds the lock.
	handle: File,
}

/// Keeps others from sealing in a directory.
#[derive(Debug)]
pub(super) struct SealLock {
	_file: File,
}

impl Directory {
	/// For reading or sealing, beside others.
	pub(super) fn shared(path: &Path) -> Result<Self, StorageFault> {
		Self::with(path, File::try_lock_shared)
	}

	/// For removing what is in it: nobody else reads or seals there.
	pub(super) fn alone(path: &Path) -> Result<Self, StorageFault> {
		Self::with(path, File::try_lock)
	}

	fn with(
		path: &Path,
		lock: impl FnOnce(&File) -> Result<(), TryLockError>,
	) -> Result<Self, StorageFault> {
		let handle = File::open(path).map_err(StorageFault::io("opening", path))?;
		locked(path, lock(&handle))?;
		Ok(Self { path: path.to_owned(), handle })
	}

	/// Keeps others from sealing as long as the answer lives.
	pub(super) fn lock_sealing(&self) -> Result<SealLock, StorageFault> {
		let path = self.path.join(LOCK);
		let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
		let file = file.map_err(StorageFault::io("opening", &path))?;
		locked(&self.path, file.try_lock())?;
		Ok(SealLock { _file: file })
	}

	pub(super) fn path(&self) -> &Path {
		&self.path
	}

	fn temporary(&self, name: &str) -> PathBuf {
		self.path.join(format!("{name}{TEMPORARY}"))
	}

	/// Whether nothing is in it, or only what began to be written as `name`, the file to lock, and what comes
	/// with a file system.
	pub(super) fn is_empty_but_for(&self, name: &str) -> Result<bool, StorageFault> {
		let listing = || StorageFault::io("listing", &self.path);
		let known = [self.temporary(name), self.path.join(LOCK), self.path.join(LOST_AND_FOUND)];
		for entry in fs::read_dir(&self.path).map_err(listing())? {
			if !known.contains(&entry.map_err(listing())?.path()) {
				return Ok(false);
			}
		}
		Ok(true)
	}

	/// Writes a file: under its name it is whole, also after a loss of power.
	pub(super) fn write(
		&self,
		name: &str,
		write: impl FnOnce(&mut File) -> io::Result<()>,
	) -> Result<(), StorageFault> {
		let path = self.path.join(name);
		let temporary = self.temporary(name);
		let written = File::create(&temporary).and_then(|mut file| {
			write(&mut file)?;
			file.sync_all()?;
			fs::rename(&temporary, &path)?;
			self.handle.sync_all()
		});
		written.map_err(|error| {
			// Where the disk is full, it should not keep it so.
			fs::remove_file(&temporary).ok();
			StorageFault::io("writing", &path)(error)
		})
	}

	/// Removes a file, and what began to be written under its name.
	pub(super) fn remove(&self, name: &str) -> Result<(), StorageFault> {
		for path in [self.path.join(name), self.temporary(name)] {
			match fs::remove_file(&path) {
				Err(error) if error.kind() != ErrorKind::NotFound => {
					return Err(StorageFault::io("removing", &path)(error));
				},
				_ => {},
			}
		}
		Ok(())
	}

	/// The length of a file; `None` when it is not there.
	pub(super) fn len_of(&self, name: &str) -> Result<Option<u64>, StorageFault> {
		let path = self.path.join(name);
		match fs::metadata(&path) {
			Ok(metadata) => Ok(Some(metadata.len())),
			Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
			Err(error) => Err(StorageFault::io("examining", &path)(error)),
		}
	}

	/// Reads a file, at most `most` bytes of it; `None` when it is not there.
	pub(super) fn read_all(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, StorageFault> {
		let path = self.path.join(name);
		let file = match File::open(&path) {
			Ok(file) => file,
			Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
			Err(error) => return Err(StorageFault::io("opening", &path)(error)),
		};
		let mut bytes = Vec::new();
		file.take(most)
			.read_to_end(&mut bytes)
			.map_err(StorageFault::io("reading", &path))?;
		Ok(Some(bytes))
	}

	/// Checks that there is room. A file system that does not tell is tried.
	pub(super) fn check_room(&self, needed: u64) -> Result<(), StorageFault> {
		let free = self.free_bytes();
		if free.is_none() {
			tracing::debug!(
				path = %self.path.display(),
				"the system does not tell how much room is free here"
			);
		}
		self.judge_room(needed, free)
	}

	pub(super) fn judge_room(&self, needed: u64, free: Option<u64>) -> Result<(), StorageFault> {
		match free {
			Some(free) if free < needed => {
				Err(StorageFault::NoRoom { directory: self.path.clone(), needed, free })
			},
			_ => Ok(()),
		}
	}

	/// The file system is found by its number: by its path, one that the system does not list, such as
	/// `tmpfs`, would be taken for the one that it is mounted in.
	fn free_bytes(&self) -> Option<u64> {
		let ours = self.handle.metadata().ok()?.dev();
		let space = DiskRefreshKind::nothing().with_storage();
		let disks = Disks::new_with_refreshed_list_specifics(space).ok()?;
		disks
			.iter()
			.filter(|disk| disk.total_space() > 0)
			.find(|disk| fs::metadata(disk.mount_point()).is_ok_and(|mount| mount.dev() == ours))
			.map(|disk| disk.available_space())
	}
}

/// Whether a lock in a directory was to be had.
fn locked(directory: &Path, lock: Result<(), TryLockError>) -> Result<(), StorageFault> {
	match lock {
		Ok(()) => Ok(()),
		Err(TryLockError::WouldBlock) => Err(StorageFault::InUse(directory.to_owned())),
		Err(TryLockError::Error(error)) => Err(StorageFault::io("locking", directory)(error)),
	}
}
