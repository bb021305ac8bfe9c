//! Commands of daemons and what belongs to them.

use super::{account, hash, provide::Place, region};
use crate::amount::parse_duration;
use armature_primitives::{RegionId, H256};
use armature_sdk::AccountId32;
use clap::{
	builder::{EnumValueParser, PossibleValue, TypedValueParser},
	error::ErrorKind,
	Args, Subcommand, ValueEnum,
};
use std::{ffi::OsStr, path::PathBuf, time::Duration};

/// How a daemon that others dial is run.
#[derive(Args)]
pub(crate) struct RunService {
	/// Its configuration file.
	#[arg(long)]
	pub(crate) config: PathBuf,
	/// Do not write the address to the chain.
	#[arg(long)]
	pub(crate) no_register: bool,
	/// Multiaddress to register, ending in /p2p/<peer id>; the first that it listens on if not
	/// given.
	#[arg(long, conflicts_with = "no_register")]
	pub(crate) address: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Orchestrator {
	/// Register the account as an orchestrator, or change its address.
	Register {
		/// The region that it serves.
		#[arg(long, value_parser = region)]
		region: RegionId,
		/// Its multiaddress, ending in /p2p/<peer id>.
		#[arg(long)]
		address: String,
	},
	/// Stop being one; the bond is released.
	Deregister,
	/// List orchestrators.
	List {
		/// Only of this region.
		#[arg(long, value_parser = region)]
		region: Option<RegionId>,
	},
	/// Run the daemon.
	Run(RunService),
}

#[derive(Subcommand)]
pub(crate) enum Verifier {
	/// Register the account as a verifier, or change its address.
	Register {
		/// Its multiaddress, ending in /p2p/<peer id>.
		#[arg(long)]
		address: String,
	},
	/// Take no more rounds; the bond unbonds.
	Retire,
	/// Take back the bond of a retired verifier.
	Withdraw {
		/// Even where earnings are left, which are lost as far as there is no money for them.
		#[arg(long)]
		forfeit: bool,
	},
	/// Be paid what verdicts have earned.
	Claim,
	/// List verifiers that take rounds: their bonds, earnings and how their verdicts fared.
	List,
	/// Show a verifier, even one that has retired.
	Show {
		/// Whom; the account in use if not given.
		#[arg(value_parser = account)]
		who: Option<AccountId32>,
	},
	/// Say where the verifier is, so that its round trips tell where devices are.
	#[command(subcommand)]
	Position(VerifierPosition),
	/// What the verifier found and keeps, out of its journal: verdicts, what was posted of them, what
	/// devices signed and opened. No chain is needed; stop the daemon first.
	Evidence(VerifierEvidence),
	/// Run the daemon.
	Run(RunService),
}

#[derive(Subcommand)]
pub(crate) enum VerifierPosition {
	/// Say that it is there.
	Set {
		/// Where.
		#[command(flatten)]
		place: Place,
	},
	/// Take that back.
	Clear,
}

#[derive(Args)]
pub(crate) struct VerifierEvidence {
	/// The verifier's configuration, which says where the journal lies.
	#[arg(long, required_unless_present = "data_dir", conflicts_with = "data_dir")]
	pub(crate) config: Option<PathBuf>,
	/// The folder where the journal lies.
	#[arg(long, value_name = "DIR")]
	pub(crate) data_dir: Option<PathBuf>,
	/// Only this round, in full. A round whose block was replaced may have been judged more than once.
	#[arg(long)]
	pub(crate) round: Option<u64>,
}

#[derive(Subcommand)]
pub(crate) enum Agent {
	/// Run the daemon.
	Run {
		/// Its configuration file.
		#[arg(long)]
		config: PathBuf,
	},
	/// Print one sample of this machine: power, load, memory, temperature.
	Telemetry {
		/// The agent's configuration, for its power meter and folder.
		#[arg(long)]
		config: Option<PathBuf>,
	},
}

#[derive(Subcommand)]
pub(crate) enum Blob {
	/// Upload a file.
	Put {
		/// The file.
		file: PathBuf,
		/// To the orchestrators of this region; of all if not given.
		#[arg(long, value_parser = region)]
		region: Option<RegionId>,
	},
	/// Download a blob and check its hash.
	Get {
		/// Its Blake2b-256 hash.
		#[arg(value_parser = hash)]
		hash: H256,
		/// Where to write it.
		#[arg(long)]
		output_file: PathBuf,
		/// From the orchestrators of this region; of all if not given.
		#[arg(long, value_parser = region)]
		region: Option<RegionId>,
	},
}

#[derive(Subcommand)]
pub(crate) enum Workload {
	/// Run a module in the sandbox that devices use, without a chain.
	Run {
		/// The WASI module.
		module: PathBuf,
		/// Its standard input; empty if not given.
		#[arg(long)]
		input: Option<PathBuf>,
		/// Fuel that it may use.
		#[arg(long, default_value_t = 100_000_000_000)]
		max_fuel: u64,
		/// Memory that it may use, in MiB.
		#[arg(long, default_value_t = 1024)]
		max_memory_mib: u32,
		/// How long it may run.
		#[arg(long, value_parser = parse_duration, default_value = "10m")]
		max_duration: Duration,
		/// Where to write its standard output.
		#[arg(long)]
		output_file: Option<PathBuf>,
	},
}

#[derive(Subcommand)]
pub(crate) enum Challenge {
	/// Give this machine the work of challenges, and check it as verifiers do.
	Run(ChallengeRun),
}

#[derive(Args)]
pub(crate) struct ChallengeRun {
	/// On this machine alone, in private. The chain draws the others by itself.
	#[arg(long, required = true)]
	pub(crate) local: bool,
	/// Which; may be repeated. All if not given.
	#[arg(long, value_parser = LocalKind)]
	pub(crate) kind: Vec<ChallengeKind>,
	/// About how long each takes.
	#[arg(long, value_parser = parse_duration, default_value = "10s")]
	pub(crate) duration: Duration,
	/// Hardware threads to use at once; all if not given.
	#[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
	pub(crate) lanes: Option<u16>,
	/// Memory to fill, in MiB.
	#[arg(long, value_name = "MIB", default_value_t = 1024)]
	pub(crate) memory: u32,
	/// Storage to seal, in MiB. Each hardware thread seals 64 MiB at a time, and has them in memory
	/// meanwhile.
	#[arg(long, value_name = "MIB", default_value_t = 1024)]
	pub(crate) storage: u32,
	/// Where to seal: a folder of its own is made there, and removed at the end. The system's
	/// temporary directory, which may be in memory, if not given.
	#[arg(long, value_name = "DIR")]
	pub(crate) directory: Option<PathBuf>,
	/// Rows and columns of the matrices, see `armature device accelerator offer`.
	#[arg(long, default_value_t = 2048)]
	pub(crate) side: u32,
	/// Matrices that stay in memory.
	#[arg(long, default_value_t = 8)]
	pub(crate) window: u32,
	/// What multiplies them, as the agent's `[accelerator]` names it.
	#[arg(long, value_enum, default_value = "processor")]
	pub(crate) accelerator: LocalAccelerator,
	/// Which one of several such, by the number that its driver gives it, from 0 on.
	#[arg(long, value_name = "NUMBER", default_value_t = 0)]
	pub(crate) ordinal: usize,
}

/// What can multiply matrices.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LocalAccelerator {
	/// The machine's processors.
	Processor,
	/// An NVIDIA GPU. Needs its driver.
	Cuda,
}

