//! Quotes of real platforms, whole and damaged; the ones of our own making are below.

mod levels;
mod made;

use super::{
	super::{
		crypto::sha256,
		dcap::{verify, Collateral, DcapEvidence},
		policy::{Digest256, HexBytes, Policy, TcbStatus},
		Check, Checks, Claims, Failure, Fault, Format, IdentityKind, Question, Side, Window,
	},
	common::{at, failure, failures, read, refusal, vectors},
};
use std::{
	path::Path,
	string::{String, ToString},
	vec,
	vec::Vec,
};

fn load(vectors: &Path, name: &str) -> DcapEvidence {
	let collateral = read(vectors, &std::format!("tdx/{name}_collateral.json"));
	DcapEvidence {
		quote: read(vectors, &std::format!("tdx/{name}")),
		collateral: Some(Collateral::from_json(&collateral).unwrap()),
	}
}

/// The real evidence with its instant and a policy that it satisfies as far as it can.
fn all(vectors: &Path) -> Vec<(DcapEvidence, u64, Policy)> {
	vec![
		(load(vectors, "tdx_quote"), at("2025-06-19T11:32:00Z"), Policy::default()),
		(load(vectors, "tdx_quote_outdated"), at("2026-02-19T00:00:00Z"), Policy::default()),
		(load(vectors, "sgx_quote"), at("2025-06-19T11:32:00Z"), lenient()),
	]
}

fn lenient() -> Policy {
	let tcb_statuses = vec![TcbStatus::ConfigurationAndSWHardeningNeeded];
	Policy { tcb_statuses, ..Policy::default() }
}

/// The claims, where every check holds.
fn accept(evidence: &DcapEvidence, now: u64, policy: &Policy) -> Result<Claims, Failure> {
	let question = Question::new(policy, None, now);
	verify(evidence, &question, &mut Checks::stop_at_first())
}

fn failed(evidence: &DcapEvidence, now: u64, policy: &Policy) -> Vec<Failure> {
	let question = Question::new(policy, None, now);
	failures(|checks| verify(evidence, &question, checks))
}

fn refused(evidence: &DcapEvidence, now: u64, policy: &Policy) -> Failure {
	let question = Question::new(policy, None, now);
	refusal(|checks| verify(evidence, &question, checks))
}

fn claims_of(evidence: &DcapEvidence, now: u64, policy: &Policy) -> Claims {
	let question = Question::new(policy, None, now);
	verify(evidence, &question, &mut Checks::note_all()).unwrap()
}

fn fact<'a>(claims: &'a Claims, name: &str) -> &'a str {
	let fact = claims.facts.iter().find(|fact| fact.name == name);
	&fact.unwrap_or_else(|| panic!("no fact {name}")).value
}

fn measured(claims: &Claims, name: &str) -> String {
	let found = claims.measurements.iter().find(|measurement| measurement.name == name);
	hex::encode(&found.unwrap_or_else(|| panic!("no measurement {name}")).digest)
}

fn assert_facts(claims: &Claims, facts: &[(&str, &str)]) {
	for (name, value) in facts {
		assert_eq!(fact(claims, name), *value, "{name}");
	}
}

