//! What it takes to judge evidence of each format, and how much of it are its signatures alone.
//!
//! `scripts/bench.sh` runs this. Where `CRITERION_HOME` names a folder, `cases.json` in it says which
//! signatures each row has; they are those that the verification itself was seen to check.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up must fail loudly")]

use armature_primitives::{
	evidence::{Evidence, GpuReport, Inventory, InventoryStatement, PlatformEvidence},
	signing::{device_payload, Domain},
	DeviceId, H256,
};
use armature_verifier::evidence::{
	appraise, decode, gpu_nonce,
	hardware::{
		dcap::Collateral,
		testing::{
			made::{self, NOW},
			signatures::{recorded, Signed},
		},
		Known, Policy,
	},
	report_data, AttestationResult, Context, References, Tee,
};
use criterion::Criterion;
use serde_json::{json, Value};
use sp_core::{ed25519, Pair};
use std::{env, fs, hint::black_box, path::Path, time::Duration};

/// Makes a platform's evidence for report data.
type Make = fn(&[u8; 32]) -> PlatformEvidence;

/// Name, platform, how many GPUs are beside it, and the collateral that it needs.
const FORMATS: [(&str, Make, u8, Option<Tee>); 9] = [
	("sev-snp", made::snp, 0, None),
	("tdx", made::tdx, 0, Some(Tee::Tdx)),
	("sgx", made::sgx, 0, Some(Tee::Sgx)),
	("tpm", made::tpm, 0, None),
	("azure", made::azure, 0, None),
	("android", made::android, 0, None),
	("nitro", made::nitro, 0, None),
	("sev-snp", made::snp, 1, None),
	("sev-snp", made::snp, 8, None),
];

fn pair() -> ed25519::Pair {
	ed25519::Pair::from_seed(&[3; 32])
}

fn context() -> Context {
	Context {
		genesis: H256([1; 32]),
		device: DeviceId(9),
		key: pair().public(),
		nonce: H256([2; 32]),
	}
}

fn statement() -> InventoryStatement {
	InventoryStatement {
		nonce: context().nonce,
		inventory: Inventory {
			cpu_model: b"AMD EPYC 9354P".to_vec().try_into().unwrap(),
			threads: 64,
			memory_mib: 262_144,
			storage_mib: 1_000_000,
			system: b"Debian 12, Linux 6.1.0".to_vec().try_into().unwrap(),
			agent: b"armature 0.1.0".to_vec().try_into().unwrap(),
			machine_digest: H256([4; 32]),
		},
	}
}

/// The bytes that the device signs.
fn payload() -> Vec<u8> {
	let Context { genesis, device, .. } = context();
	device_payload(Domain::Evidence, &genesis, device, &statement())
}

/// Evidence as it is on the wire.
fn wire(platform: PlatformEvidence, gpus: Vec<GpuReport>) -> Vec<u8> {
	let signature = pair().sign(&payload());
	let gpus = gpus.try_into().unwrap();
	let evidence = Evidence::Hardware { statement: statement(), signature, platform, gpus };
	evidence.to_bytes().unwrap().into_inner()
}

/// A row: evidence, and what was verified before.
struct Case {
	format: &'static str,
	gpus: u8,
	wire: Vec<u8>,
	collateral: Option<Collateral>,
	policy: Policy,
	known: Option<Known>,
}

impl Case {
	/// From bytes to verdict.
	fn judge(&self) -> AttestationResult {
		let references = References {
			policy: &self.policy,
			known: self.known.as_ref().unwrap_or(Known::nothing()),
			collateral: self.collateral.as_ref(),
			now: NOW,
		};
		appraise(&decode(&self.wire).unwrap(), &context(), &references).unwrap()
	}

	/// A row of whose issuers and collateral nothing is known.
	fn new(format: &'static str, make: Make, gpus: u8, tee: Option<Tee>) -> Self {
		let data = report_data(&context());
		let alone = Case {
			format,
			gpus: 0,
			wire: wire(make(&data), Vec::new()),
			collateral: tee.map(made::collateral),
			policy: made::policy(),
			known: None,
		};
		if gpus == 0 {
			return alone;
		}
		let nonce = gpu_nonce(&data, &alone.judge().identities[0]);
		let reports = (0..gpus).map(|number| made::gpu(&nonce, number)).collect();
		Case { gpus, wire: wire(make(&data), reports), ..alone }
	}

	/// The same after a first verification.
	fn known(self) -> Self {
		let issuers = self.judge().issuers.iter().map(|issuer| issuer.sha256).collect();
		Case { known: Some(Known { issuers, collateral: true }), ..self }
	}

	fn id(&self) -> String {
		let known = if self.known.is_some() { "known" } else { "new" };
		format!("{}-{}-gpus-{known}", self.format, self.gpus)
	}

	/// Measures the row. Returns what it is, for whoever reads the times.
	fn measure(&self, criterion: &mut Criterion) -> Value {
		let signatures = recorded(|| drop(self.judge()));
		assert!(signatures.iter().all(Signed::holds));
		let (payload, signature, key) = (payload(), pair().sign(&payload()), pair().public());
		let mut group = criterion.benchmark_group(self.id());
		group.bench_function("verification", |bencher| {
			bencher.iter(|| black_box(self).judge());
		});
		group.bench_function("signatures", |bencher| {
			bencher.iter(|| {
				let device = sp_io::crypto::ed25519_verify(&signature, black_box(&payload), &key);
				device && black_box(&signatures).iter().all(Signed::holds)
			});
		});
		group.finish();
		let device = json!({ "kind": "ed25519", "bytes": payload.len() });
		let makers = signatures
			.iter()
			.map(|signed| json!({ "kind": signed.kind(), "bytes": signed.bytes() }));
		json!({
			"id": self.id(),
			"format": self.format,
			"gpus": self.gpus,
			"known": self.known.is_some(),
			"evidence_bytes": self.wire.len(),
			"signatures": std::iter::once(device).chain(makers).collect::<Vec<_>>(),
		})
	}
}

fn main() {
	let mut criterion = Criterion::default()
		.without_plots()
		.warm_up_time(Duration::from_millis(500))
		.measurement_time(Duration::from_secs(3))
		.configure_from_args();
	let mut cases = Vec::new();
	for (format, make, gpus, tee) in FORMATS {
		let case = Case::new(format, make, gpus, tee);
		cases.push(case.measure(&mut criterion));
		cases.push(case.known().measure(&mut criterion));
	}
	criterion.final_summary();
	if let Some(folder) = env::var_os("CRITERION_HOME") {
		let folder = Path::new(&folder);
		fs::create_dir_all(folder).unwrap();
		fs::write(folder.join("cases.json"), serde_json::to_vec_pretty(&cases).unwrap()).unwrap();
	}
}
