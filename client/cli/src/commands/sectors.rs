//! `armature storage`: what is sealed on this machine's disks.

mod room;
mod seal;

use crate::{
	cli::Storage,
	commands::storage::show_sectors,
	context::{Context, Usage},
};
use anyhow::{ensure, Context as _, Result};
use armature_agent::compute::{SealPlan, SealedSectors, StorageFault};
use armature_verifier::challenge::block::BLOCK_LEN;
use serde::Serialize;
use std::{
	io::IsTerminal,
	path::{Path, PathBuf},
};

/// What is sealed in a directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Sealed {
	directory: PathBuf,
	/// The device that it is sealed for.
	device: u32,
	/// The genesis hash of its chain.
	genesis: String,
	/// Sectors that can be offered.
	sectors: u32,
	mib: u64,
	/// Blocks of each sector, 1 KiB each.
	blocks: u32,
	/// Compressions of each block.
	compressions: u16,
}

impl Sealed {
	fn new(directory: &Path, plan: &SealPlan) -> Self {
		let SealPlan { genesis, device, sectors, blocks, compressions } = *plan;
		Self {
			directory: directory.to_owned(),
			device: device.0,
			genesis: format!("{genesis:?}"),
			sectors,
			mib: u64::from(sectors).saturating_mul(sector_bytes(blocks)) >> 20,
			blocks,
			compressions,
		}
	}

	fn rows(&self) -> Vec<(&'static str, String)> {
		let Self { directory, device, genesis, sectors, mib, blocks, compressions } = self;
		vec![
			("directory", directory.display().to_string()),
			("device", device.to_string()),
			("genesis", genesis.clone()),
			("sealed", format!("{}, {mib} MiB", show_sectors(*sectors))),
			("a sector", format!("{blocks} blocks of 1 KiB, compressions of each: {compressions}")),
		]
	}
}

/// What was removed.
#[derive(Serialize)]
struct Removed {
	directory: PathBuf,
	/// `null` where no sector was sealed to its end.
	removed: Option<Sealed>,
}

impl Removed {
	/// What to ask before.
	fn question(&self) -> String {
		let directory = self.directory.display();
		match &self.removed {
			Some(Sealed { device, sectors, mib, .. }) => format!(
				"Remove {}, {mib} MiB, from {directory}? If device {device} offers them, it \
				 fails its rounds: take the offer back first (`armature device storage withdraw {device}`)",
				show_sectors(*sectors)
			),
			None => format!("Remove what was begun to be sealed in {directory}?"),
		}
	}

	fn rows(&self) -> Vec<(&'static str, String)> {
		let Self { directory, removed } = self;
		let removed = removed.as_ref().map_or_else(
			|| "what was begun".into(),
			|sealed| {
				let Sealed { device, sectors, mib, .. } = sealed;
				format!("{} of device {device}, {mib} MiB", show_sectors(*sectors))
			},
		);
		vec![("directory", directory.display().to_string()), ("removed", removed)]
	}
}

/// Bytes of a sector's blocks.
fn sector_bytes(blocks: u32) -> u64 {
	let block = u64::try_from(BLOCK_LEN).unwrap_or(u64::MAX);
	u64::from(blocks).saturating_mul(block)
}

pub(crate) async fn run(context: &Context, command: Storage) -> Result<()> {
	match command {
		Storage::Seal(options) => seal::run(context, options).await,
		Storage::Status { directory } => {
			let sealed = SealedSectors::open(&directory)?;
			let shown = Sealed::new(&absolute(&directory)?, &sealed.plan());
			context.output.record(&shown, Sealed::rows)
		},
		Storage::Remove { directory, yes } => {
			let removed =
				remove(&directory, |question| if yes { Ok(true) } else { ask(question) })?;
			context.output.record(&removed, Removed::rows)
		},
	}
}

/// Removes what is sealed, if that is `agreed` to.
fn remove(directory: &Path, agreed: impl FnOnce(&str) -> Result<bool>) -> Result<Removed> {
	let path = absolute(directory)?;
	let found = match SealedSectors::open(directory) {
		Ok(sealed) => Some(Sealed::new(&path, &sealed.plan())),
		Err(StorageFault::Nothing(_)) => None,
		Err(error) => return Err(error.into()),
	};
	let removed = Removed { directory: path, removed: found };
	ensure!(agreed(&removed.question())?, "nothing was removed");
	SealedSectors::remove(directory)?;
	Ok(removed)
}

/// Asks who sits at the terminal.
fn ask(question: &str) -> Result<bool> {
	if !std::io::stdin().is_terminal() {
		let told = format!("{question}. There is no terminal to answer at: pass --yes");
		return Err(Usage(told).into());
	}
	eprint!("{question} [y/N] ");
	let mut answer = String::new();
	std::io::stdin().read_line(&mut answer).context("reading the answer")?;
	Ok(is_yes(&answer))
}

fn is_yes(answer: &str) -> bool {
	matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// The directory as others have to name it.
fn absolute(directory: &Path) -> Result<PathBuf> {
	std::path::absolute(directory)
		.with_context(|| format!("finding out where {} is", directory.display()))
}

#[cfg(test)]
mod tests;
