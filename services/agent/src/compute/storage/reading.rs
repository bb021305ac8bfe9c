//! Many reads at once, in the order in which they lie on the disk.

use super::{files::Directory, files_of, StorageFault};
use std::{
	fs::File,
	io::{self, ErrorKind},
	os::unix::fs::FileExt,
	path::PathBuf,
	sync::atomic::{AtomicUsize, Ordering},
	thread::Builder,
};

/// A file of a sector, in the order in which they are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Part {
	/// Its blocks.
	Blocks,
	/// The paths from there.
	Paths,
}

/// What is read at once. In order as it lies on the disk, about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Piece {
	pub(super) sector: u32,
	pub(super) part: Part,
	pub(super) offset: u64,
	pub(super) len: usize,
}

/// The file that was read last, which mostly is that of the next piece, too. No file is kept open for
/// longer: a sector that was damaged gets others when it is sealed again.
type Last = Option<((u32, Part), File)>;

/// What is at each of the pieces, read by so many threads, each of which takes the next one; `None` where a
/// file is cut short or gone.
///
/// # Errors
///
/// [`StorageFault::Io`], [`StorageFault::Thread`].
pub(super) fn read_all(
	directory: &Directory,
	pieces: &[Piece],
	threads: usize,
) -> Result<Vec<Option<Vec<u8>>>, StorageFault> {
	let next = AtomicUsize::new(0);
	let read_some = || {
		let (mut found, mut last) = (Vec::new(), None);
		loop {
			let number = next.fetch_add(1, Ordering::Relaxed);
			let Some(piece) = pieces.get(number) else { return Ok(found) };
			found.push((number, piece.read(directory, &mut last)?));
		}
	};
	let outcomes: Vec<Result<_, StorageFault>> = std::thread::scope(|scope| {
		// Where there are fewer threads, it takes longer.
		let helpers: Vec<_> = (1..threads.min(pieces.len()))
			.map_while(|_| Builder::new().name("read".into()).spawn_scoped(scope, read_some).ok())
			.collect();
		let own = read_some();
		let others = helpers
			.into_iter()
			.map(|helper| helper.join().unwrap_or(Err(StorageFault::Thread)));
		std::iter::once(own).chain(others).collect()
	});
	let mut all = vec![None; pieces.len()];
	for outcome in outcomes {
		for (number, bytes) in outcome? {
			if let Some(slot) = all.get_mut(number) {
				*slot = bytes;
			}
		}
	}
	Ok(all)
}

impl Piece {
	fn path(&self, directory: &Directory) -> PathBuf {
		let [blocks, paths] = files_of(self.sector);
		directory.path().join(match self.part {
			Part::Blocks => blocks,
			Part::Paths => paths,
		})
	}

	fn read(
		&self,
		directory: &Directory,
		last: &mut Last,
	) -> Result<Option<Vec<u8>>, StorageFault> {
		match self.try_read(directory, last) {
			Ok(bytes) => Ok(Some(bytes)),
			Err(error) => match error.kind() {
				ErrorKind::UnexpectedEof | ErrorKind::NotFound => Ok(None),
				_ => Err(StorageFault::io("reading", &self.path(directory))(error)),
			},
		}
	}

	fn try_read(&self, directory: &Directory, last: &mut Last) -> io::Result<Vec<u8>> {
		let file_of = (self.sector, self.part);
		let file = match last.take() {
			Some((of, file)) if of == file_of => file,
			_ => File::open(self.path(directory))?,
		};
		let mut bytes = vec![0; self.len];
		file.read_exact_at(&mut bytes, self.offset)?;
		*last = Some((file_of, file));
		Ok(bytes)
	}
}
