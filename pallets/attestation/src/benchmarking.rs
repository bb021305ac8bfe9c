//! Benchmarks of all calls and of each unit of the sweep, each at its worst case.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot be set up must fail loudly")]

use super::*;
use crate::Pallet as AttestationPallet;
use alloc::{vec, vec::Vec};
use armature_primitives::{
	device::Tier,
	evidence::{
		Evidence, EvidenceBytes, EvidenceFormat, GpuReport, Inventory, InventoryStatement,
		InventoryText, PlatformEvidence,
	},
	signing::{device_payload, Domain},
	traits::{BenchmarkClock, BenchmarkDevices, DeviceInspect},
	DeviceId, Moment, H256,
};
use armature_verifier::evidence::{
	check_statement, gpu_nonce,
	hardware::{
		dcap::IssueDates,
		testing::{made, signatures},
		Checks,
	},
	report_data, AttestationResult, CollateralKey, Context, PckCaKind, Tee,
};
use codec::Encode;
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{EnsureOrigin, Time, UnfilteredDispatchable},
	weights::{Weight, WeightMeter},
	BoundedVec,
};
use frame_system::{pallet_prelude::BlockNumberFor, RawOrigin};
use sp_runtime::KeyTypeId;

const KEY_TYPE: KeyTypeId = KeyTypeId(*b"bnch");

/// Bytes of evidence whose three texts are empty.
const SMALLEST: u32 = 146;

/// The most bytes of the three texts.
const TEXTS: u32 = 3 * 128;

/// The most GPUs.
const GPUS: u32 = MAX_IDENTITIES - 1;

/// When made-up collateral was issued.
const ISSUED: IssueDates = IssueDates { tcb_info: 0, qe_identity: 0, pck_crl: 0, root_crl: 0 };

/// A digest that stands for nothing, of a number.
fn filler(number: u32) -> H256 {
	H256(sp_io::hashing::blake2_256(&(b"filler", number).encode()))
}

/// Everything that a verification reads, as long as it may be, with made roots trusted.
fn fill_chain<T: Config>() {
	T::BenchmarkHelper::set_now(made::NOW);
	let values = ReferenceValues::from_policy(&made::policy()).unwrap();
	AttestationPallet::<T>::do_set_reference_values(values).unwrap();
	let mut revoked: Vec<H256> = (0..MAX_REVOKED_CERTIFICATES).map(filler).collect();
	revoked.sort();
	RevokedCertificates::<T>::put(BoundedVec::truncate_from(revoked));
	let known = (0..MAX_KNOWN_ISSUERS)
		.map(|number| KnownIssuer { sha256: filler(number).0, until: Moment::MAX });
	KnownIssuers::<T>::put(BoundedVec::truncate_from(known.collect()));
	fill_directory::<T>(MAX_COLLATERALS - 2);
}

/// Entries of platforms that there are none of. Their bytes are not read.
fn fill_directory<T: Config>(entries: u32) {
	CollateralDirectory::<T>::mutate(|all| {
		for number in 0..entries {
			let [a, b, c, d] = number.to_be_bytes();
			let fmspc = [0xff, 0xff, a, b, c, d];
			let key = CollateralKey { fmspc, tee: Tee::Sgx, ca: PckCaKind::Platform };
			let entry = CollateralEntry {
				tcb_evaluation_data_number: 1,
				qe_evaluation_data_number: 1,
				issued: ISSUED,
				until: Moment::MAX,
				stored_at: 0,
				references: 0,
			};
			all.try_insert(key, entry).unwrap();
		}
	});
}

/// Intel's collateral for one kind of made platform.
fn collateral(tee: Tee) -> StoredCollateral {
	StoredCollateral::from_collateral(&made::collateral(tee)).unwrap()
}

/// The same with about `bytes` more bytes in its TCB info, which has to be read before it is found out.
fn padded(mut stored: StoredCollateral, bytes: u32) -> StoredCollateral {
	let mut text = stored.tcb_info.into_inner();
	let end = text.iter().rposition(|byte| *byte == b'}').unwrap();
	text.truncate(end);
	text.extend(b",\"z\":[0");
	(0..bytes / 2).for_each(|_| text.extend(b",0"));
	text.extend(b"]}");
	stored.tcb_info = text.try_into().unwrap();
	stored
}

