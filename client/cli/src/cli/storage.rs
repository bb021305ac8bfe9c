//! Commands of storage: what a device offers, and what is sealed on a disk.

use super::device;
use crate::amount::parse_size;
use armature_primitives::DeviceId;
use armature_verifier::challenge::storage::MAX_SECTORS;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum DeviceStorage {
	/// Offer sealed sectors, or another number of them, to be measured.
	///
	/// Seal them first, on the device: `armature storage seal --device ID --directory DIR --sectors N`.
	/// Then name the directory in its agent's configuration (`[storage]`, `directory`) and start the agent
	/// anew. Rounds about storage follow, also while the device runs a lease: verifiers ask for blocks that
	/// have to be read within five seconds, unless the network has it otherwise. What an earlier offer has
	/// shown is gone. More sectors can be offered after a day, unless the network has it otherwise, and not
	/// while a round of storage is open. Signed by the provider or the operator.
	Offer {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
		/// How many: the first ones that are sealed, and no more than there are.
		#[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SECTORS)))]
		sectors: u32,
	},
	/// Take the offer back; what was shown is gone, what was sealed stays.
	///
	/// Nothing can be offered again until a day after the last offer, unless the network has it otherwise
	/// (`offer_interval_millis`): whoever offered less than that ago has no storage to show until then. Not while
	/// a round of storage is open. Signed by the provider or the operator.
	Withdraw {
		/// The device.
		#[arg(value_parser = device)]
		id: DeviceId,
	},
}

#[derive(Subcommand)]
pub(crate) enum Storage {
	/// Seal sectors for a device, on the disk that is to be measured.
	///
	/// They are filled in memory, one for each thread, and written out: a sector of a GiB takes a thread
	/// some two minutes, once. What was interrupted goes on with the same command, and with more sectors
	/// those that are there stay. Offer them after that (`armature device storage offer`). They have to stay
	/// as long as they are offered.
	///
	/// It is fastest before the device is enrolled, or in maintenance (`armature device maintenance start`), with
	/// all hardware threads (`--threads`). Beside a running agent half of them and of the memory is left, unless
	/// told otherwise: rounds would be lost, or show less speed.
	Seal(StorageSeal),
	/// Show what is sealed in a directory, and for whom. No chain is needed.
	Status {
		/// Where it lies.
		#[arg(long, value_name = "DIR")]
		directory: PathBuf,
	},
	/// Remove what is sealed in a directory, and nothing else. No chain is needed.
	///
	/// Take the offer back first (`armature device storage withdraw`), or rounds about it are lost, and stop
	/// the agent, which reads there.
	Remove {
		/// Where it lies.
		#[arg(long, value_name = "DIR")]
		directory: PathBuf,
		/// Without being asked.
		#[arg(long)]
		yes: bool,
	},
}

#[derive(Args)]
pub(crate) struct StorageSeal {
	/// The device; what is sealed for it is no use to others.
	#[arg(long, value_parser = device)]
	pub(crate) device: DeviceId,
	/// Where to seal: an empty directory, or one where something was sealed for the device. It is made if it
	/// is not there.
	#[arg(long, value_name = "DIR")]
	pub(crate) directory: PathBuf,
	/// How many sectors there are to be, those that are there included.
	#[arg(
		long,
		required_unless_present = "size",
		conflicts_with = "size",
		value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SECTORS))
	)]
	pub(crate) sectors: Option<u32>,
	/// The same as a size, such as 500GiB: as many as fit. The disk needs a twentieth beside.
	#[arg(long, value_parser = parse_size)]
	pub(crate) size: Option<u64>,
	/// Threads that seal, with a sector in memory each, and no more than there is memory for; if not given half
	/// of the hardware threads, in half of the memory.
	#[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
	pub(crate) threads: Option<u16>,
}
