//! The device key: one ed25519 secret in a file that only its owner may read.

use armature_primitives::{
	ed25519,
	signing::{device_payload, registration_payload, Domain},
	DeviceId, H256,
};
use codec::Encode;
use rand::RngCore;
use sp_core::Pair;
use std::{
	fs,
	io::{self, Read, Write},
	os::unix::fs::{MetadataExt, OpenOptionsExt},
	path::{Path, PathBuf},
};

/// A key file holds 64 hexadecimal digits and a line feed; more is not read.
const MAX_FILE_LEN: u64 = 256;

/// The only mode that a new key file gets.
const MODE: u32 = 0o600;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
	/// The file is not there.
	#[error("no device key at {0}: create one with `armature keys device --file FILE`")]
	Missing(PathBuf),
	/// A new key would overwrite one.
	#[error("{0} exists: a device key is never overwritten; move it away first")]
	Exists(PathBuf),
	/// Others may read or change the file.
	#[error(
		"{path} has mode {mode:03o}, so others can use the device key: run `chmod 600 {path}`, \
		 and replace the key if anyone else had access"
	)]
	Exposed {
		/// The file.
		path: PathBuf,
		/// Its permission bits.
		mode: u32,
	},
	/// The file holds something else.
	#[error("{0} is no device key: it must hold 64 hexadecimal digits")]
	Malformed(PathBuf),
	/// Reading or writing failed.
	#[error("{what} {path}")]
	Io {
		/// What was being done.
		what: &'static str,
		/// The file.
		path: PathBuf,
		/// What the system says.
		source: io::Error,
	},
}

/// A device's signing key.
#[derive(Clone)]
pub struct DeviceKey(ed25519::Pair);

impl std::fmt::Debug for DeviceKey {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.debug_tuple("DeviceKey").field(&self.public()).finish()
	}
}

impl DeviceKey {
	/// The key with this secret seed.
	pub fn from_seed(seed: &[u8; 32]) -> Self {
		Self(ed25519::Pair::from_seed(seed))
	}

	/// Makes a key and stores it at `path`, which must not exist. The file appears whole or not at
	/// all, and nobody else can read it at any time.
	pub fn generate(path: &Path) -> Result<Self, KeyError> {
		let mut seed = [0u8; 32];
		rand::rngs::OsRng.fill_bytes(&mut seed);
		write_new(path, format!("{}\n", hex::encode(seed)).as_bytes())?;
		Ok(Self::from_seed(&seed))
	}

	/// Reads the key at `path`.
	pub fn load(path: &Path) -> Result<Self, KeyError> {
		let io = |what| move |source| KeyError::Io { what, path: path.to_owned(), source };
		let file = fs::File::open(path).map_err(|source| match source.kind() {
			io::ErrorKind::NotFound => KeyError::Missing(path.to_owned()),
			_ => io("opening")(source),
		})?;
		// Of the open file, so that what is checked is what is read.
		let mode = file.metadata().map_err(io("examining"))?.mode() & 0o777;
		if mode & 0o077 != 0 {
			return Err(KeyError::Exposed { path: path.to_owned(), mode });
		}
		let mut text = String::new();
		file.take(MAX_FILE_LEN).read_to_string(&mut text).map_err(|source| {
			match source.kind() {
				io::ErrorKind::InvalidData => KeyError::Malformed(path.to_owned()),
				_ => io("reading")(source),
			}
		})?;
		let mut seed = [0u8; 32];
		hex::decode_to_slice(text.trim(), &mut seed)
			.map_err(|_| KeyError::Malformed(path.to_owned()))?;
		Ok(Self::from_seed(&seed))
	}

	/// The public key, as the chain knows it.
	pub fn public(&self) -> ed25519::Public {
		self.0.public()
	}

	/// Signs `body` for one purpose, chain and device.
	pub fn sign<T: Encode>(
		&self,
		domain: Domain,
		genesis: &H256,
		device: DeviceId,
		body: &T,
	) -> ed25519::Signature {
		self.0.sign(&device_payload(domain, genesis, device, body))
	}

	/// Signs the proof of possession that registration asks for. `nonce` is the one that the chain
	/// expects next from the provider.
	pub fn sign_registration<AccountId: Encode>(
		&self,
		genesis: &H256,
		provider: &AccountId,
		nonce: u32,
	) -> ed25519::Signature {
		self.0.sign(&registration_payload(genesis, provider, nonce))
	}

	/// Signs bytes that already carry their own domain prefix.
	pub fn sign_payload(&self, payload: &[u8]) -> ed25519::Signature {
		self.0.sign(payload)
	}

