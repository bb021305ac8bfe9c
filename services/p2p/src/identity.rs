//! The key of a node, kept in a file.

use rand::RngCore;
use std::{
	fs,
	io::{ErrorKind, Read, Write},
	path::{Path, PathBuf},
};

/// More than any well-formed identity file has, in bytes.
const MAX_FILE_LEN: u64 = 256;

/// Why a node has no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
	/// The file could not be read or made.
	#[error("{action} {}", path.display())]
	File {
		/// What was being done.
		action: &'static str,
		/// With what.
		path: PathBuf,
		/// The cause.
		#[source]
		source: std::io::Error,
	},
	/// The file holds something else.
	#[error("identity file {} does not hold 64 hexadecimal digits", .0.display())]
	Malformed(PathBuf),
	/// The operating system gave no randomness.
	#[error("no randomness from the operating system")]
	Randomness(#[source] rand::Error),
}

/// Reads the seed in `path` (64 hexadecimal digits), or makes one there that only its owner may
/// read. Blocks.
pub fn load_or_create_seed(path: &Path) -> Result<[u8; 32], IdentityError> {
	let failed = |action| {
		let path = path.to_path_buf();
		move |source| IdentityError::File { action, path, source }
	};
	let mut seed = [0u8; 32];
	match fs::File::open(path) {
		Ok(file) => {
			let mut text = String::new();
			file.take(MAX_FILE_LEN)
				.read_to_string(&mut text)
				.map_err(failed("reading the identity file"))?;
			hex::decode_to_slice(text.trim(), &mut seed)
				.map_err(|_| IdentityError::Malformed(path.to_path_buf()))?;
		},
		Err(error) if error.kind() == ErrorKind::NotFound => {
			rand::rngs::OsRng.try_fill_bytes(&mut seed).map_err(IdentityError::Randomness)?;
			if let Some(parent) = path.parent() {
				fs::create_dir_all(parent).map_err(failed("making the folder of"))?;
			}
			let mut options = fs::OpenOptions::new();
			options.write(true).create_new(true);
			#[cfg(unix)]
			std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
			let mut file = options.open(path).map_err(failed("making the identity file"))?;
			file.write_all(hex::encode(seed).as_bytes())
				.and_then(|()| file.sync_all())
				.map_err(failed("writing the identity file"))?;
		},
		Err(error) => return Err(failed("reading the identity file")(error)),
	}
	Ok(seed)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn seed_should_be_made_once_and_kept_private() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("keys/identity");
		let seed = load_or_create_seed(&path).unwrap();
		assert_eq!(load_or_create_seed(&path).unwrap(), seed);
		assert_ne!(load_or_create_seed(&dir.path().join("other")).unwrap(), seed);
		#[cfg(unix)]
		{
			use std::os::unix::fs::PermissionsExt;
			assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
		}
		fs::write(&path, "not hex").unwrap();
		assert!(matches!(load_or_create_seed(&path), Err(IdentityError::Malformed(_))));
		fs::write(&path, "00".repeat(200)).unwrap();
		assert!(matches!(load_or_create_seed(&path), Err(IdentityError::Malformed(_))));
	}
}
