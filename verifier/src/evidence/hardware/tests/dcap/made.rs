//! Every rule, with evidence of our own making.

use super::{
	super::{
		super::{
			claims::DebugStatus,
			dcap::{Collateral, DcapEvidence},
			policy::{HexBytes, Policy},
			testing::{
				crl,
				dcap::{
					ca_key, extension, pem, root_key, Kind, Maker, CA, COMPONENTS, DAY, PPID, ROOT,
				},
				CertSpec, Key, NOW,
			},
			Check, Claims, Failure, Fault, Format, Question, Window,
		},
		common::failure,
	},
	accept, fact, failed, measured, refused,
};
use proptest::prelude::*;
use std::{format, string::String, vec, vec::Vec};

const KINDS: [(u16, Kind); 6] = [
	(3, Kind::Sgx),
	(4, Kind::Sgx),
	(4, Kind::Td10),
	(5, Kind::Sgx),
	(5, Kind::Td10),
	(5, Kind::Td15),
];

pub(super) fn tdx() -> Maker {
	Maker::new(5, Kind::Td15)
}

pub(super) fn held(maker: &Maker) -> Claims {
	accept(&maker.build(), NOW, &maker.policy()).unwrap()
}

/// All failures.
pub(super) fn faults(maker: &Maker) -> Vec<Failure> {
	failed(&maker.build(), NOW, &maker.policy())
}

/// Asserts that nothing else fails, also where the first failure ends the work.
#[track_caller]
pub(super) fn only(maker: &Maker, check: Check, fault: Fault) {
	let expected = failure(check, fault);
	assert_eq!(faults(maker), [expected]);
	assert_eq!(refused(&maker.build(), NOW, &maker.policy()), expected);
}

/// The same with a text of the TCB info replaced, which must be there.
#[track_caller]
pub(super) fn with_info(from: &str, to: &str) -> Maker {
	let mut maker = tdx();
	assert!(maker.tcb_info.contains(from), "{from}");
	maker.tcb_info = maker.tcb_info.replacen(from, to, 1);
	maker
}

#[track_caller]
pub(super) fn with_identity(from: &str, to: &str) -> Maker {
	let mut maker = tdx();
	assert!(maker.qe_identity.contains(from), "{from}");
	maker.qe_identity = maker.qe_identity.replacen(from, to, 1);
	maker
}

#[test]
fn every_version_and_body_should_hold() {
	for (version, kind) in KINDS {
		let claims = held(&Maker::new(version, kind));
		let format = if kind == Kind::Sgx { Format::Sgx } else { Format::Tdx };
		assert_eq!(claims.format, format);
		assert_eq!(claims.identity.id, PPID);
		assert_eq!(claims.nonce, [0x42; 64]);
		assert_eq!(claims.model, "102030000000");
		assert_eq!(claims.debug, DebugStatus::Disabled);
		let window = Window { from: NOW - DAY, until: NOW + 18 * DAY };
		assert_eq!(claims.valid, window);
		// The oldest of the parts' dates is the quoting enclave's.
		assert_eq!(claims.tcb, 1_754_611_200);
		assert_eq!(fact(&claims, "quote-version"), format!("{version}"));
		let name = if kind == Kind::Sgx { "mrenclave" } else { "mrtd" };
		assert_eq!(measured(&claims, name), "6d".repeat(if kind == Kind::Sgx { 32 } else { 48 }));
	}
}