/// Makes the chain verify the signatures of its collateral again.
fn forget_collateral<T: Config>() {
	let values = References::<T>::get();
	AttestationPallet::<T>::do_set_reference_values(values).unwrap();
}

/// An Active device without attestation or nonce.
fn device<T: Config>(who: &T::AccountId) -> DeviceId {
	let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
	let id = T::BenchmarkHelper::active_device(who, key);
	Attestations::<T>::remove(id);
	Nonces::<T>::remove(id);
	id
}

/// A device with a fresh nonce.
fn asked<T: Config>() -> (T::AccountId, DeviceId) {
	let who: T::AccountId = whitelisted_caller();
	let id = device::<T>(&who);
	AttestationPallet::<T>::do_request_nonce(who.clone(), id).unwrap();
	(who, id)
}

/// A record that is as long as it may be and ends now.
fn record<T: Config>(identities: Vec<H256>) -> Attestation {
	let now = T::Clock::now();
	Attestation {
		tier: Tier::T3,
		format: EvidenceFormat::SevSnp,
		inventory: H256([1; 32]),
		attested_at: now.saturating_sub(1),
		expires_at: now,
		lapsed: false,
		proved_at: now.saturating_sub(1),
		renewals: 0,
		full_due: false,
		certified_until: Moment::MAX,
		identities: identities.try_into().unwrap(),
		tcb: 1,
		model: H256([2; 32]),
		certificates: (0..MAX_CERTIFICATES).map(filler).collect::<Vec<_>>().try_into().unwrap(),
		generation: Generation::<T>::get(),
		warned: false,
	}
}

/// As many ids as one device may have.
fn fillers(parts: u32) -> Vec<H256> {
	(0..parts).map(filler).collect()
}

/// Puts a record with its hardware in the place of whatever there is.
fn put<T: Config>(id: DeviceId, record: Attestation) {
	AttestationPallet::<T>::put_record(id, Attestations::<T>::get(id).as_ref(), record);
}

fn context<T: Config>(id: DeviceId) -> Context {
	let info = T::Devices::device(id).unwrap();
	let nonce = Nonces::<T>::get(id).unwrap().nonce;
	AttestationPallet::<T>::context(id, &info, nonce)
}

/// The device's statement over texts of `texts` bytes, with its signature.
fn statement<T: Config>(
	id: DeviceId,
	texts: u32,
) -> (InventoryStatement, armature_primitives::ed25519::Signature) {
	let mut left = texts.min(TEXTS);
	let mut text = || {
		let len = left.min(128);
		left -= len;
		InventoryText::truncate_from(vec![b'x'; len as usize])
	};
	let statement = InventoryStatement {
		nonce: Nonces::<T>::get(id).unwrap().nonce,
		inventory: Inventory {
			cpu_model: text(),
			threads: 1,
			memory_mib: 1,
			storage_mib: 1,
			system: text(),
			agent: text(),
			machine_digest: H256([2; 32]),
		},
	};
	let genesis = AttestationPallet::<T>::genesis_hash();
	let payload = device_payload(Domain::Evidence, &genesis, id, &statement);
	let key = T::Devices::device(id).unwrap().key;
	let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, &key, &payload).unwrap();
	(statement, signature)
}

/// Evidence of `bytes` bytes, or three more where the texts are long.
fn inventory<T: Config>(id: DeviceId, bytes: u32) -> EvidenceBytes {
	let (statement, signature) = statement::<T>(id, bytes.saturating_sub(SMALLEST));
	Evidence::DeviceKeyInventory { statement, signature }.to_bytes().unwrap()
}

fn hardware<T: Config>(
	id: DeviceId,
	platform: PlatformEvidence,
	gpus: Vec<GpuReport>,
) -> EvidenceBytes {
	let (statement, signature) = statement::<T>(id, TEXTS);
	let gpus = gpus.try_into().unwrap();
	Evidence::Hardware { statement, signature, platform, gpus }.to_bytes().unwrap()
}

