//! A whole network on this machine: nodes, an orchestrator, a verifier, agents.

use crate::{
	cli::Armature,
	process::{free_port, program, Process},
};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{
	fs,
	path::{Path, PathBuf},
	thread,
	time::{Duration, Instant},
};
use tempfile::TempDir;

/// Who plays which part; all are endowed by the development presets.
pub mod accounts {
	/// Runs the first orchestrator.
	pub const ORCHESTRATOR: &str = "//Bob";
	/// Runs the first verifier.
	pub const VERIFIER: &str = "//Charlie";
	/// The first provider.
	pub const PROVIDER: &str = "//Dave";
	/// The second provider.
	pub const OTHER_PROVIDER: &str = "//Eve";
	/// Buys computations.
	pub const TENANT: &str = "//Ferdie";
	/// Report exchange rates.
	pub const FEEDERS: [&str; 3] = ["//Alice", "//Bob", "//Charlie"];
}

/// How long a first block may take.
const FIRST_BLOCK: Duration = Duration::from_secs(60);

/// How long a daemon may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// How long a service may take to stop: more than the ten seconds each that it gives its tasks, its
/// connections and its store.
const SERVICE_STOP: Duration = Duration::from_secs(40);

/// How long a node may take to stop: more than the minute that `sc_cli` gives its tasks.
const NODE_STOP: Duration = Duration::from_secs(75);

/// What a network consists of.
#[derive(Clone, Debug)]
pub struct Options {
	/// Validators: 1 runs the `development` preset, 3 `local_testnet`.
	pub validators: u8,
	/// Where everything lives; a temporary directory that is removed at the end when `None`.
	pub folder: Option<PathBuf>,
}

impl Default for Options {
	fn default() -> Self {
		Self { validators: 1, folder: None }
	}
}

/// What sets one agent apart.
#[derive(Clone, Debug)]
pub struct AgentOptions<'a> {
	/// Its name in the temporary directory.
	pub name: &'a str,
	/// The provider's secret URI.
	pub provider: &'a str,
	/// Price of a kWh in EUR.
	pub tariff: &'a str,
	/// Lanes that it offers.
	pub lanes: u16,
}

/// A running network.
pub struct Network {
	folder: PathBuf,
	/// Keeps the temporary directory for as long as the network.
	_temporary: Option<TempDir>,
	nodes: Vec<Option<Process>>,
	rpc_ports: Vec<u16>,
	services: Vec<(String, Process)>,
	cli: Armature,
}

impl Network {
	/// Starts the validators and waits until the first one builds blocks.
	pub fn start(options: &Options) -> Result<Self> {
		let (folder, temporary) = match &options.folder {
			Some(folder) => {
				fs::create_dir_all(folder)?;
				(folder.clone(), None)
			},
			None => {
				let temporary = tempfile::Builder::new().prefix("armature-").tempdir()?;
				(temporary.path().to_owned(), Some(temporary))
			},
		};
		let count = usize::from(options.validators.max(1));
		let rpc_ports = (0..count).map(|_| free_port()).collect::<Result<Vec<_>>>()?;
		let cli = Armature::new(&format!("ws://127.0.0.1:{}", rpc_ports[0]))?;
		let mut network = Self {
			folder,
			_temporary: temporary,
			nodes: Vec::new(),
			rpc_ports,
			services: Vec::new(),
			cli,
		};
		let mut first_address = None;
		for index in 0..count {
			let mut node = network.spawn_node(index, count, first_address.as_deref())?;
			if index == 0 && count > 1 {
				let identity = node.wait_for("node identity", FIRST_BLOCK, |line| {
					line.split_once("Local node identity is: ").map(|(_, id)| id.trim().to_owned())
				})?;
				first_address =
					Some(format!("/ip4/127.0.0.1/tcp/{}/p2p/{identity}", network.p2p_port(0)));
			}
			network.nodes.push(Some(node));
		}
		network.wait_for_block()?;
		Ok(network)
	}

	fn p2p_port(&self, index: usize) -> u16 {
		// Kept in a file, so that a restarted node is found where it was.
		fs::read_to_string(self.folder.join(format!("node-{index}.port")))
			.ok()
			.and_then(|text| text.parse().ok())
			.unwrap_or(0)
	}

