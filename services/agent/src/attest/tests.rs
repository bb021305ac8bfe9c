//! Which evidence is sent, by which call, on machines that have some and on machines that have none.

use super::*;
use crate::{
	chain::EvidenceOutlook,
	testing::{FakeChain, GENESIS, NONCE},
};
use armature_evidence::{gpu::GpuError, Finding, Roots, State};
use armature_verifier::evidence::{
	check_statement, claimed_box, decode, gpu_nonce, hardware::testing::made,
};

const DEVICE: DeviceId = DeviceId(4);

/// A machine with an AMD chip, or with one that gives nothing, and with GPUs that may be broken.
#[derive(Default)]
struct Fake {
	works: bool,
	gpus: bool,
	broken: bool,
}

impl Machine for Fake {
	fn survey(&self) -> Survey {
		Survey {
			tier: Tier::T2,
			source: Some(Source::SevSnp),
			next_step: String::new(),
			findings: vec![Finding {
				source: Source::SevSnp,
				gives: Tier::T2,
				state: State::Available,
			}],
		}
	}

	fn platform(
		&self,
		source: Source,
		report_data: &[u8; 32],
	) -> Result<PlatformEvidence, CollectError> {
		match (source, self.works) {
			(Source::SevSnp, true) => Ok(made::snp(report_data)),
			_ => Err(CollectError::NotBuilt(source)),
		}
	}

	fn gpu_state(&self) -> State {
		if self.gpus {
			State::Available
		} else {
			State::NotSupported { why: "there is none".into() }
		}
	}

	fn gpus(
		&self,
		report_data: &[u8; 32],
		platform: &PlatformEvidence,
	) -> Result<GpuReports, CollectError> {
		if self.broken {
			return Err(CollectError::Gpu(GpuError::None));
		}
		let named = claimed_box(platform).expect("readable").expect("named");
		let report = made::gpu(&gpu_nonce(report_data, &named), 0);
		Ok(vec![report].try_into().expect("in bounds"))
	}
}

fn with_gpus(broken: bool) -> Fake {
	Fake { works: true, gpus: true, broken }
}

fn key() -> DeviceKey {
	DeviceKey::from_seed(&[9; 32])
}

fn attestor(chain: &Arc<FakeChain>, source: EvidenceSource, machine: impl Machine) -> Attestor {
	attestor_with(chain, source, GpuUse::Auto, machine)
}

fn attestor_with(
	chain: &Arc<FakeChain>,
	source: EvidenceSource,
	gpus: GpuUse,
	machine: impl Machine,
) -> Attestor {
	let config = EvidenceConfig { source, gpus, ..EvidenceConfig::default() };
	let data_dir = std::env::temp_dir();
	let machine = Arc::new(machine);
	Attestor { machine, ..Attestor::new(chain.clone(), key(), GENESIS, DEVICE, data_dir, &config) }
}

/// What was sent last, which is signed for the nonce, and by which calls all was.
fn sent(chain: &FakeChain) -> (Evidence, Vec<&'static str>) {
	let (bytes, calls) =
		chain.edit(|state| (state.evidence.last().cloned().expect("sent"), state.calls.clone()));
	let evidence = decode(&bytes).expect("evidence");
	let context = Context { genesis: GENESIS, device: DEVICE, key: key().public(), nonce: NONCE };
	check_statement(&evidence, &context).expect("signed for this nonce");
	(evidence, calls)
}

fn refuse(chain: &FakeChain) {
	chain.edit(|state| state.outlook = Err("Attestation.Hardware: debug".into()));
}

#[tokio::test]
async fn hardware_should_be_asked_for_the_nonce_and_its_evidence_be_sent() {
	for source in [EvidenceSource::Auto, EvidenceSource::SevSnp] {
		let chain = Arc::new(FakeChain::default());
		attestor(&chain, source, Fake { works: true, ..Fake::default() })
			.attest(None)
			.await
			.expect("attested");
		let (evidence, calls) = sent(&chain);
		let Evidence::Hardware { platform, gpus, .. } = evidence else { panic!("{evidence:?}") };
		let context =
			Context { genesis: GENESIS, device: DEVICE, key: key().public(), nonce: NONCE };
		assert_eq!(platform, made::snp(&report_data(&context)));
		assert_eq!((gpus.len(), calls), (0, vec!["attest"]));
	}
}

