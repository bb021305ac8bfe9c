//! NVIDIA GPUs: reports of our own making, and the real one of an H100.

use super::{
	super::{
		check::{Check, Checks, Failure, Fault, Side},
		claims::{Claims, DebugStatus, Hex, IdentityKind},
		crypto::sha256,
		nvidia::{
			verify, GpuEvidence, NvidiaEvidence, MAX_GPUS, MAX_GPU_CHAIN_LEN, MAX_REPORT_LEN,
		},
		policy::{from_hex, Digest256, HexBytes, Policy},
		testing::{
			nvidia::{
				boot_rom_key, device_id, root_certificate, Device, DEVICE_ID, FWID, HEADERS, NONCE,
				SHA384, SIGNATURE,
			},
			CertSpec, Key, NOW,
		},
		Question,
	},
	common::{at, failure, failures, pem, read_text, refusal, vectors},
};
use proptest::prelude::*;
use std::{format, vec, vec::Vec};

fn policy() -> Policy {
	let mut policy = Policy::default();
	policy.roots.nvidia = vec![Digest256(sha256(&root_certificate()))];
	policy
}

fn judged(gpus: &[GpuEvidence], policy: &Policy, checks: &mut Checks) -> Result<Claims, Failure> {
	let evidence = NvidiaEvidence { gpus: gpus.to_vec() };
	verify(&evidence, &Question::new(policy, Some(&NONCE), NOW), checks)
}

fn accepted(gpus: &[GpuEvidence], policy: &Policy) -> Claims {
	judged(gpus, policy, &mut Checks::stop_at_first()).unwrap()
}

fn refused(gpus: &[GpuEvidence], policy: &Policy) -> Vec<Failure> {
	failures(|checks| judged(gpus, policy, checks))
}

fn fact<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
	claims
		.facts
		.iter()
		.find(|fact| fact.name == name)
		.map(|fact| fact.value.as_str())
}

#[test]
fn gpu_should_be_its_boot_rom() {
	let claims = accepted(&[Device::gpu(1).evidence()], &policy());
	assert_eq!(claims.identity.kind, IdentityKind::NvidiaGpu);
	assert_eq!(claims.identity.id, [0x41, 1]);
	assert_eq!(claims.model, "GH100 A01");
	assert_eq!(claims.nonce, NONCE);
	assert_eq!(claims.firmware, "VBIOS 96.00.9F.00.01, driver 550.90.07");
	assert_eq!(claims.tcb, 0x96_00_9f_00_01);
	assert_eq!(claims.debug, DebugStatus::Unknown);
	assert!(claims.valid.from < NOW && NOW < claims.valid.until);
	let names: Vec<_> = claims.measurements.iter().map(|m| m.name.as_ref()).collect();
	assert_eq!(names, ["gpu2", "gpu35"]);
	assert_eq!(fact(&claims, "protected-pcie"), Some("on (0xaa)"));
	assert_eq!(fact(&claims, "nvdec0"), Some("03"));
	assert!(fact(&claims, "reference-values").is_some());
	assert!(claims.parts.is_empty());
}

#[test]
fn switch_should_be_accepted_without_the_digest_of_its_firmware() {
	let claims = accepted(&[Device::gpu(2).evidence(), Device::switch(1).evidence()], &policy());
	let claims = &claims.parts[1];
	assert_eq!(claims.model, "LS_10 A01");
	assert_eq!(claims.identity.kind, IdentityKind::NvidiaSwitch);
	assert!(!claims.identity.kind.names_box());
	assert_eq!(claims.firmware, "VBIOS 96.10.73.00.01");
	assert_eq!(claims.tcb, 0x96_10_73_00_01);
	assert_eq!(fact(claims, "switch-pdi"), Some("6666666666666666"));
}

#[test]
fn switches_alone_should_name_no_box() {
	let switches = [Device::switch(1).evidence(), Device::switch(2).evidence()];
	let unnamed = |part| Failure::in_part(part, Check::BoxIdentity, Fault::NotAccepted);
	assert_eq!(refused(&switches, &policy()), [unnamed(0), unnamed(1)]);
	let alone = [failure(Check::BoxIdentity, Fault::NotAccepted)];
	assert_eq!(refused(&switches[..1], &policy()), alone);
}