#[test]
fn tdx_quote_should_hold_with_every_claim() {
	let Some(vectors) = vectors() else { return };
	let evidence = load(&vectors, "tdx_quote");
	let now = at("2025-06-19T11:32:00Z");
	let claims = accept(&evidence, now, &Policy::default()).unwrap();
	assert_eq!(claims.format, Format::Tdx);
	assert_eq!(hex::encode(&claims.nonce), "9a9d48e7f6799642d3d1b34e1e5e1742d4bb02dd6ddd551862c1211d35c304f9eca3efdbb481601c163cf52493d6e44aed55d51ec39b7e518fadb92c2b523f20");
	assert_eq!(claims.identity.kind, IdentityKind::IntelPlatform);
	assert_eq!(hex::encode(&claims.identity.id), "811dca2a26b952e85bb6448b097ba4fd");
	assert_eq!(claims.model, "b0c06f000000");
	assert_eq!(claims.tcb * 1_000, at("2024-03-13T00:00:00Z"));
	let from = at("2025-06-19T10:32:27Z");
	assert_eq!(claims.valid, Window { from, until: at("2025-07-19T10:00:35Z") });
	assert_facts(
		&claims,
		&[
			("quote-version", "4"),
			("fmspc", "b0c06f000000"),
			("pce-id", "0000"),
			("pce-svn", "11"),
			("sgx-components", "3,3,2,2,4,1,0,5,0,0,0,0,0,0,0,0"),
			("tee-tcb-svn", "06010300000000000000000000000000"),
			("qe-isv-svn", "6"),
			("qe-status", "UpToDate"),
			("tdx-module", "TDX_01"),
			("tdx-module-svn", "6"),
			("tdx-module-status", "UpToDate"),
			("td-attributes", "0000001000000000"),
			("sept-ve-disable", "true"),
			("xfam", "e702060000000000"),
			("tcb-evaluation-data-number", "17"),
			("pck-ca", "platform"),
			("pck-from", "2025-02-06T23:25:51Z"),
			("tcb-status", "UpToDate"),
			("advisories", ""),
			("platform-instance-id", "07828474603e7019dc930775ffe8cdd2"),
		],
	);
	for (name, digest) in [
		("mrtd", "91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407de03ae6dc5f87f27428b2538873118b7"),
		("mrseam", "5b38e33a6487958b72c3c12a938eaa5e3fd4510c51aeeab58c7d5ecee41d7c436489d6c8e4f92f160b7cad34207b00c1"),
		("rtmr0", "44c0197b39157fdd7a4dcc44767f9d6b0bb3977c7a8e347b8492f827fe9d9e5c48aca29b220b80b6a540cf994b9bc9c0"),
		("rtmr1", "0084452c01668329d4bc06acdf58a7205c26743304509973949e5619bf81a6a7aea8c323c173019b3093d54e579e9378"),
		("rtmr2", "d833feef2cd945148aa38ead2c53e9b7f138190aaaebfc551dccd829fc207aa3ba80b70870d7330733642e01d48c3132"),
	] {
		assert_eq!(measured(&claims, name), digest, "{name}");
	}
	assert_eq!(measured(&claims, "rtmr3"), "0".repeat(96));
}

#[test]
fn tdx_15_quote_should_fail_only_for_want_of_a_level() {
	let Some(vectors) = vectors() else { return };
	let evidence = load(&vectors, "tdx_quote_outdated");
	let now = at("2026-02-19T00:00:00Z");
	let policy = Policy::default();
	let none = failure(Check::TcbLevel, Fault::NoReference);
	assert_eq!(failed(&evidence, now, &policy), [none]);
	assert_eq!(refused(&evidence, now, &policy), none);
	let claims = claims_of(&evidence, now, &policy);
	assert_eq!(hex::encode(&claims.identity.id), "66498c9263c04ed2f0657c530ac2b0cb");
	let window = Window { from: at("2026-02-18T10:58:51Z"), until: at("2026-03-20T10:41:15Z") };
	assert_eq!(claims.valid, window);
	assert_eq!(claims.tcb, 0);
	assert_facts(
		&claims,
		&[
			("quote-version", "5"),
			("fmspc", "90c06f000000"),
			("pce-id", "0000"),
			("pce-svn", "13"),
			("sgx-components", "3,3,2,2,4,1,0,3,0,0,0,0,0,0,0,0"),
			("tee-tcb-svn", "07010300000000000000000000000000"),
			("tee-tcb-svn-2", "0d010300000000000000000000000000"),
			("qe-isv-svn", "7"),
			("qe-status", "UpToDate"),
			("tdx-module", "TDX_01"),
			("tdx-module-svn", "7"),
			("tdx-module-status", "UpToDate"),
			("platform-status", "no level matches"),
			("td-attributes", "0000001000000000"),
			("xfam", "e718060000000000"),
			("tcb-evaluation-data-number", "18"),
			("pck-ca", "platform"),
			("pck-from", "2026-01-23T18:09:41Z"),
		],
	);
	assert_eq!(measured(&claims, "mrtd"), "273828c46252fcbdd8ad2dd907130222b03466d52a2911d70c1a5950895d6bd1ae451d382d5a9b1b4c0ed0e5ae9a3dbd");
	assert_eq!(measured(&claims, "mrseam"), "49b66faa451d19ebbdbe89371b8daf2b65aa3984ec90110343e9e2eec116af08850fa20e3b1aa9a874d77a65380ee7e6");
	for name in ["rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrservicetd"] {
		assert_eq!(measured(&claims, name), "0".repeat(96), "{name}");
	}
	assert_eq!(
		hex::encode(&claims.nonce),
		std::format!(
			"d2142b643598eb5fae2bc8529dd79a558b29f868ccbb6531cb28dab9dce47728{}",
			"0".repeat(64)
		)
	);
}