/// Kinds of challenges that need no one else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ChallengeKind {
	/// Sequential work on all hardware threads.
	Cpu,
	/// Exact products of matrices of small integers.
	Gemm,
	/// Memory: how fast it is filled, and read where nobody can look ahead.
	Memory,
	/// Storage: how fast it is sealed, and how soon a block of it is at hand.
	Storage,
}

/// For whoever asks for the kind that takes others.
const TAKES_VERIFIERS: &str =
	"the way to verifiers cannot be measured at home, it takes verifiers: \
	`armature device show` tells what they measured\n";

/// Reads such a kind.
#[derive(Clone, Copy)]
struct LocalKind;

impl TypedValueParser for LocalKind {
	type Value = ChallengeKind;

	fn parse_ref(
		&self,
		command: &clap::Command,
		argument: Option<&clap::Arg>,
		value: &OsStr,
	) -> Result<Self::Value, clap::Error> {
		if value == "network" {
			let refused = clap::Error::raw(ErrorKind::ValueValidation, TAKES_VERIFIERS);
			return Err(refused.with_cmd(command));
		}
		EnumValueParser::<ChallengeKind>::new().parse_ref(command, argument, value)
	}

	fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
		let kinds = ChallengeKind::value_variants().iter();
		Some(Box::new(kinds.filter_map(ValueEnum::to_possible_value)))
	}
}

#[derive(Subcommand)]
pub(crate) enum Config {
	/// Print a configuration with every field at its default.
	PrintDefault {
		/// Of which daemon.
		#[arg(value_enum)]
		daemon: Daemon,
	},
}

/// The daemons.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Daemon {
	/// `armature agent run`
	Agent,
	/// `armature orchestrator run`
	Orchestrator,
	/// `armature verifier run`
	Verifier,
}
