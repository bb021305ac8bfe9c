//! Command lines, right and wrong.

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
		"armature device position set 7 --latitude 50.11 --longitude -8.68",
		"armature device position clear 7",
		"armature device accelerator offer 7 --memory 24576 --side 4096",
		"armature device accelerator offer 7 --side 256 --memory 1048576 --output json",
		"armature device accelerator withdraw 7",
		"armature device storage offer 7 --sectors 500",
		"armature device storage offer 7 --sectors 65536 --output json",
		"armature device storage withdraw 7",
		"armature storage seal --device 7 --directory d --sectors 500",
		"armature storage seal --device 7 --directory d --size 500GiB --threads 4",
		"armature storage status --directory d --output json",
		"armature storage remove --directory d",
		"armature storage remove --directory d --yes",
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
		"armature verifier position set --latitude -33.87 --longitude 151.21",
		"armature verifier position clear --output json",
		"armature verifier evidence --config f",
		"armature verifier evidence --data-dir d --round 7 --output json",
		"armature agent run --config f",
		"armature blob put f --region 1",
		"armature workload run m.wasm --input f --max-fuel 5",
		"armature config print-default agent",
		"armature challenge run --local",
		"armature challenge run --local --kind cpu --kind gemm --duration 2s --lanes 2 --side 512",
		"armature challenge run --local --kind gemm --accelerator cuda --ordinal 1 --side 8192",
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
		"armature device position",
		"armature device position set 7",
		"armature device position set 7 --latitude 50.11",
		"armature device position set 7 --latitude 90.000001 --longitude 0",
		"armature device position set 7 --latitude 0 --longitude 180.000001",
		"armature verifier position set 7 --latitude 0 --longitude 0",
		"armature device position set 7 --latitude 1.1234567 --longitude 0",
		"armature device position clear",
		"armature device accelerator",
		"armature device accelerator offer 7",
		"armature device accelerator offer 7 --memory 24576",
		"armature device accelerator offer 7 --side 4096",
		"armature device accelerator offer --memory 24576 --side 4096",
		"armature device accelerator offer x --memory 24576 --side 4096",
		"armature device accelerator offer 7 --memory 0 --side 4096",
		"armature device accelerator offer 7 --memory 1048577 --side 4096",
		"armature device accelerator offer 7 --memory 24G --side 4096",
		"armature device accelerator offer 7 --memory 24576 --side 0",
		"armature device accelerator offer 7 --memory 24576 --side -1",
		"armature device accelerator withdraw",
		"armature device accelerator withdraw 7 --side 4096",
		"armature device storage",
		"armature device storage offer 7",
		"armature device storage offer --sectors 500",
		"armature device storage offer x --sectors 500",
		"armature device storage offer 7 --sectors 0",
		"armature device storage offer 7 --sectors 65537",
		"armature device storage offer 7 --sectors 500GiB",
		"armature device storage withdraw",
		"armature device storage withdraw 7 --sectors 500",
		"armature storage",
		"armature storage seal --device 7 --directory d",
		"armature storage seal --device 7 --sectors 500",
		"armature storage seal --directory d --sectors 500",
		"armature storage seal --device 7 --directory d --sectors 500 --size 500GiB",
		"armature storage seal --device 7 --directory d --sectors 0",
		"armature storage seal --device 7 --directory d --sectors 65537",
		"armature storage seal --device 7 --directory d --size 500",
		"armature storage seal --device 7 --directory d --size 500GB",
		"armature storage seal --device 7 --directory d --sectors 500 --threads 0",
		"armature storage status",
		"armature storage status --directory d --yes",
		"armature storage remove --yes",
		"armature verifier evidence",
		"armature verifier evidence --config f --data-dir d",
		"armature verifier evidence --data-dir d --round x",
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
		"armature challenge run --local --kind network",
		"armature challenge run --local --kind storage --storage -1",
		"armature challenge run --local --lanes 0",
		"armature challenge run --local --kind gemm --accelerator abacus",
		"armature challenge run --local --kind gemm --accelerator cuda --ordinal -1",
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