#[test]
fn sgx_quote_should_hold_where_its_status_is_accepted() {
	let Some(vectors) = vectors() else { return };
	let evidence = load(&vectors, "sgx_quote");
	let now = at("2025-06-19T11:32:00Z");
	let low = failure(Check::TcbLevel, Fault::NotAccepted);
	assert_eq!(failed(&evidence, now, &Policy::default()), [low]);
	let claims = accept(&evidence, now, &lenient()).unwrap();
	assert_eq!(claims.format, Format::Sgx);
	assert_eq!(claims.nonce.get(..13), Some(b"Hello, world!".as_slice()));
	assert_eq!(hex::encode(&claims.identity.id), "d04ec06d4e6d92dc90d0ad3cf5ee2ddf");
	let window = Window { from: at("2025-06-19T10:56:11Z"), until: at("2025-07-19T10:01:18Z") };
	assert_eq!(claims.valid, window);
	assert_facts(
		&claims,
		&[
			("quote-version", "3"),
			("fmspc", "00a067110000"),
			("pce-id", "0000"),
			("pce-svn", "13"),
			("sgx-components", "11,11,2,2,255,1,0,0,0,0,0,0,0,0,0,0"),
			("qe-isv-svn", "10"),
			("qe-status", "UpToDate"),
			("attributes", "0500000000000000e700000000000000"),
			("misc-select", "00000000"),
			("isv-prod-id", "0"),
			("isv-svn", "0"),
			("tcb-evaluation-data-number", "17"),
			("pck-ca", "processor"),
			("pck-from", "2023-09-20T21:53:43Z"),
			("tcb-status", "ConfigurationAndSWHardeningNeeded"),
			("advisories", "INTEL-SA-00289,INTEL-SA-00615"),
		],
	);
	assert_eq!(
		measured(&claims, "mrenclave"),
		"33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb"
	);
	assert_eq!(
		measured(&claims, "mrsigner"),
		"815f42f11cf64430c30bab7816ba596a1da0130c3b028b673133a66cf9a3e0e6"
	);
}

#[test]
fn intel_root_should_be_the_pinned_one() {
	let Some(vectors) = vectors() else { return };
	let root = read(&vectors, "tdx/intel-sgx-root-ca.der");
	assert!(Policy::default().roots.intel.contains(&Digest256(sha256(&root))));
	for (evidence, now, mut policy) in all(&vectors) {
		policy.roots.intel = vec![Digest256([0; 32])];
		let foreign = failure(Check::Root, Fault::NotTrusted);
		assert_eq!(refused(&evidence, now, &policy), foreign);
		assert!(failed(&evidence, now, &policy).contains(&foreign));
	}
}

#[test]
fn nonce_should_be_found_in_the_report_data() {
	let Some(vectors) = vectors() else { return };
	let evidence = load(&vectors, "sgx_quote");
	let now = at("2025-06-19T11:32:00Z");
	let policy = lenient();
	let ask = |nonce: &'static [u8]| {
		let question = Question::new(&policy, Some(nonce), now);
		verify(&evidence, &question, &mut Checks::stop_at_first()).map(|_| ())
	};
	assert_eq!(ask(b"Hello, world!"), Ok(()));
	let other = Err(failure(Check::Nonce, Fault::Mismatch));
	assert_eq!(ask(b"Hello, world"), other);
	assert_eq!(ask(b"Hello, World!"), other);
	assert_eq!(ask(b""), other);
	assert_eq!(ask(&[b'H'; 65]), other);
}