	fn spawn_node(&self, index: usize, count: usize, bootnode: Option<&str>) -> Result<Process> {
		let port_file = self.folder.join(format!("node-{index}.port"));
		if !port_file.exists() {
			fs::write(&port_file, free_port()?.to_string())?;
		}
		let (rpc, p2p) = (self.rpc_ports[index].to_string(), self.p2p_port(index).to_string());
		let base = self.folder.join(format!("node-{index}"));
		let names = ["--alice", "--bob", "--charlie"];
		let mut arguments = vec![
			"--base-path".to_owned(),
			base.display().to_string(),
			"--rpc-port".into(),
			rpc,
			"--listen-addr".into(),
			format!("/ip4/127.0.0.1/tcp/{p2p}"),
			"--no-prometheus".into(),
			"--no-telemetry".into(),
			"--no-mdns".into(),
			"--validator".into(),
			"--unsafe-force-node-key-generation".into(),
			"--force-authoring".into(),
			"--rpc-methods=unsafe".into(),
			names.get(index).context("at most three validators")?.to_string(),
			"--chain".into(),
			if count == 1 { "dev".into() } else { "local".to_owned() },
		];
		if let Some(address) = bootnode {
			arguments.extend(["--bootnodes".into(), address.to_owned()]);
		}
		Process::start(
			&self.folder,
			&format!("node-{index}"),
			&program("armature-node")?,
			arguments,
			&[],
		)
	}

	fn wait_for_block(&self) -> Result<()> {
		let until = Instant::now() + FIRST_BLOCK;
		loop {
			match self.cli.try_run("", &["chain", "status"]) {
				Ok(outcome) if outcome.code == 0 => {
					let status: Value = serde_json::from_str(&outcome.stdout)?;
					if status["best"]["number"].as_u64().unwrap_or(0) > 0 {
						return Ok(());
					}
				},
				_ if Instant::now() >= until => {
					anyhow::bail!(
						"no block within {} s; see {}",
						FIRST_BLOCK.as_secs(),
						self.folder.join("node-0.log").display()
					)
				},
				_ => {},
			}
			thread::sleep(Duration::from_millis(500));
		}
	}

	/// The command line, connected to the first node.
	pub fn cli(&self) -> &Armature {
		&self.cli
	}

	/// The folder with logs, keys and data.
	pub fn folder(&self) -> &Path {
		&self.folder
	}

	/// Has the feeders report a rate, in ARMA for one EUR.
	pub fn feed(&self, rate: &str) -> Result<()> {
		for feeder in accounts::FEEDERS {
			self.cli.run(feeder, &["energy", "feed", "--currency", "EUR", "--rate", rate])?;
		}
		Ok(())
	}

	/// Starts the orchestrator of region 0; it registers itself.
	pub fn start_orchestrator(&mut self) -> Result<()> {
		let port = free_port()?;
		let config = self.folder.join("orchestrator.toml");
		fs::write(
			&config,
			format!(
				"region = 0\ndata_dir = {:?}\nidentity_file = {:?}\nlisten = [\"/ip4/127.0.0.1/tcp/{port}\"]\n",
				self.folder.join("orchestrator"),
				self.folder.join("orchestrator.key"),
			),
		)?;
		self.start_daemon("orchestrator", "orchestrator", accounts::ORCHESTRATOR, &config)
	}

	/// Starts the first verifier; it registers itself.
	pub fn start_verifier(&mut self) -> Result<()> {
		self.start_verifier_of("verifier", accounts::VERIFIER)
	}

	/// Starts another verifier; it registers itself.
	pub fn start_verifier_of(&mut self, name: &str, account: &str) -> Result<()> {
		let port = free_port()?;
		let config = self.folder.join(format!("{name}.toml"));
		fs::write(
			&config,
			format!(
				"data_dir = {:?}\nidentity_file = {:?}\nlisten = [\"/ip4/127.0.0.1/tcp/{port}\"]\n",
				self.folder.join(name),
				self.folder.join(format!("{name}.key")),
			),
		)?;
		self.start_daemon("verifier", name, account, &config)
	}

	/// Registers a provider with one site and one device and starts its agent. Returns the device id.
	pub fn start_agent(&mut self, options: &AgentOptions) -> Result<u64> {
		let device = self.register(options, "")?;
		self.resume_agent(options.name, options.provider)?;
		Ok(device)
	}

	/// Registers a provider with one site and one device, and writes its agent's configuration with
	/// `more` behind what every agent has. Returns the device id.
	pub fn register(&mut self, options: &AgentOptions, more: &str) -> Result<u64> {
		let AgentOptions { name, provider, tariff, lanes } = options;
		self.cli.run(provider, &["provider", "register"])?;
		let site = self.cli.run(
			provider,
			&[
				"site",
				"add",
				"--region",
				"0",
				"--power-cap",
				"3000",
				"--pue",
				"1.1",
				"--currency",
				"EUR",
				"--tariff",
				tariff,
			],
		)?;
		let site = site["site"].as_u64().context("the site's id")?.to_string();
		let key = self.folder.join(format!("{name}.key")).display().to_string();
		self.cli.run("", &["keys", "device", "--file", &key])?;
		let device = self.cli.run(
			provider,
			&[
				"device",
				"add",
				"--site",
				&site,
				"--key",
				&key,
				"--lanes",
				&lanes.to_string(),
				"--memory",
				"1024",
				"--label",
				name,
			],
		)?;
		let device = device["device"].as_u64().context("the device's id")?;
		// Rounds of tests are answered with work, unless a test is about those that are not.
		let planted = match more.contains("[challenges]") {
			true => "",
			false => "\n[challenges]\nplanted-share-ppm = 0\n",
		};
		fs::write(
			self.folder.join(format!("{name}.toml")),
			format!(
				"device = {device}\nkey-file = {key:?}\ndata-dir = {:?}\n{more}{planted}",
				self.folder.join(name)
			),
		)?;
		Ok(device)
	}

