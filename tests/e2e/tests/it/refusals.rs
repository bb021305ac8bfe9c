//! Bad input and bad bargains: a clear error each, and nothing lost or paid.

use crate::{
	alone,
	happy_path::{market_of_one, market_without_rates},
};
use anyhow::{ensure, Context, Result};
use armature_e2e_tests::{network::accounts, Job};
use serde_json::Value;
use std::fs;

fn contains(said: &str, expected: &str) -> Result<()> {
	ensure!(said.contains(expected), "expected {expected:?} in: {said}");
	Ok(())
}

fn planck(value: &Value, field: &str) -> Result<u128> {
	Ok(value[field].as_str().with_context(|| format!("{field} in {value}"))?.parse()?)
}

#[test]
fn bad_orders_should_be_refused_with_their_reason_and_cost_nothing_but_fees() -> Result<()> {
	let _alone = alone();
	let (network, device) = market_of_one("0.001")?;
	let cli = network.cli();
	let folder = network.folder();
	let tenant = accounts::TENANT;

	// An order that would not pay for its electricity: the sum is shown.
	let held = network.balance(tenant)?.1;
	let (floor, _) = network.break_even(device, Job::default().max_fuel)?;
	let limit = format!("{}plk", floor / 2);
	let poor = Job { max_price: &limit, ..Job::default() }.write(folder, "poor.toml")?;
	let said =
		cli.refused(tenant, &["order", "submit", &poor, "--watch", "--give-up-after", "30s"])?;
	contains(&said, "below break-even")?;
	contains(&said, "EUR/kWh")?;
	ensure!(network.balance(tenant)?.1 == held, "the escrow of a given-up order is still held");

	// An ask below break-even is raised to it or refused; the device is never run at a loss.
	cli.run(accounts::PROVIDER, &["ask", "set", &device.to_string(), "--price", "1plk"])?;
	let job = Job::default().write(folder, "job.toml")?;
	let bought = cli.run(tenant, &["order", "submit", &job, "--watch"])?;
	ensure!(planck(&bought, "price_per_gfuel")? > 1, "sold below break-even: {bought}");

	// An order without funds.
	let rich = Job { max_price: "1000000000", ..Job::default() }.write(folder, "rich.toml")?;
	contains(&cli.refused(tenant, &["order", "submit", &rich])?, "Funds are unavailable")?;
	ensure!(network.balance(tenant)?.1 == held);

	// A module over its fuel: what it burnt is paid, the rest comes back.
	let spin = Job { module: "spin", input: "", max_fuel: 50_000_000, ..Job::default() }
		.write(folder, "spin.toml")?;
	let said = cli.refused(tenant, &["order", "submit", &spin, "--watch"])?;
	contains(&said, "out-of-fuel")?;

	// A module over its memory.
	let grow = Job { module: "grow", input: "", max_memory_mib: 8, ..Job::default() }
		.write(folder, "grow.toml")?;
	let said = cli.refused(tenant, &["order", "submit", &grow, "--watch"])?;
	contains(&said, "out-of-memory")?;
	ensure!(network.balance(tenant)?.1 == held, "an escrow is still held");

	// A key that another device has: one key is one device.
	let said = cli.refused(
		accounts::PROVIDER,
		&[
			"device",
			"add",
			"--site",
			"0",
			"--key",
			&folder.join("garage.key").display().to_string(),
			"--lanes",
			"1",
			"--memory",
			"1024",
		],
	)?;
	contains(&said, "Devices.KeyInUse")?;
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}

#[test]
fn order_should_wait_while_there_is_no_fresh_exchange_rate() -> Result<()> {
	let _alone = alone();
	let (network, _) = market_without_rates("0.001")?;
	let cli = network.cli();
	let job = Job::default().write(network.folder(), "job.toml")?;
	let said = cli.refused(
		accounts::TENANT,
		&["order", "submit", &job, "--watch", "--give-up-after", "20s"],
	)?;
	contains(&said, "exchange rate")?;

	network.feed("100000")?;
	let result = network.folder().join("result.txt");
	cli.run(
		accounts::TENANT,
		&["order", "submit", &job, "--watch", "--result", &result.display().to_string()],
	)?;
	ensure!(fs::metadata(&result)?.len() > 0);
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}
