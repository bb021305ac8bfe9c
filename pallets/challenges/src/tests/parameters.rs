use crate::{mock::*, *};
use armature_primitives::{MilliWatts, Ppm};
use armature_verifier::challenge::{fill::MAX_COMPRESSIONS, gemm::MAX_SIDE};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError;

#[test]
fn parameters_should_change_when_the_admin_says_so() {
	ExtBuilder::default().build_and_execute(|| {
		let wanted = Parameters { committee: 5, ..crate::mock::parameters() };
		assert_noop!(
			Challenges::set_parameters(RuntimeOrigin::signed(1), Box::new(wanted.clone())),
			DispatchError::BadOrigin
		);
		assert_ok!(Challenges::set_parameters(RuntimeOrigin::root(), Box::new(wanted.clone())));
		assert_eq!(Params::<Test>::get(), wanted);
		assert_eq!(last_event(), Event::ParametersSet { parameters: wanted });
	});
}

#[test]
fn production_parameters_should_be_valid() {
	assert!(Parameters::default().validate());
}

#[test]
fn each_bound_should_be_checked_on_both_sides() {
	let ok = |change: &dyn Fn(&mut Parameters)| {
		let mut parameters = crate::mock::parameters();
		change(&mut parameters);
		parameters.validate()
	};
	assert!(ok(&|_| ()));
	assert!(ok(&|p| p.round_interval_blocks = 1));
	assert!(!ok(&|p| p.round_interval_blocks = 0));
	assert!(ok(&|p| p.min_share = Ppm(1)));
	assert!(!ok(&|p| p.min_share = Ppm(0)));
	assert!(ok(&|p| p.min_share = p.max_share));
	assert!(!ok(&|p| p.min_share.0 = p.max_share.0 + 1));
	assert!(ok(&|p| p.max_share = Ppm(1_000_000)));
	assert!(!ok(&|p| p.max_share = Ppm(1_000_001)));
	assert!(ok(&|p| p.max_load = Ppm(1)));
	assert!(!ok(&|p| p.max_load = Ppm(0)));
	assert!(ok(&|p| p.max_load = Ppm(1_000_000)));
	assert!(!ok(&|p| p.max_load = Ppm(1_000_001)));
	assert!(ok(&|p| p.fault_slash = Ppm(1)));
	assert!(!ok(&|p| p.fault_slash = Ppm(0)));
	assert!(ok(&|p| p.fault_slash = p.fraud_slash));
	assert!(!ok(&|p| p.fault_slash.0 = p.fraud_slash.0 + 1));
	assert!(ok(&|p| p.fraud_slash = Ppm(1_000_000)));
	assert!(!ok(&|p| p.fraud_slash = Ppm(1_000_001)));
	assert!(ok(&|p| p.reveal_millis = 1));
	assert!(!ok(&|p| p.reveal_millis = 0));
	assert!(ok(&|p| p.dispute_millis = 1));
	assert!(!ok(&|p| p.dispute_millis = 0));
	let dispute = |millis: u64| {
		move |p: &mut Parameters| {
			p.dispute_millis = millis;
			p.verifier_unbonding_millis = u64::MAX;
		}
	};
	assert!(ok(&dispute(MAX_DISPUTE_MILLIS)));
	assert!(!ok(&dispute(MAX_DISPUTE_MILLIS + 1)));
	assert!(ok(&|p| p.dispute_bond = 1));
	assert!(!ok(&|p| p.dispute_bond = 0));
	assert!(ok(&|p| p.verdict_penalty = p.verdict_fee));
	assert!(!ok(&|p| p.verdict_penalty = p.verdict_fee - 1));
	assert!(ok(&|p| p.verdict_penalty = BOND / 10));
	assert!(!ok(&|p| p.verdict_penalty = BOND / 10 + 1));
	assert!(ok(&|p| (p.verdict_fee, p.verdict_penalty, p.fraud_reward) = (0, 0, 0)));
	assert!(ok(&|p| p.memory_part = Ppm(0)));
	assert!(ok(&|p| p.memory_part = Ppm(1_000_000)));
	assert!(!ok(&|p| p.memory_part = Ppm(1_000_001)));
	assert!(ok(&|p| (p.memory_part, p.network_part) = (Ppm(400_000), Ppm(600_000))));
	assert!(!ok(&|p| (p.memory_part, p.network_part) = (Ppm(400_000), Ppm(600_001))));
	assert!(!ok(&|p| (p.memory_part, p.network_part) = (Ppm(1), Ppm(u32::MAX))));
	let parts = |memory, network, gemm, storage| {
		move |p: &mut Parameters| {
			(p.memory_part, p.network_part) = (Ppm(memory), Ppm(network));
			(p.gemm_part, p.storage_part) = (Ppm(gemm), Ppm(storage));
		}
	};
	assert!(ok(&parts(400_000, 500_000, 60_000, 40_000)));
	assert!(!ok(&parts(400_000, 500_000, 60_000, 40_001)));
	assert!(!ok(&parts(400_000, 500_000, 60_001, 40_000)));
	assert!(!ok(&parts(1, 1, 1, u32::MAX)));
	let sectors = |blocks, compressions| {
		move |p: &mut Parameters| {
			(p.sector_blocks, p.sector_compressions) = (blocks, compressions);
		}
	};
	assert!(ok(&sectors(2, 1)));
	assert!(ok(&sectors(u32::MAX, MAX_COMPRESSIONS)));
	assert!(!ok(&sectors(1, 1)));
	assert!(!ok(&sectors(2, 0)));
	assert!(!ok(&sectors(2, MAX_COMPRESSIONS + 1)));
	let times = |commit, read| {
		move |p: &mut Parameters| {
			(p.storage_commit_millis, p.storage_read_millis) = (commit, read);
		}
	};
	// Half of the window of 60 s.
	assert!(ok(&times(1, 1)));
	assert!(!ok(&times(0, 1)));
	assert!(!ok(&times(1, 0)));
	assert!(ok(&times(25_000, 5_000)));
	assert!(!ok(&times(25_000, 5_001)));
	assert!(!ok(&times(25_001, 5_000)));
	assert!(!ok(&times(u32::MAX, u32::MAX)));
	let sides =
		|min, max| move |p: &mut Parameters| (p.min_gemm_side, p.max_gemm_side) = (min, max);
	assert!(ok(&sides(MIN_GEMM_SIDE, MAX_SIDE)));
	assert!(ok(&sides(64, 64)));
	assert!(!ok(&sides(65, 64)));
	assert!(!ok(&sides(MIN_GEMM_SIDE - 1, 64)));
	assert!(!ok(&sides(64, MAX_SIDE + 1)));
	assert!(ok(&|p| p.offer_interval_millis = 0));
	assert!(ok(&|p| p.echoes = 64));
	assert!(!ok(&|p| p.echoes = 65));
	assert!(!ok(&|p| p.echoes = 0));
	assert!(ok(&|p| p.transfer_kib = 1 << 18));
	assert!(!ok(&|p| p.transfer_kib = (1 << 18) + 1));
	assert!(!ok(&|p| p.transfer_kib = 0));
	assert!(!ok(&|p| p.transfer_millis = 0));
	assert!(!ok(&|p| p.transfer_lead_millis = 0));
	// All of it within the window of 60 s.
	assert!(ok(&|p| (p.transfer_lead_millis, p.transfer_millis) = (39_999, 10_000)));
	assert!(!ok(&|p| (p.transfer_lead_millis, p.transfer_millis) = (40_000, 10_000)));
	assert!(ok(&|p| (p.near_metres, p.near_slack_micros) = (0, 0)));
	assert!(ok(&|p| p.most_steps_per_joule = 1));
	assert!(!ok(&|p| p.most_steps_per_joule = 0));
	assert!(ok(&|p| p.most_operations_per_joule = 1));
	assert!(!ok(&|p| p.most_operations_per_joule = 0));
	assert!(ok(&|p| p.most_accelerator_power = MilliWatts(0)));
	assert!(ok(&|p| (p.most_base_power, p.most_lane_power) = (MilliWatts(1), MilliWatts(0))));
	assert!(!ok(&|p| p.most_base_power = MilliWatts(0)));
	assert!(ok(&|p| p.most_power_error = Ppm(1_000_000)));
	assert!(!ok(&|p| p.most_power_error = Ppm(1_000_001)));
	assert!(ok(&|p| p.memory_share = Ppm(1)));
	assert!(!ok(&|p| p.memory_share = Ppm(0)));
	assert!(ok(&|p| p.memory_share = Ppm(1_000_000)));
	assert!(!ok(&|p| p.memory_share = Ppm(1_000_001)));
	assert!(ok(&|p| p.walk_segments = 1));
	assert!(!ok(&|p| p.walk_segments = 0));
	assert!(ok(&|p| p.walk_segments = 1 << 21));
	assert!(!ok(&|p| p.walk_segments = (1 << 21) + 1));
	assert!(ok(&|p| p.walk_reads = 16));
	assert!(!ok(&|p| p.walk_reads = 17));
	assert!(!ok(&|p| p.walk_reads = 0));
	assert!(ok(&|p| p.max_read_nanos = 1));
	assert!(!ok(&|p| p.max_read_nanos = 0));
	assert!(ok(&|p| p.planted_interval_millis = WINDOW));
	assert!(!ok(&|p| p.planted_interval_millis = WINDOW - 1));
	assert!(ok(&|p| p.planted_penalty = BOND / 2));
	assert!(!ok(&|p| p.planted_penalty = BOND / 2 + 1));
	assert!(ok(&|p| p.committee = 1));
	assert!(!ok(&|p| p.committee = 0));
	assert!(ok(&|p| p.committee = 5));
	assert!(!ok(&|p| p.committee = 6));
	assert!(ok(&|p| {
		p.window_millis = 4;
		(p.transfer_lead_millis, p.transfer_millis) = (1, 1);
		(p.storage_commit_millis, p.storage_read_millis) = (1, 1);
	}));
	assert!(!ok(&|p| p.window_millis = 0));
	let long = |window: u64| {
		move |p: &mut Parameters| {
			p.window_millis = window;
			p.score_max_age_millis = window;
			p.verifier_unbonding_millis = 2 * window + DISPUTE;
			p.reveal_millis = window;
			p.segments = 4_000;
			p.planted_interval_millis = window;
		}
	};
	assert!(ok(&long(MAX_WINDOW_MILLIS)));
	assert!(!ok(&long(MAX_WINDOW_MILLIS + 1)));
	assert!(ok(&|p| p.score_max_age_millis = WINDOW));
	assert!(!ok(&|p| p.score_max_age_millis = WINDOW - 1));
	assert!(ok(&|p| p.verifier_unbonding_millis = WINDOW + REVEAL + DISPUTE));
	assert!(!ok(&|p| p.verifier_unbonding_millis = WINDOW + REVEAL + DISPUTE - 1));
	assert!(ok(&|p| p.planted_lead_blocks = 3));
	assert!(!ok(&|p| p.planted_lead_blocks = 2));
	assert!(ok(
		&|p| (p.verifier_bond, p.verdict_fee, p.verdict_penalty, p.planted_penalty) = (1, 0, 0, 0)
	));
	assert!(!ok(&|p| p.verifier_bond = 0));
	assert!(ok(&|p| p.segments = 4_096));
	assert!(!ok(&|p| p.segments = 4_097));
	assert!(!ok(&|p| p.segments = 0));
	assert!(ok(&|p| p.steps_per_segment = 24_576));
	assert!(!ok(&|p| p.steps_per_segment = 24_577));
	assert!(!ok(&|p| p.steps_per_segment = 0));
	// In the window of 60 s the slowest device still makes a step a second.
	assert!(ok(&|p| (p.segments, p.steps_per_segment) = (6, 10)));
	assert!(!ok(&|p| (p.segments, p.steps_per_segment) = (1, 59)));
}

#[test]
fn call_should_refuse_invalid_parameters() {
	ExtBuilder::default().build_and_execute(|| {
		let wrong = Parameters { committee: 0, ..crate::mock::parameters() };
		assert_noop!(
			Challenges::set_parameters(RuntimeOrigin::root(), Box::new(wrong)),
			Error::<Test>::InvalidParameters
		);
	});
}

#[test]
#[should_panic(expected = "challenges: invalid genesis parameters")]
fn genesis_should_refuse_invalid_parameters() {
	ExtBuilder::default().parameters(|p| p.window_millis = 0).build();
}