#[tokio::test]
async fn a_renewal_should_be_made_where_the_chain_says_so() {
	let chain = Arc::new(FakeChain::default());
	chain.edit(|state| state.outlook = Ok(EvidenceOutlook { tier: Tier::T2, renews: true }));
	attestor(&chain, EvidenceSource::Auto, Fake { works: true, ..Fake::default() })
		.attest(None)
		.await
		.expect("renewed");
	assert_eq!(sent(&chain).1, ["renew"]);
}

#[tokio::test]
async fn a_refused_renewal_should_become_a_full_verification() {
	let chain = Arc::new(FakeChain::default());
	chain.edit(|state| {
		state.outlook = Ok(EvidenceOutlook { tier: Tier::T2, renews: true });
		state.refuse_renewals = true;
	});
	let agent = attestor(&chain, EvidenceSource::Auto, Fake { works: true, ..Fake::default() });
	agent.attest(None).await.expect("attested");
	assert_eq!(sent(&chain).1, ["renewal refused", "attest"]);
}

#[tokio::test]
async fn evidence_that_would_be_refused_should_not_be_sent() {
	let chain = Arc::new(FakeChain::default());
	refuse(&chain);
	let error = attestor(&chain, EvidenceSource::SevSnp, Fake { works: true, ..Fake::default() })
		.attest(None)
		.await
		.expect_err("refused");
	assert_eq!(error.to_string(), "the chain refused: Attestation.Hardware: debug");
	assert!(chain.edit(|state| state.calls.is_empty()));
}

#[tokio::test]
async fn the_device_key_should_stand_in_only_where_the_source_is_left_open() {
	for (works, refused) in [(false, false), (true, true)] {
		let chain = Arc::new(FakeChain::default());
		if refused {
			refuse(&chain);
		}
		let auto = attestor(&chain, EvidenceSource::Auto, Fake { works, ..Fake::default() });
		auto.attest(None).await.expect("attested with the key");
		assert!(matches!(sent(&chain).0, Evidence::DeviceKeyInventory { .. }));
	}
	let chain = Arc::new(FakeChain::default());
	let fixed = attestor(&chain, EvidenceSource::SevSnp, Fake::default());
	let error = fixed.attest(None).await.expect_err("no evidence").to_string();
	assert!(error.starts_with("no sev-snp evidence: "), "{error}");
	assert!(error.contains("; to do: "), "{error}");
	assert!(chain.edit(|state| state.calls.is_empty()));
}

#[tokio::test]
async fn a_chain_that_is_down_should_not_make_it_the_device_key() {
	let chain = Arc::new(FakeChain::default());
	chain.edit(|state| state.down = true);
	let auto = attestor(&chain, EvidenceSource::Auto, Fake { works: true, ..Fake::default() });
	let error = auto.attest(None).await.expect_err("down");
	assert!(matches!(error, AttestError::Chain(ChainError::Unavailable(_))), "{error}");
}

#[tokio::test]
async fn a_machine_that_has_nothing_should_use_its_key() {
	let empty = tempfile::tempdir().expect("a directory");
	let at = empty.path().to_path_buf();
	let roots = Roots { sys: at.clone(), dev: at.clone(), proc: at.clone(), nvml: at };
	let machine = || Collector { roots: roots.clone(), ..Collector::default() };
	let chain = Arc::new(FakeChain::default());
	attestor(&chain, EvidenceSource::Auto, machine())
		.attest(None)
		.await
		.expect("attested");
	assert!(matches!(sent(&chain).0, Evidence::DeviceKeyInventory { .. }));
	let tdx = attestor(&chain, EvidenceSource::Tdx, machine()).attest(None).await;
	assert!(matches!(tdx, Err(AttestError::Collect { evidence: Source::Tdx, .. })), "{tdx:?}");
}

/// How many GPUs went beside the platform; `None` without one.
fn gpus_sent(chain: &FakeChain) -> Option<usize> {
	match sent(chain).0 {
		Evidence::Hardware { gpus, .. } => Some(gpus.len()),
		Evidence::DeviceKeyInventory { .. } => None,
	}
}

