//! Accounts that sign transactions.

use crate::error::{Error, Result};
use std::{fs, path::Path, str::FromStr};
use subxt::utils::AccountId32;
use subxt_signer::{sr25519::Keypair, SecretUri};

/// An sr25519 account.
#[derive(Clone)]
pub struct Account {
	keypair: Keypair,
}

impl Account {
	/// From a secret URI: a mnemonic, a hex seed, a development name such as `//Alice`, with
	/// derivation paths and a password after `///`.
	pub fn from_uri(uri: &str) -> Result<Self> {
		let failed = |reason: String| Error::Key { what: "a secret URI".into(), reason };
		let uri = SecretUri::from_str(uri.trim()).map_err(|error| failed(error.to_string()))?;
		let keypair = Keypair::from_uri(&uri).map_err(|error| failed(error.to_string()))?;
		Ok(Self { keypair })
	}

	/// From a file whose first line is a secret URI. On Unix the file must be readable by its owner
	/// alone.
	pub fn from_file(path: &Path) -> Result<Self> {
		let failed = |reason: String| Error::Key {
			what: format!("the key file {}", path.display()),
			reason,
		};
		#[cfg(unix)]
		{
			use std::os::unix::fs::PermissionsExt;
			let mode = fs::metadata(path)
				.map_err(|error| failed(error.to_string()))?
				.permissions()
				.mode();
			if mode & 0o077 != 0 {
				return Err(failed(format!(
					"others may read it (mode {:o}); run: chmod 600 {}",
					mode & 0o777,
					path.display()
				)));
			}
		}
		let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
		Self::from_uri(text.lines().next().unwrap_or_default())
	}

	/// Its public key, which is its account id.
	pub fn id(&self) -> AccountId32 {
		AccountId32(self.keypair.public_key().0)
	}

	/// Signs bytes outside a transaction.
	pub fn sign(&self, message: &[u8]) -> [u8; 64] {
		self.keypair.sign(message).0
	}

	pub(crate) fn keypair(&self) -> &Keypair {
		&self.keypair
	}
}

/// An account id from SS58 text, or from a secret URI that starts with `//`.
pub fn parse_account(text: &str) -> Result<AccountId32> {
	if text.starts_with("//") {
		return Ok(Account::from_uri(text)?.id());
	}
	AccountId32::from_str(text).map_err(|error| Error::Key {
		what: format!("the account {text}"),
		reason: error.to_string(),
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn development_account_should_have_its_known_address() {
		let alice = Account::from_uri("//Alice").unwrap();
		assert_eq!(alice.id().to_string(), "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
		assert_eq!(parse_account("//Alice").unwrap(), alice.id());
		assert_eq!(parse_account(&alice.id().to_string()).unwrap(), alice.id());
	}

	#[test]
	fn nonsense_should_be_refused() {
		assert!(matches!(Account::from_uri("not a key"), Err(Error::Key { .. })));
		assert!(matches!(parse_account("5Grwva"), Err(Error::Key { .. })));
	}

	#[cfg(unix)]
	#[test]
	fn key_file_should_be_refused_when_others_may_read_it() {
		use std::os::unix::fs::PermissionsExt;
		let path = std::env::temp_dir().join(format!("armature-key-{}", std::process::id()));
		fs::write(&path, "//Bob\n").unwrap();
		fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
		let refused = Account::from_file(&path).err().map(|error| error.to_string());
		fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
		let accepted = Account::from_file(&path).map(|account| account.id());
		fs::remove_file(&path).unwrap();
		assert!(refused.unwrap().contains("chmod 600"));
		assert_eq!(accepted.unwrap(), Account::from_uri("//Bob").unwrap().id());
	}
}