#[test]
fn gpu_should_report_the_digest_of_its_firmware_whoever_runs_its_boot_rom() {
	// Blackwell's boot ROM runs on the FSP, as those of switches do.
	let boot_rom = "GB100 A01 FSP BROM";
	let leaf = CertSpec { issuer: boot_rom, ..Device::gpu(1).leaf };
	let gpu = Device { boot_rom, leaf, ..Device::gpu(1) };
	let claims = accepted(&[gpu.evidence()], &policy());
	assert_eq!(claims.identity.kind, IdentityKind::NvidiaGpu);
	assert_eq!(claims.model, "GB100 A01");
	let mut silent = gpu;
	silent.fields.retain(|(kind, _)| *kind != 20);
	let found = refused(&[silent.evidence()], &policy());
	assert_eq!(found, [failure(Check::KeyBinding, Fault::Missing)]);
}

#[test]
fn products_that_are_not_called_as_gpus_are_should_name_no_box() {
	for (boot_rom, is_gpu) in [
		("GB202 A01 FSP BROM", true),
		("GB20 A01 FSP BROM", false),
		("GH100X A01 GSP BROM", false),
		("NV_10 A01 FSP BROM", false),
		("gh100 A01 GSP BROM", false),
	] {
		let leaf = CertSpec { issuer: boot_rom, ..Device::gpu(1).leaf };
		let device = Device { boot_rom, leaf, ..Device::gpu(1) };
		let failures = refused(&[device.evidence()], &policy());
		let expected = failure(Check::BoxIdentity, Fault::NotAccepted);
		assert_eq!(failures.is_empty(), is_gpu, "{boot_rom}");
		assert!(is_gpu || failures == [expected], "{boot_rom}: {failures:?}");
	}
}

#[test]
fn issuers_of_several_should_be_verified_once() {
	let gpus = [1, 2].map(|number| Device::gpu(number).evidence());
	let mut checks = Checks::stop_at_first();
	judged(&gpus, &policy(), &mut checks).unwrap();
	// One authority, which more boxes have; two boot ROMs and two leaves, which none has. The root is
	// pinned.
	assert_eq!(checks.issuers().len(), 1);
	assert_eq!(checks.certificates().len(), 6);
}

#[test]
fn box_should_have_a_part_for_each_device() {
	let mut second = Device::gpu(2);
	second.fields[0].1[1] = 0x9e;
	let gpus = [Device::gpu(1).evidence(), second.evidence(), Device::switch(3).evidence()];
	let claims = accepted(&gpus, &policy());
	assert_eq!(claims.identity.kind, IdentityKind::None);
	assert_eq!(claims.model, "2 x GH100 A01, 1 x LS_10 A01");
	assert_eq!(claims.nonce, NONCE);
	assert_eq!(claims.tcb, 0x96_00_9e_00_01);
	let ids: Vec<_> = claims.parts.iter().map(|part| part.identity.id.clone()).collect();
	assert_eq!(ids, [[0x41, 1], [0x41, 2], [0x41, 3]]);
}

#[test]
fn box_should_answer_one_nonce() {
	let other = Device { nonce: [8; 32], ..Device::gpu(2) };
	let gpus = [Device::gpu(1).evidence(), other.evidence()];
	assert_eq!(refused(&gpus, &policy()), [failure(Check::Nonce, Fault::Mismatch)]);
	assert_eq!(refused(&gpus[1..], &policy()), [failure(Check::Nonce, Fault::Mismatch)]);
}

#[test]
fn box_should_have_no_chip_twice() {
	let gpus = [1, 2, 1].map(|number| Device::gpu(number).evidence());
	assert_eq!(refused(&gpus, &policy()), [failure(Check::ChipBinding, Fault::Mismatch)]);
}

#[test]
fn report_should_be_refused_with_the_chain_of_another() {
	let (mut one, mut two) = (Device::gpu(1).evidence(), Device::gpu(2).evidence());
	std::mem::swap(&mut one.chain, &mut two.chain);
	let bad = |part| Failure::in_part(part, Check::ReportSignature, Fault::BadSignature);
	assert_eq!(refused(&[one, two], &policy()), [bad(0), bad(1)]);
}

#[test]
fn leaf_should_be_refused_under_another_boot_rom() {
	let mut gpu = Device::gpu(1).evidence();
	gpu.chain[1] = Device::gpu(2).chain().swap_remove(1);
	assert_eq!(
		refused(&[gpu], &policy()),
		[
			failure(Check::KeyBinding, Fault::Mismatch),
			failure(Check::CertificateSignature(0), Fault::BadSignature)
		]
	);
}

