use super::*;
use crate::testing::{metrics, FakeChain, GENESIS};
use armature_primitives::{device::Tier, lease::RunStatus, market::OrderSpec, DeviceId, Ppm};
use std::path::Path;

const PRIMES: &[u8] = include_bytes!("../../../../workloads/wasm/prime-count.wasm");
const SPIN: &[u8] = include_bytes!("../../../../workloads/wasm/spin.wasm");
const UNKNOWN_IMPORT: &[u8] = include_bytes!("../../../../workloads/wasm/unknown-import.wasm");

/// Blobs in memory.
#[derive(Default)]
struct FakeBlobs {
	known: Mutex<HashMap<H256, Vec<u8>>>,
	stored: Mutex<Vec<Vec<u8>>>,
	down: Mutex<bool>,
	fetches: Mutex<u32>,
}

#[async_trait]
impl BlobPort for FakeBlobs {
	async fn fetch(&self, hash: H256, max: u64) -> Result<Vec<u8>, BlobError> {
		*lock(&self.fetches) += 1;
		if *lock(&self.down) {
			return Err(BlobError::Unavailable("down".into()));
		}
		let blob = lock(&self.known).get(&hash).cloned().ok_or(BlobError::NotFound)?;
		let len = blob.len() as u64;
		if len > max {
			return Err(BlobError::TooLarge { len, max });
		}
		Ok(blob)
	}

	async fn store(&self, bytes: &[u8]) -> Result<(), BlobError> {
		if *lock(&self.down) {
			return Err(BlobError::Unavailable("down".into()));
		}
		lock(&self.stored).push(bytes.to_vec());
		Ok(())
	}
}

struct Fixture {
	chain: Arc<FakeChain>,
	blobs: Arc<FakeBlobs>,
	work: Workloads,
}

fn hash(bytes: &[u8]) -> H256 {
	H256(sp_crypto_hashing::blake2_256(bytes))
}

fn lease(module: &[u8], input: &[u8]) -> LeaseView {
	LeaseView {
		id: LeaseId(4),
		spec: OrderSpec {
			module: hash(module),
			input: hash(input),
			max_fuel: 50_000_000,
			max_memory_mib: 16,
			max_duration_millis: 60_000,
			max_price_per_gfuel: 1,
			min_tier: Tier::T0,
			min_availability: Ppm(0),
			min_steps_per_second: 0,
			region: None,
			deadline: 0,
		},
		phase: LeasePhase::Offered { until: clock::now() + 60_000 },
	}
}

fn fixture(path: &Path, enabled: bool) -> Fixture {
	let chain = Arc::new(FakeChain::default());
	let blobs = Arc::new(FakeBlobs::default());
	let work = open(path, chain.clone(), blobs.clone(), enabled);
	Fixture { chain, blobs, work }
}

fn open(path: &Path, chain: Arc<FakeChain>, blobs: Arc<FakeBlobs>, enabled: bool) -> Workloads {
	let store = Store::open(path, &GENESIS, DeviceId(1)).expect("opens");
	let sandbox = Sandbox::new().expect("an engine");
	Workloads::new(chain, blobs, Arc::new(store), sandbox, 1_024, enabled, metrics())
}

impl Fixture {
	fn offer(&self, module: &[u8], input: &[u8]) {
		for blob in [module, input] {
			lock(&self.blobs.known).insert(hash(blob), blob.to_vec());
		}
		self.chain.edit(|chain| chain.leases = vec![lease(module, input)]);
	}

	fn leases(&self) -> Vec<LeaseView> {
		self.chain.edit(|chain| chain.leases.clone())
	}

	/// Steps the one lease until nothing is left to do or it fails.
	async fn drive(&self) -> Result<(), WorkError> {
		loop {
			let leases = self.leases();
			self.work.forget_closed(&leases)?;
			let Some(lease) = leases.first() else { return Ok(()) };
			if self.work.step(lease).await? == Progress::Done {
				return Ok(());
			}
		}
	}

	fn calls(&self) -> Vec<&'static str> {
		self.chain.edit(|chain| chain.calls.clone())
	}

	fn report(&self) -> RunReport {
		self.chain.edit(|chain| chain.reports[0].1)
	}
}

#[tokio::test]
async fn a_lease_should_go_from_offer_to_report() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), true);
	fixture.offer(PRIMES, b"10000");
	fixture.drive().await.expect("done");
	assert_eq!(fixture.calls(), ["acknowledge", "start", "report"]);
	let report = fixture.report();
	assert_eq!(report.status, RunStatus::Success);
	assert_eq!((report.output, report.output_len), (hash(b"1229\n"), 5));
	assert_eq!(report.fuel, 1_069_263);
	assert_eq!(*lock(&fixture.blobs.stored), [b"1229\n".to_vec()]);
	assert_eq!(*lock(&fixture.blobs.fetches), 2, "each blob is fetched once");
}

#[tokio::test]
async fn a_failing_module_should_be_reported_and_not_declined() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), true);
	fixture.offer(SPIN, b"");
	fixture.drive().await.expect("done");
	let report = fixture.report();
	assert_eq!((report.status, report.fuel), (RunStatus::OutOfFuel, 50_000_000));
	assert_eq!(*lock(&fixture.blobs.stored), [Vec::<u8>::new()]);
}

