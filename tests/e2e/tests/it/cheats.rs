//! A device that makes up its answers, before a committee of three verifiers: it is failed by all of
//! them, proved a fraud by one, slashed and jailed; they are paid for what they found of it before.

use crate::{
	alone,
	happy_path::MATCHABLE,
	witness::{runtime, Witness},
};
use anyhow::{ensure, Context, Result};
use armature_agent::DeviceKey;
use armature_e2e_tests::{
	network::{accounts, AgentOptions},
	Network, Options,
};
use armature_p2p::{
	messages::hello_payload, ControlRequest, ControlResponse, Handle, Inbound, InboundRequest,
	Node, NodeConfig, RateLimit, Refusal,
};
use armature_primitives::{
	challenge::{ChallengeCommit, ChallengeTask},
	signing::Domain,
	telemetry::{PowerReading, PowerSource},
	DeviceId, MilliWatts, Moment, Ppm, RoundId, H256,
};
use armature_sdk::{api, query, Account, AccountId32, Static};
use armature_verifier::challenge::{run_lane, task_hash, State, Transcript};
use codec::Encode;
use std::{
	collections::HashMap,
	ops::ControlFlow,
	path::Path,
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;

/// How long a drawn round may take to be judged, and a fraud to be proved.
const PATIENCE: Duration = Duration::from_secs(180);

/// Upper bound on an exchange with a verifier.
const EXCHANGE: Duration = Duration::from_secs(30);

/// The second and third verifier, which play no other part here.
const MORE_VERIFIERS: [(&str, &str); 2] = [("verifier-2", "//Eve"), ("verifier-3", "//Bob")];

/// What the protocol has earned, so that verifiers can be paid: 2,000 ARMA.
const FEES: u128 = 2_000_000_000_000_000;

#[test]
fn device_that_makes_up_its_answers_should_be_proved_a_fraud_and_slashed() -> Result<()> {
	let _alone = alone();
	let mut network = Network::start(&Options::default())?;
	network.start_orchestrator()?;
	network.start_verifier()?;
	for (name, account) in MORE_VERIFIERS {
		network.start_verifier_of(name, account)?;
	}
	runtime()?.block_on(scenario(&mut network))?;
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}

async fn scenario(network: &mut Network) -> Result<()> {
	let witness = Witness::connect(network).await?;
	let giver = Account::from_uri("//Alice")?;
	let give = api::tx().balances().transfer_keep_alive(fee_account().into(), FEES);
	witness.accepted(&giver, &give).await?;
	witness
		.set_challenge_parameters(|parameters| {
			parameters.committee = 3;
			// Somebody is drawn in every other block.
			parameters.round_interval_blocks = 2;
			parameters.min_share = Static(Ppm::ONE);
			parameters.max_share = Static(Ppm::ONE);
			// Draws leave no time for requests.
			parameters.memory_part = Static(Ppm(200_000));
			parameters.network_part = Static(Ppm(200_000));
			parameters.gemm_part = Static(Ppm(200_000));
			parameters.storage_part = Static(Ppm(200_000));
		})
		.await?;

	let options =
		AgentOptions { name: "garage", provider: accounts::PROVIDER, tariff: "0.19", lanes: 1 };
	let sectors = network.folder().join("sectors");
	let number = network.register(&options, &format!("[storage]\ndirectory = {sectors:?}\n"))?;
	seals_sectors(network, number, &sectors)?;
	network.resume_agent(options.name, options.provider)?;
	network.wait_until_matchable(number, MATCHABLE)?;
	let device = DeviceId(u32::try_from(number)?);
	offers_an_accelerator(network, number)?;
	offers_storage(network, number)?;
	has_ways_to_all(network, number)?;
	// Lots could leave out a kind for long.
	witness
		.set_challenge_parameters(|parameters| {
			parameters.memory_part = Static(Ppm(0));
			parameters.network_part = Static(Ppm(0));
			parameters.gemm_part = Static(Ppm(400_000));
			parameters.storage_part = Static(Ppm(400_000));
		})
		.await?;
	has_multiplied(network, number)?;
	has_read(network, number)?;
	all_paid(&witness).await?;
	// From now on only lanes are asked for.
	witness
		.set_challenge_parameters(|parameters| {
			parameters.gemm_part = Static(Ppm(0));
			parameters.storage_part = Static(Ppm(0));
		})
		.await?;
	let claimed = network.cli().run(accounts::VERIFIER, &["verifier", "claim"])?;
	ensure!(claimed["left"].as_str() == Some("0"), "{claimed}");
	let bond = bond(&witness, device).await?;

	network.kill_service("garage")?;
	let key = DeviceKey::load(&network.folder().join("garage.key"))?;
	let cheat = cheat(&witness, device, key).await?;
	let shown = network.cli().until(
		"jailed device",
		&["device", "show", &number.to_string()],
		PATIENCE,
		|shown| (shown["status"] == "jailed").then(|| shown.clone()),
	)?;
	for part in ["cpu", "memory", "network", "gemm", "storage"] {
		ensure!(shown["performance"][part].is_null(), "it kept its score: {shown}");
	}
	let fault = query::challenge_parameters(&witness.best().await?).await?.fault_slash.0;
	let left = self::bond(&witness, device).await?;
	let slashed = (bond * u128::from(fault.0)).div_ceil(1_000_000);
	ensure!(left == bond - slashed, "of {bond} were left {left}, not {}", bond - slashed);
	cheat.shutdown().await;
	Ok(())
}

/// Waits until all three verifiers have measured their ways to a device, and claims that it is
/// somewhere.
fn has_ways_to_all(network: &Network, device: u64) -> Result<()> {
	let id = device.to_string();
	let show = ["device", "show", id.as_str()];
	let shown = network.cli().until("measured ways", &show, PATIENCE, |shown| {
		(!shown["performance"]["network"].is_null()).then(|| shown.clone())
	})?;
	let trips = shown["score"]["round_trips"].as_array().context("a list")?;
	ensure!(trips.len() == 3, "{shown}");
	let way = &shown["performance"]["network"];
	// The nearest is the second nearest: one verifier alone could say anything.
	ensure!(way["nearest_micros"] == trips[1]["micros"], "{shown}");
	for moved in ["up_kbps", "down_kbps"] {
		// Loopback moves a thousand times as much.
		ensure!(way[moved].as_u64() > Some(1_000), "{shown}");
	}
	let place = ["--latitude", "50.11", "--longitude", "-8.68"];
	let set = [&["device", "position", "set", id.as_str()][..], &place].concat();
	network.cli().run(accounts::PROVIDER, &set)?;
	network
		.cli()
		.run(accounts::VERIFIER, &[&["verifier", "position", "set"][..], &place].concat())?;
	let shown = network.cli().run("", &show)?;
	let claimed = &shown["score"]["position"];
	ensure!(claimed["latitude"] == 50_110_000 && claimed["longitude"] == -8_680_000, "{shown}");
	// All verifiers of this machine are in one network, so that nothing is known of it.
	ensure!(shown["score"]["location"] == "unknown", "{shown}");
	let verifier = network.cli().run("", &["verifier", "show", accounts::VERIFIER])?;
	ensure!(verifier["position"] == *claimed, "{verifier}");
	Ok(())
}

/// Offers what the network's share is 19 states of 64 KiB of.
fn offers_an_accelerator(network: &Network, device: u64) -> Result<()> {
	let id = device.to_string();
	let offer =
		|side| ["device", "accelerator", "offer", id.as_str(), "--memory", "60", "--side", side];
	network.cli().run(accounts::PROVIDER, &offer("256"))?;
	let again = network.cli().run(accounts::PROVIDER, &offer("128"));
	let refused = again.err().context("a second offer was taken")?.to_string();
	let reasons = ["OfferTooOften", "RoundOpen"];
	ensure!(reasons.iter().any(|reason| refused.contains(reason)), "{refused}");
	Ok(())
}

/// Waits until the verifiers have seen what the offered accelerator computes.
fn has_multiplied(network: &Network, device: u64) -> Result<()> {
	let id = device.to_string();
	let shown = network.cli().until("products", &["device", "show", &id], PATIENCE, |shown| {
		(!shown["performance"]["gemm"].is_null()).then(|| shown.clone())
	})?;
	let gemm = &shown["performance"]["gemm"];
	ensure!(gemm["offer"]["side"] == 256 && gemm["offer"]["memory_mib"] == 60, "{shown}");
	ensure!(gemm["shown_mib"] == 1, "{shown}");
	// Any machine multiplies a million bytes a second.
	ensure!(gemm["operations_per_second"].as_u64() > Some(2_000_000), "{shown}");
	Ok(())
}

/// Seals two sectors of 4 MiB, the second one later.
fn seals_sectors(network: &Network, device: u64, directory: &Path) -> Result<()> {
	let (id, directory) = (device.to_string(), directory.display().to_string());
	let seal = |sectors| {
		["storage", "seal", "--device", &id, "--directory", &directory, "--sectors", sectors]
	};
	network.cli().run("", &seal("1"))?;
	network.cli().run("", &seal("2"))?;
	let sealed = network.cli().run("", &["storage", "status", "--directory", &directory])?;
	ensure!(sealed["sectors"] == 2 && sealed["device"] == device, "{sealed}");
	Ok(())
}

/// Offers both.
fn offers_storage(network: &Network, device: u64) -> Result<()> {
	let id = device.to_string();
	let offer = |sectors| ["device", "storage", "offer", id.as_str(), "--sectors", sectors];
	network.cli().run(accounts::PROVIDER, &offer("2"))?;
	let again = network.cli().run(accounts::PROVIDER, &offer("1"));
	let refused = again.err().context("a second offer was taken")?.to_string();
	let reasons = ["may make another offer in", "measures the storage"];
	ensure!(reasons.iter().any(|reason| refused.contains(reason)), "{refused}");
	Ok(())
}

/// Waits until the verifiers have seen blocks of what was sealed.
fn has_read(network: &Network, device: u64) -> Result<()> {
	let id = device.to_string();
	let shown = network.cli().until("storage", &["device", "show", &id], PATIENCE, |shown| {
		(!shown["performance"]["storage"].is_null()).then(|| shown.clone())
	})?;
	let storage = &shown["performance"]["storage"];
	ensure!(storage["offer"]["sectors"] == 2 && storage["offer"]["blocks"] == 4_096, "{shown}");
	ensure!((1..=5_000).contains(&storage["read_millis"].as_u64().unwrap_or_default()), "{shown}");
	Ok(())
}

/// Waits until each verifier has found of the honest device what the others have.
async fn all_paid(witness: &Witness) -> Result<()> {
	let until = Instant::now() + PATIENCE;
	loop {
		let records = query::verifier_records(&witness.best().await?).await?;
		ensure!(records.len() == 3, "{} verifiers", records.len());
		if records.iter().all(|(_, record)| record.history.agreed > 0 && record.earned > 0) {
			return Ok(());
		}
		ensure!(Instant::now() < until, "not all are paid: {records:?}");
		witness.next_block().await?;
	}
}

/// The account of the protocol's fees.
fn fee_account() -> AccountId32 {
	let mut bytes = [0u8; 32];
	bytes[..12].copy_from_slice(b"modlarm/fees");
	AccountId32(bytes)
}

async fn bond(witness: &Witness, device: DeviceId) -> Result<u128> {
	let at = witness.best().await?;
	Ok(query::device(&at, device).await?.context("no such device")?.bond)
}

/// A device with an honest one's key that computes half of each lane and makes up the rest. It has
/// said hello to all verifiers.
async fn cheat(witness: &Witness, device: DeviceId, key: DeviceKey) -> Result<Handle> {
	let (handle, inbound) = Node::spawn(NodeConfig {
		identity: [9; 32],
		listen: Vec::new(),
		request_timeout: EXCHANGE,
		max_peers: 8,
		rate: RateLimit::default(),
	})?;
	let peer = handle.peer_id().to_bytes();
	for (_, address) in query::verifiers(&witness.best().await?).await? {
		let verifier = handle.dial(&address).await?;
		let sent_at = Moment::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
		let payload = hello_payload(&witness.genesis(), device, &peer, sent_at);
		let signature = key.sign_payload(&payload);
		let hello = ControlRequest::Hello { device, peer: peer.clone(), sent_at, signature };
		let answer = handle.control(verifier, hello, EXCHANGE).await?;
		ensure!(matches!(answer, ControlResponse::Welcome { .. }), "{answer:?}");
	}
	tokio::spawn(answer(witness.genesis(), key, inbound));
	Ok(handle)
}

async fn answer(genesis: H256, key: DeviceKey, mut inbound: mpsc::Receiver<Inbound>) {
	let mut transcripts: HashMap<RoundId, Transcript> = HashMap::new();
	while let Some(Inbound { request, reply, .. }) = inbound.recv().await {
		match request {
			InboundRequest::Control(ControlRequest::StartChallenge { task }) => {
				let transcript =
					transcripts.entry(task.round).or_insert_with(|| half_made_up(&task));
				let power = PowerReading {
					idle: MilliWatts(10_000),
					loaded: MilliWatts(40_000),
					source: PowerSource::BoardSensor,
					error: Ppm(50_000),
				};
				let root = transcript.root();
				let commit = ChallengeCommit { task: task_hash(&task), root, power };
				let signature = key.sign(Domain::ChallengeCommit, &genesis, task.device, &commit);
				reply.control(ControlResponse::Committed { commit, signature });
			},
			InboundRequest::Control(ControlRequest::OpenSegments { round, segments, .. }) => {
				let Some(transcript) = transcripts.get(&round) else {
					reply.refuse(Refusal::NotFound);
					continue;
				};
				let openings: Vec<_> = segments
					.iter()
					.filter_map(|(lane, segment)| transcript.open(*lane, *segment))
					.collect();
				reply.control(ControlResponse::Opened { openings: openings.encode() });
			},
			_ => reply.refuse(Refusal::NotAssigned),
		}
	}
}

fn half_made_up(task: &ChallengeTask) -> Transcript {
	let mut states = Vec::new();
	// Draws are all about lanes here.
	let cpu = *task.cpu().unwrap();
	for lane in 0..cpu.lanes {
		run_lane(task, lane, |segment, state| {
			let is_honest = segment < cpu.segments / 2;
			states.push(if is_honest { state } else { State([u64::from(segment); 8]) });
			ControlFlow::Continue(())
		})
		.unwrap();
	}
	Transcript::new(*task, states).unwrap()
}