#[test]
fn firmware_of_report_and_leaf_should_agree() {
	let key = boot_rom_key(1);
	let leaf = |id: Vec<u8>| {
		CertSpec { extensions: Vec::new(), ..Device::gpu(1).leaf }.with(DEVICE_ID, id)
	};
	let bare = CertSpec { extensions: Vec::new(), ..Device::gpu(1).leaf };
	let mut silent = Device::gpu(1);
	silent.fields.retain(|(kind, _)| *kind != 20);
	let trailing = [device_id(&key, SHA384, &FWID), vec![0]].concat();
	let sha256 = "2.16.840.1.101.3.4.2.1";
	let gpu = Device::gpu(1);
	for (device, fault) in [
		(gpu.clone().with_leaf(bare), Fault::Missing),
		(gpu.clone().with_leaf(leaf(device_id(&key, SHA384, &[0; 48]))), Fault::Mismatch),
		(gpu.clone().with_leaf(leaf(device_id(&Key::p384(9), SHA384, &FWID))), Fault::Mismatch),
		(gpu.clone().with_leaf(leaf(device_id(&key, sha256, &FWID))), Fault::UnknownAlgorithm),
		(gpu.clone().with_leaf(leaf(FWID.to_vec())), Fault::Malformed),
		(gpu.with_leaf(leaf(trailing)), Fault::Malformed),
		(silent, Fault::Missing),
	] {
		let found = refused(&[device.evidence()], &policy());
		assert_eq!(found, [failure(Check::KeyBinding, fault)]);
	}
}

#[test]
fn issuer_that_is_no_boot_rom_should_name_no_box() {
	let boot_rom = "NVIDIA GH100 Provisioner ICA 1";
	let leaf = CertSpec { issuer: boot_rom, ..Device::gpu(1).leaf };
	let device = Device { boot_rom, leaf, ..Device::gpu(1) };
	let found = refused(&[device.evidence()], &policy());
	assert_eq!(found, [failure(Check::BoxIdentity, Fault::NotAccepted)]);
}

#[test]
fn report_should_be_refused_with_a_key_of_another_curve() {
	let device = Device { leaf_key: Key::p256(5), ..Device::gpu(1) };
	let found = refused(&[device.evidence()], &policy());
	assert_eq!(found, [failure(Check::ReportSignature, Fault::UnknownAlgorithm)]);
}

#[test]
fn measurements_should_be_among_the_accepted() {
	let gpu = [Device::gpu(1).evidence()];
	let with = |index: u8, digests: &[u8]| {
		let digests = digests.iter().map(|byte| HexBytes(vec![*byte; 48])).collect();
		Policy { gpu_measurements: [(index, digests)].into(), ..policy() }
	};
	let claims = accepted(&gpu, &with(2, &[9, 2]));
	assert_eq!(fact(&claims, "reference-values"), None);
	for (policy, fault) in [
		(with(2, &[9]), Fault::NotAccepted),
		(with(2, &[]), Fault::NotAccepted),
		(with(3, &[2]), Fault::Missing),
	] {
		assert_eq!(refused(&gpu, &policy), [failure(Check::Measurement, fault)]);
	}
}

#[test]
fn revoked_chips_and_issuers_should_be_refused() {
	let gpu = [Device::gpu(1).evidence()];
	let revoked = [failure(Check::Revocation, Fault::Revoked)];
	let list = vec![HexBytes(vec![0, 0x41, 1])];
	assert_eq!(refused(&gpu, &Policy { revoked_serials: list, ..policy() }), revoked);
	let list = vec![HexBytes(vec![0x41, 1])];
	assert_eq!(refused(&gpu, &Policy { revoked_ids: list, ..policy() }), revoked);
}

#[test]
fn strange_root_should_not_be_trusted() {
	let gpu = [Device::gpu(1).evidence()];
	let found = refused(&gpu, &Policy::default());
	assert_eq!(found, [failure(Check::Root, Fault::NotTrusted)]);
}

#[test]
fn instant_outside_the_dates_should_be_refused_and_the_rest_still_judged() {
	let evidence = NvidiaEvidence { gpus: vec![Device::gpu(1).evidence()] };
	let policy = policy();
	for (now, fault) in [(0, Fault::NotYetValid), (2 * NOW, Fault::Expired)] {
		let question = Question::new(&policy, None, now);
		let mut checks = Checks::note_all();
		verify(&evidence, &question, &mut checks).unwrap();
		let expected = [0, 1, 2, 3].map(|at| failure(Check::CertificateDates(at), fault));
		assert_eq!(checks.failed(), expected);
		assert!(checks.passed().any(|check| check == Check::Revocation));
		assert!(!checks.holds(Side::Crypto) && checks.holds(Side::Policy));
	}
}