/// Evidence for the device's nonce, out of what makes a platform for report data.
fn platform<T: Config>(
	id: DeviceId,
	make: impl Fn(&[u8; 32]) -> PlatformEvidence,
) -> EvidenceBytes {
	hardware::<T>(id, make(&report_data(&context::<T>(id))), Vec::new())
}

/// Evidence of an AMD chip with so many GPUs.
fn with_gpus<T: Config>(id: DeviceId, gpus: u32) -> EvidenceBytes {
	let data = report_data(&context::<T>(id));
	let platform = judged::<T>(id, &hardware::<T>(id, made::snp(&data), Vec::new())).identities[0];
	let nonce = gpu_nonce(&data, &platform);
	let gpus = (0..gpus).map(|number| made::gpu(&nonce, number as u8)).collect();
	hardware::<T>(id, made::snp(&data), gpus)
}

/// What evidence proves, without the chain knowing of it.
fn judged<T: Config>(id: DeviceId, bytes: &EvidenceBytes) -> AttestationResult {
	let evidence = armature_verifier::evidence::decode(bytes).unwrap();
	let now = T::Clock::now();
	let judge = AttestationPallet::<T>::judge_of(&evidence, now).unwrap();
	let context = context::<T>(id);
	let head = check_statement(&evidence, &context).unwrap();
	judge
		.appraise(&evidence, &context, head, now, &mut Checks::stop_at_first())
		.unwrap()
}

/// Gives the device a record of the evidence's platform with eight other GPUs, so that as much as
/// possible changes hands.
fn with_old_gpus<T: Config>(id: DeviceId, bytes: &EvidenceBytes) {
	let result = judged::<T>(id, bytes);
	let mut identities: Vec<H256> = result.identities.first().copied().into_iter().collect();
	if !identities.is_empty() {
		identities.extend(fillers(GPUS));
	}
	put::<T>(id, record::<T>(identities));
}

/// Makes the chain know the issuers of the evidence.
fn know<T: Config>(id: DeviceId, bytes: &EvidenceBytes) {
	let result = judged::<T>(id, bytes);
	let mut known = KnownIssuers::<T>::get().into_inner();
	let issuers = result.issuers.iter();
	for (place, issuer) in known.iter_mut().zip(issuers) {
		*place = KnownIssuer { sha256: issuer.sha256, until: issuer.until };
	}
	KnownIssuers::<T>::put(BoundedVec::truncate_from(known));
}

/// A device and its evidence of a platform, whose issuers the chain knows or not.
fn prepared<T: Config>(
	make: impl Fn(&[u8; 32]) -> PlatformEvidence,
	known: bool,
) -> (T::AccountId, DeviceId, EvidenceBytes) {
	fill_chain::<T>();
	for tee in [Tee::Sgx, Tee::Tdx] {
		AttestationPallet::<T>::do_submit_collateral(collateral(tee)).unwrap();
	}
	let (who, id) = asked::<T>();
	let bytes = platform::<T>(id, make);
	if known {
		know::<T>(id, &bytes);
	} else {
		forget_collateral::<T>();
	}
	with_old_gpus::<T>(id, &bytes);
	(who, id, bytes)
}

/// The same beside GPUs.
fn prepared_gpus<T: Config>(gpus: u32, known: bool) -> (T::AccountId, DeviceId, EvidenceBytes) {
	fill_chain::<T>();
	let (who, id) = asked::<T>();
	let bytes = with_gpus::<T>(id, gpus);
	if known {
		know::<T>(id, &bytes);
	}
	with_old_gpus::<T>(id, &bytes);
	(who, id, bytes)
}

fn assert_proved<T: Config>(id: DeviceId, format: EvidenceFormat) {
	let record = Attestations::<T>::get(id).unwrap();
	assert!(record.holds(T::Clock::now()));
	assert_eq!(record.proved_at, T::Clock::now());
	assert_eq!(record.format, format);
	assert_eq!(FailedEvidence::<T>::get(), 0);
}

