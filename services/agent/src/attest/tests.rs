//! Which evidence is sent, by which call, on machines that have some and on machines that have none.

use super::*;
use crate::{
	chain::EvidenceOutlook,
	testing::{FakeChain, GENESIS, NONCE},
};
use armature_evidence::{Finding, Roots, State};
use armature_verifier::evidence::{check_statement, decode, hardware::testing::made};

const DEVICE: DeviceId = DeviceId(4);

/// A machine with an AMD chip, or with one that gives nothing.
struct Fake {
	works: bool,
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
}

fn key() -> DeviceKey {
	DeviceKey::from_seed(&[9; 32])
}

fn attestor(chain: &Arc<FakeChain>, source: EvidenceSource, machine: impl Machine) -> Attestor {
	let config = EvidenceConfig { source, ..EvidenceConfig::default() };
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
		attestor(&chain, source, Fake { works: true }).attest().await.expect("attested");
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
	attestor(&chain, EvidenceSource::Auto, Fake { works: true })
		.attest()
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
	let agent = attestor(&chain, EvidenceSource::Auto, Fake { works: true });
	agent.attest().await.expect("attested");
	assert_eq!(sent(&chain).1, ["renewal refused", "attest"]);
}

#[tokio::test]
async fn evidence_that_would_be_refused_should_not_be_sent() {
	let chain = Arc::new(FakeChain::default());
	refuse(&chain);
	let error = attestor(&chain, EvidenceSource::SevSnp, Fake { works: true })
		.attest()
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
		let auto = attestor(&chain, EvidenceSource::Auto, Fake { works });
		auto.attest().await.expect("attested with the key");
		assert!(matches!(sent(&chain).0, Evidence::DeviceKeyInventory { .. }));
	}
	let chain = Arc::new(FakeChain::default());
	let fixed = attestor(&chain, EvidenceSource::SevSnp, Fake { works: false });
	let error = fixed.attest().await.expect_err("no evidence").to_string();
	assert!(error.starts_with("no sev-snp evidence: "), "{error}");
	assert!(error.contains("; to do: "), "{error}");
	assert!(chain.edit(|state| state.calls.is_empty()));
}

#[tokio::test]
async fn a_chain_that_is_down_should_not_make_it_the_device_key() {
	let chain = Arc::new(FakeChain::default());
	chain.edit(|state| state.down = true);
	let auto = attestor(&chain, EvidenceSource::Auto, Fake { works: true });
	let error = auto.attest().await.expect_err("down");
	assert!(matches!(error, AttestError::Chain(ChainError::Unavailable(_))), "{error}");
}

#[tokio::test]
async fn a_machine_that_has_nothing_should_use_its_key() {
	let empty = tempfile::tempdir().expect("a directory");
	let at = empty.path().to_path_buf();
	let roots = Roots { sys: at.clone(), dev: at.clone(), proc: at };
	let machine = || Collector { roots: roots.clone(), ..Collector::default() };
	let chain = Arc::new(FakeChain::default());
	attestor(&chain, EvidenceSource::Auto, machine())
		.attest()
		.await
		.expect("attested");
	assert!(matches!(sent(&chain).0, Evidence::DeviceKeyInventory { .. }));
	let tdx = attestor(&chain, EvidenceSource::Tdx, machine()).attest().await;
	assert!(matches!(tdx, Err(AttestError::Collect { evidence: Source::Tdx, .. })), "{tdx:?}");
}
