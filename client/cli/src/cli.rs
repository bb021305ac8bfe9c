//! The command line as clap parses it.

mod attest;
mod buy;
mod provide;
mod serve;
mod storage;

pub(crate) use attest::{Attest, AttestVerify};
pub(crate) use buy::{Lease, Order, Submit};
pub(crate) use provide::{
	Ask, Device, DeviceAccelerator, DevicePosition, Energy, Maintenance, Place, Provider, Rack,
	Site, TariffArgs,
};
pub(crate) use serve::{
	Agent, Blob, Challenge, ChallengeKind, ChallengeRun, Config, Daemon, LocalAccelerator,
	Orchestrator, RunService, Verifier, VerifierEvidence, VerifierPosition, Workload,
};
pub(crate) use storage::{DeviceStorage, Storage, StorageSeal};

use crate::{amount::parse_amount, output::Format};
use armature_primitives::{
	energy::CurrencyCode, Balance, DeviceId, LeaseId, OrderId, RackId, RegionId, SiteId, H256,
};
use armature_sdk::{parse_account, AccountId32, Wait};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, str::FromStr};

/// Provide hardware to an Armature chain, buy computations from it, or run its services.
#[derive(Parser)]
#[command(name = "armature", version, propagate_version = true)]
pub(crate) struct Cli {
	#[command(flatten)]
	pub(crate) globals: Globals,
	#[command(subcommand)]
	pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Args)]
pub(crate) struct Globals {
	/// WebSocket address of a node; more than one, separated by commas, are tried in turn.
	#[arg(
		long,
		global = true,
		env = "ARMATURE_URL",
		value_delimiter = ',',
		default_value = "ws://127.0.0.1:9944"
	)]
	pub(crate) url: Vec<String>,
	/// Secret URI of the account that signs: a mnemonic, a hexadecimal seed or a development name
	/// such as //Alice. Other users of the machine can see arguments: prefer the environment or a
	/// file.
	#[arg(long, global = true, env = "ARMATURE_ACCOUNT", hide_env_values = true)]
	pub(crate) account: Option<String>,
	/// File whose first line is the secret URI; readable by its owner alone. Wins over --account.
	#[arg(long, global = true, value_name = "FILE")]
	pub(crate) account_file: Option<PathBuf>,
	/// How results are printed.
	#[arg(long, global = true, value_enum, default_value = "table")]
	pub(crate) output: Format,
	/// When a submitted call counts as done.
	#[arg(long, global = true, value_enum, default_value = "best")]
	pub(crate) wait: WaitFor,
	/// Say more on standard error; may be repeated.
	#[arg(short, long, global = true, action = ArgAction::Count)]
	pub(crate) verbose: u8,
}

/// See [`Wait`].
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum WaitFor {
	/// In a best block; a fork may still drop it.
	Best,
	/// In a finalised block.
	Finalized,
}

impl From<WaitFor> for Wait {
	fn from(wait: WaitFor) -> Self {
		match wait {
			WaitFor::Best => Wait::Best,
			WaitFor::Finalized => Wait::Finalized,
		}
	}
}

#[derive(Subcommand)]
pub(crate) enum Command {
	/// Account and device keys.
	#[command(subcommand)]
	Keys(Keys),
	/// Balances and transfers.
	#[command(subcommand)]
	Account(Account),
	/// The chain itself.
	#[command(subcommand)]
	Chain(Chain),
	/// Being a provider.
	#[command(subcommand)]
	Provider(Provider),
	/// Sites: one electricity meter each.
	#[command(subcommand)]
	Site(Site),
	/// Racks of a site.
	#[command(subcommand)]
	Rack(Rack),
	/// Devices.
	#[command(subcommand)]
	Device(Device),
	/// What devices ask for their work.
	#[command(subcommand)]
	Ask(Ask),
	/// Buying computations.
	#[command(subcommand)]
	Order(Order),
	/// Leases: matched orders.
	#[command(subcommand)]
	Lease(Lease),
	/// Electricity: break-even prices, ledgers, exchange rates.
	#[command(subcommand)]
	Energy(Energy),
	/// Orchestrators: rendezvous and blob store of a region.
	#[command(subcommand)]
	Orchestrator(Orchestrator),
	/// Verifiers: measure devices and settle disputes.
	#[command(subcommand)]
	Verifier(Verifier),
	/// The daemon on a device.
	#[command(subcommand)]
	Agent(Agent),
	/// Files in the orchestrators' stores.
	#[command(subcommand)]
	Blob(Blob),
	/// Modules on this machine.
	#[command(subcommand)]
	Workload(Workload),
	/// Challenges of this machine.
	#[command(subcommand)]
	Challenge(Challenge),
	/// Storage of this machine: sealed sectors that a device offers.
	#[command(subcommand)]
	Storage(Storage),
	/// Configuration files of the daemons.
	#[command(subcommand)]
	Config(Config),
	/// Hardware evidence in files.
	#[command(subcommand)]
	Attest(Attest),
}

impl Command {
	/// Whether it runs until it is stopped.
	pub(crate) fn is_daemon(&self) -> bool {
		matches!(
			self,
			Command::Orchestrator(Orchestrator::Run(_))
				| Command::Verifier(Verifier::Run(_))
				| Command::Agent(Agent::Run { .. })
		)
	}
}

#[derive(Subcommand)]
pub(crate) enum Keys {
	/// Make an account key; without --file the secret is printed.
	Generate {
		/// Where to keep the secret; must not exist.
		#[arg(long)]
		file: Option<PathBuf>,
	},
	/// Show the address of the account in use.
	Show,
	/// Show the public key of a device; makes the key if there is none.
	Device {
		/// The key file.
		#[arg(long)]
		file: PathBuf,
	},
}

#[derive(Subcommand)]
pub(crate) enum Account {
	/// Free and held balance.
	Balance {
		/// Whose; the account in use if not given.
		#[arg(value_parser = account)]
		who: Option<AccountId32>,
	},
	/// Send ARMA.
	Transfer {
		/// To whom.
		#[arg(value_parser = account)]
		to: AccountId32,
		/// How much, as 1.5 (ARMA) or 1500plk.
		#[arg(value_parser = parse_amount)]
		amount: Balance,
	},
}

#[derive(Subcommand)]
pub(crate) enum Chain {
	/// Best and finalised block, genesis, runtime.
	Status,
}

fn account(text: &str) -> Result<AccountId32, armature_sdk::Error> {
	parse_account(text)
}

fn currency(text: &str) -> Result<CurrencyCode, String> {
	<[u8; 3]>::try_from(text.as_bytes())
		.ok()
		.filter(|code| code.iter().all(u8::is_ascii_uppercase))
		.map(CurrencyCode)
		.ok_or_else(|| "a currency is three upper-case letters, such as EUR".into())
}

pub(crate) fn hash(text: &str) -> Result<H256, String> {
	let mut bytes = [0; 32];
	hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes)
		.map_err(|_| "a hash is 64 hexadecimal digits".to_owned())?;
	Ok(H256(bytes))
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
	text.parse().map_err(|_| "an id is a whole number".into())
}

macro_rules! ids {
	($($parser:ident: $id:ident),*) => {
		$(fn $parser(text: &str) -> Result<$id, String> {
			number(text).map($id)
		})*
	};
}

ids!(
	site: SiteId, rack: RackId, device: DeviceId, region: RegionId, order: OrderId, lease: LeaseId
);

#[cfg(test)]
mod tests;
