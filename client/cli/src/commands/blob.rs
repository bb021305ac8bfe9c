//! `armature blob`, and how other commands reach the orchestrators' stores.

use crate::{
	cli::Blob,
	commands::job::{digest, read_capped},
	context::{self, Context},
};
use anyhow::{anyhow, ensure, Context as _, Result};
use armature_p2p::{get_blob, put_blob, Handle, Node, NodeConfig, PeerId, PutAuth, RateLimit};
use armature_primitives::{RegionId, H256};
use armature_sandbox::MAX_INPUT_BYTES;
use armature_sdk::Account;
use rand::{rngs::OsRng, RngCore};
use serde::Serialize;
use std::{fs, path::PathBuf, time::Duration};

/// Upper bound on one exchange with an orchestrator.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Stored {
	hash: String,
	bytes: usize,
	orchestrators: usize,
}

#[derive(Serialize)]
struct Fetched {
	hash: String,
	bytes: usize,
	file: PathBuf,
}

pub(crate) async fn run(context: &Context, command: Blob) -> Result<()> {
	match command {
		Blob::Put { file, region } => {
			let account = context.account()?;
			let bytes = read_capped(&file, MAX_INPUT_BYTES)
				.with_context(|| format!("reading {}", file.display()))?;
			let store = Store::open(context, region).await?;
			let orchestrators = store.put(&account, &bytes).await?;
			let stored =
				Stored { hash: format!("{:?}", digest(&bytes)), bytes: bytes.len(), orchestrators };
			context.output.record(&stored, |stored| {
				vec![
					("hash", stored.hash.clone()),
					("bytes", stored.bytes.to_string()),
					("stored with", format!("{} orchestrator(s)", stored.orchestrators)),
				]
			})
		},
		Blob::Get { hash, output_file, region } => {
			let store = Store::open(context, region).await?;
			let bytes = store.get(hash, MAX_INPUT_BYTES).await?;
			fs::write(&output_file, &bytes)
				.with_context(|| format!("writing {}", output_file.display()))?;
			let fetched =
				Fetched { hash: format!("{hash:?}"), bytes: bytes.len(), file: output_file };
			context.output.record(&fetched, |fetched| {
				vec![
					("hash", fetched.hash.clone()),
					("bytes", fetched.bytes.to_string()),
					("file", fetched.file.display().to_string()),
				]
			})
		},
	}
}

/// The blob stores of the orchestrators of a region, or of all regions, reached under an identity
/// that lives as long as the command.
pub(crate) struct Store {
	handle: Handle,
	genesis: H256,
	orchestrators: Vec<(RegionId, String)>,
}

impl Store {
	/// Finds the orchestrators. Connects to none yet.
	pub(crate) async fn open(context: &Context, region: Option<RegionId>) -> Result<Self> {
		let orchestrators = context::orchestrators(&context.best().await?, region).await?;
		let mut identity = [0u8; 32];
		OsRng
			.try_fill_bytes(&mut identity)
			.context("asking the operating system for randomness")?;
		let (handle, _) = Node::spawn(NodeConfig {
			identity,
			listen: Vec::new(),
			request_timeout: EXCHANGE_TIMEOUT,
			max_peers: 64,
			rate: RateLimit { per_second: 1, burst: 1 },
		})?;
		Ok(Self { handle, genesis: context.chain().await?.genesis(), orchestrators })
	}

	/// Stores `bytes` with every orchestrator, since the device may be connected to any of them,
	/// and returns how many have it: at least one.
	pub(crate) async fn put(&self, account: &Account, bytes: &[u8]) -> Result<usize> {
		let owner = account.id().0;
		let sign =
			|payload: &[u8]| PutAuth::Account { account: owner, signature: account.sign(payload) };
		let hash = digest(bytes);
		let mut stored = 0usize;
		let mut failures = Vec::new();
		for (region, address) in &self.orchestrators {
			let attempt = async {
				let peer = self.handle.dial(address).await?;
				let named = put_blob(&self.handle, peer, self.genesis, bytes, sign).await?;
				ensure!(named == hash, "it names the blob {named:?} instead of {hash:?}");
				Ok(())
			};
			match attempt.await {
				Ok(()) => stored = stored.saturating_add(1),
				Err(error) => {
					tracing::warn!(region = region.0, address, %error, "upload failed");
					failures.push(format!("{address}: {error:#}"));
				},
			}
		}
		ensure!(stored > 0, "no orchestrator took the upload: {}", failures.join("; "));
		Ok(stored)
	}

	/// Fetches a blob of at most `max_len` bytes from whoever has it; its hash is checked.
	pub(crate) async fn get(&self, hash: H256, max_len: u64) -> Result<Vec<u8>> {
		let mut failures = Vec::new();
		for (_, address) in &self.orchestrators {
			match self.fetch(address, hash, max_len).await {
				Ok(bytes) => return Ok(bytes),
				Err(error) => failures.push(format!("{address}: {error:#}")),
			}
		}
		Err(anyhow!("no orchestrator gave the blob {hash:?}: {}", failures.join("; ")))
	}

	async fn fetch(&self, address: &str, hash: H256, max_len: u64) -> Result<Vec<u8>> {
		let peer = self.handle.dial(address).await?;
		Ok(get_blob(&self.handle, peer, hash, max_len).await?)
	}

	/// Tries to reach the first orchestrator that answers.
	pub(crate) async fn reach(&self) -> Result<(PeerId, String)> {
		let mut failures = Vec::new();
		for (_, address) in &self.orchestrators {
			match self.handle.dial(address).await {
				Ok(peer) => return Ok((peer, address.clone())),
				Err(error) => failures.push(format!("{address}: {error}")),
			}
		}
		Err(anyhow!("no orchestrator answers: {}", failures.join("; ")))
	}
}
