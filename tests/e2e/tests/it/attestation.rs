//! Evidence of hardware on a running chain, with a software TPM in the place of hardware: collected,
//! refused, accepted, renewed, and forged.

use crate::{
	alone,
	witness::{runtime, Witness},
};
use anyhow::{ensure, Context, Result};
use armature_agent::{inventory::inventory, DeviceKey};
use armature_e2e_tests::{
	network::{accounts, AgentOptions},
	process::read_log,
	Network, Options, Process,
};
use armature_primitives::{
	evidence::{Evidence, EvidenceFormat, InventoryStatement},
	signing::Domain,
	DeviceId,
};
use armature_sdk::{api, bounded, query, Account, Static};
use codec::Decode;
use std::{
	net::{Ipv4Addr, TcpListener, TcpStream},
	process::{Command, Stdio},
	thread,
	time::{Duration, Instant},
};

/// How long an agent, or the verifier, may take to do what it should.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_software_tpm_should_count_where_the_network_says_so_and_its_forgery_be_slashed() -> Result<()>
{
	let _alone = alone();
	if Command::new("swtpm").arg("--version").stdout(Stdio::null()).status().is_err() {
		println!("skipped: no swtpm");
		return Ok(());
	}
	let mut network = Network::start(&Options::default())?;
	network.start_verifier()?;
	let (tpm, port) = start_tpm(&network)?;
	let options =
		AgentOptions { name: "garage", provider: accounts::PROVIDER, tariff: "0.30", lanes: 1 };
	let more = format!(
		"[evidence]\nsource = \"tpm\"\ntpm = \"swtpm:host=127.0.0.1,port={port}\"\n\
		 [poll]\nupkeep-millis = 1000\n"
	);
	let device = DeviceId(u32::try_from(network.register(&options, &more)?)?);
	network.resume_agent("garage", accounts::PROVIDER)?;
	let runtime = runtime()?;
	runtime.block_on(scenario(&mut network, device))?;
	tpm.kill()?;
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}

async fn scenario(network: &mut Network, device: DeviceId) -> Result<()> {
	let witness = Witness::connect(network).await?;
	// By default nobody believes a program. The agent hears so before it sends, and says so.
	let refused = "Attestation.Hardware: What the hardware says does not hold or is not accepted. \
		(check PhysicalTpm: NotAccepted)";
	until("refusal in the agent's log", || {
		Ok(read_log(network.folder(), "garage").contains(refused))
	})?;
	let at = witness.best().await?;
	ensure!(query::attestation(&at, device).await?.is_none(), "attested by a program");

	witness
		.set_attestation_parameters(|parameters| {
			parameters.validity = 80_000;
			parameters.renewal_window = 60_000;
			parameters.nonce_lifetime = 20_000;
			parameters.grace = 20_000;
			parameters.dispute_window = 12_000;
			// No draw, so that the next evidence is a renewal.
			parameters.full_check_every = u32::MAX;
		})
		.await?;
	witness.accept_software_tpms().await?;
	network.kill_service("garage")?;
	network.resume_agent("garage", accounts::PROVIDER)?;

	let attested = attested(&witness, device, |record| record.proved_at > 0).await?;
	ensure!(attested.format.0 == EvidenceFormat::Tpm, "{attested:?}");
	ensure!(attested.identities.0.is_empty(), "a program names no box: {attested:?}");
	let renewed = self::attested(&witness, device, |record| record.renewals > 0).await?;
	ensure!(renewed.expires_at > attested.expires_at, "{renewed:?}");
	ensure!(renewed.proved_at == attested.proved_at, "{renewed:?}");

	network.kill_service("garage")?;
	forge(network, &witness, device).await
}

