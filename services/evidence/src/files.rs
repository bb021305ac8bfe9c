//! Bounded reads.

use std::{
	fs::{self, File},
	io::{self, Read},
	path::{Path, PathBuf},
};

/// The whole of a file.
///
/// # Errors
///
/// Those of the system; [`io::ErrorKind::FileTooLarge`] when it has more than `most` bytes.
pub(crate) fn whole(path: &Path, most: usize) -> io::Result<Vec<u8>> {
	let bytes = beginning(path, most.saturating_add(1))?;
	if bytes.len() > most {
		let message = format!("it has more than {most} bytes");
		return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
	}
	Ok(bytes)
}

/// At most the first `most` bytes of a file.
pub(crate) fn beginning(path: &Path, most: usize) -> io::Result<Vec<u8>> {
	let mut bytes = Vec::new();
	let most = u64::try_from(most).unwrap_or(u64::MAX);
	File::open(path)?.take(most).read_to_end(&mut bytes)?;
	Ok(bytes)
}

/// At most the first `most` bytes of a file as text; empty when it cannot be read.
pub(crate) fn text(path: &Path, most: usize) -> String {
	beginning(path, most)
		.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
		.unwrap_or_default()
}

/// The entries of a directory by name, at most `most`; none when it cannot be read.
pub(crate) fn entries(directory: &Path, most: usize) -> Vec<PathBuf> {
	let Ok(read) = fs::read_dir(directory) else { return Vec::new() };
	let mut found: Vec<PathBuf> = read.take(most).filter_map(|e| Some(e.ok()?.path())).collect();
	found.sort();
	found
}