/// A hardware record that may be renewed, and evidence as long as it may be: a quote, whose collateral
/// has to be there.
fn renewable<T: Config>(bytes: u32) -> (T::AccountId, DeviceId, EvidenceBytes) {
	fill_chain::<T>();
	let who: T::AccountId = whitelisted_caller();
	let id = device::<T>(&who);
	let now = T::Clock::now();
	AttestationPallet::<T>::do_submit_collateral(collateral(Tee::Tdx)).unwrap();
	let mut record = record::<T>(fillers(MAX_IDENTITIES));
	record.format = EvidenceFormat::Tdx;
	record.expires_at = now.saturating_add(1);
	put::<T>(id, record);
	// A block that is over, by whose hash hardly any nonce is drawn.
	let block = 0u32;
	frame_system::BlockHash::<T>::insert(BlockNumberFor::<T>::from(block), H256([8; 32]));
	Parameters::<T>::mutate(|parameters| parameters.full_check_every = u32::MAX);
	let nonce = IssuedNonce {
		nonce: H256([3; 32]),
		expires_at: now.saturating_add(1),
		full: false,
		block: block.into(),
	};
	Nonces::<T>::insert(id, nonce);
	let made = made::tdx(&report_data(&context::<T>(id)));
	let empty = hardware::<T>(id, made.clone(), Vec::new());
	let mut left = bytes.saturating_sub(empty.len() as u32);
	// GPUs that say nothing: a renewal does not look at them.
	let mut gpus = Vec::new();
	while left > 8 && gpus.len() < GPUS as usize {
		let mut report = GpuReport { report: BoundedVec::new(), chain: BoundedVec::new() };
		let part = (left - 8).min(8_192);
		report.report = BoundedVec::truncate_from(vec![0; part as usize]);
		left = left.saturating_sub(part.saturating_add(8));
		gpus.push(report);
	}
	let evidence = hardware::<T>(id, made, gpus);
	(who, id, evidence)
}

/// An admin's call.
fn admin<T: Config>(call: Call<T>) -> Result<(), BenchmarkError> {
	let origin =
		T::AdminOrigin::try_successful_origin().map_err(|()| BenchmarkError::Weightless)?;
	call.dispatch_bypass_filter(origin)?;
	Ok(())
}

/// A pending renewal with this evidence.
fn pending<T: Config>(id: DeviceId, bytes: &[u8], nonce: H256) -> PendingRenewal {
	let now = T::Clock::now();
	let renewal = PendingRenewal {
		evidence_hash: H256(sp_io::hashing::blake2_256(bytes)),
		block: 1,
		nonce,
		submitted_at: now,
		disputable_until: now.saturating_add(1),
		platform: Some(H256([9; 32])),
		identities: H256([9; 32]),
		references: ReferencesGeneration::<T>::get(),
	};
	PendingRenewals::<T>::insert(id, renewal);
	renewal
}

#[benchmarks]
mod benches {
	use super::*;

	#[benchmark]
	fn request_nonce() {
		fill_chain::<T>();
		let who: T::AccountId = whitelisted_caller();
		let id = device::<T>(&who);
		let now = T::Clock::now();
		let expired = IssuedNonce { nonce: H256([3; 32]), expires_at: now, full: false, block: 1 };
		Nonces::<T>::insert(id, expired);
		let mut record = record::<T>(fillers(MAX_IDENTITIES));
		record.expires_at = now.saturating_add(1);
		put::<T>(id, record);
		// The expired nonce was drawn, which is written down.
		Parameters::<T>::mutate(|parameters| {
			parameters.full_check_every = 1;
			parameters.max_renewals = 1;
		});

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id);

