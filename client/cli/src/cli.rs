//! The command line as clap parses it.

mod attest;
mod buy;
mod provide;
mod serve;

pub(crate) use attest::{Attest, AttestVerify};
pub(crate) use buy::{Lease, Order, Submit};
pub(crate) use provide::{Ask, Device, Energy, Maintenance, Provider, Rack, Site, TariffArgs};
pub(crate) use serve::{
	Agent, Blob, Challenge, ChallengeKind, ChallengeRun, Config, Daemon, Orchestrator, RunService,
	Verifier, Workload,
};

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
mod tests {
	use super::*;
	use clap::CommandFactory;

	fn parse(line: &str) -> Result<Cli, clap::Error> {
		Cli::try_parse_from(line.split_whitespace())
	}

	#[test]
	fn the_tree_should_be_consistent() {
		Cli::command().debug_assert();
	}

	#[test]
	fn documented_commands_should_parse() {
		for line in [
			"armature --url ws://a:1,ws://b:2 chain status",
			"armature chain status --output json --wait finalized -v",
			"armature keys generate --file f",
			"armature keys show --account //Alice",
			"armature keys device --file f",
			"armature account balance //Bob",
			"armature account transfer //Bob 1.5",
			"armature provider init",
			"armature provider register --operator //Bob",
			"armature provider set-operator",
			"armature provider show //Bob",
			"armature site add --region 0 --power-cap 3000 --pue 1.1 --currency EUR --tariff 0.29",
			"armature site add --region 0 --power-cap 3000 --currency EUR --tariff-file f",
			"armature site tariff 3 --currency EUR --tariff 0.3",
			"armature site tariff 3 --clear",
			"armature site update 3 --pue 1.2",
			"armature rack add 3",
			"armature device add --site 1 --rack 2 --key f --lanes 4 --memory 1024 --label box",
			"armature device clear-jail 7",
			"armature device maintenance start 7",
			"armature device maintenance end 7 --output json",
			"armature ask set 7 --price 12plk --reserve 0.5",
			"armature order submit job.toml --watch --result f --give-up-after 30s",
			"armature order top-up 9 --price 0.1",
			"armature lease list --device 3 --tenant //Bob",
			"armature energy quote 3 --duration 1h --lanes 2",
			"armature energy break-even 3",
			"armature energy feed --currency EUR --rate 0.5",
			"armature orchestrator run --config f --address /ip4/1.2.3.4/tcp/1/p2p/x",
			"armature verifier run --config f --no-register",
			"armature verifier list --output json",
			"armature verifier show",
			"armature verifier show //Bob",
			"armature verifier claim",
			"armature agent run --config f",
			"armature blob put f --region 1",
			"armature workload run m.wasm --input f --max-fuel 5",
			"armature config print-default agent",
			"armature challenge run --local",
			"armature challenge run --local --kind cpu --kind gemm --duration 2s --lanes 2 --side 512",
			"armature challenge run --local --kind storage --storage 64 --directory d",
			"armature attest verify a.bin b.pem --at 2026-01-31T12:00:00Z --nonce 00ff --root r.pem",
			"armature attest verify a --policy p.toml --root r --root s --output json",
		] {
			if let Err(error) = parse(line) {
				panic!("{line}: {error}");
			}
		}
	}

	#[test]
	fn wrong_values_should_be_refused() {
		for line in [
			"armature attest verify",
			"armature attest verify a --at yesterday",
			"armature attest verify a --nonce 0",
			"armature site add --region 0 --power-cap 3000 --tariff 0.29",
			"armature site add --region 0 --power-cap 3000 --currency eur --tariff 0.29",
			"armature site add --region 70000 --power-cap 3000",
			"armature device add --site 1 --key f --lanes 0 --memory 1",
			"armature device add --site 1 --key f --lanes 1025 --memory 1",
			"armature device show x",
			"armature device maintenance",
			"armature device maintenance 7",
			"armature device maintenance start",
			"armature device maintenance end x",
			"armature order submit job.toml --result f",
			"armature energy break-even 3 --fuel 0",
			"armature blob get 0x12 --output-file f",
			"armature account balance 5Grw",
			"armature chain status --output yaml",
			"armature verifier run --config f --no-register --address a",
			"armature verifier show 5Grw",
			"armature verifier claim //Bob",
			"armature challenge run",
			"armature challenge run --local --kind location",
			"armature challenge run --local --kind storage --storage -1",
			"armature challenge run --local --lanes 0",
		] {
			assert_eq!(parse(line).err().map(|error| error.exit_code()), Some(2), "{line}");
		}
	}

	#[test]
	fn values_should_mean_what_they_say() {
		let cli = parse("armature --url a,b energy feed --currency EUR --rate 0.5").unwrap();
		assert_eq!(cli.globals.url, ["a", "b"]);
		match cli.command {
			Command::Energy(Energy::Feed { currency, rate }) => {
				assert_eq!((currency.0, rate), (*b"EUR", 500_000_000_000));
			},
			_ => panic!("another command"),
		}
		assert!(parse("armature agent run --config f").unwrap().command.is_daemon());
		assert!(!parse("armature agent telemetry").unwrap().command.is_daemon());
	}
}