#[test]
fn quote_should_be_read_only_in_its_form() {
	let layout = |edit: &dyn Fn(&mut Maker), fault| {
		let mut maker = tdx();
		edit(&mut maker);
		only(&maker, Check::Layout, fault);
	};
	layout(&|maker| maker.version = 2, Fault::UnknownVersion(2));
	layout(&|maker| maker.version = 6, Fault::UnknownVersion(6));
	layout(&|maker| maker.version = 3, Fault::Malformed);
	layout(&|maker| maker.key_type = 3, Fault::UnknownAlgorithm);
	layout(&|maker| maker.vendor[0] = 0, Fault::NotTrusted);
	layout(&|maker| maker.body.truncate(584), Fault::Malformed);
	layout(&|maker| maker.padding = vec![0, 1], Fault::TrailingBytes);
	layout(&|maker| maker.padding = vec![0; 16 * 1024], Fault::TooLarge);
	let mut padded = tdx();
	padded.padding = vec![0; 70];
	held(&padded);

	let raw = |at: usize, byte: u8| {
		let mut evidence = tdx().build();
		evidence.quote[at] = byte;
		refused(&evidence, NOW, &tdx().policy())
	};
	assert_eq!(raw(4, 0), failure(Check::Layout, Fault::Mismatch), "a TD in a quote of SGX");
	assert_eq!(raw(4, 0x82), failure(Check::Layout, Fault::Malformed));
	assert_eq!(raw(48, 4), failure(Check::Layout, Fault::UnknownVersion(4)));
	let data = 48 + 6 + 648 + 4 + 128;
	assert_eq!(raw(data, 5), failure(Check::Layout, Fault::UnknownVersion(5)), "no QE report");
	let inner = data + 6 + 384 + 64 + 2 + 32;
	assert_eq!(raw(inner, 4), failure(Check::Layout, Fault::UnknownVersion(4)), "no chain");
	let longer = tdx().quote()[inner + 2].wrapping_add(1);
	assert_eq!(raw(inner + 2, longer), failure(Check::Layout, Fault::Truncated));
	let shorter = tdx().quote()[inner + 2].wrapping_sub(1);
	assert_eq!(raw(inner + 2, shorter), failure(Check::Layout, Fault::TrailingBytes));
}

#[test]
fn every_flipped_byte_and_truncation_should_be_refused() {
	for (version, kind) in [(3, Kind::Sgx), (4, Kind::Td10), (5, Kind::Td15)] {
		let maker = Maker::new(version, kind);
		let (policy, whole) = (maker.policy(), maker.build());
		for at in (0..whole.quote.len()).filter(|at| *at < 1_340 || at % 7 == 0) {
			let mut bad = whole.clone();
			// The low bits only: with another one, white space may become other white space.
			bad.quote[at] ^= 1 << (at % 5);
			assert!(accept(&bad, NOW, &policy).is_err(), "byte {at} of {kind:?}");
		}
		for len in 0..whole.quote.len() {
			let bad = DcapEvidence { quote: whole.quote[..len].to_vec(), collateral: None };
			let short = failure(Check::Layout, Fault::Truncated);
			assert_eq!(refused(&bad, NOW, &policy), short, "{len} bytes of {kind:?}");
		}
	}
}

#[test]
fn high_s_should_hold_as_honest_hardware_makes_it() {
	let maker = tdx();
	let mut evidence = maker.build();
	let at = 48 + 6 + 648 + 4;
	let signature = p256::ecdsa::Signature::from_slice(&evidence.quote[at..at + 64]).unwrap();
	let high = p256::ecdsa::Signature::from_scalars(
		signature.r().to_bytes(),
		(-*signature.s()).to_bytes(),
	)
	.unwrap();
	evidence.quote[at..at + 64].copy_from_slice(&high.to_bytes());
	assert!(accept(&evidence, NOW, &maker.policy()).is_ok());
}

#[test]
fn keys_should_sign_what_is_theirs() {
	let mut maker = tdx();
	maker.quote_signer = Key::p256(9);
	only(&maker, Check::ReportSignature, Fault::BadSignature);
	let mut maker = tdx();
	maker.qe_signer = Key::p256(9);
	only(&maker, Check::QeReportSignature, Fault::BadSignature);
	let mut maker = tdx();
	maker.qe_report[352] = 1;
	only(&maker, Check::KeyBinding, Fault::Mismatch);
	// A key beside the point that the enclave names.
	let maker = tdx();
	let mut evidence = maker.build();
	let other = Key::p256(9).point();
	evidence.quote[770..834].copy_from_slice(&other[1..]);
	assert_eq!(
		failed(&evidence, NOW, &maker.policy()),
		[
			failure(Check::KeyBinding, Fault::Mismatch),
			failure(Check::ReportSignature, Fault::BadSignature)
		]
	);
	evidence.quote[770..834].fill(0xff);
	assert_eq!(
		failed(&evidence, NOW, &maker.policy()),
		[
			failure(Check::KeyBinding, Fault::Mismatch),
			failure(Check::ReportSignature, Fault::Malformed)
		]
	);
}