#[test]
fn instants_outside_should_name_what_is_not_current() {
	let Some(vectors) = vectors() else { return };
	let evidence = load(&vectors, "tdx_quote");
	let policy = Policy::default();
	assert_eq!(
		failed(&evidence, at("2025-06-19T10:30:00Z"), &policy),
		[failure(Check::QeIdentityDates, Fault::NotYetValid)]
	);
	assert_eq!(
		failed(&evidence, at("2025-07-20T00:00:00Z"), &policy),
		[
			failure(Check::PckCrlDates, Fault::Expired),
			failure(Check::TcbInfoDates, Fault::Expired),
			failure(Check::QeIdentityDates, Fault::Expired),
		]
	);
}

#[test]
fn window_should_be_exact_at_both_ends() {
	let Some(vectors) = vectors() else { return };
	for (evidence, now, policy) in all(&vectors) {
		let window = claims_of(&evidence, now, &policy).valid;
		let crypto = |now| {
			let question = Question::new(&policy, None, now);
			let mut checks = Checks::note_all();
			verify(&evidence, &question, &mut checks).unwrap();
			checks.holds(Side::Crypto)
		};
		assert!(crypto(window.from) && crypto(window.until));
		assert!(!crypto(window.from - 1) && !crypto(window.until + 1));
	}
}

#[test]
fn collateral_of_another_platform_should_be_refused() {
	let Some(vectors) = vectors() else { return };
	let quote = load(&vectors, "tdx_quote");
	let other = failure(Check::TcbInfoMatch, Fault::Mismatch);
	let pair = |name| DcapEvidence {
		quote: quote.quote.clone(),
		collateral: load(&vectors, name).collateral,
	};
	let policy = Policy::default();

	let outdated = pair("tdx_quote_outdated");
	let now = at("2026-02-19T00:00:00Z");
	assert_eq!(refused(&outdated, now, &policy), other);
	let none = failure(Check::TcbLevel, Fault::NoReference);
	assert_eq!(failed(&outdated, now, &policy), [other, none]);

	let sgx = pair("sgx_quote");
	let now = at("2025-06-19T11:32:00Z");
	assert_eq!(refused(&sgx, now, &policy), other);
	assert_eq!(
		failed(&sgx, now, &policy),
		[
			other,
			failure(Check::QeIdentityMatch, Fault::Mismatch),
			failure(Check::TdxModule, Fault::NoReference),
			failure(Check::PckCrlSignature, Fault::Mismatch),
			none,
		]
	);
}

#[test]
fn collateral_should_be_missed_by_every_check_that_needs_it() {
	let Some(vectors) = vectors() else { return };
	let missing = |check| failure(check, Fault::Missing);
	for (mut evidence, now, policy) in all(&vectors) {
		evidence.collateral = None;
		assert_eq!(
			failed(&evidence, now, &policy),
			[
				missing(Check::TcbInfoSignature),
				missing(Check::QeIdentitySignature),
				missing(Check::PckCrlSignature),
				missing(Check::RootCrlSignature),
				missing(Check::TcbLevel),
			]
		);
		assert_eq!(refused(&evidence, now, &policy), missing(Check::TcbInfoSignature));
	}
}

#[test]
fn revoked_serials_and_platforms_should_be_refused() {
	let Some(vectors) = vectors() else { return };
	let revoked = failure(Check::Revocation, Fault::Revoked);
	let evidence = load(&vectors, "tdx_quote");
	let now = at("2025-06-19T11:32:00Z");
	let entry = |text| vec![HexBytes(hex::decode(text).unwrap())];
	let serial = entry("3c16ed54eacbb4ced072be72630c85788cf46e36");
	let by_serial = Policy { revoked_serials: serial, ..Policy::default() };
	assert_eq!(failed(&evidence, now, &by_serial), [revoked]);
	let ppid = entry("811dca2a26b952e85bb6448b097ba4fd");
	let by_id = Policy { revoked_ids: ppid, ..Policy::default() };
	assert_eq!(failed(&evidence, now, &by_id), [revoked]);
}

