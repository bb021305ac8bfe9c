//! The main job, shown step by step: a computation is bought from a device that has attested, been
//! measured and been found worth its electricity. Ends with exit code 0 only when each step was
//! observed. Started by `scripts/demo.sh`.

#![allow(clippy::print_stdout, reason = "showing is what it is for")]

use anyhow::{bail, ensure, Context, Result};
use armature_e2e_tests::{
	job::PRIMES_UP_TO_10_8,
	network::{accounts, AgentOptions},
	Job, Network, Options,
};
use serde_json::Value;
use std::{
	thread,
	time::{Duration, Instant},
};

/// How long a device may take to be attested, alive and measured.
const MATCHABLE: Duration = Duration::from_secs(180);

const HELP: &str = "\
Usage: demo.sh [--validators 1|3] [--keep]
  --validators N  chain of one (default) or three validators
  --keep          leave everything running at the end and print the endpoints; ends with Ctrl-C";

struct Arguments {
	validators: u8,
	keep: bool,
}

fn arguments() -> Result<Arguments> {
	let mut parsed = Arguments { validators: 1, keep: false };
	let mut given = std::env::args().skip(1);
	while let Some(argument) = given.next() {
		match argument.as_str() {
			"--keep" => parsed.keep = true,
			"--validators" => {
				parsed.validators = match given.next().as_deref() {
					Some("1") => 1,
					Some("3") => 3,
					other => bail!("--validators takes 1 or 3, not {other:?}\n{HELP}"),
				}
			},
			"--help" | "-h" => {
				println!("{HELP}");
				std::process::exit(0);
			},
			other => bail!("unknown argument {other}\n{HELP}"),
		}
	}
	Ok(parsed)
}

/// Prints steps with their time.
struct Steps {
	from: Instant,
}

impl Steps {
	fn step<T>(&self, title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
		println!("==> {title}");
		let from = Instant::now();
		let done = work().with_context(|| title.to_owned())?;
		println!(
			"    done in {:.1} s (total {:.1} s)",
			from.elapsed().as_secs_f32(),
			self.from.elapsed().as_secs_f32()
		);
		Ok(done)
	}
}

fn main() -> Result<()> {
	let arguments = arguments()?;
	let steps = Steps { from: Instant::now() };

	let mut network =
		steps.step(&format!("Chain of {} validator(s)", arguments.validators), || {
			let network = Network::start(&Options {
				validators: arguments.validators,
				..Default::default()
			})?;
			println!("    {} in {}", network.cli().url(), network.folder().display());
			Ok(network)
		})?;

	steps.step("Three feeders report 100,000 ARMA for one EUR", || network.feed("100000"))?;
	steps.step("Orchestrator and verifier start and register", || {
		network.start_orchestrator()?;
		network.start_verifier()
	})?;

	let cheap =
		AgentOptions { name: "garage", provider: accounts::PROVIDER, tariff: "0.19", lanes: 1 };
	let dear = AgentOptions {
		name: "office",
		provider: accounts::OTHER_PROVIDER,
		tariff: "0.38",
		lanes: 1,
	};
	let devices = steps.step("Two providers stake a device each and start its agent", || {
		let garage = network.start_agent(&cheap)?;
		let office = network.start_agent(&dear)?;
		println!("    device {garage} pays 0.19 EUR/kWh, device {office} pays 0.38 EUR/kWh");
		Ok([garage, office])
	})?;

	steps.step("The devices attest, prove that they are up, and are measured", || {
		for device in devices {
			let shown = network.wait_until_matchable(device, MATCHABLE)?;
			println!(
				"    device {device}: tier {}, availability {}, {} steps/s a lane, {} ns a read of memory, \
				 {} mW loaded ({})",
				text(&shown["tier"]),
				shown["availability"],
				shown["performance"]["cpu"]["steps_per_second_per_lane"],
				shown["performance"]["memory"]["read_nanos"],
				shown["power"]["loaded"],
				text(&shown["power"]["source"]),
			);
		}
		Ok(())
	})?;

	let floor = steps.step("Both ask their break-even price plus a quarter", || {
		let mut lowest = u128::MAX;
		for (device, provider) in devices.iter().zip([cheap.provider, dear.provider]) {
			let floor = ask_above_break_even(&network, *device, provider)?;
			lowest = lowest.min(floor);
		}
		Ok(lowest)
	})?;

	let before = balances(&network)?;
	let job = Job::default().write(network.folder(), "job.toml")?;
	let result = network.folder().join("result.txt");
	let bought = steps.step("The application orders a prime count and waits for it", || {
		let bought = network.cli().run(
			accounts::TENANT,
			&["order", "submit", &job, "--watch", "--result", &result.display().to_string()],
		)?;
		println!("    matched with device {}, lease {}", bought["device"], bought["lease"]);
		if let Some(sum) = bought["break_even"].as_str() {
			println!("    {sum}");
		}
		Ok(bought)
	})?;

	steps.step("The result is the known answer", || {
		let answer = std::fs::read_to_string(&result)?;
		println!("    primes up to 10^8: {}", answer.trim());
		ensure!(answer.trim() == PRIMES_UP_TO_10_8, "got {answer:?}");
		Ok(())
	})?;

	steps
		.step("The lease is settled to the last planck", || settled(&network, &bought, &before))?;

	steps.step("An order that would not pay for its electricity is refused", || {
		let limit = format!("{}plk", floor / 2);
		let job =
			Job { max_price: &limit, ..Job::default() }.write(network.folder(), "poor.toml")?;
		let refused = network.cli().refused(
			accounts::TENANT,
			&["order", "submit", &job, "--watch", "--give-up-after", "30s"],
		)?;
		for line in refused.lines() {
			println!("    {line}");
		}
		ensure!(refused.contains("below break-even"), "the sum was not shown");
		Ok(())
	})?;

	if arguments.keep {
		println!("==> Left running; Ctrl-C ends it");
		println!("    node   {}", network.cli().url());
		println!("    files  {}", network.folder().display());
		println!(
			"    try    {} --url {} device list",
			network.cli().program().display(),
			network.cli().url()
		);
		loop {
			thread::sleep(Duration::from_secs(3600));
		}
	}
	steps.step("Everything stops cleanly", || {
		ensure!(network.stop()?, "something had to be killed or ended with an error");
		Ok(())
	})
}