	/// Starts an agent that was registered before.
	pub fn resume_agent(&mut self, name: &str, provider: &str) -> Result<()> {
		let config = self.folder.join(format!("{name}.toml"));
		let mut process = self.spawn_daemon("agent", name, provider, &config)?;
		process.wait_for("ready", READY, |line| line.contains("ready").then_some(()))?;
		self.services.push((name.to_owned(), process));
		Ok(())
	}

	fn start_daemon(&mut self, kind: &str, name: &str, account: &str, config: &Path) -> Result<()> {
		let mut process = self.spawn_daemon(kind, name, account, config)?;
		process.wait_for("ready", READY, |line| line.contains("ready").then_some(()))?;
		self.services.push((name.to_owned(), process));
		Ok(())
	}

	fn spawn_daemon(
		&self,
		kind: &str,
		name: &str,
		account: &str,
		config: &Path,
	) -> Result<Process> {
		Process::start(
			&self.folder,
			name,
			self.cli.program(),
			["--url", self.cli.url(), kind, "run", "--config", &config.display().to_string()],
			&[
				("ARMATURE_ACCOUNT", account),
				("RUST_LOG", "info,armature=debug"),
				("NO_COLOR", "1"),
			],
		)
	}

	/// Waits until a device is attested, alive, and has shown its speed and its memory.
	pub fn wait_until_matchable(&self, device: u64, limit: Duration) -> Result<Value> {
		self.cli.until(
			"matchable device",
			&["device", "show", &device.to_string()],
			limit,
			|shown| {
				(shown["status"] == "active"
					&& !shown["performance"]["cpu"].is_null()
					&& !shown["performance"]["memory"].is_null()
					&& !shown["power"].is_null())
				.then(|| shown.clone())
			},
		)
	}

	/// The price for 10^9 fuel, in planck, at which `fuel` on the device just covers its costs, and
	/// the sum in words.
	pub fn break_even(&self, device: u64, fuel: u64) -> Result<(u128, String)> {
		let (device, fuel) = (device.to_string(), fuel.to_string());
		let quote = self.cli.run("", &["energy", "break-even", &device, "--fuel", &fuel])?;
		let price = quote["price_per_gfuel"].as_str().with_context(|| format!("in {quote}"))?;
		Ok((price.parse()?, quote["sum"].as_str().unwrap_or_default().to_owned()))
	}

	/// Ends a service at once.
	pub fn kill_service(&mut self, name: &str) -> Result<()> {
		let index = self
			.services
			.iter()
			.position(|(running, _)| running == name)
			.with_context(|| format!("no service {name} runs"))?;
		self.services.remove(index).1.kill()
	}

	/// Ends a node at once, as a power cut would.
	pub fn kill_node(&mut self, index: usize) -> Result<()> {
		let node = self.nodes.get_mut(index).and_then(Option::take);
		node.with_context(|| format!("node {index} does not run"))?.kill()
	}

	/// Starts a node again on its data and waits for blocks.
	pub fn restart_node(&mut self, index: usize) -> Result<()> {
		let node = self.spawn_node(index, self.nodes.len(), None)?;
		self.nodes[index] = Some(node);
		self.wait_for_block()
	}

	/// Free and held balance of an account, in planck.
	pub fn balance(&self, account: &str) -> Result<(u128, u128)> {
		let shown = self.cli.run("", &["account", "balance", account])?;
		let planck = |field: &str| -> Result<u128> {
			shown[field]
				.as_str()
				.with_context(|| format!("{field} in {shown}"))?
				.parse()
				.with_context(|| format!("{field} in {shown}"))
		};
		Ok((planck("free")?, planck("held")?))
	}

	/// Stops everything in order and says whether all of it ended by itself with success. What did
	/// not is printed.
	pub fn stop(mut self) -> Result<bool> {
		let mut clean = true;
		while let Some((_, process)) = self.services.pop() {
			clean &= process.stop(SERVICE_STOP)?;
		}
		for node in self.nodes.drain(..).flatten() {
			clean &= node.stop(NODE_STOP)?;
		}
		Ok(clean)
	}
}