		assert!(Nonces::<T>::get(id).unwrap().full);
		assert!(Attestations::<T>::get(id).unwrap().full_due);
	}

	#[benchmark]
	fn submit_inventory(b: Linear<SMALLEST, { SMALLEST + TEXTS }>) {
		fill_chain::<T>();
		let (who, id) = asked::<T>();
		put::<T>(id, record::<T>(Vec::new()));
		let bytes = inventory::<T>(id, b);
		assert!(bytes.len() as u32 >= b);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::DeviceKeyInventory);
	}

	#[benchmark]
	fn submit_sev_snp() {
		let (who, id, bytes) = prepared::<T>(made::snp, false);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::SevSnp);
	}

	#[benchmark]
	fn submit_sev_snp_known() {
		let (who, id, bytes) = prepared::<T>(made::snp, true);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::SevSnp);
	}

	#[benchmark]
	fn submit_tdx() {
		let (who, id, bytes) = prepared::<T>(made::tdx, false);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::Tdx);
	}

	#[benchmark]
	fn submit_tdx_known() {
		let (who, id, bytes) = prepared::<T>(made::tdx, true);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::Tdx);
	}

	#[benchmark]
	fn submit_sgx() {
		let (who, id, bytes) = prepared::<T>(made::sgx, false);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::Sgx);
	}

	#[benchmark]
	fn submit_tpm() {
		let (who, id, bytes) = prepared::<T>(made::tpm, false);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::Tpm);
	}

	#[benchmark]
	fn submit_azure() {
		let (who, id, bytes) = prepared::<T>(made::azure, false);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::AzureSnpVtpm);
	}

	#[benchmark]
	fn submit_android() {
		let (who, id, bytes) = prepared::<T>(made::android, false);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::AndroidKey);
	}

	#[benchmark]
	fn submit_nitro() {
		let (who, id, bytes) = prepared::<T>(made::nitro, false);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::NitroEnclave);
	}

	#[benchmark]
	fn submit_gpus(g: Linear<1, GPUS>) {
		let (who, id, bytes) = prepared_gpus::<T>(g, false);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::SevSnp);
		assert_eq!(Attestations::<T>::get(id).unwrap().identities.len() as u32, 1 + g);
	}

	#[benchmark]
	fn submit_gpus_known(g: Linear<1, GPUS>) {
		let (who, id, bytes) = prepared_gpus::<T>(g, true);

		#[extrinsic_call]
		submit_evidence(RawOrigin::Signed(who), id, bytes);

		assert_proved::<T>(id, EvidenceFormat::SevSnp);
		assert_eq!(Attestations::<T>::get(id).unwrap().identities.len() as u32, 1 + g);
	}

	/// Up to the longest evidence that can be made of parts that a renewal does not look at.
	#[benchmark]
	fn renew(b: Linear<1, 65_536>) {
		let (who, id, bytes) = renewable::<T>(b);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id, bytes);

		assert_eq!(Attestations::<T>::get(id).unwrap().renewals, 1);
	}

	/// A forgery that the first check shows: all but the verification, which is paid beside it.
	#[benchmark]
	fn dispute_renewal() {
		fill_chain::<T>();
		let (who, id) = asked::<T>();
		let bytes = platform::<T>(id, |_| made::snp(&[1; 32]));
		put::<T>(id, record::<T>(fillers(MAX_IDENTITIES)));
		pending::<T>(id, &bytes, Nonces::<T>::get(id).unwrap().nonce);

		#[extrinsic_call]
		_(RawOrigin::Signed(who), id, bytes);

		assert!(!PendingRenewals::<T>::contains_key(id));
		assert!(!Attestations::<T>::contains_key(id));
	}

	/// Two in one: a collateral that is taken, in the place of one that ended, and one with `b` more
	/// bytes to read, whose signature does not hold.
	#[benchmark]
	fn submit_collateral(b: Linear<1, 16_384>) -> Result<(), BenchmarkError> {
		fill_chain::<T>();
		fill_directory::<T>(MAX_COLLATERALS);
		let ended = CollateralDirectory::<T>::get().keys().next_back().copied().unwrap();
		CollateralDirectory::<T>::mutate(|all| all.get_mut(&ended).unwrap().until = 0);
		Collaterals::<T>::insert(ended, collateral(Tee::Sgx));
		let who: T::AccountId = whitelisted_caller();
		let long = padded(collateral(Tee::Tdx), b);
		let good = collateral(Tee::Tdx);

		#[block]
		{
			assert!(AttestationPallet::<T>::do_submit_collateral(long).is_err());
			AttestationPallet::<T>::submit_collateral(RawOrigin::Signed(who).into(), good)?;
		}

		assert!(!Collaterals::<T>::contains_key(ended));
		assert_eq!(CollateralDirectory::<T>::get().len() as u32, MAX_COLLATERALS);
		Ok(())
	}

	#[benchmark]
	fn set_reference_values() -> Result<(), BenchmarkError> {
		let mut values = ReferenceValues::from_policy(&made::policy()).unwrap();
		let digest = reference_values::Digest::truncate_from(vec![1; 64]);
		values.measurements = BoundedVec::truncate_from(vec![digest.clone(); 64]);
		values.azure_measurements = values.measurements.clone();
		let registers = |count: u8| -> Vec<_> {
			let values = BoundedVec::truncate_from(vec![digest.clone(); 4]);
			(0..count)
				.map(|index| reference_values::Register { index, values: values.clone() })
				.collect()
		};
		values.pcrs = BoundedVec::truncate_from(registers(24));
		values.gpu_measurements = BoundedVec::truncate_from(registers(64));
		let call = Call::<T>::set_reference_values { values: values.clone() };

		#[block]
		{
			admin::<T>(call)?;
		}

		assert_eq!(References::<T>::get(), values);
		Ok(())
	}

	#[benchmark]
	fn revoke() -> Result<(), BenchmarkError> {
		let (_, id) = asked::<T>();
		put::<T>(id, record::<T>(fillers(MAX_IDENTITIES)));
		let call = Call::<T>::revoke { device: id };

		#[block]
		{
			admin::<T>(call)?;
		}

		assert!(!Attestations::<T>::contains_key(id));
		assert!(!Nonces::<T>::contains_key(id));
		Ok(())
	}

	#[benchmark]
	fn set_parameters() -> Result<(), BenchmarkError> {
		let parameters = AttestationParameters { nonce_lifetime: 77, ..Default::default() };
		let call = Call::<T>::set_parameters { parameters };

		#[block]
		{
			admin::<T>(call)?;
		}

		assert_eq!(Parameters::<T>::get(), parameters);
		Ok(())
	}

	#[benchmark]
	fn revoke_certificate() -> Result<(), BenchmarkError> {
		fill_chain::<T>();
		RevokedCertificates::<T>::mutate(|list| list.remove(0));
		// The least: all others move.
		let call = Call::<T>::revoke_certificate { sha256: H256([0; 32]) };

		#[block]
		{
			admin::<T>(call)?;
		}

		assert_eq!(RevokedCertificates::<T>::get().len() as u32, MAX_REVOKED_CERTIFICATES);
		Ok(())
	}

	#[benchmark]
	fn restore_certificate() -> Result<(), BenchmarkError> {
		fill_chain::<T>();
		let sha256 = RevokedCertificates::<T>::get()[0];
		let call = Call::<T>::restore_certificate { sha256 };

		#[block]
		{
			admin::<T>(call)?;
		}

		assert!(!RevokedCertificates::<T>::get().contains(&sha256));
		Ok(())
	}

	#[benchmark]
	fn revoke_hardware() -> Result<(), BenchmarkError> {
		let (_, id) = asked::<T>();
		put::<T>(id, record::<T>(fillers(MAX_IDENTITIES)));
		let call = Call::<T>::revoke_hardware { id: filler(0) };

		#[block]
		{
			admin::<T>(call)?;
		}

		assert!(!Attestations::<T>::contains_key(id));
		assert_eq!(RevokedHardware::<T>::count(), 1);
		Ok(())
	}

	#[benchmark]
	fn restore_hardware() -> Result<(), BenchmarkError> {
		RevokedHardware::<T>::insert(filler(0), ());
		let call = Call::<T>::restore_hardware { id: filler(0) };

		#[block]
		{
			admin::<T>(call)?;
		}

		assert_eq!(RevokedHardware::<T>::count(), 0);
		Ok(())
	}

	#[benchmark]
	fn sweep_base() {
		fill_chain::<T>();
		let cursor = DeviceId(7);
		AttestationCursor::<T>::put(cursor);
		NonceCursor::<T>::put(cursor);
		PendingCursor::<T>::put(cursor);
		let mut meter = WeightMeter::with_limit(T::WeightInfo::sweep_base());

		#[block]
		{
			AttestationPallet::<T>::sweep(&mut meter);
		}

		assert_eq!(AttestationCursor::<T>::get(), Some(cursor));
		assert_eq!(PendingCursor::<T>::get(), Some(cursor));
	}

	/// A stale record that has to be held against the whole list, and lapses.
	#[benchmark]
	fn sweep_attestation() {
		fill_chain::<T>();
		let (_, id) = asked::<T>();
		let mut stale = record::<T>(fillers(MAX_IDENTITIES));
		stale.certificates.iter_mut().for_each(|sha256| *sha256 = H256([0xff; 32]));
		put::<T>(id, stale);
		AttestationPallet::<T>::next_generation();
		let sweep = AttestationPallet::<T>::this_sweep();
		let mut meter = WeightMeter::with_limit(Weight::MAX);

		#[block]
		{
			AttestationPallet::<T>::sweep_attestation(None, &sweep, &mut meter);
		}

		let record = Attestations::<T>::get(id).unwrap();
		assert!(record.lapsed);
		assert_eq!(record.generation, Generation::<T>::get());
	}

	/// What a record costs that ends, beside looking at it.
	#[benchmark]
	fn sweep_end(i: Linear<0, MAX_IDENTITIES>) {
		fill_chain::<T>();
		let (_, id) = asked::<T>();
		let record = record::<T>(fillers(i));
		put::<T>(id, record.clone());

		#[block]
		{
			AttestationPallet::<T>::suspend(id, &record);
		}

		assert!(!Attestations::<T>::contains_key(id));
	}

	#[benchmark]
	fn sweep_nonce() {
		let now = T::Clock::now();
		let id = DeviceId(3);
		let expired = IssuedNonce { nonce: H256([4; 32]), expires_at: now, full: false, block: 1 };
		Nonces::<T>::insert(id, expired);
		put::<T>(id, record::<T>(fillers(MAX_IDENTITIES)));
		Parameters::<T>::mutate(|parameters| parameters.full_check_every = 1);

		#[block]
		{
			AttestationPallet::<T>::sweep_nonce(None, now);
		}

		// It was drawn, which is written down.
		assert!(!Nonces::<T>::contains_key(id));
		assert!(Attestations::<T>::get(id).unwrap().full_due);
	}

	#[benchmark]
	fn sweep_pending() {
		let id = DeviceId(3);
		let renewal = pending::<T>(id, &[], H256([4; 32]));

		#[block]
		{
			AttestationPallet::<T>::sweep_pending(None, renewal.disputable_until);
		}

		assert!(!PendingRenewals::<T>::contains_key(id));
	}

	// What signatures over `b` bytes cost alone, by the names of their kinds: `scripts/bench.sh` sets
	// verifications beside them. No weights.

	#[benchmark(extra)]
	fn floor_ed25519(b: Linear<1, 4_096>) {
		let key = sp_io::crypto::ed25519_generate(KEY_TYPE, None);
		let message = vec![0x5a; b as usize];
		let signature = sp_io::crypto::ed25519_sign(KEY_TYPE, &key, &message).unwrap();

		#[block]
		{
			assert!(sp_io::crypto::ed25519_verify(&signature, &message, &key));
		}
	}

	#[benchmark(extra)]
	fn floor_p256_sha256(b: Linear<1, 4_096>) {
		let signed = signatures::p256(b);

		#[block]
		{
			assert!(signed.holds());
		}
	}

	#[benchmark(extra)]
	fn floor_p384_sha384(b: Linear<1, 4_096>) {
		let signed = signatures::p384(b);

		#[block]
		{
			assert!(signed.holds());
		}
	}

	#[benchmark(extra)]
	fn floor_rsa2048_pkcs1_sha256(b: Linear<1, 4_096>) {
		let signed = signatures::rsa2048(b);

		#[block]
		{
			assert!(signed.holds());
		}
	}

	#[benchmark(extra)]
	fn floor_rsa4096_pkcs1_sha256(b: Linear<1, 4_096>) {
		let signed = signatures::rsa4096_pkcs1(b);

		#[block]
		{
			assert!(signed.holds());
		}
	}

	#[benchmark(extra)]
	fn floor_rsa4096_pss_sha384(b: Linear<1, 4_096>) {
		let signed = signatures::rsa4096_pss(b);

		#[block]
		{
			assert!(signed.holds());
		}
	}

	impl_benchmark_test_suite!(AttestationPallet, crate::mock::new_bench_ext(), crate::mock::Test);
}