#[tokio::test]
async fn gpus_should_go_beside_the_platform_as_configured() {
	use EvidenceSource::{Auto, SevSnp};
	for (source, gpus, machine, expected) in [
		(Auto, GpuUse::Auto, with_gpus(false), 1),
		(SevSnp, GpuUse::Auto, with_gpus(false), 1),
		(SevSnp, GpuUse::Always, with_gpus(false), 1),
		(Auto, GpuUse::Never, with_gpus(false), 0),
		(SevSnp, GpuUse::Never, with_gpus(false), 0),
		(Auto, GpuUse::Auto, Fake { works: true, ..Fake::default() }, 0),
		(Auto, GpuUse::Auto, with_gpus(true), 0),
		(SevSnp, GpuUse::Auto, with_gpus(true), 0),
	] {
		let chain = Arc::new(FakeChain::default());
		let agent = attestor_with(&chain, source, gpus, machine);
		agent.attest(None).await.expect("attested");
		assert_eq!(gpus_sent(&chain), Some(expected), "{source:?} {gpus:?}");
	}
}

#[tokio::test]
async fn gpus_that_are_always_wanted_should_not_be_left_out() {
	for source in [EvidenceSource::Auto, EvidenceSource::SevSnp] {
		let chain = Arc::new(FakeChain::default());
		let agent = attestor_with(&chain, source, GpuUse::Always, with_gpus(true));
		let error = agent.attest(None).await.expect_err("broken").to_string();
		assert!(error.starts_with("no nvidia-gpu evidence: the driver shows no GPU"), "{error}");
		assert!(chain.edit(|state| state.calls.is_empty()));
	}
	let empty = tempfile::tempdir().expect("a directory");
	let at = empty.path().to_path_buf();
	let roots = Roots { sys: at.clone(), dev: at.clone(), proc: at.clone(), nvml: at };
	let chain = Arc::new(FakeChain::default());
	let machine = Collector { roots, ..Collector::default() };
	let agent = attestor_with(&chain, EvidenceSource::Auto, GpuUse::Always, machine);
	let error = agent.attest(None).await.expect_err("no platform");
	assert!(matches!(error, AttestError::NoPlatform(_)), "{error}");
}

#[tokio::test]
async fn less_than_what_is_held_should_not_be_attested() {
	for (held, machine, expected) in [
		(Some(Tier::T3), with_gpus(true), Err("no nvidia-gpu evidence")),
		(Some(Tier::T2), with_gpus(true), Ok(Some(0))),
		(Some(Tier::T0), with_gpus(true), Ok(Some(0))),
		(Some(Tier::T3), Fake::default(), Err("no sev-snp evidence")),
		(Some(Tier::T2), Fake::default(), Err("no sev-snp evidence")),
		(Some(Tier::T0), Fake::default(), Ok(None)),
		(None, Fake::default(), Ok(None)),
	] {
		let chain = Arc::new(FakeChain::default());
		match (attestor(&chain, EvidenceSource::Auto, machine).attest(held).await, expected) {
			(Ok(()), Ok(gpus)) => assert_eq!(gpus_sent(&chain), gpus, "{held:?}"),
			(Err(error), Err(expected)) => {
				assert!(error.to_string().starts_with(expected), "{held:?}: {error}");
				assert!(chain.edit(|state| state.calls.is_empty()));
			},
			(done, _) => panic!("{held:?}: {done:?}"),
		}
	}
}

/// GPUs whose driver says that there are none any more.
fn gone() -> Fake {
	Fake { works: true, gpus: false, broken: true }
}

#[tokio::test]
async fn gpus_that_are_gone_should_not_lower_what_is_held() {
	for source in [EvidenceSource::Auto, EvidenceSource::SevSnp] {
		let chain = Arc::new(FakeChain::default());
		let error = attestor(&chain, source, gone()).attest(Some(Tier::T3)).await;
		let error = error.expect_err("held").to_string();
		assert!(error.starts_with("no nvidia-gpu evidence: the driver shows no GPU"), "{error}");
		assert!(chain.edit(|state| state.calls.is_empty()));
		// They never counted, or do not any more.
		for held in [None, Some(Tier::T0), Some(Tier::T2)] {
			let chain = Arc::new(FakeChain::default());
			attestor(&chain, source, gone()).attest(held).await.expect("attested");
			assert_eq!(gpus_sent(&chain), Some(0));
		}
	}
}

