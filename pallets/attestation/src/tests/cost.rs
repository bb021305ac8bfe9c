//! What evidence is announced to cost.

use super::*;
use armature_verifier::evidence::report_data;
use frame_support::{dispatch::GetDispatchInfo, weights::Weight};

/// What is announced for the verification itself; a lease may end beside it.
fn announced(evidence: EvidenceBytes) -> Weight {
	Call::<Test>::submit_evidence { device: DEVICE, evidence }
		.get_dispatch_info()
		.call_weight
		.saturating_sub(LeaseEndWeight::get())
}

#[test]
fn every_format_should_cost_what_it_was_measured_at() {
	type W = ();
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		let data = report_data(&context(DEVICE));
		let cases = [
			(made::snp(&data), W::submit_sev_snp()),
			(made::tdx(&data), W::submit_tdx()),
			(made::sgx(&data), W::submit_sgx()),
			(made::tpm(&data), W::submit_tpm()),
			(made::azure(&data), W::submit_azure()),
			(made::android(&data), W::submit_android()),
			(made::nitro(&data), W::submit_nitro()),
		];
		for (platform, weight) in cases {
			assert_eq!(announced(hardware(DEVICE, platform, Vec::new())), weight);
		}
		let inventory = evidence(DEVICE);
		let len = inventory.len() as u32;
		assert_eq!(announced(inventory), W::submit_inventory(len));
	});
}

#[test]
fn gpus_should_cost_by_their_number() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		let data = report_data(&context(DEVICE));
		let gpus = vec![made::gpu(&[1; 32], 0), made::gpu(&[1; 32], 1)];
		let beside = <() as WeightInfo>::submit_gpus(2);
		assert_eq!(announced(hardware(DEVICE, made::snp(&data), gpus.clone())), beside);
		let tdx = <() as WeightInfo>::submit_tdx().saturating_add(beside);
		assert_eq!(announced(hardware(DEVICE, made::tdx(&data), gpus)), tdx);
	});
}

#[test]
fn what_cannot_be_told_should_cost_the_most() {
	run_with_device(|| {
		assert_ok!(request(DEVICE));
		let data = report_data(&context(DEVICE));
		let whole = hardware(DEVICE, made::tdx(&data), vec![made::gpu(&[1; 32], 0); 8]);
		let cut = |len: usize| EvidenceBytes::try_from(whole[..len].to_vec()).unwrap();
		let most = announced(EvidenceBytes::default());
		for len in [0, 1, 100, 300, 1_000] {
			assert_eq!(announced(cut(len)), most, "{len}");
		}
		assert_eq!(announced(EvidenceBytes::try_from(vec![9; 50]).unwrap()), most);
		assert!(announced(whole).all_lte(most));
	});
}
