//! The daemons: start, register, serve until SIGINT or SIGTERM, stop.

use crate::{
	cli::RunService,
	commands::services::{register_orchestrator, register_verifier},
	context::Context,
};
use anyhow::{Context as _, Result};
use std::{future::Future, path::PathBuf, sync::Arc};
use tokio::signal::unix::{signal, SignalKind};

/// The first address that other machines can dial; the first one at all when there is none.
fn public_address(addresses: &[String]) -> Result<&str> {
	let local = |address: &&String| {
		["/ip4/127.", "/ip6/::1/", "/ip4/0.0.0.0/", "/ip6/::/"]
			.iter()
			.any(|prefix| address.starts_with(prefix))
	};
	let found = addresses.iter().find(|address| !local(address)).or_else(|| addresses.first());
	found
		.map(String::as_str)
		.context("the daemon listens nowhere; name its address with --address")
}

/// Completes on SIGINT or SIGTERM.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send> {
	let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
	Ok(async move {
		tokio::select! {
			_ = int.recv() => {},
			_ = term.recv() => {},
		}
	})
}

/// Runs an agent; it says itself when it is ready.
pub(crate) async fn run_agent(context: &Context, config: PathBuf) -> Result<()> {
	let stop = stop_signal()?;
	tokio::pin!(stop);
	let config = armature_agent::Config::load(&config)?;
	let account = context.account()?;
	let chain = tokio::select! {
		chain = context.chain() => chain?.clone(),
		() = &mut stop => return Ok(()),
	};
	let chain = Arc::new(armature_agent::chain::sdk::SdkChain::new(chain, account));
	Ok(armature_agent::run(config, chain, stop).await?)
}

/// Runs an orchestrator and, unless told not to, registers it.
pub(crate) async fn run_orchestrator(context: &Context, options: RunService) -> Result<()> {
	let stop = stop_signal()?;
	tokio::pin!(stop);
	let config = armature_orchestrator::Config::load(&options.config)?;
	let region = config.region;
	let start = async {
		let chain = context.chain().await?.clone();
		let chain = Arc::new(armature_orchestrator::chain::sdk::SdkChain::new(chain));
		anyhow::Ok(armature_orchestrator::Orchestrator::start(config, chain).await?)
	};
	let orchestrator = tokio::select! {
		started = start => started?,
		() = &mut stop => return Ok(()),
	};
	let result = tokio::select! {
		registered = async {
			if !options.no_register {
				let address = address_of(&options, orchestrator.addresses())?;
				register_orchestrator(context, region, address).await?;
				tracing::info!(address, region = region.0, "registered");
			}
			anyhow::Ok(())
		} => registered,
		() = &mut stop => {
			orchestrator.stop().await;
			return Ok(());
		},
	};
	if result.is_ok() {
		tracing::info!(peer = %orchestrator.peer_id(), region = region.0, "orchestrator ready");
		stop.await;
	}
	orchestrator.stop().await;
	result
}

/// Runs a verifier and, unless told not to, registers it.
pub(crate) async fn run_verifier(context: &Context, options: RunService) -> Result<()> {
	let stop = stop_signal()?;
	tokio::pin!(stop);
	let config = armature_verifierd::Config::load(&options.config)?;
	let account = context.account()?;
	let start = async {
		let chain = context.chain().await?.clone();
		let chain = Arc::new(armature_verifierd::chain::sdk::SdkChain::new(chain, account));
		anyhow::Ok(armature_verifierd::Verifier::start(config, chain).await?)
	};
	let mut verifier = tokio::select! {
		started = start => started?,
		() = &mut stop => return Ok(()),
	};
	let result = tokio::select! {
		registered = async {
			if !options.no_register {
				let address = address_of(&options, verifier.addresses())?;
				register_verifier(context, address).await?;
				tracing::info!(address, "registered");
			}
			anyhow::Ok(())
		} => registered,
		() = &mut stop => {
			verifier.stop().await;
			return Ok(());
		},
	};
	let result = match result {
		Ok(()) => {
			tracing::info!(peer = %verifier.peer_id(), "verifier ready");
			tokio::select! {
				() = &mut stop => Ok(()),
				error = verifier.failed() => Err(error.into()),
			}
		},
		refused => refused,
	};
	verifier.stop().await;
	result
}

fn address_of<'a>(options: &'a RunService, addresses: &'a [String]) -> Result<&'a str> {
	options.address.as_deref().map_or_else(|| public_address(addresses), Ok)
}

#[cfg(test)]
mod tests {
	use super::*;

	const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

	#[test]
	fn an_address_of_the_outer_network_should_be_preferred() {
		let local = format!("/ip4/127.0.0.1/tcp/1/p2p/{PEER}");
		let outer = format!("/ip4/192.0.2.1/tcp/1/p2p/{PEER}");
		assert_eq!(public_address(&[local.clone(), outer.clone()]).unwrap(), outer);
		assert_eq!(public_address(std::slice::from_ref(&local)).unwrap(), local);
		assert!(public_address(&[]).unwrap_err().to_string().contains("--address"));
	}
}
