//! TCB levels: which one a platform reaches, and what its parts add up to.

use super::{
	super::{
		super::{
			dcap::IssueDates,
			policy::{Policy, TcbStatus},
			testing::{
				dcap::{components, extension, tcb_info, Maker, COMPONENTS, PPID},
				NOW,
			},
			Check, Fault,
		},
		common::failure,
	},
	accept, claims_of, fact,
	made::{faults, held, only, tdx, with_identity, with_info},
};
use std::{string::String, vec};

#[test]
fn documents_should_be_of_this_platform() {
	let none = failure(Check::TcbLevel, Fault::NoReference);
	let other = failure(Check::TcbInfoMatch, Fault::Mismatch);
	for (from, to) in
		[("102030000000", "102030000001"), ("\"pceId\":\"0000\"", "\"pceId\":\"0100\"")]
	{
		assert_eq!(faults(&with_info(from, to)), [other, none]);
	}
	let mut maker = tdx();
	maker.tcb_info = tcb_info(false);
	assert_eq!(faults(&maker), [other, failure(Check::TdxModule, Fault::NoReference), none]);
	let enclave = failure(Check::QeIdentityMatch, Fault::Mismatch);
	for (from, to) in [
		("\"TD_QE\"", "\"QE\""),
		("\"isvprodid\":2", "\"isvprodid\":1"),
		("dcdc", "dcdd"),
		("\"miscselect\":\"00", "\"miscselect\":\"01"),
		("\"attributes\":\"11", "\"attributes\":\"13"),
	] {
		assert_eq!(faults(&with_identity(from, to)), [enclave, none]);
	}
	// An enclave that can be debugged is not the one that is described.
	let mut maker = tdx();
	maker.qe_report[48] |= 0x02;
	assert_eq!(faults(&maker), [enclave, none]);
	// MODE64BIT is outside the mask.
	let mut maker = tdx();
	maker.qe_report[48] |= 0x04;
	held(&maker);
}

/// The status that the maker's platform has, whether or not it is accepted.
fn status(maker: &Maker) -> String {
	let claims = claims_of(&maker.build(), NOW, &maker.policy());
	String::from(fact(&claims, "tcb-status"))
}

#[test]
fn level_should_be_the_first_that_is_reached() {
	let platform = |sgx: &[u8], pce| {
		let mut maker = tdx();
		let mut all = [0; 16];
		all[..sgx.len()].copy_from_slice(sgx);
		maker.extension = Some(extension(&PPID, &all, pce, &[]));
		maker
	};
	let low = |maker: &Maker| only(maker, Check::TcbLevel, Fault::NotAccepted);
	held(&platform(&[8, 7, 2, 2, 3, 1, 9, 5, 0, 0, 0, 0, 0, 0, 0, 1], 14));
	let old = platform(&[7, 6, 2, 2, 3, 1, 0, 5], 13);
	low(&old);
	assert_eq!(status(&old), "OutOfDate");
	let accepting = Policy { tcb_statuses: vec![TcbStatus::OutOfDate], ..old.policy() };
	let claims = accept(&old.build(), NOW, &accepting).unwrap();
	assert_eq!(fact(&claims, "advisories"), "INTEL-SA-00001,INTEL-SA-00002");
	assert_eq!(fact(&claims, "tcb-date"), "2024-03-13T00:00:00Z");
	for none in [
		platform(&COMPONENTS, 12),
		platform(&[7, 7, 2, 2, 3, 1, 0, 4], 13),
		platform(&[255, 255, 255, 255, 255, 255, 255], 13),
	] {
		only(&none, Check::TcbLevel, Fault::NoReference);
		assert_eq!(claims_of(&none.build(), NOW, &none.policy()).tcb, 0);
	}
	let mut maker = tdx();
	maker.body[2] = 2;
	low(&maker);
	maker.body[2] = 1;
	only(&maker, Check::TcbLevel, Fault::NoReference);
}

#[test]
fn worst_part_should_decide_the_status() {
	// The module.
	let mut maker = tdx();
	maker.body[0] = 5;
	only(&maker, Check::TcbLevel, Fault::NotAccepted);
	assert_eq!(status(&maker), "OutOfDate");
	let claims = claims_of(&maker.build(), NOW, &maker.policy());
	assert_eq!(fact(&claims, "platform-status"), "UpToDate");
	assert_eq!(fact(&claims, "tdx-module-status"), "OutOfDate");
	assert_eq!(fact(&claims, "advisories"), "INTEL-SA-00002,INTEL-SA-00003");
	maker.body[0] = 3;
	only(&maker, Check::TcbLevel, Fault::NoReference);
	// The quoting enclave.
	let mut maker = tdx();
	maker.qe_report[258] = 3;
	only(&maker, Check::TcbLevel, Fault::NotAccepted);
	assert_eq!(status(&maker), "OutOfDate");
	maker.qe_report[258] = 1;
	only(&maker, Check::TcbLevel, Fault::NoReference);
	let mut maker = tdx();
	maker.qe_identity = maker.qe_identity.replace("UpToDate", "Revoked");
	assert_eq!(status(&maker), "Revoked");
	// What no version of this verifier knows is not accepted.
	let mut maker = tdx();
	maker.qe_identity = maker.qe_identity.replace("UpToDate", "Splendid");
	only(&maker, Check::TcbLevel, Fault::NotAccepted);
}

#[test]
fn module_should_be_intels_of_its_version() {
	let mut maker = tdx();
	maker.body[64] = 1;
	only(&maker, Check::TdxModule, Fault::Mismatch);
	let mut maker = tdx();
	maker.body[112] = 1;
	only(&maker, Check::TdxModule, Fault::Mismatch);
	let mut maker = tdx();
	maker.body[1] = 2;
	let none = Fault::NoReference;
	let expected = [failure(Check::TdxModule, none), failure(Check::TcbLevel, none)];
	assert_eq!(faults(&maker), expected);
	held(&with_info("TDX_01", "tdx_01"));
	for id in ["TDX_1", "TDX_001", "TDX_+1", "XDT_01", "TDX\u{fc}01", ""] {
		assert_eq!(faults(&with_info("TDX_01", id)), expected, "{id}");
	}
	// Without a major version the module's own version is among the platform's components.
	let mut maker = tdx();
	maker.body[..2].copy_from_slice(&[9, 0]);
	only(&maker, Check::TcbLevel, Fault::NotAccepted);
	let nine = components(&[9, 9, 3]);
	maker.tcb_info = maker.tcb_info.replace(&nine, &components(&[9, 0, 3]));
	let claims = held(&maker);
	assert_eq!(fact(&claims, "tdx-module"), "TDX_00");
	maker.body[0] = 8;
	only(&maker, Check::TcbLevel, Fault::NotAccepted);
}

#[test]
fn collateral_should_be_newer_only_when_no_part_is_older() {
	let of = |parts: [u64; 4]| {
		let [tcb_info, qe_identity, pck_crl, root_crl] = parts;
		IssueDates { tcb_info, qe_identity, pck_crl, root_crl }
	};
	let old = of([5, 5, 5, 5]);
	assert_eq!(of([1, 9, 3, 4]).newest(), 9);
	assert!(!old.is_newer(&old));
	for at in 0..4 {
		let mut parts = [5; 4];
		parts[at] = 6;
		assert!(of(parts).is_newer(&old));
		parts[(at + 1) % 4] = 4;
		assert!(!of(parts).is_newer(&old), "a revocation list must not go back");
	}
}