	/// A secret for another purpose, from which this key cannot be told: the hash of `label` and
	/// the key's seed.
	pub fn derive_secret(&self, label: &str) -> [u8; 32] {
		sp_crypto_hashing::blake2_256(&(label, self.0.seed()).encode())
	}
}

/// Writes a new file that only its owner may read, atomically and without overwriting.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyError> {
	let io = |what| move |source| KeyError::Io { what, path: path.to_owned(), source };
	let directory = match path.parent() {
		Some(parent) if !parent.as_os_str().is_empty() => parent,
		_ => Path::new("."),
	};
	fs::create_dir_all(directory).map_err(io("creating the directory of"))?;
	let mut suffix = [0u8; 8];
	rand::rngs::OsRng.fill_bytes(&mut suffix);
	let temporary = directory.join(format!(".device-key-{}.tmp", hex::encode(suffix)));
	let result = (|| {
		let mut file = fs::OpenOptions::new()
			.write(true)
			.create_new(true)
			.mode(MODE)
			.open(&temporary)
			.map_err(io("creating"))?;
		file.write_all(bytes).map_err(io("writing"))?;
		file.sync_all().map_err(io("writing"))?;
		// A link, unlike a rename, fails when the name is taken.
		fs::hard_link(&temporary, path).map_err(|source| match source.kind() {
			io::ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
			_ => io("creating")(source),
		})
	})();
	fs::remove_file(&temporary).ok();
	result?;
	fs::File::open(directory)
		.and_then(|directory| directory.sync_all())
		.map_err(io("writing"))
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::os::unix::fs::PermissionsExt;

	#[test]
	fn a_generated_key_should_load_again_and_be_private() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("deep/device.key");
		let key = DeviceKey::generate(&path).expect("generated");
		let mode = fs::metadata(&path).expect("there").mode() & 0o777;
		assert_eq!(mode, 0o600);
		assert_eq!(DeviceKey::load(&path).expect("loads").public(), key.public());
		let left = fs::read_dir(dir.path().join("deep")).expect("listed").count();
		assert_eq!(left, 1, "no temporary file stays behind");
	}

	#[test]
	fn a_key_should_never_be_overwritten() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("device.key");
		let key = DeviceKey::generate(&path).expect("generated");
		assert!(matches!(DeviceKey::generate(&path), Err(KeyError::Exists(_))));
		assert_eq!(DeviceKey::load(&path).expect("loads").public(), key.public());
	}

	#[test]
	fn an_exposed_key_should_be_refused_with_the_remedy() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("device.key");
		DeviceKey::generate(&path).expect("generated");
		for mode in [0o640, 0o604, 0o620, 0o666] {
			fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
			let error = DeviceKey::load(&path).expect_err("exposed");
			assert!(matches!(error, KeyError::Exposed { .. }));
			assert!(error.to_string().contains("chmod 600"), "{error}");
		}
		fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("set");
		DeviceKey::load(&path).expect("read-only for the owner is fine");
	}

	#[test]
	fn other_contents_should_be_refused() {
		let dir = tempfile::tempdir().expect("a directory");
		let path = dir.path().join("device.key");
		assert!(matches!(DeviceKey::load(&path), Err(KeyError::Missing(_))));
		for text in ["", "00", &"g".repeat(64), &"0".repeat(66), &"0".repeat(10_000)] {
			fs::write(&path, text).expect("written");
			fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
			assert!(matches!(DeviceKey::load(&path), Err(KeyError::Malformed(_))), "{text:.8}");
		}
		fs::write(&path, [0xff; 64]).expect("written");
		assert!(matches!(DeviceKey::load(&path), Err(KeyError::Malformed(_))));
	}

	#[test]
	fn signatures_should_verify_as_the_chain_does() {
		let key = DeviceKey::from_seed(&[7; 32]);
		let genesis = H256([1; 32]);
		let body = (5u8, 6u16);
		let signature = key.sign(Domain::Leaf, &genesis, DeviceId(3), &body);
		let verify = |domain, device: DeviceId| {
			armature_verifier::signature::verify_device(
				domain,
				&genesis,
				device,
				&body,
				&key.public(),
				&signature,
			)
		};
		assert!(verify(Domain::Leaf, DeviceId(3)));
		assert!(!verify(Domain::Beat, DeviceId(3)));
		assert!(!verify(Domain::Leaf, DeviceId(4)));
	}

	#[test]
	fn derived_secrets_should_differ_by_label() {
		let key = DeviceKey::from_seed(&[7; 32]);
		assert_ne!(key.derive_secret("a"), key.derive_secret("b"));
		assert_eq!(key.derive_secret("a"), key.derive_secret("a"));
		assert!(!format!("{key:?}").contains(&hex::encode([7; 32])));
	}
}
