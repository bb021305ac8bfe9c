//! Reports by a driver that signs, and the way to one through a library with NVML's interface.

mod library;

use super::*;
use armature_primitives::{
	device::Tier,
	ed25519,
	evidence::{Evidence, Inventory, InventoryStatement},
	signing::{device_payload, Domain},
	DeviceId, H256,
};
use armature_verifier::evidence::{
	appraise,
	hardware::{testing::made, Known},
	report_data, Context, References,
};
use base64::{engine::general_purpose::STANDARD, Engine};
use sp_core::Pair;

/// GPUs of which tests have the keys.
struct Made {
	mode: Mode,
	count: u32,
	/// What stands where the certificates should.
	chain: Option<Vec<u8>>,
	/// What stands where the report should.
	report: Option<Vec<u8>>,
}

impl Default for Made {
	fn default() -> Self {
		Self { mode: Mode::Confidential, count: 2, chain: None, report: None }
	}
}

fn pem(chain: &[Certificate]) -> String {
	let block = |der: &Certificate| {
		let text = STANDARD.encode(der);
		format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
	};
	chain.iter().map(block).collect()
}

fn made_gpu(nonce: &[u8; 32], gpu: u32) -> GpuReport {
	made::gpu(nonce, u8::try_from(gpu).unwrap())
}

impl Driver for Made {
	fn mode(&self) -> Result<Mode, GpuError> {
		Ok(self.mode)
	}

	fn count(&self) -> Result<u32, GpuError> {
		Ok(self.count)
	}

	fn certificates(&self, gpu: u32) -> Result<Vec<u8>, GpuError> {
		let own = || pem(&made_gpu(&[0; 32], gpu).chain).into_bytes();
		Ok(self.chain.clone().unwrap_or_else(own))
	}

	fn report(&self, gpu: u32, nonce: &[u8; 32]) -> Result<Vec<u8>, GpuError> {
		Ok(self.report.clone().unwrap_or_else(|| made_gpu(nonce, gpu).report.to_vec()))
	}
}

fn context() -> Context {
	Context {
		genesis: H256([1; 32]),
		device: DeviceId(3),
		key: pair().public(),
		nonce: H256([2; 32]),
	}
}

fn pair() -> ed25519::Pair {
	ed25519::Pair::from_seed(&[4; 32])
}

/// What is wrong with GPUs beside an AMD chip.
fn fault(driver: &Made) -> GpuError {
	let data = report_data(&context());
	reports(driver, &data, &made::snp(&data)).unwrap_err()
}

#[test]
fn reports_beside_a_platform_should_reach_t3() {
	let data = report_data(&context());
	for count in [1, 2, MAX_GPUS] {
		let platform = made::snp(&data);
		let gpus = reports(&Made { count, ..Made::default() }, &data, &platform).unwrap();
		assert_eq!(gpus.len(), usize::try_from(count).unwrap());
		let inventory = Inventory {
			cpu_model: Default::default(),
			threads: 8,
			memory_mib: 1,
			storage_mib: 1,
			system: Default::default(),
			agent: Default::default(),
			machine_digest: H256([4; 32]),
		};
		let statement = InventoryStatement { nonce: context().nonce, inventory };
		let genesis = context().genesis;
		let payload = device_payload(Domain::Evidence, &genesis, DeviceId(3), &statement);
		let signature = pair().sign(&payload);
		let evidence = Evidence::Hardware { statement, signature, platform, gpus };
		assert!(evidence.to_bytes().is_some(), "it has room on the wire");
		let references = References {
			policy: &made::policy(),
			known: Known::nothing(),
			collateral: None,
			now: made::NOW,
		};
		let result = appraise(&evidence, &context(), &references).unwrap();
		assert_eq!(result.tier, Tier::T3);
		assert_eq!(result.identities.len(), usize::try_from(count).unwrap() + 1);
	}
}

#[test]
fn gpus_should_be_asked_with_the_box_of_the_platform() {
	let data = report_data(&context());
	let ask = |platform| reports(&Made::default(), &data, &platform);
	let chip = ask(made::snp(&data)).unwrap();
	assert_ne!(chip, ask(made::snp_of_chip(&data, 1)).unwrap());
	assert_ne!(chip, ask(made::tdx(&data)).unwrap());
	for platform in [made::tpm(&data), made::sgx(&data), made::azure(&data)] {
		let error = ask(platform).unwrap_err();
		assert!(matches!(error, GpuError::NoBox));
		assert!(error.what_to_do().contains("SEV-SNP or TDX guest"));
	}
	let unreadable = PlatformEvidence::Dcap { quote: vec![4; 700].try_into().unwrap() };
	assert!(matches!(ask(unreadable), Err(GpuError::Platform(_))));
}

#[test]
fn gpus_that_hide_nothing_should_not_be_asked() {
	let of = |mode, count| fault(&Made { mode, count, ..Made::default() });
	assert!(matches!(of(Mode::Off, 1), GpuError::NotConfidential));
	assert!(matches!(of(Mode::Developer, 1), GpuError::DeveloperMode));
	assert!(matches!(of(Mode::Confidential, 0), GpuError::None));
	assert!(matches!(of(Mode::Confidential, MAX_GPUS + 1), GpuError::TooMany(9)));
}

#[test]
fn what_is_no_report_should_be_told_apart() {
	let chain = |chain: &[u8]| fault(&Made { chain: Some(chain.to_vec()), ..Made::default() });
	assert_eq!(chain(b"").to_string(), "what GPU 0 gave as certificates is empty");
	assert_eq!(chain(b"\x30\x82").to_string(), "what GPU 0 gave as certificates is not in PEM");
	let der = Certificate::try_from(vec![1; 900]).unwrap();
	let seven = pem(&vec![der; 7]);
	assert_eq!(chain(seven.as_bytes()).to_string(), "what GPU 0 gave as certificates is too long");
	let text = STANDARD.encode(vec![1; 4_097]);
	let large = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
	assert_eq!(chain(large.as_bytes()).to_string(), "what GPU 0 gave as certificates is too large");
	let report = |len| fault(&Made { report: Some(vec![1; len]), ..Made::default() });
	assert_eq!(report(0).to_string(), "what GPU 0 gave as report is empty");
	assert_eq!(report(8_193).to_string(), "what GPU 0 gave as report is too large");
	assert!(report(0).what_to_do().contains("firmware"));
}
