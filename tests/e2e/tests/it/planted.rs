//! A verifier that says of every device that it passed, without having looked at its work: an agent's
//! planted answers cost it a part of its bond, and those who look nothing.

use crate::{
	alone,
	happy_path::MATCHABLE,
	witness::{runtime, Witness},
};
use anyhow::{ensure, Context, Result};
use armature_e2e_tests::{
	network::{accounts, AgentOptions},
	Network, Options,
};
use armature_p2p::{
	ControlRequest, ControlResponse, Handle, Inbound, InboundRequest, Node, NodeConfig, PeerId,
	RateLimit, Refusal, ServiceKind,
};
use armature_primitives::{
	challenge::{AssignmentPhase, ChallengeTask, Measured, Verdict, Work},
	DeviceId, Moment, Ppm, RoundId, H256,
};
use armature_sdk::{query, Account, Chain, Static};
use armature_verifier::challenge::verdict::seal;
use armature_verifierd::{chain::sdk::SdkChain, ChainView};
use serde_json::Value;
use std::{
	collections::HashMap,
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;

/// How long an answer may take to be planted, used and shown.
const PATIENCE: Duration = Duration::from_secs(240);

/// Upper bound on an exchange with the device.
const EXCHANGE: Duration = Duration::from_secs(30);

/// The verifier that looks beside the first one, and the one that does not.
const OTHER_VERIFIER: &str = "//Bob";
const LAZY: &str = "//Alice";

/// The agent has an answer planted at all times, and uses it as soon as it may.
const ALWAYS: &str = "[challenges]\nplanted-share-ppm = 1000000\n\n[poll]\nupkeep-millis = 2000\n";

#[test]
fn verifier_that_does_not_look_should_pay_for_a_planted_answer() -> Result<()> {
	let _alone = alone();
	let mut network = Network::start(&Options::default())?;
	network.start_orchestrator()?;
	network.start_verifier()?;
	network.start_verifier_of("verifier-2", OTHER_VERIFIER)?;
	runtime()?.block_on(scenario(&mut network))?;
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}

async fn scenario(network: &mut Network) -> Result<()> {
	let witness = Witness::connect(network).await?;
	let lazy = Lazy::start(network).await?;
	witness
		.set_challenge_parameters(|parameters| {
			parameters.committee = 3;
			// Somebody is drawn in every other block, for lanes.
			parameters.round_interval_blocks = 2;
			parameters.min_share = Static(Ppm::ONE);
			parameters.max_share = Static(Ppm::ONE);
			parameters.memory_part = Static(Ppm(0));
			parameters.network_part = Static(Ppm(0));
		})
		.await?;
	let options =
		AgentOptions { name: "garage", provider: accounts::PROVIDER, tariff: "0.19", lanes: 1 };
	let number = network.register(&options, ALWAYS)?;
	network.resume_agent("garage", accounts::PROVIDER)?;
	network.wait_until_matchable(number, MATCHABLE)?;

	// It may happen before the device is matchable.
	let shown =
		network
			.cli()
			.until("fooled verifier", &["verifier", "show", LAZY], PATIENCE, |shown| {
				(shown["fooled"].as_u64() > Some(0)).then(|| shown.clone())
			})?;
	let fooled = u128::from(shown["fooled"].as_u64().context("a number")?);
	let penalty = query::challenge_parameters(&witness.best().await?).await?.planted_penalty;
	let (bonded, left) = (planck(&shown, "bonded")?, planck(&shown, "bond")?);
	ensure!(left == bonded - fooled * penalty, "of {bonded} were left {left}: {shown}");
	for honest in [accounts::VERIFIER, OTHER_VERIFIER] {
		let shown = network.cli().run("", &["verifier", "show", honest])?;
		ensure!(shown["fooled"].as_u64() == Some(0), "{shown}");
		ensure!(planck(&shown, "bond")? == planck(&shown, "bonded")?, "{shown}");
	}
	// The round does not count: what the device had shown before is there again.
	let device = DeviceId(u32::try_from(number)?);
	let until = Instant::now() + PATIENCE;
	loop {
		let at = witness.best().await?;
		let enrolment = query::enrolment(&at, device).await?.context("it is enrolled")?;
		let performance = query::performance(&at, device).await?;
		if enrolment.failures == 0 && performance.cpu.is_some() && performance.memory.is_some() {
			break;
		}
		ensure!(Instant::now() < until, "the score is not back: {enrolment:?}");
		witness.next_block().await?;
	}
	lazy.handle.shutdown().await;
	Ok(())
}

/// A sum of a shown verifier.
fn planck(shown: &Value, field: &str) -> Result<u128> {
	Ok(shown[field].as_str().with_context(|| format!("in {shown}"))?.parse()?)
}

/// A verifier that waits for the commitment and asks for nothing else.
struct Lazy {
	handle: Handle,
}

impl Lazy {
	async fn start(network: &Network) -> Result<Self> {
		let (handle, inbound) = Node::spawn(NodeConfig {
			identity: [11; 32],
			listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
			request_timeout: EXCHANGE,
			max_peers: 8,
			rate: RateLimit::default(),
		})?;
		let addresses = handle.listen_addresses().await?;
		let address = addresses.first().context("it listens")?;
		network.cli().run(LAZY, &["verifier", "register", "--address", address])?;
		let chain = Chain::connect(&[network.cli().url().to_owned()]).await?;
		let chain = SdkChain::new(chain, Account::from_uri(LAZY)?);
		let peers = Arc::new(Mutex::new(HashMap::new()));
		tokio::spawn(welcome(inbound, peers.clone()));
		tokio::spawn(judge(handle.clone(), chain, peers));
		Ok(Self { handle })
	}
}

type Peers = Arc<Mutex<HashMap<DeviceId, PeerId>>>;

/// Takes whoever says hello for the device.
async fn welcome(mut inbound: mpsc::Receiver<Inbound>, peers: Peers) {
	while let Some(Inbound { peer, request, reply }) = inbound.recv().await {
		match request {
			InboundRequest::Control(ControlRequest::Hello { device, .. }) => {
				peers.lock().unwrap_or_else(PoisonError::into_inner).insert(device, peer);
				let service = ServiceKind::Verifier;
				reply.control(ControlResponse::Welcome { service, now: unix_millis() });
			},
			_ => reply.refuse(Refusal::NotAssigned),
		}
	}
}

/// Passes everything that anybody commits to.
async fn judge(handle: Handle, chain: SdkChain, peers: Peers) {
	let mut sealed: HashMap<RoundId, Verdict> = HashMap::new();
	loop {
		tokio::time::sleep(Duration::from_millis(500)).await;
		let Ok(open) = chain.open_rounds().await else { continue };
		for assignment in open {
			let task = assignment.task;
			match assignment.phase {
				AssignmentPhase::Seal if !sealed.contains_key(&task.round) => {
					let Some(verdict) = pass(&handle, &peers, task).await else { continue };
					let hash = seal(task.round, &chain.account(), &verdict, &H256::zero());
					if chain.seal_verdicts(&[(task.round, hash)]).await.is_ok() {
						sealed.insert(task.round, verdict);
					}
				},
				AssignmentPhase::Reveal { .. } => {
					if let Some(verdict) = sealed.get(&task.round) {
						// Asked again at the next look where it fails.
						let _ =
							chain.reveal_verdicts(&[(task.round, *verdict, H256::zero())]).await;
					}
				},
				AssignmentPhase::Seal | AssignmentPhase::Wait => {},
			}
		}
	}
}

async fn pass(handle: &Handle, peers: &Peers, task: ChallengeTask) -> Option<Verdict> {
	let peer = *peers.lock().unwrap_or_else(PoisonError::into_inner).get(&task.device)?;
	let began = Instant::now();
	let start = ControlRequest::StartChallenge { task };
	let answer = handle.control(peer, start, EXCHANGE).await.ok()?;
	let ControlResponse::Committed { commit, signature } = answer else { return None };
	let elapsed = u32::try_from(began.elapsed().as_millis()).ok()?.max(1);
	let measured = match task.work {
		Work::Cpu(_) => Measured::Cpu { elapsed_millis: elapsed },
		Work::Gemm(_) => Measured::Gemm { elapsed_millis: elapsed },
		Work::Storage(_) => Measured::Storage { answer_millis: elapsed, read_millis: 9 },
		Work::Memory(_) => Measured::Memory { fill_millis: elapsed, read_nanos: 500 },
		Work::Network(_) => Measured::Network {
			answer_millis: elapsed,
			round_trip_micros: 500,
			up_kbps: 9_000,
			down_kbps: 9_000,
		},
	};
	Some(Verdict::Passed { measured, power: commit.power, root: commit.root, signature })
}

fn unix_millis() -> Moment {
	let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
	Moment::try_from(now.as_millis()).unwrap()
}