#[test]
fn platform_chain_should_be_intels_form() {
	let mut maker = tdx();
	maker.leaf.subject = "Intel SGX TCB Signing";
	only(&maker, Check::CertificateLayout(0), Fault::Mismatch);
	let mut maker = tdx();
	(maker.leaf.issuer, maker.ca.subject) = ("Other CA", "Other CA");
	maker.pck_crl = crl("Other CA", &ca_key(), NOW - DAY, NOW + DAY, &[]);
	only(&maker, Check::CertificateAuthority(1), Fault::Mismatch);
	let mut maker = tdx();
	maker.leaf.until = NOW - 1_000;
	only(&maker, Check::CertificateDates(0), Fault::Expired);
	let mut maker = tdx();
	maker.ca.ca = false;
	only(&maker, Check::CertificateAuthority(1), Fault::NotAccepted);
	let maker = tdx();
	let foreign = failure(Check::Root, Fault::NotTrusted);
	assert_eq!(failed(&maker.build(), NOW, &Policy::default()), [foreign]);
}

#[test]
fn pck_extension_should_be_whole() {
	let with = |value: Option<Vec<u8>>, fault| {
		let mut maker = tdx();
		maker.extension = value;
		only(&maker, Check::CertificateLayout(0), fault);
	};
	with(None, Fault::Missing);
	for part in ["1", "2", "3", "4", "5", "2.1", "2.16", "2.17", "2.18"] {
		with(Some(extension(&PPID, &COMPONENTS, 13, &[part])), Fault::Missing);
	}
	with(Some(extension(&PPID[1..], &COMPONENTS, 13, &[])), Fault::Malformed);
	let mut trailing = extension(&PPID, &COMPONENTS, 13, &[]);
	trailing.push(0);
	with(Some(trailing), Fault::Malformed);
	with(Some(vec![0x30, 0x03, 1]), Fault::Malformed);
	let mut maker = tdx();
	maker.extension = Some(extension(&PPID, &COMPONENTS, 13, &["6", "7"]));
	held(&maker);
	maker.extension = Some(extension(&[0; 16], &COMPONENTS, 13, &[]));
	only(&maker, Check::BoxIdentity, Fault::NotAccepted);
}

#[test]
fn revoked_certificates_should_be_refused() {
	let mut maker = tdx();
	maker.pck_crl = crl(CA, &ca_key(), NOW - DAY, NOW + DAY, &[&[0x55], &[0x11]]);
	only(&maker, Check::CertificateRevocation(0), Fault::Revoked);
	let listing = |serial: &[u8]| {
		let mut maker = tdx();
		maker.root_crl = crl(ROOT, &root_key(), NOW - DAY, NOW + DAY, &[serial]);
		maker
	};
	only(&listing(&[0x22]), Check::CertificateRevocation(1), Fault::Revoked);
	only(&listing(&[0x33]), Check::CertificateRevocation(2), Fault::Revoked);
	let signer = listing(&[0x44]);
	assert_eq!(
		faults(&signer),
		[
			failure(Check::TcbInfoSignature, Fault::Revoked),
			failure(Check::QeIdentitySignature, Fault::Revoked)
		]
	);
	let maker = tdx();
	let revoked = failure(Check::Revocation, Fault::Revoked);
	let policy = Policy { revoked_serials: vec![HexBytes(vec![0x22])], ..maker.policy() };
	assert_eq!(failed(&maker.build(), NOW, &policy), [revoked]);
	let policy = Policy { revoked_ids: vec![HexBytes(PPID.to_vec())], ..maker.policy() };
	assert_eq!(failed(&maker.build(), NOW, &policy), [revoked]);
}