#[test]
fn sizes_should_be_bounded() {
	let gpu = Device::gpu(1).evidence();
	assert_eq!(refused(&[], &policy()), [failure(Check::Layout, Fault::Missing)]);
	let many = vec![GpuEvidence::default(); MAX_GPUS + 1];
	assert_eq!(refused(&many, &policy()), [failure(Check::Layout, Fault::TooLarge)]);
	let report = vec![0x11; MAX_REPORT_LEN + 1];
	let large = GpuEvidence { report, ..gpu.clone() };
	assert_eq!(refused(&[large], &policy()), [failure(Check::Layout, Fault::TooLarge)]);
	for (chain, check, fault) in [
		(vec![], Check::CertificateLayout(0), Fault::Missing),
		(gpu.chain[..1].to_vec(), Check::CertificateLayout(1), Fault::Missing),
		(vec![vec![]; MAX_GPU_CHAIN_LEN + 1], Check::CertificateLayout(0), Fault::TooLarge),
	] {
		let gpu = GpuEvidence { chain, ..gpu.clone() };
		assert_eq!(refused(&[gpu], &policy()), [failure(check, fault)]);
	}
}

#[test]
fn layout_should_be_that_of_spdm() {
	let whole = Device::gpu(1).evidence();
	let fields_len = HEADERS + 3 * 55 + 32;
	for (at, byte, fault) in [
		(0, 0x12, Fault::UnknownVersion(0x12)),
		(1, 0xe1, Fault::Malformed),
		(2, 0, Fault::Malformed),
		(3, 1, Fault::Malformed),
		(37, 0x10, Fault::UnknownVersion(0x10)),
		(38, 0xe0, Fault::Malformed),
		// Blocks: fewer and more than the record has.
		(41, 2, Fault::Malformed),
		(41, 4, Fault::Malformed),
		// Length of the record.
		(42, 0xa4, Fault::Malformed),
		(44, 1, Fault::Truncated),
		// Block 2: the index of block 1, another specification, lengths, a value.
		(HEADERS + 55, 1, Fault::Malformed),
		(HEADERS + 56, 2, Fault::Malformed),
		(HEADERS + 57, 0x34, Fault::Malformed),
		(HEADERS + 59, 0x81, Fault::Malformed),
		(HEADERS + 60, 0x2f, Fault::Malformed),
		// The maker's own data: its length, a type that is there already, a length inside.
		(fields_len + 1, 0x40, Fault::Truncated),
		(fields_len, 2, Fault::Malformed),
		(fields_len + 2, 3, Fault::Malformed),
		(fields_len + 4, 0xff, Fault::Malformed),
	] {
		let mut gpu = whole.clone();
		assert_ne!(gpu.report[at], byte);
		gpu.report[at] = byte;
		let found = refused(&[gpu], &policy());
		assert_eq!(found, [failure(Check::Layout, fault)], "{byte:#x} at {at}");
	}
	let mut gpu = whole;
	gpu.report.push(0);
	assert_eq!(refused(&[gpu.clone()], &policy()), [], "one byte too many, as some tools write");
	for end in [&[1][..], &[0, 0]] {
		let mut longer = gpu.clone();
		longer.report.truncate(gpu.report.len() - 1);
		longer.report.extend(end);
		assert_eq!(refused(&[longer], &policy()), [failure(Check::Layout, Fault::TrailingBytes)]);
	}
}

#[test]
fn report_should_be_refused_when_any_byte_is_flipped_or_its_end_is_missing() {
	let whole = Device::gpu(1).evidence();
	let policy = policy();
	for at in 0..whole.report.len() {
		let mut gpu = whole.clone();
		gpu.report[at] ^= 1;
		let found = refusal(|checks| judged(&[gpu], &policy, checks));
		assert_eq!(found.check.side(), Side::Crypto, "{found} at {at}");
		let mut gpu = whole.clone();
		gpu.report.truncate(at);
		let found = refusal(|checks| judged(&[gpu], &policy, checks));
		assert_eq!(found, failure(Check::Layout, Fault::Truncated), "{at} bytes");
	}
}

