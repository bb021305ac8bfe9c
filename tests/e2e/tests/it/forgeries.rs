//! Messages signed by another key, and messages sent twice: refused by name, and nothing lost or
//! paid but the fee.

use crate::{
	alone,
	happy_path::MATCHABLE,
	witness::{contains, runtime, submit_evidence, Witness},
};
use anyhow::{bail, ensure, Context, Result};
use armature_agent::{inventory::inventory, DeviceKey};
use armature_e2e_tests::{
	network::{accounts, AgentOptions},
	Network, Options, Process,
};
use armature_p2p::{
	messages::hello_payload, ControlRequest, ControlResponse, Node, NodeConfig, RateLimit, Refusal,
};
use armature_primitives::{
	device::MAX_LABEL_LEN,
	evidence::{Evidence, InventoryStatement},
	signing::Domain,
	telemetry::{Leaf, TelemetrySummary},
	DeviceId, EpochIndex, Moment, RegionId, SiteId, H256,
};
use armature_sdk::{api, bounded, query, Account, Static};
use serde_json::Value;
use std::{
	fs, thread,
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long an agent may take to see that its key is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Upper bound on an exchange with the orchestrator.
const EXCHANGE: Duration = Duration::from_secs(30);

#[test]
fn message_should_be_refused_by_name_and_cost_only_its_fee_when_forged_or_replayed() -> Result<()> {
	let _alone = alone();
	runtime()?.block_on(forge_and_replay())
}

async fn forge_and_replay() -> Result<()> {
	let (network, garage) = silenced_device()?;
	let witness = Witness::connect(&network).await?;
	// Nobody has registered it.
	let stranger = device_key(&network, "stranger")?;

	replay_leaf(&witness, garage).await?;
	replay_evidence(&network, &witness, garage, &stranger).await?;
	let (office, key) = forge_registration(&network, &witness, &stranger).await?;
	forge_leaf(&witness, office, &key, &stranger).await?;
	forge_hello(&witness, office, &stranger).await?;
	start_agent_with_another_key(&network, garage)?;

	drop(witness);
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}

/// A network with a device whose agent has had evidence and a leaf accepted and was then killed,
/// so that from now on nothing changes but what the test changes.
fn silenced_device() -> Result<(Network, DeviceId)> {
	let mut network = Network::start(&Options::default())?;
	network.start_orchestrator()?;
	let device = network.start_agent(&AgentOptions {
		name: "garage",
		provider: accounts::PROVIDER,
		tariff: "0.19",
		lanes: 1,
	})?;
	network.cli().until(
		"active device",
		&["device", "show", &device.to_string()],
		MATCHABLE,
		|shown| (shown["status"] == "active").then_some(()),
	)?;
	network.kill_service("garage")?;
	// What the agent sent last is in a block before this is: transactions of an account are taken in
	// order.
	network.cli().run(accounts::PROVIDER, &["provider", "set-operator"])?;
	Ok((network, DeviceId(u32::try_from(device)?)))
}

/// The agent's own leaf, copied from the chain.
async fn replay_leaf(witness: &Witness, device: DeviceId) -> Result<()> {
	let (leaf, signature) = witness.accepted_leaf(device).await?;
	let replay = api::tx().uptime().submit_leaf(Static(leaf), signature);
	let provider = Account::from_uri(accounts::PROVIDER)?;
	let reason = "Uptime.LeafReplayed: A leaf of this or a later epoch was already accepted.";
	witness.refused(&provider, &replay, reason).await?;

	// Anybody can read it there, but only who may act for the device may send its leaves.
	let tenant = Account::from_uri(accounts::TENANT)?;
	witness.refused(&tenant, &replay, "Uptime.NotOperator").await
}

/// The agent's own evidence, copied from the chain: while renewal is not open, without a nonce, and
/// under another nonce. Then evidence that another key signed.
async fn replay_evidence(
	network: &Network,
	witness: &Witness,
	device: DeviceId,
	stranger: &DeviceKey,
) -> Result<()> {
	let replay = submit_evidence(device, witness.accepted_evidence(device).await?)?;
	let provider = Account::from_uri(accounts::PROVIDER)?;
	let too_early =
		"Attestation.TooEarly: The attestation holds and its renewal window is not open";
	witness.refused(&provider, &replay, too_early).await?;

	witness.open_renewal().await?;
	let no_nonce = "Attestation.NoNonce: The device has no nonce: call `request_nonce` first.";
	witness.refused(&provider, &replay, no_nonce).await?;

	let request = api::tx().attestation().request_nonce(Static(device));
	witness.accepted(&provider, &request).await?;
	let other_nonce =
		"Attestation.NonceMismatch: The evidence contains another nonce than the device's current";
	witness.refused(&provider, &replay, other_nonce).await?;

	// Evidence for the right nonce, but by another key.
	let at = witness.best().await?;
	let nonce = query::attestation_nonce(&at, device)
		.await?
		.context("no nonce was issued")?
		.nonce;
	let genesis = witness.genesis();
	let signed_by = |key: &DeviceKey| {
		let machine = inventory(key, &genesis, network.folder());
		let statement = InventoryStatement { nonce, inventory: machine };
		let signature = key.sign(Domain::Evidence, &genesis, device, &statement);
		let evidence = Evidence::DeviceKeyInventory { statement, signature };
		submit_evidence(device, evidence.to_bytes().context("evidence too long")?.into_inner())
	};
	let bad_signature = "Attestation.BadSignature: The signature is not the device key's over this";
	witness.refused(&provider, &signed_by(stranger)?, bad_signature).await?;

	// The refusals have not used the nonce up.
	let key = DeviceKey::load(&network.folder().join("garage.key"))?;
	let before = query::attestation(&at, device).await?.context("not attested")?.expires_at;
	witness.accepted(&provider, &signed_by(&key)?).await?;
	let at = witness.best().await?;
	let after = query::attestation(&at, device).await?.context("not attested")?.expires_at;
	ensure!(after > before, "the attestation was not renewed: {before} and {after}");
	Ok(())
}

/// A device whose registration another key signed. Returns the device that its own key registers
/// after that.
async fn forge_registration(
	network: &Network,
	witness: &Witness,
	stranger: &DeviceKey,
) -> Result<(DeviceId, DeviceKey)> {
	let cli = network.cli();
	cli.run(accounts::OTHER_PROVIDER, &["provider", "register"])?;
	let added = cli
		.run(accounts::OTHER_PROVIDER, &["site", "add", "--region", "0", "--power-cap", "3000"])?;
	let site = SiteId(id_of(&added, "site")?);
	let key = device_key(network, "office")?;

	let provider = Account::from_uri(accounts::OTHER_PROVIDER)?;
	let nonce = query::registration_nonce(&witness.best().await?, &provider.id()).await?;
	let signature = stranger.sign_registration(&witness.genesis(), &provider.id().0, nonce);
	let forged = api::tx().devices().register_device(
		Static(site),
		None,
		key.public().0,
		1,
		1024,
		bounded(b"office".to_vec(), MAX_LABEL_LEN, "the label")?,
		signature.0,
	);
	let reason =
		"Devices.BadSignature: The signature is not the key's over this chain, provider and its next";
	witness.refused(&provider, &forged, reason).await?;
	let devices = query::devices(&witness.best().await?, Some(&provider.id())).await?;
	ensure!(devices.is_empty(), "the provider has {} devices", devices.len());

	// The key is still free and the nonce still the next.
	let file = network.folder().join("office.key").display().to_string();
	let site = site.to_string();
	let added = cli.run(
		accounts::OTHER_PROVIDER,
		&["device", "add", "--site", &site, "--key", &file, "--lanes", "1", "--memory", "1024"],
	)?;
	Ok((DeviceId(id_of(&added, "device")?), key))
}

/// A leaf that another key signed, and one that its own key signed, sent twice.
async fn forge_leaf(
	witness: &Witness,
	device: DeviceId,
	key: &DeviceKey,
	stranger: &DeviceKey,
) -> Result<()> {
	let provider = Account::from_uri(accounts::OTHER_PROVIDER)?;
	let genesis = witness.genesis();
	let signed_by = |key: &DeviceKey, leaf: Leaf| {
		let signature = key.sign(Domain::Leaf, &genesis, device, &leaf);
		api::tx().uptime().submit_leaf(Static(leaf), signature.0)
	};
	let forged = signed_by(stranger, leaf_of_last_epoch(witness, device).await?);
	let reason =
		"Uptime.BadSignature: The signature is not the device key's over this leaf, device and chain.";
	witness.refused(&provider, &forged, reason).await?;

	let honest = signed_by(key, leaf_of_last_epoch(witness, device).await?);
	witness.accepted(&provider, &honest).await?;
	witness.refused(&provider, &honest, "Uptime.LeafReplayed").await
}

/// A leaf of the epoch before the chain's present one.
async fn leaf_of_last_epoch(witness: &Witness, device: DeviceId) -> Result<Leaf> {
	let at = witness.best().await?;
	let (clock, _) = query::uptime_timing(&at).await?;
	let EpochIndex(running) = clock.epoch_at(query::now(&at).await?);
	Ok(Leaf {
		device,
		epoch: EpochIndex(running.saturating_sub(1)),
		slots: 1,
		beat_head: H256::zero(),
		telemetry_digest: H256::zero(),
		summary: TelemetrySummary::default(),
	})
}

/// A peer that says hello for a device whose key it does not have: it would get the device's leases
/// told.
async fn forge_hello(witness: &Witness, device: DeviceId, stranger: &DeviceKey) -> Result<()> {
	let before = witness.standing().await?;
	let found = query::orchestrators(&witness.best().await?, Some(RegionId(0))).await?;
	let (_, _, address) = found.first().context("no orchestrator is registered")?;
	let (handle, _inbound) = Node::spawn(NodeConfig {
		identity: [7; 32],
		listen: Vec::new(),
		request_timeout: EXCHANGE,
		max_peers: 8,
		rate: RateLimit::default(),
	})?;
	let orchestrator = handle.dial(address).await?;
	let peer = handle.peer_id().to_bytes();
	let sent_at = Moment::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
	let payload = hello_payload(&witness.genesis(), device, &peer, sent_at);
	let signature = stranger.sign_payload(&payload);
	let hello = ControlRequest::Hello { device, peer, sent_at, signature };
	match handle.control(orchestrator, hello, EXCHANGE).await? {
		ControlResponse::Refused { reason } => {
			ensure!(reason == Refusal::BadSignature, "refused as {reason}");
			contains(&reason.to_string(), "bad signature")?;
		},
		other => bail!("the orchestrator answered {other:?}"),
	}
	handle.shutdown().await;
	witness.only_fees_since(&before).await
}

/// An agent that is given another key than its device's: it says so and ends.
fn start_agent_with_another_key(network: &Network, device: DeviceId) -> Result<()> {
	let folder = network.folder();
	let config = folder.join("impostor.toml").display().to_string();
	fs::write(
		&config,
		format!(
			"device = {device}\nkey-file = {:?}\ndata-dir = {:?}\n",
			folder.join("stranger.key"),
			folder.join("impostor"),
		),
	)?;
	let cli = network.cli();
	let mut impostor = Process::start(
		folder,
		"impostor",
		cli.program(),
		["--url", cli.url(), "agent", "run", "--config", config.as_str()],
		&[("ARMATURE_ACCOUNT", accounts::PROVIDER), ("NO_COLOR", "1")],
	)?;
	let until = Instant::now() + PATIENCE;
	while impostor.is_running() {
		ensure!(Instant::now() < until, "it still runs: {}", impostor.output()?);
		thread::sleep(Duration::from_millis(100));
	}
	let reason = format!("device {device} is registered with another key than the one in");
	contains(&impostor.output()?, &reason)
}

/// Makes a device key with the command line.
fn device_key(network: &Network, name: &str) -> Result<DeviceKey> {
	let file = network.folder().join(format!("{name}.key"));
	network
		.cli()
		.run("", &["keys", "device", "--file", &file.display().to_string()])?;
	Ok(DeviceKey::load(&file)?)
}

fn id_of(answer: &Value, field: &str) -> Result<u32> {
	let id = answer[field].as_u64().with_context(|| format!("{field} in {answer}"))?;
	Ok(u32::try_from(id)?)
}