#[test]
fn low_status_should_be_refused() {
	let Some(vectors) = vectors() else { return };
	let evidence = load(&vectors, "tdx_quote");
	let now = at("2025-06-19T11:32:00Z");
	let low = failure(Check::TcbLevel, Fault::NotAccepted);
	assert_eq!(failed(&evidence, now, &lenient()), [low]);
}

/// Every byte of headers, bodies, keys and signatures, and some of the certificates.
#[test]
fn every_flipped_bit_of_a_quote_should_be_refused() {
	let Some(vectors) = vectors() else { return };
	for (evidence, now, policy) in all(&vectors) {
		let level = failure(Check::TcbLevel, Fault::NoReference);
		let body = match evidence.quote[0] {
			3 => 48..432,
			4 => 48..632,
			_ => 54..702,
		};
		let (len, signature, key) = (body.end, body.end + 4, body.end + 68);
		for at in (0..evidence.quote.len()).filter(|at| *at < 1_340 || at % 11 == 0) {
			let mut bad = evidence.clone();
			bad.quote[at] ^= 1;
			let found = refused(&bad, now, &policy);
			assert_ne!(found, level, "byte {at}");
			let expected: &[Check] =
				if at < 8 || (12..28).contains(&at) || (len..signature).contains(&at) {
					&[Check::Layout]
				} else if at < 48 || (signature..key).contains(&at) {
					&[Check::ReportSignature]
				} else if body.contains(&at) {
					&[Check::ReportSignature, Check::TdxModule]
				} else if (48..body.start).contains(&at) {
					&[Check::Layout]
				} else if (key..key + 64).contains(&at) {
					&[Check::KeyBinding]
				} else {
					continue;
				};
			assert!(expected.contains(&found.check), "byte {at}: {found}");
		}
	}
}

#[test]
fn truncated_and_longer_quotes_should_be_refused() {
	let Some(vectors) = vectors() else { return };
	for (evidence, now, policy) in all(&vectors) {
		let declared = evidence.quote.iter().rposition(|byte| *byte == b'\n').unwrap() + 2;
		for len in 0..declared {
			let quote = evidence.quote[..len].to_vec();
			let bad = DcapEvidence { quote, collateral: None };
			let short = failure(Check::Layout, Fault::Truncated);
			assert_eq!(refused(&bad, now, &policy), short, "{len} bytes");
		}
		let mut longer = evidence.clone();
		longer.quote.truncate(declared);
		let plain = failed(&longer, now, &policy);
		longer.quote.extend([0; 9]);
		assert_eq!(failed(&longer, now, &policy), plain, "zeros mean nothing");
		longer.quote.push(1);
		let trailing = failure(Check::Layout, Fault::TrailingBytes);
		assert_eq!(refused(&longer, now, &policy), trailing);
		longer.quote = vec![0; 16 * 1024 + 1];
		assert_eq!(refused(&longer, now, &policy), failure(Check::Layout, Fault::TooLarge));
	}
}