proptest! {
	#[test]
	fn any_report_should_be_judged_without_panic(
		bytes in prop::collection::vec(any::<u8>(), 0..600),
		framed in any::<bool>(),
	) {
		let mut report = if framed { Device::gpu(1).message() } else { Vec::new() };
		report.truncate(HEADERS);
		report.extend(bytes);
		let gpu = GpuEvidence { report, chain: Vec::new() };
		let found = refusal(|checks| judged(&[gpu], &Policy::default(), checks));
		prop_assert!(matches!(found.check, Check::Layout | Check::CertificateLayout(0)));
	}
}

proptest! {
	// Each takes five signatures to make.
	#![proptest_config(ProptestConfig::with_cases(48))]

	#[test]
	fn any_device_id_should_be_judged_without_panic(
		id in prop::collection::vec(any::<u8>(), 0..300),
	) {
		let leaf = CertSpec { extensions: Vec::new(), ..Device::gpu(1).leaf };
		let gpu = Device::gpu(1).with_leaf(leaf.with(DEVICE_ID, id)).evidence();
		let found = refusal(|checks| judged(&[gpu], &policy(), checks));
		prop_assert_eq!(found.check, Check::KeyBinding);
	}
}

/// The real H100 and the nonce of its request.
fn hopper() -> Option<(GpuEvidence, Vec<u8>)> {
	let vectors = vectors()?;
	let report = from_hex(&read_text(&vectors, "nvidia/hopperAttestationReport.txt")).unwrap();
	let chain = pem(&read_text(&vectors, "nvidia/hopper_cert_chain_case1.txt"));
	let root = pem(&read_text(&vectors, "nvidia/nvidia_device_root.pem"));
	assert_eq!(chain.last(), root.first());
	let nonce = "931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb";
	Some((GpuEvidence { report, chain }, from_hex(nonce).unwrap()))
}

fn on_hopper(
	gpu: &GpuEvidence,
	nonce: Option<&[u8]>,
	now: &str,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let policy = Policy::default();
	let evidence = NvidiaEvidence { gpus: vec![gpu.clone()] };
	verify(&evidence, &Question::new(&policy, nonce, at(now)), checks)
}

const HOPPER_NOW: &str = "2024-10-01T00:00:00Z";

#[test]
fn real_h100_should_be_accepted_with_what_its_description_says() {
	let Some((gpu, nonce)) = hopper() else { return };
	let mut checks = Checks::note_all();
	let claims = on_hopper(&gpu, Some(&nonce), HOPPER_NOW, &mut checks).unwrap();
	assert_eq!(checks.failed(), []);
	let serial = format!("{}", Hex(&claims.identity.id));
	assert_eq!(
		(claims.identity.kind, serial.as_str()),
		(IdentityKind::NvidiaGpu, "41431d480fe5e87274")
	);
	assert_eq!(claims.model, "GH100 A01");
	assert_eq!(claims.nonce, nonce);
	assert_eq!(claims.firmware, "VBIOS 96.00.9F.00.01, driver 550.90.07");
	assert_eq!(claims.tcb, 0x96_00_9f_00_01);
	assert_eq!(claims.valid.from, at("2022-03-01T00:00:00Z"));
	assert_eq!(claims.valid.until, at("9999-12-31T23:59:59Z"));
	for (name, value) in [
		("response-nonce", "b4b8a06aaaa35542839388e159d447a5d6f6194998fd86513e2d591ccf640985"),
		("fwid", "f5c384aebb579217a2c66b17ed0f28e6a9b8d639041acd7b4721cec004f7275494ba94bb5cdfdb3055ee051762b1f75d"),
		("driver-version", "550.90.07"),
		("chip-sku", "882"),
		("board-id", "b1030000"),
		("project", "1010"),
		("project-sku", "0200"),
		("protected-pcie", "off (0x55)"),
		("nvdec0", "off (0x55)"),
		("measured", "26 of 64 measurements are not zero"),
	] {
		assert_eq!(fact(&claims, name), Some(value), "{name}");
	}
	assert_eq!(claims.measurements.len(), 26);
	let second = claims.measurements.iter().find(|m| m.name == "gpu2").unwrap();
	assert_eq!(
		format!("{}", Hex(&second.digest)),
		"8048dfd18fe229bf16eb9d30cca0f11a24dafe6eb731de1462984645a0b189b77c4e4e17de727a5e19e3d07de51da338"
	);
}