/// Renews with a quote for an older nonce. The verifier finds out.
async fn forge(network: &Network, witness: &Witness, device: DeviceId) -> Result<()> {
	let bytes = witness.accepted_evidence(device).await?;
	let Evidence::Hardware { platform, gpus, .. } = Evidence::decode(&mut bytes.as_slice())? else {
		anyhow::bail!("no evidence of hardware was accepted");
	};
	// The last renewal must be over before there can be another.
	thread::sleep(Duration::from_secs(12));
	witness
		.set_attestation_parameters(|parameters| {
			parameters.validity = 200_000;
			parameters.renewal_window = 200_000;
			parameters.dispute_window = 180_000;
		})
		.await?;
	let provider = Account::from_uri(accounts::PROVIDER)?;
	let nonce = witness.request_nonce(&provider, device).await?;
	let key = DeviceKey::load(&network.folder().join("garage.key"))?;
	let inventory = inventory(&key, &witness.genesis(), network.folder());
	let statement = InventoryStatement { nonce, inventory };
	let signature = key.sign(Domain::Evidence, &witness.genesis(), device, &statement);
	let forged = Evidence::Hardware { statement, signature, platform, gpus };
	let bytes = forged.to_bytes().context("too long")?.into_inner();
	let bond = bond(witness, device).await?;

	// In a batch, where nobody would look for it.
	let evidence = bounded(bytes, armature_primitives::evidence::MAX_EVIDENCE_LEN, "evidence")?;
	let renew =
		api::Call::Attestation(api::attestation::Call::renew { device: Static(device), evidence });
	let batch = api::tx().utility().batch_all(vec![renew]);
	witness.next_block().await?;
	witness.accepted(&provider, &batch).await?;

	let shown = network.cli().until(
		"jailed device",
		&["device", "show", &device.to_string()],
		PATIENCE,
		|shown| (shown["status"] == "jailed").then(|| shown.clone()),
	)?;
	let at = witness.best().await?;
	ensure!(query::attestation(&at, device).await?.is_none(), "still attested: {shown}");
	let left = self::bond(witness, device).await?;
	ensure!(left == bond - bond / 2, "the bond went from {bond} to {left}");
	Ok(())
}

async fn bond(witness: &Witness, device: DeviceId) -> Result<u128> {
	let at = witness.best().await?;
	Ok(query::device(&at, device).await?.context("no such device")?.bond)
}

/// Waits until the device has a record that is as it should be.
async fn attested(
	witness: &Witness,
	device: DeviceId,
	is_it: impl Fn(&query::Attestation) -> bool,
) -> Result<query::Attestation> {
	let until = Instant::now() + PATIENCE;
	loop {
		let found = query::attestation(&witness.best().await?, device).await?;
		if let Some(record) = found.filter(&is_it) {
			return Ok(record);
		}
		ensure!(Instant::now() < until, "the attestation did not come");
		tokio::time::sleep(Duration::from_millis(500)).await;
	}
}

fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
	let until = Instant::now() + PATIENCE;
	while !is_so()? {
		ensure!(Instant::now() < until, "no {what} within {} s", PATIENCE.as_secs());
		thread::sleep(Duration::from_millis(500));
	}
	Ok(())
}

/// Starts a software TPM on loopback.
fn start_tpm(network: &Network) -> Result<(Process, u16)> {
	let folder = network.folder().join("tpm");
	std::fs::create_dir_all(&folder)?;
	let port = two_free_ports().context("no two ports are free")?;
	let arguments = [
		"socket".to_owned(),
		"--tpm2".into(),
		"--flags".into(),
		"not-need-init,startup-clear".into(),
		"--tpmstate".into(),
		format!("dir={}", folder.display()),
		"--server".into(),
		format!("type=tcp,port={port},bindaddr=127.0.0.1"),
		"--ctrl".into(),
		format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1),
	];
	let process = Process::start(network.folder(), "tpm", "swtpm".as_ref(), arguments, &[])?;
	// The control port is opened last, and serves no commands.
	until("software TPM", || Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port + 1)).is_ok()))?;
	Ok((process, port))
}

/// A port that is free together with the one above it: tpm2-tss expects them so.
fn two_free_ports() -> Option<u16> {
	(0..100).find_map(|_| {
		let lower = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
		let port = lower.local_addr().ok()?.port();
		TcpListener::bind((Ipv4Addr::LOCALHOST, port.checked_add(1)?)).ok()?;
		Some(port)
	})
}