#[tokio::test]
async fn a_platform_that_is_gone_should_be_told() {
	let empty = tempfile::tempdir().expect("a directory");
	let at = empty.path().to_path_buf();
	let roots = Roots { sys: at.clone(), dev: at.clone(), proc: at.clone(), nvml: at };
	let chain = Arc::new(FakeChain::default());
	let machine = Collector { roots, ..Collector::default() };
	let agent = attestor(&chain, EvidenceSource::Auto, machine);
	let error = agent.attest(Some(Tier::T2)).await.expect_err("held");
	assert!(matches!(error, AttestError::PlatformLost(_)), "{error}");
	assert!(chain.edit(|state| state.calls.is_empty()));
	agent.attest(Some(Tier::T0)).await.expect("attested");
	assert_eq!(gpus_sent(&chain), None);
}

/// A machine of which one part hangs until it is let go.
struct Hanging {
	let_go: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
	/// Which part: "platform", "state" or "gpus".
	part: &'static str,
	rest: Fake,
}

impl Hanging {
	fn wait(&self, part: &str) {
		if self.part == part {
			self.let_go.lock().expect("not poisoned").recv().expect("let go");
		}
	}
}

impl Machine for Hanging {
	fn survey(&self) -> Survey {
		self.rest.survey()
	}

	fn platform(&self, source: Source, data: &[u8; 32]) -> Result<PlatformEvidence, CollectError> {
		self.wait("platform");
		self.rest.platform(source, data)
	}

	fn gpu_state(&self) -> State {
		self.wait("state");
		self.rest.gpu_state()
	}

	fn gpus(
		&self,
		data: &[u8; 32],
		platform: &PlatformEvidence,
	) -> Result<GpuReports, CollectError> {
		self.wait("gpus");
		self.rest.gpus(data, platform)
	}
}

/// An agent on a machine of which a part hangs, and what lets it go.
fn hanging(chain: &Arc<FakeChain>, part: &'static str) -> (Attestor, std::sync::mpsc::Sender<()>) {
	let (let_go, waits) = std::sync::mpsc::channel();
	let rest =
		if part == "platform" { Fake { works: true, ..Fake::default() } } else { with_gpus(false) };
	let machine = Hanging { let_go: waits.into(), part, rest };
	let mut agent = attestor(chain, EvidenceSource::Auto, machine);
	agent.patience = std::time::Duration::from_millis(50);
	(agent, let_go)
}

#[tokio::test]
async fn gpus_that_hang_should_not_hold_up_the_platform() {
	for part in ["state", "gpus"] {
		let chain = Arc::new(FakeChain::default());
		let (agent, let_go) = hanging(&chain, part);
		for _ in 0..2 {
			agent.attest(None).await.expect("attested");
			assert_eq!(gpus_sent(&chain), Some(0), "{part}");
		}
		// An attestation with GPUs is not given up for it.
		let error = agent.attest(Some(Tier::T3)).await.expect_err("held");
		assert!(matches!(error, AttestError::Busy), "{error}");
		for _ in 0..2 {
			// Once for who waits, once for who asks again.
			let_go.send(()).expect("it waits");
		}
		drop(agent.gpu_turn.lock().await);
		agent.attest(Some(Tier::T3)).await.expect("attested");
		assert_eq!(gpus_sent(&chain), Some(1), "{part}");
	}
}

#[tokio::test]
async fn a_platform_that_hangs_should_not_become_the_device_key() {
	let chain = Arc::new(FakeChain::default());
	let (agent, let_go) = hanging(&chain, "platform");
	let error = agent.attest(Some(Tier::T2)).await.expect_err("silent");
	assert!(matches!(error, AttestError::Silent(_)), "{error}");
	let error = agent.attest(None).await.expect_err("still silent");
	assert!(matches!(error, AttestError::Busy), "{error}");
	assert!(chain.edit(|state| state.calls.is_empty()));
	let_go.send(()).expect("it waits");
}