fn text(value: &Value) -> &str {
	value.as_str().unwrap_or("-")
}

/// Sets an ask a quarter above the device's break-even price and returns the latter.
fn ask_above_break_even(network: &Network, device: u64, provider: &str) -> Result<u128> {
	let (floor, sum) = network.break_even(device, Job::default().max_fuel)?;
	println!("    {sum}");
	let price = floor + floor.div_ceil(4);
	let (device, terms) = (device.to_string(), format!("{price}plk"));
	network.cli().run(provider, &["ask", "set", &device, "--price", &terms])?;
	println!("    device {device} asks {price} planck for 10^9 fuel");
	Ok(floor)
}

/// Free and held balances of the tenant and both providers.
fn balances(network: &Network) -> Result<Vec<(&'static str, u128, u128)>> {
	[accounts::TENANT, accounts::PROVIDER, accounts::OTHER_PROVIDER]
		.into_iter()
		.map(|who| network.balance(who).map(|(free, held)| (who, free, held)))
		.collect()
}

/// Checks the receipt against itself and shows what it did to the balances.
fn settled(network: &Network, bought: &Value, before: &[(&'static str, u128, u128)]) -> Result<()> {
	let receipt = &bought["receipt"];
	let planck = |field: &str| -> Result<u128> {
		Ok(receipt[field]
			.as_str()
			.with_context(|| format!("{field} in {receipt}"))?
			.parse()?)
	};
	let (escrow, paid, fee, refunded) =
		(planck("escrow")?, planck("paid")?, planck("fee")?, planck("refunded")?);
	println!("    escrow {escrow} = paid {paid} + fee {fee} + refunded {refunded} planck");
	ensure!(escrow == paid + fee + refunded, "the receipt does not add up");
	ensure!(paid > 0, "the provider was not paid");
	for ((who, free_before, held_before), (_, free, held)) in
		before.iter().zip(balances(network)?.iter())
	{
		println!("    {who}: free {free_before} -> {free}, held {held_before} -> {held} planck");
		if *who == accounts::TENANT {
			ensure!(held <= held_before, "the tenant's escrow is still held");
		}
	}
	Ok(())
}