#[test]
fn revocation_lists_should_be_current_and_their_issuers() {
	let lists = |name: &str, key: &Key, from, until| crl(name, key, from, until, &[]);
	for (name, key, from, until, expected) in [
		(CA, Key::p256(9), NOW, NOW, Ok(Fault::BadSignature)),
		(ROOT, ca_key(), NOW, NOW, Ok(Fault::Mismatch)),
		(CA, ca_key(), NOW + 1_000, NOW + DAY, Err(Fault::NotYetValid)),
		(CA, ca_key(), NOW - DAY, NOW - 1_000, Err(Fault::Expired)),
	] {
		let mut maker = tdx();
		maker.pck_crl = lists(name, &key, from, until);
		match expected {
			Ok(fault) => only(&maker, Check::PckCrlSignature, fault),
			Err(fault) => only(&maker, Check::PckCrlDates, fault),
		}
	}
	for (name, key, from, until, expected) in [
		(ROOT, Key::p256(9), NOW, NOW, Ok(Fault::BadSignature)),
		(CA, root_key(), NOW, NOW, Ok(Fault::Mismatch)),
		(ROOT, root_key(), NOW + 1_000, NOW + DAY, Err(Fault::NotYetValid)),
		(ROOT, root_key(), NOW - DAY, NOW - 1_000, Err(Fault::Expired)),
	] {
		let mut maker = tdx();
		maker.root_crl = lists(name, &key, from, until);
		match expected {
			Ok(fault) => only(&maker, Check::RootCrlSignature, fault),
			Err(fault) => only(&maker, Check::RootCrlDates, fault),
		}
	}
}

#[test]
fn issuer_of_the_platform_list_should_be_the_platforms() {
	let maker = tdx();
	let with = |ca: Vec<u8>| {
		let mut evidence = maker.build();
		let chain = pem(&[ca, maker.root_der()]);
		evidence.collateral.as_mut().unwrap().pck_crl_issuer_chain = chain;
		failed(&evidence, NOW, &maker.policy())
	};
	let renewed = CertSpec { serial: vec![0x23], ..maker.ca.clone() };
	assert_eq!(with(renewed.sign(&ca_key(), &root_key())), [], "the same key in a new certificate");
	let forged = failure(Check::PckCrlSignature, Fault::BadSignature);
	assert_eq!(with(renewed.sign(&ca_key(), &Key::p256(9))), [forged]);
	let other = failure(Check::PckCrlSignature, Fault::Mismatch);
	assert_eq!(with(renewed.sign(&Key::p256(9), &root_key())), [other]);
}

#[test]
fn documents_should_be_signed_by_the_tcb_signer() {
	let both = |maker: &Maker, fault| {
		let found = faults(maker);
		let expected = [Check::TcbInfoSignature, Check::QeIdentitySignature]
			.map(|check| failure(check, fault));
		assert_eq!(found, expected);
	};
	let mut maker = tdx();
	maker.document_signer = Key::p256(9);
	both(&maker, Fault::BadSignature);
	let mut maker = tdx();
	maker.tcb_signer.issuer = CA;
	both(&maker, Fault::Mismatch);
	let mut maker = tdx();
	maker.tcb_signer.subject = "Intel SGX PCK Certificate";
	both(&maker, Fault::NotTrusted);

	// The platform's own key, with its own chain, signs itself better levels.
	let mut maker = tdx();
	maker.document_signer = maker.pck_key.clone();
	let mut evidence = maker.build();
	let collateral = evidence.collateral.as_mut().unwrap();
	for (chain, fault) in [
		(vec![maker.leaf_der(), maker.root_der()], Fault::NotTrusted),
		(vec![maker.leaf_der(), maker.ca_der(), maker.root_der()], Fault::TooLarge),
		(vec![maker.leaf_der()], Fault::Missing),
	] {
		collateral.tcb_info_issuer_chain = pem(&chain);
		let found = failed(
			&DcapEvidence { quote: maker.quote(), collateral: Some(collateral.clone()) },
			NOW,
			&maker.policy(),
		);
		assert_eq!(found[0], failure(Check::TcbInfoSignature, fault));
	}
}

