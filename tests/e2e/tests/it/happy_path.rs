//! A computation is bought, delivered, checked and paid.

use crate::alone;
use anyhow::{ensure, Result};
use armature_e2e_tests::{
	job::PRIMES_UP_TO_10_8,
	network::{accounts, AgentOptions},
	Job, Network, Options,
};
use std::{fs, time::Duration};

/// How long a device may take to be attested, alive and measured.
pub(crate) const MATCHABLE: Duration = Duration::from_secs(180);

/// A chain with its services, fresh exchange rates and one matchable device that asks `price`.
pub(crate) fn market_of_one(price: &str) -> Result<(Network, u64)> {
	let (network, device) = market_without_rates(price)?;
	network.feed("100000")?;
	Ok((network, device))
}

/// The same, but nobody has reported an exchange rate.
pub(crate) fn market_without_rates(price: &str) -> Result<(Network, u64)> {
	let mut network = Network::start(&Options::default())?;
	network.start_orchestrator()?;
	network.start_verifier()?;
	let device = network.start_agent(&AgentOptions {
		name: "garage",
		provider: accounts::PROVIDER,
		tariff: "0.19",
		lanes: 1,
	})?;
	network.wait_until_matchable(device, MATCHABLE)?;
	network
		.cli()
		.run(accounts::PROVIDER, &["ask", "set", &device.to_string(), "--price", price])?;
	Ok((network, device))
}

#[test]
fn order_should_be_computed_and_paid_and_survive_a_killed_node() -> Result<()> {
	let _alone = alone();
	let (mut network, device) = market_of_one("0.001")?;

	// A power cut: the chain resumes where it was and the services find it again.
	network.kill_node(0)?;
	network.restart_node(0)?;
	let shown = network.wait_until_matchable(device, MATCHABLE)?;
	ensure!(shown["tier"] == "t0", "attestation lost: {shown}");

	let provider_before = network.balance(accounts::PROVIDER)?;
	let tenant_before = network.balance(accounts::TENANT)?;
	let job = Job::default().write(network.folder(), "job.toml")?;
	let result = network.folder().join("result.txt");
	let bought = network.cli().run(
		accounts::TENANT,
		&["order", "submit", &job, "--watch", "--result", &result.display().to_string()],
	)?;
	ensure!(fs::read_to_string(&result)?.trim() == PRIMES_UP_TO_10_8);

	let receipt = &bought["receipt"];
	let planck = |field: &str| {
		receipt[field].as_str().and_then(|text| text.parse::<u128>().ok()).unwrap_or(0)
	};
	ensure!(receipt["outcome"] == "completed", "{receipt}");
	ensure!(planck("paid") > 0, "{receipt}");
	ensure!(planck("escrow") == planck("paid") + planck("fee") + planck("refunded"), "{receipt}");

	let tenant = network.balance(accounts::TENANT)?;
	ensure!(tenant.1 == tenant_before.1, "the tenant's escrow is still held");
	let spent = tenant_before.0 - tenant.0;
	ensure!(spent >= planck("paid") + planck("fee"), "the tenant paid less than the receipt says");
	let provider = network.balance(accounts::PROVIDER)?;
	ensure!(provider.1 == provider_before.1, "the provider's bonds changed");

	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}
