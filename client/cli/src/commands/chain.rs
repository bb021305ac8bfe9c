//! `armature chain`.

use crate::{cli::Chain, context::Context};
use anyhow::Result;
use armature_sdk::{query, AtBlock};
use serde::Serialize;

#[derive(Serialize)]
struct Block {
	number: u64,
	hash: String,
}

impl From<&AtBlock> for Block {
	fn from(at: &AtBlock) -> Self {
		Self { number: at.block_number(), hash: format!("{:?}", at.block_hash()) }
	}
}

#[derive(Serialize)]
struct Status {
	best: Block,
	finalized: Block,
	genesis: String,
	spec_version: u32,
	/// Chain time of the best block, in milliseconds since the Unix epoch.
	time: u64,
}

pub(crate) async fn run(context: &Context, command: Chain) -> Result<()> {
	match command {
		Chain::Status => {
			let chain = context.chain().await?;
			let (best, finalized) = (chain.best().await?, chain.finalized().await?);
			let status = Status {
				best: Block::from(&best),
				finalized: Block::from(&finalized),
				genesis: format!("{:?}", chain.genesis()),
				spec_version: best.spec_version(),
				time: query::now(&best).await?,
			};
			context.output.record(&status, |status| {
				vec![
					("best", format!("{} {}", status.best.number, status.best.hash)),
					("finalized", format!("{} {}", status.finalized.number, status.finalized.hash)),
					("genesis", status.genesis.clone()),
					("runtime", format!("spec version {}", status.spec_version)),
				]
			})
		},
	}
}