#[test]
fn documents_should_be_current() {
	for (from, to, fault) in [
		("2025-12-20T00:00:00Z", "2026-01-01T00:00:00Z", None),
		("2025-12-20T00:00:00Z", "2026-01-01T00:00:01Z", Some(Fault::NotYetValid)),
		("2026-01-19T00:00:00Z", "2026-01-01T00:00:00Z", None),
		("2026-01-19T00:00:00Z", "2025-12-31T23:59:59Z", Some(Fault::Expired)),
	] {
		let maker = with_info(from, to);
		match fault {
			Some(fault) => only(&maker, Check::TcbInfoDates, fault),
			None => drop(held(&maker)),
		}
	}
	for (from, to, fault) in [
		("2025-12-21T00:00:00Z", "2026-01-01T00:00:01Z", Fault::NotYetValid),
		("2026-01-20T00:00:00Z", "2025-12-31T23:59:59Z", Fault::Expired),
	] {
		only(&with_identity(from, to), Check::QeIdentityDates, fault);
	}
	let mut maker = tdx();
	maker.tcb_signer.until = NOW - 1_000;
	assert_eq!(
		faults(&maker),
		[
			failure(Check::TcbInfoDates, Fault::Expired),
			failure(Check::QeIdentityDates, Fault::Expired)
		]
	);
}

#[test]
fn documents_should_be_read_only_in_their_form() {
	let layout = |maker: &Maker, fault| only(maker, Check::Layout, fault);
	layout(&with_info("\"version\":3", "\"version\":2"), Fault::UnknownVersion(2));
	layout(&with_info("\"tcbType\":0", "\"tcbType\":1"), Fault::UnknownVersion(1));
	layout(&with_info("102030000000", "10203000000"), Fault::Malformed);
	layout(&with_info("[{\"svn\":7},", "["), Fault::Malformed);
	layout(&with_info("{\"svn\":7}", "{\"svn\":256}"), Fault::Malformed);
	layout(&with_info("2025-12-20T00:00:00Z", "2025-12-20"), Fault::Malformed);
	layout(&with_info("INTEL-SA-00001", "INTEL-SA-\\u000a0001"), Fault::Malformed);
	layout(&with_info("\"UpToDate\"", "\"Up To Date\""), Fault::Malformed);
	layout(&with_info("{\"id\"", "{{\"id\""), Fault::Malformed);
	layout(&with_identity("\"version\":2", "\"version\":1"), Fault::UnknownVersion(1));
	layout(&with_identity("FBFF", "FB"), Fault::Malformed);
	let many = format!("\"INTEL-SA-00001\"{}", ",\"A\"".repeat(64));
	layout(&with_info("\"INTEL-SA-00001\"", &many), Fault::TooLarge);
	let mut maker = tdx();
	maker.tcb_info.push_str(&" ".repeat(64 * 1024));
	layout(&maker, Fault::TooLarge);
	let mut maker = tdx();
	let level =
		"{\"tcb\":{\"isvsvn\":9},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},";
	maker.qe_identity = maker
		.qe_identity
		.replace("\"tcbLevels\":[", &format!("\"tcbLevels\":[{}", level.repeat(63)));
	layout(&maker, Fault::TooLarge);
	let mut maker = tdx();
	maker.tcb_info = "[".repeat(60_000);
	layout(&maker, Fault::Malformed);
	held(&with_info("{\"id\"", "{\"new\":[{\"x\":[1,null,\"y\"]}],\"id\""));
}

#[test]
fn collateral_json_should_be_read_as_it_is_written() {
	let maker = tdx();
	let text = serde_json::to_vec(&maker.collateral()).unwrap();
	assert_eq!(Collateral::from_json(&text), Ok(maker.collateral()));
	let more =
		String::from_utf8(text)
			.unwrap()
			.replacen('{', "{\"pck_certificate_chain\":null,", 1);
	assert_eq!(Collateral::from_json(more.as_bytes()), Ok(maker.collateral()));
	assert_eq!(Collateral::from_json(b"{}"), Ok(Collateral::default()));
	assert_eq!(Collateral::from_json(b"{} x"), Err(Fault::Malformed));
	assert_eq!(Collateral::from_json(b"{\"pck_crl\":1}"), Err(Fault::Malformed));
	assert_eq!(Collateral::from_json(&vec![b' '; 512 * 1024 + 1]), Err(Fault::TooLarge));
	let mut evidence = maker.build();
	evidence.collateral = Some(Collateral::default());
	let missing = failure(Check::Layout, Fault::Missing);
	assert_eq!(refused(&evidence, NOW, &maker.policy()), missing);
}