#[test]
fn swapped_chains_should_be_refused() {
	let Some(vectors) = vectors() else { return };
	let text = String::from_utf8_lossy;
	for (evidence, now, policy) in all(&vectors) {
		let start = evidence.quote.windows(11).position(|part| part == b"-----BEGIN ").unwrap();
		let end = start + evidence.quote[start..].iter().position(|byte| *byte == 0).unwrap();
		let chain = text(&evidence.quote[start..end]).to_string();
		let parts: Vec<_> = chain.split_inclusive("-----END CERTIFICATE-----\n").collect();
		for (order, expected) in [
			([0, 2, 1], failure(Check::CertificateAuthority(1), Fault::Mismatch)),
			([1, 0, 2], failure(Check::CertificateLayout(0), Fault::Missing)),
			([2, 1, 0], failure(Check::CertificateLayout(0), Fault::Missing)),
		] {
			let mut bad = evidence.clone();
			let swapped = order.map(|at| parts[at]).concat();
			bad.quote[start..end].copy_from_slice(swapped.as_bytes());
			assert_eq!(refused(&bad, now, &policy), expected);
		}
		let collateral = evidence.collateral.clone().unwrap();
		let swap = |chain: &str| {
			let mut parts: Vec<_> = chain.split_inclusive("-----END CERTIFICATE-----\n").collect();
			parts.reverse();
			parts.concat()
		};
		let foreign = |check| failure(check, Fault::NotTrusted);
		let mut bad = evidence.clone();
		bad.collateral = Some(Collateral {
			pck_crl_issuer_chain: swap(&collateral.pck_crl_issuer_chain),
			tcb_info_issuer_chain: swap(&collateral.tcb_info_issuer_chain),
			qe_identity_issuer_chain: swap(&collateral.qe_identity_issuer_chain),
			..collateral.clone()
		});
		let found = failed(&bad, now, &policy);
		assert_eq!(
			found[..3],
			[
				foreign(Check::PckCrlSignature),
				foreign(Check::TcbInfoSignature),
				foreign(Check::QeIdentitySignature)
			]
		);
		// The chain of platform certificates signs no documents, and the other way round.
		bad.collateral = Some(Collateral {
			pck_crl_issuer_chain: collateral.tcb_info_issuer_chain.clone(),
			tcb_info_issuer_chain: collateral.pck_crl_issuer_chain.clone(),
			..collateral
		});
		let found = failed(&bad, now, &policy);
		assert_eq!(
			found[..2],
			[failure(Check::PckCrlSignature, Fault::Mismatch), foreign(Check::TcbInfoSignature)]
		);
	}
}

/// A part of the collateral, and what a damage to it may break.
type Part = (fn(&mut Collateral) -> &mut String, &'static [Check]);

const PARTS: [Part; 9] = [
	(|all| &mut all.pck_crl_issuer_chain, &[Check::PckCrlSignature, Check::PckCrlDates]),
	(|all| &mut all.root_ca_crl, &[Check::RootCrlSignature, Check::RootCrlDates]),
	(|all| &mut all.pck_crl, &[Check::PckCrlSignature, Check::PckCrlDates]),
	(|all| &mut all.tcb_info_issuer_chain, &[Check::TcbInfoSignature, Check::TcbInfoDates]),
	(
		|all| &mut all.tcb_info,
		&[Check::TcbInfoSignature, Check::TcbInfoDates, Check::TcbInfoMatch, Check::TdxModule],
	),
	(|all| &mut all.tcb_info_signature, &[Check::TcbInfoSignature]),
	(
		|all| &mut all.qe_identity_issuer_chain,
		&[Check::QeIdentitySignature, Check::QeIdentityDates],
	),
	(
		|all| &mut all.qe_identity,
		&[Check::QeIdentitySignature, Check::QeIdentityDates, Check::QeIdentityMatch],
	),
	(|all| &mut all.qe_identity_signature, &[Check::QeIdentitySignature]),
];

#[test]
fn damaged_collateral_should_be_refused() {
	let Some(vectors) = vectors() else { return };
	for (evidence, now, policy) in all(&vectors) {
		for (part, checks) in PARTS {
			let whole = part(&mut evidence.collateral.clone().unwrap()).clone();
			let with = |text: String| {
				let mut bad = evidence.clone();
				*part(bad.collateral.as_mut().unwrap()) = text;
				refused(&bad, now, &policy)
			};
			let step = if whole.len() == 128 { 1 } else { 29 };
			for at in (0..whole.len()).step_by(step) {
				let mut bytes = whole.clone().into_bytes();
				bytes[at] ^= 1;
				let found = with(String::from_utf8(bytes).unwrap()).check;
				assert!(found == Check::Layout || checks.contains(&found), "{at}: {found}");
			}
			for (text, fault) in [
				(String::new(), Fault::Missing),
				(whole[..whole.len() - 3].to_string(), Fault::Malformed),
				(std::format!("x{}", &whole[1..]), Fault::Malformed),
				("0".repeat(512 * 1024), Fault::TooLarge),
			] {
				let len = text.len();
				assert_eq!(with(text).fault, fault, "{len} bytes for {checks:?}");
			}
		}
	}
}