#[test]
fn real_h100_should_be_refused_with_another_nonce_instant_or_root() {
	let Some((gpu, nonce)) = hopper() else { return };
	let found = failures(|checks| on_hopper(&gpu, Some(&[1; 32]), HOPPER_NOW, checks));
	assert_eq!(found, [failure(Check::Nonce, Fault::Mismatch)]);
	let early = "2022-02-28T23:59:59Z";
	let found = failures(|checks| on_hopper(&gpu, Some(&nonce), early, checks));
	assert_eq!(found, [failure(Check::CertificateDates(2), Fault::NotYetValid)]);
	let late = "9999-12-31T23:59:59Z";
	assert_eq!(failures(|checks| on_hopper(&gpu, Some(&nonce), late, checks)), []);

	let mut headless = gpu.clone();
	headless.chain.pop();
	let found = refusal(|checks| on_hopper(&headless, Some(&nonce), HOPPER_NOW, checks));
	assert_eq!(found, failure(Check::Root, Fault::NotTrusted));
	let mut swapped = gpu.clone();
	swapped.chain.swap(0, 1);
	let found = refusal(|checks| on_hopper(&swapped, Some(&nonce), HOPPER_NOW, checks));
	assert_eq!(found, failure(Check::KeyBinding, Fault::Missing));
	let foreign = GpuEvidence { chain: Device::gpu(1).chain(), ..gpu.clone() };
	let found = refusal(|checks| on_hopper(&foreign, Some(&nonce), HOPPER_NOW, checks));
	assert_eq!(found, failure(Check::KeyBinding, Fault::Mismatch));
}

#[test]
fn real_h100_should_be_refused_when_a_byte_of_its_report_is_flipped() {
	let Some((gpu, _)) = hopper() else { return };
	let len = gpu.report.len();
	let record_end = HEADERS + 3_520;
	let headers = (0..HEADERS).chain((HEADERS..record_end).filter(|at| (at - HEADERS) % 55 < 8));
	let rest = record_end..len;
	for at in headers.chain(rest) {
		let mut bad = gpu.clone();
		bad.report[at] ^= 1;
		let found = refusal(|checks| on_hopper(&bad, None, HOPPER_NOW, checks));
		if at >= len - SIGNATURE {
			assert_eq!(found, failure(Check::ReportSignature, Fault::BadSignature), "{at}");
		}
		let checks = [Check::Layout, Check::KeyBinding, Check::ReportSignature];
		assert!(checks.contains(&found.check), "{found} at {at}");
	}
	for keep in [0, 4, 36, 37, 44, 45, 1_000, 3_565, 3_597, 4_021, len - 1] {
		let mut bad = gpu.clone();
		bad.report.truncate(keep);
		let found = refusal(|checks| on_hopper(&bad, None, HOPPER_NOW, checks));
		assert_eq!(found, failure(Check::Layout, Fault::Truncated), "{keep} bytes");
	}
	let mut bad = gpu;
	bad.report.extend([0, 0]);
	let found = refusal(|checks| on_hopper(&bad, None, HOPPER_NOW, checks));
	assert_eq!(found, failure(Check::Layout, Fault::TrailingBytes));
}

#[test]
fn real_h100_should_be_refused_when_a_byte_of_a_certificate_is_flipped() {
	let Some((gpu, _)) = hopper() else { return };
	let last = gpu.chain.len() - 1;
	for certificate in 0..gpu.chain.len() {
		let len = gpu.chain[certificate].len();
		for byte in (0..24).chain(len - 104..len) {
			let mut bad = gpu.clone();
			bad.chain[certificate][byte] ^= 1;
			let found = refusal(|checks| on_hopper(&bad, None, HOPPER_NOW, checks));
			let at = found.check.certificate().map(usize::from);
			let root = certificate == last && found.check == Check::Root;
			assert!(at == Some(certificate) || root, "{found} at {certificate}, {byte}");
		}
	}
}

#[test]
fn real_h100_should_be_refused_when_its_serial_is_revoked() {
	let Some((gpu, nonce)) = hopper() else { return };
	let serials = vec![HexBytes(from_hex("41431d480fe5e87274").unwrap())];
	for policy in [
		Policy { revoked_serials: serials.clone(), ..Policy::default() },
		Policy { revoked_ids: serials, ..Policy::default() },
	] {
		let question = Question::new(&policy, Some(&nonce), at(HOPPER_NOW));
		let evidence = NvidiaEvidence { gpus: vec![gpu.clone()] };
		let found = failures(|checks| verify(&evidence, &question, checks));
		assert_eq!(found, [failure(Check::Revocation, Fault::Revoked)]);
	}
}