#[test]
fn policy_should_see_what_the_quote_says() {
	for bit in 0..8 {
		let mut maker = tdx();
		maker.body[120] = 1 << bit;
		only(&maker, Check::Debug, Fault::NotAccepted);
		let lenient = Policy { allow_debug: true, ..maker.policy() };
		let claims = accept(&maker.build(), NOW, &lenient).unwrap();
		assert_eq!(claims.debug, DebugStatus::Enabled);
	}
	let mut maker = Maker::new(3, Kind::Sgx);
	maker.body[48] |= 0x02;
	only(&maker, Check::Debug, Fault::NotAccepted);
	let mut maker = tdx();
	maker.body[123] = 0x20;
	only(&maker, Check::PlatformConfiguration, Fault::NotAccepted);
	let lenient = Policy { allow_migration_agent: true, ..maker.policy() };
	let claims = accept(&maker.build(), NOW, &lenient).unwrap();
	assert_eq!(fact(&claims, "sept-ve-disable"), "false");

	let maker = tdx();
	let measuring =
		|byte| Policy { measurements: vec![HexBytes(vec![byte; 48])], ..maker.policy() };
	assert!(accept(&maker.build(), NOW, &measuring(0x6d)).is_ok());
	assert_eq!(
		failed(&maker.build(), NOW, &measuring(0x6e)),
		[failure(Check::Measurement, Fault::NotAccepted)]
	);
}

#[test]
fn nonce_should_be_the_whole_report_data() {
	let maker = tdx();
	let (evidence, policy) = (maker.build(), maker.policy());
	let ask = |nonce: &[u8]| {
		let question = Question::new(&policy, Some(nonce), NOW);
		super::verify(&evidence, &question, &mut super::Checks::stop_at_first()).map(|_| ())
	};
	assert_eq!(ask(&[0x42; 64]), Ok(()));
	let other = Err(failure(Check::Nonce, Fault::Mismatch));
	assert_eq!(ask(&[0x42; 63]), other);
	assert_eq!(ask(&[0x43; 64]), other);
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(48))]

	#[test]
	fn any_bytes_should_be_refused(
		quote in prop::collection::vec(any::<u8>(), 0..2_000),
		version in 2u8..7,
		text in "\\PC{0,60}",
	) {
		let maker = tdx();
		let mut with_header = maker.quote()[..48].to_vec();
		with_header[0] = version;
		with_header.extend(&quote);
		for quote in [quote, with_header] {
			let evidence = DcapEvidence { quote, collateral: None };
			let found = refused(&evidence, NOW, &maker.policy());
			prop_assert_eq!(found.check, Check::Layout);
		}
		let mut evidence = maker.build();
		evidence.collateral.as_mut().unwrap().tcb_info = text.clone();
		prop_assert_eq!(refused(&evidence, NOW, &maker.policy()).check, Check::Layout);
		let _ = Collateral::from_json(text.as_bytes());
	}

	#[test]
	fn any_changed_bytes_should_be_refused(
		at in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
	) {
		let maker = tdx();
		let mut evidence = maker.build();
		let whole = evidence.quote.clone();
		for (index, change) in at {
			let at = index.index(evidence.quote.len());
			evidence.quote[at] ^= change;
		}
		// White space, and the zero behind it, may become other white space and mean the same.
		let holds = accept(&evidence, NOW, &maker.policy()).is_ok();
		let blank = |quote: &[u8]| {
			quote.iter().map(|b| if b.is_ascii_whitespace() || *b == 0 { b' ' } else { *b }).collect::<Vec<_>>()
		};
		prop_assert!(!holds || blank(&evidence.quote) == blank(&whole));
	}
}
