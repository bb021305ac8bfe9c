//! Machines that vanish, and machines that nobody vouches for any more.

use crate::{
	alone,
	happy_path::market_of_one,
	witness::{runtime, Witness},
};
use anyhow::{ensure, Result};
use armature_e2e_tests::{network::accounts, Job, Network};
use armature_primitives::DeviceId;
use serde_json::Value;
use std::{
	thread,
	time::{Duration, Instant},
};

/// Longer than the lease of a vanished device may stay open on the development preset.
const SETTLED: Duration = Duration::from_secs(180);

#[test]
fn lease_should_be_refunded_when_the_agent_dies_while_it_runs() -> Result<()> {
	let _alone = alone();
	let (mut network, device) = market_of_one("0.001")?;
	let held = network.balance(accounts::TENANT)?.1;

	// Never ends by itself and has fuel for longer than the test takes.
	let spin = Job { module: "spin", input: "", max_fuel: 60_000_000_000, ..Job::default() }
		.write(network.folder(), "spin.toml")?;
	let lease = running(&network, device, &spin)?;
	network.kill_service("garage")?;

	let receipt = receipt_of(&network, lease)?;
	ensure!(receipt["outcome"] == "no-result", "{receipt}");
	ensure!(receipt["paid"] == "0", "a vanished device was paid: {receipt}");
	ensure!(receipt["refunded"] == receipt["escrow"], "{receipt}");
	let after = network.balance(accounts::TENANT)?.1;
	ensure!(after == held, "the escrow is still held: {after} instead of {held}");

	// The machine comes back: its agent finds nothing to do for the settled lease and proves that it
	// is up again. Its speed has to be measured anew when a challenge fell into its absence.
	network.resume_agent("garage", accounts::PROVIDER)?;
	network.cli().until(
		"active device",
		&["device", "show", &device.to_string()],
		Duration::from_secs(120),
		|shown| (shown["status"] == "active").then_some(()),
	)?;
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}

#[test]
fn lease_should_be_refunded_at_once_when_the_attestation_is_revoked_while_it_runs() -> Result<()> {
	let _alone = alone();
	let (network, device) = market_of_one("0.001")?;
	let held = network.balance(accounts::TENANT)?.1;

	// Would run for longer than the test takes.
	let spin = Job { module: "spin", input: "", max_fuel: 60_000_000_000, ..Job::default() }
		.write(network.folder(), "spin.toml")?;
	let lease = running(&network, device, &spin)?;
	let revoked = DeviceId(u32::try_from(device)?);
	runtime()?
		.block_on(async { Witness::connect(&network).await?.revoke_attestation(revoked).await })?;
	let receipt = receipt_of(&network, lease)?;
	ensure!(receipt["outcome"] == "attestation-lost", "{receipt}");
	ensure!(receipt["paid"] == "0" && receipt["refunded"] == receipt["escrow"], "{receipt}");
	let after = network.balance(accounts::TENANT)?.1;
	ensure!(after == held, "the escrow is still held: {after} instead of {held}");
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}

/// Submits an order and waits until its lease runs on the device.
fn running(network: &Network, device: u64, job: &str) -> Result<u64> {
	let order = network.cli().run(accounts::TENANT, &["order", "submit", job])?;
	ensure!(!order["order"].is_null(), "{order}");
	network.cli().until(
		"running lease",
		&["lease", "list", "--device", &device.to_string()],
		Duration::from_secs(60),
		|leases| {
			let lease = leases.as_array()?.first()?;
			(lease["state"] == "running").then(|| lease["lease"].as_u64())?
		},
	)
}

/// Waits for the receipt of a lease that is still open.
fn receipt_of(network: &Network, lease: u64) -> Result<Value> {
	let until = Instant::now() + SETTLED;
	loop {
		let outcome = network.cli().try_run("", &["lease", "receipt", &lease.to_string()])?;
		if outcome.code == 0 {
			return Ok(serde_json::from_str(&outcome.stdout)?);
		}
		ensure!(Instant::now() < until, "no receipt in time: {}", outcome.stderr);
		thread::sleep(Duration::from_secs(2));
	}
}