#[tokio::test]
async fn a_finished_run_should_survive_a_restart_and_not_be_repeated() {
	let dir = tempfile::tempdir().expect("a directory");
	let path = dir.path().join("db");
	let mut fixture = fixture(&path, true);
	fixture.offer(PRIMES, b"10000");
	for _ in 0..2 {
		let lease = fixture.leases().remove(0);
		fixture.work.step(&lease).await.expect("acknowledged, then started");
	}
	// The run ends, but neither its output nor its report can be delivered.
	let running = fixture.leases().remove(0);
	*lock(&fixture.blobs.down) = true;
	assert!(matches!(fixture.work.step(&running).await, Err(WorkError::Blob(_))));
	assert!(fixture.chain.edit(|chain| chain.reports.is_empty()), "no report without its output");
	assert_eq!(*lock(&fixture.blobs.fetches), 2);

	let (chain, blobs) = (fixture.chain.clone(), fixture.blobs.clone());
	drop(fixture.work);
	fixture.work = open(&path, chain, blobs, true);
	*lock(&fixture.blobs.down) = false;
	// The blobs are gone: only the journal can know the result.
	lock(&fixture.blobs.known).clear();
	fixture.drive().await.expect("reported");
	assert_eq!(fixture.report().output, hash(b"1229\n"));
	assert_eq!(*lock(&fixture.blobs.fetches), 2, "nothing was fetched for a second run");
	// Once the lease is closed the journal forgets it.
	fixture.work.forget_closed(&[]).expect("forgotten");
	assert_eq!(fixture.work.finished(LeaseId(4)).expect("read"), None);
}

#[tokio::test]
async fn a_run_that_was_cut_off_should_begin_anew() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), true);
	fixture.offer(PRIMES, b"10000");
	let until = clock::now() + 60_000;
	fixture
		.chain
		.edit(|chain| chain.leases[0].phase = LeasePhase::Running { until });
	fixture.drive().await.expect("done");
	assert_eq!(fixture.calls(), ["report"]);
	assert_eq!(fixture.report().output, hash(b"1229\n"));
}

#[tokio::test]
async fn leases_that_do_not_fit_should_be_declined_at_once() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), true);
	fixture.offer(PRIMES, b"1");
	fixture.chain.edit(|chain| chain.leases[0].spec.max_memory_mib = 1_025);
	fixture.drive().await.expect("declined");
	assert_eq!(fixture.calls(), ["decline"]);
	fixture.offer(PRIMES, b"1");
	fixture.chain.edit(|chain| chain.leases[0].spec.max_memory_mib = 1_024);
	fixture.drive().await.expect("done");
	assert_eq!(fixture.calls(), ["decline", "acknowledge", "start", "report"]);
}

#[tokio::test]
async fn a_device_that_takes_no_work_should_decline() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), false);
	fixture.offer(PRIMES, b"1");
	fixture.drive().await.expect("declined");
	assert_eq!(fixture.calls(), ["decline"]);
}

#[tokio::test]
async fn unrunnable_modules_should_be_declined_before_the_start() {
	let dir = tempfile::tempdir().expect("a directory");
	for (i, module) in [UNKNOWN_IMPORT, b"no module"].into_iter().enumerate() {
		let fixture = fixture(&dir.path().join(i.to_string()), true);
		fixture.offer(module, b"");
		fixture.drive().await.expect("declined");
		assert_eq!(fixture.calls(), ["acknowledge", "decline"]);
	}
}

#[tokio::test]
async fn missing_blobs_should_be_asked_for_some_times_and_then_declined() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), true);
	fixture.offer(PRIMES, b"1");
	lock(&fixture.blobs.known).remove(&hash(b"1"));
	let mut failures = 0;
	while fixture.drive().await.is_err() {
		failures += 1;
	}
	assert_eq!(failures, FETCH_ATTEMPTS - 1);
	assert_eq!(fixture.calls(), ["acknowledge", "decline"]);
}

#[tokio::test]
async fn oversized_blobs_should_be_declined() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), true);
	fixture.offer(&vec![0; MAX_MODULE_BYTES + 1], b"1");
	fixture.drive().await.expect("declined");
	assert_eq!(fixture.calls(), ["acknowledge", "decline"]);
}

#[tokio::test]
async fn nothing_should_be_done_past_a_deadline() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), true);
	fixture.offer(PRIMES, b"1");
	let until = clock::now() - 1;
	for phase in [
		LeasePhase::Offered { until },
		LeasePhase::Acknowledged { until },
		LeasePhase::Running { until },
	] {
		fixture.chain.edit(|chain| chain.leases[0].phase = phase);
		assert!(matches!(fixture.drive().await, Err(WorkError::TooLate)));
	}
	assert!(fixture.calls().is_empty());
}

#[tokio::test]
async fn a_chain_that_is_down_should_be_tried_again() {
	let dir = tempfile::tempdir().expect("a directory");
	let fixture = fixture(&dir.path().join("db"), true);
	fixture.offer(PRIMES, b"10");
	fixture.chain.edit(|chain| chain.down = true);
	assert!(matches!(fixture.drive().await, Err(WorkError::Chain(_))));
	fixture.chain.edit(|chain| chain.down = false);
	fixture.drive().await.expect("done");
	assert_eq!(fixture.report().output, hash(b"4\n"));
}
