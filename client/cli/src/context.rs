//! What the commands share: the chain, the account, how to print and how long to wait.

use crate::{cli::Globals, output::Output};
use anyhow::{anyhow, Result};
use armature_primitives::{DeviceId, LeaseId, Moment, RegionId, SiteId};
use armature_sdk::{
	query::{Device, Lease, Site},
	AccountId32, AtBlock, Chain, Included, Payload, Wait,
};
use std::{
	path::PathBuf,
	time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::OnceCell;

/// A mistake in how the command was called: exit code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		f.write_str(&self.0)
	}
}

impl std::error::Error for Usage {}

/// The global flags, and the connection once a command has needed it.
pub(crate) struct Context {
	urls: Vec<String>,
	account: Option<String>,
	account_file: Option<PathBuf>,
	wait: Wait,
	/// Where results go.
	pub(crate) output: Output,
	chain: OnceCell<Chain>,
}

impl Context {
	/// From the global flags; connects to nothing yet.
	pub(crate) fn new(globals: Globals) -> Self {
		Self {
			urls: globals.url,
			account: globals.account.filter(|uri| !uri.trim().is_empty()),
			account_file: globals.account_file,
			wait: globals.wait.into(),
			output: Output::new(globals.output),
			chain: OnceCell::new(),
		}
	}

	/// The chain; the first use connects.
	pub(crate) async fn chain(&self) -> Result<&Chain> {
		Ok(self.chain.get_or_try_init(|| Chain::connect(&self.urls)).await?)
	}

	/// The chain at its best block.
	pub(crate) async fn best(&self) -> Result<AtBlock> {
		Ok(self.chain().await?.best().await?)
	}

	/// Whether an account was named at all.
	pub(crate) fn has_account(&self) -> bool {
		self.account.is_some() || self.account_file.is_some()
	}

	/// The account that signs. A file wins over a secret URI, which may come from the environment.
	pub(crate) fn account(&self) -> Result<armature_sdk::Account> {
		match (&self.account_file, &self.account) {
			(Some(file), _) => Ok(armature_sdk::Account::from_file(file)?),
			(None, Some(uri)) => Ok(armature_sdk::Account::from_uri(uri)?),
			(None, None) => Err(Usage(
				"this command acts for an account: name one with --account or --account-file"
					.into(),
			)
			.into()),
		}
	}

	/// The named account, or the one that signs.
	pub(crate) fn who(&self, named: Option<AccountId32>) -> Result<AccountId32> {
		named.map_or_else(|| Ok(self.account()?.id()), Ok)
	}

	/// Signs and submits a call and waits as `--wait` says.
	pub(crate) async fn submit(&self, call: &impl Payload) -> Result<Included> {
		let account = self.account()?;
		Ok(self.chain().await?.submit(call, &account, self.wait).await?)
	}
}

/// A device that must exist.
pub(crate) async fn device(at: &AtBlock, id: DeviceId) -> Result<Device<AccountId32>> {
	armature_sdk::query::device(at, id)
		.await?
		.ok_or_else(|| anyhow!("there is no device {id}; `armature device list` shows yours"))
}

/// A site that must exist.
pub(crate) async fn site(at: &AtBlock, id: SiteId) -> Result<Site<AccountId32>> {
	armature_sdk::query::site(at, id)
		.await?
		.ok_or_else(|| anyhow!("there is no site {id}; `armature site list` shows yours"))
}

/// A lease that must be open.
pub(crate) async fn lease(at: &AtBlock, id: LeaseId) -> Result<Lease<AccountId32>> {
	armature_sdk::query::lease(at, id).await?.ok_or_else(|| {
		anyhow!("there is no open lease {id}; if it has ended, see `armature lease receipt {id}`")
	})
}

/// Addresses of the orchestrators of a region, or of all; at least one.
pub(crate) async fn orchestrators(
	at: &AtBlock,
	region: Option<RegionId>,
) -> Result<Vec<(RegionId, String)>> {
	let found: Vec<_> = armature_sdk::query::orchestrators(at, region)
		.await?
		.into_iter()
		.map(|(_, region, address)| (region, address))
		.collect();
	if found.is_empty() {
		return Err(match region {
			Some(region) => anyhow!(
				"no orchestrator serves region {region}; `armature orchestrator list` shows which \
				 regions have one"
			),
			None => anyhow!("the chain has no orchestrator in any region"),
		});
	}
	Ok(found)
}

/// This machine's clock, in milliseconds since the Unix epoch.
pub(crate) fn local_now() -> Moment {
	SystemTime::now()
		.duration_since(UNIX_EPOCH)
		.ok()
		.and_then(|elapsed| Moment::try_from(elapsed.as_millis()).ok())
		.unwrap_or(0)
}
