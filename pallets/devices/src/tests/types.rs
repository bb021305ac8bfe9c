use super::*;
use armature_economics::slashing::slash_amount;
use armature_primitives::challenge::MAX_LANES;
use codec::Encode;
use proptest::prelude::*;

#[test]
fn default_parameters_should_be_valid() {
	assert!(DeviceParameters::default().validate());
	assert!(parameters().validate());
}

#[test]
fn parameters_should_be_refused_when_out_of_range() {
	let good = parameters();
	let bad: [fn(&mut DeviceParameters); 9] = [
		|p| p.provider_deposit = 0,
		|p| p.site_deposit = 0,
		|p| p.device_bond = 0,
		|p| p.bond_per_lane = Balance::MAX / 1024 + 1,
		|p| p.device_bond = Balance::MAX - 7 * 1024 + 1,
		|p| p.unbonding_period = 0,
		|p| p.unbonding_period = MAX_PERIOD + 1,
		|p| p.jail_period = 0,
		|p| p.jail_period = MAX_PERIOD + 1,
	];
	for spoil in bad {
		let mut parameters = good;
		spoil(&mut parameters);
		assert!(!parameters.validate(), "{parameters:?}");
	}
	let legal: [fn(&mut DeviceParameters); 4] = [
		|p| p.bond_per_lane = 0,
		|p| p.device_bond = Balance::MAX - 7 * u128::from(MAX_LANES),
		|p| p.unbonding_period = MAX_PERIOD,
		|p| p.jail_period = 1,
	];
	for change in legal {
		let mut parameters = good;
		change(&mut parameters);
		assert!(parameters.validate(), "{parameters:?}");
	}
}

#[test]
fn slash_should_round_up_and_never_exceed_the_bond() {
	assert_eq!(slash_amount(1_000_000, Ppm(1)), 1);
	assert_eq!(slash_amount(1_000_001, Ppm(1)), 2);
	assert_eq!(slash_amount(1, Ppm(1)), 1);
	assert_eq!(slash_amount(7, Ppm(0)), 0);
	assert_eq!(slash_amount(0, Ppm::ONE), 0);
	assert_eq!(slash_amount(7, Ppm::ONE), 7);
	assert_eq!(slash_amount(7, Ppm(u32::MAX)), 7);
	assert_eq!(slash_amount(Balance::MAX, Ppm(u32::MAX)), Balance::MAX);
}

#[test]
fn hold_reasons_should_keep_their_indices() {
	assert_eq!(HoldReason::ProviderDeposit.encode(), [0]);
	assert_eq!(HoldReason::SiteDeposit.encode(), [1]);
	assert_eq!(HoldReason::DeviceBond.encode(), [2]);
}

proptest! {
	#[test]
	fn slash_should_match_exact_division(bond in 0u128..1 << 100, share in 0u32..=1_000_000) {
		let exact = (bond * u128::from(share)).div_ceil(1_000_000);
		prop_assert_eq!(slash_amount(bond, Ppm(share)), exact);
	}
}