#[test]
fn places_should_be_read_in_millionths_of_degrees() {
	let cli = parse("armature device position set 7 --latitude 50.11 --longitude -8.68").unwrap();
	let Command::Device(Device::Position(DevicePosition::Set { id, place })) = cli.command else {
		panic!("another command");
	};
	assert_eq!((id, place.latitude, place.longitude), (DeviceId(7), 50_110_000, -8_680_000));
	let line = "armature verifier position set --latitude -90 --longitude=180.000000";
	let Command::Verifier(Verifier::Position(VerifierPosition::Set { place })) =
		parse(line).unwrap().command
	else {
		panic!("another command");
	};
	assert_eq!((place.latitude, place.longitude), (-90_000_000, 180_000_000));
	let told = |line: &str| parse(line).err().map(|error| error.to_string()).unwrap_or_default();
	let fine = told("armature device position set 7 --latitude 1.1234567 --longitude 0");
	assert!(fine.contains("more than 6 decimals"), "{fine}");
	let beyond = told("armature device position set 7 --latitude 90.000001 --longitude 0");
	assert!(beyond.contains("beyond a pole"), "{beyond}");
}

#[test]
fn offers_of_accelerators_should_be_read_and_explained() {
	let cli = parse("armature device accelerator offer 7 --memory 24576 --side 4096").unwrap();
	let Command::Device(Device::Accelerator(DeviceAccelerator::Offer { id, memory, side })) =
		cli.command
	else {
		panic!("another command");
	};
	assert_eq!((id, memory, side), (DeviceId(7), 24_576, 4_096));
	let cli = parse("armature device accelerator withdraw 7").unwrap();
	let Command::Device(Device::Accelerator(DeviceAccelerator::Withdraw { id })) = cli.command
	else {
		panic!("another command");
	};
	assert_eq!(id, DeviceId(7));
	let mut command = Cli::command();
	let offer = command
		.find_subcommand_mut("device")
		.and_then(|device| device.find_subcommand_mut("accelerator"))
		.and_then(|accelerator| accelerator.find_subcommand_mut("offer"))
		.expect("the command");
	let help = offer.render_long_help().to_string();
	let line = help.split_whitespace().collect::<Vec<_>>().join(" ");
	assert!(line.contains("armature challenge run --local --kind gemm --side ROWS"), "{help}");
}

#[test]
fn storage_should_be_read_and_explained() {
	let cli = parse("armature device storage offer 7 --sectors 500").unwrap();
	let Command::Device(Device::Storage(DeviceStorage::Offer { id, sectors })) = cli.command else {
		panic!("another command");
	};
	assert_eq!((id, sectors), (DeviceId(7), 500));
	let cli = parse("armature device storage withdraw 7").unwrap();
	let Command::Device(Device::Storage(DeviceStorage::Withdraw { id })) = cli.command else {
		panic!("another command");
	};
	assert_eq!(id, DeviceId(7));
	let cli = parse("armature storage seal --device 7 --directory d --size 500GiB").unwrap();
	assert!(!cli.command.is_daemon());
	let Command::Storage(Storage::Seal(options)) = cli.command else {
		panic!("another command");
	};
	let StorageSeal { device, directory, sectors, size, threads } = options;
	assert_eq!((device, directory), (DeviceId(7), "d".into()));
	assert_eq!((sectors, size, threads), (None, Some(500 << 30), None));
	let mut command = Cli::command();
	let offer = command
		.find_subcommand_mut("device")
		.and_then(|device| device.find_subcommand_mut("storage"))
		.and_then(|storage| storage.find_subcommand_mut("offer"))
		.expect("the command");
	let help = offer.render_long_help().to_string();
	let line = help.split_whitespace().collect::<Vec<_>>().join(" ");
	let seal = "armature storage seal --device ID --directory DIR --sectors N";
	assert!(
		line.contains(seal) && line.contains("More sectors can be offered after a day"),
		"{help}"
	);
}

#[test]
fn kinds_that_take_others_should_be_told_where_to_look() {
	let told = |kind: &str| {
		let line = format!("armature challenge run --local --kind {kind}");
		parse(&line).err().map(|error| error.to_string()).unwrap_or_default()
	};
	let network = told("network");
	assert!(network.contains("takes verifiers"), "{network}");
	assert!(network.contains("armature device show"), "{network}");
	let location = told("location");
	assert!(location.contains("possible values: cpu, gemm, memory, storage"), "{location}");
	let mut command = Cli::command();
	let run = command
		.find_subcommand_mut("challenge")
		.and_then(|challenge| challenge.find_subcommand_mut("run"))
		.expect("the command");
	let help = run.render_long_help().to_string();
	assert!(help.contains("- storage:"), "{help}");
	assert!(!help.contains("- network:"), "{help}");
}
