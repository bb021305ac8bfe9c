//! `armature keys`.

use crate::{cli::Keys, context::Context};
use anyhow::{Context as _, Result};
use armature_agent::DeviceKey;
use rand::{rngs::OsRng, RngCore};
use serde::Serialize;
use std::{
	fs,
	io::Write,
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
};

#[derive(Serialize)]
struct Generated {
	account: String,
	#[serde(skip_serializing_if = "Option::is_none")]
	file: Option<PathBuf>,
	#[serde(skip_serializing_if = "Option::is_none")]
	secret: Option<String>,
}

#[derive(Serialize)]
struct Shown {
	account: String,
	public_key: String,
}

#[derive(Serialize)]
struct DeviceShown {
	public_key: String,
	file: PathBuf,
	created: bool,
}

pub(crate) fn run(context: &Context, command: Keys) -> Result<()> {
	match command {
		Keys::Generate { file } => generate(context, file),
		Keys::Show => {
			let id = context.account()?.id();
			let shown = Shown { account: id.to_string(), public_key: hex_of(&id.0) };
			context.output.record(&shown, |shown| {
				vec![("account", shown.account.clone()), ("public key", shown.public_key.clone())]
			})
		},
		Keys::Device { file } => {
			let created = !file.exists();
			let key = if created { DeviceKey::generate(&file)? } else { DeviceKey::load(&file)? };
			let shown = DeviceShown { public_key: hex_of(key.public().as_ref()), file, created };
			context.output.record(&shown, |shown| {
				vec![
					("public key", shown.public_key.clone()),
					("file", shown.file.display().to_string()),
					("created", shown.created.to_string()),
				]
			})
		},
	}
}

fn generate(context: &Context, file: Option<PathBuf>) -> Result<()> {
	let mut seed = [0u8; 32];
	OsRng
		.try_fill_bytes(&mut seed)
		.context("asking the operating system for randomness")?;
	let secret = hex_of(&seed);
	let account = armature_sdk::Account::from_uri(&secret)?.id().to_string();
	if let Some(file) = &file {
		write_secret(file, &secret)?;
	}
	let secret = file.is_none().then_some(secret);
	context.output.record(&Generated { account, file, secret }, |made| {
		let mut rows = vec![("account", made.account.clone())];
		if let Some(file) = &made.file {
			rows.push(("file", file.display().to_string()));
		}
		if let Some(secret) = &made.secret {
			rows.push(("secret", secret.clone()));
		}
		rows
	})
}

/// Writes a new file that only its owner may read.
fn write_secret(path: &Path, secret: &str) -> Result<()> {
	let mut file = fs::OpenOptions::new()
		.write(true)
		.create_new(true)
		.mode(0o600)
		.open(path)
		.with_context(|| format!("creating {}: keys are never overwritten", path.display()))?;
	file.write_all(format!("{secret}\n").as_bytes())
		.and_then(|()| file.sync_all())
		.with_context(|| format!("writing {}", path.display()))
}

fn hex_of(bytes: &[u8]) -> String {
	format!("0x{}", hex::encode(bytes))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn generated_key_should_be_usable_and_never_overwritten() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("key");
		let secret = hex_of(&[7; 32]);
		write_secret(&path, &secret).unwrap();
		let from_file = armature_sdk::Account::from_file(&path).unwrap().id();
		assert_eq!(from_file, armature_sdk::Account::from_uri(&secret).unwrap().id());
		let again = write_secret(&path, "0x00").unwrap_err().to_string();
		assert!(again.contains("never overwritten"), "{again}");
	}
}
