//! `set_parameters`, bounds and genesis.

use super::*;
use crate::{EnergyParameters, Feeders, Parameters};
use armature_primitives::Ppm;
use sp_runtime::BuildStorage;

#[test]
fn parameters_should_be_stored_when_root_sets_them() {
	ExtBuilder::default().build_and_execute(|| {
		let parameters = EnergyParameters::default();
		assert_ne!(Parameters::<Test>::get(), parameters);
		assert_noop!(Energy::set_parameters(signed(PROVIDER), parameters.clone()), BadOrigin);
		assert_ok!(Energy::set_parameters(RuntimeOrigin::root(), parameters.clone()));
		assert_eq!(Parameters::<Test>::get(), parameters);
		assert_eq!(events(), [Event::ParametersSet { parameters }]);
	});
}

#[test]
fn parameters_should_be_refused_on_the_wrong_side_of_each_bound() {
	ExtBuilder::default().build_and_execute(|| {
		type Change = fn(&mut EnergyParameters);
		// (just valid, just invalid)
		let bounds: [(Change, Change); 8] = [
			(|p| p.max_rate_age_millis = 1, |p| p.max_rate_age_millis = 0),
			(|p| p.min_feeders = 3, |p| p.min_feeders = 2),
			(|p| p.min_feeders = 5, |p| p.min_feeders = 6),
			(|p| p.margin = Ppm(10_000_000), |p| p.margin = Ppm(10_000_001)),
			(|p| p.power_max_age_millis = 1, |p| p.power_max_age_millis = 0),
			(|p| p.resume_ratio = p.standby_ratio, |p| p.resume_ratio = Ppm(p.standby_ratio.0 - 1)),
			(
				|p| p.standby_after_millis = p.window_millis,
				|p| p.standby_after_millis = p.window_millis - 1,
			),
			(
				|p| p.standby_retry_millis = p.window_millis,
				|p| p.standby_retry_millis = p.window_millis - 1,
			),
		];
		for (i, (valid, invalid)) in bounds.into_iter().enumerate() {
			let mut parameters = EnergyParameters::default();
			valid(&mut parameters);
			assert_ok!(Energy::set_parameters(RuntimeOrigin::root(), parameters.clone()));
			invalid(&mut parameters);
			let refused = Energy::set_parameters(RuntimeOrigin::root(), parameters);
			assert_eq!(refused, Err(Error::<Test>::InvalidParameters.into()), "bound {i}");
		}
		let endless = EnergyParameters { window_millis: 0, ..EnergyParameters::default() };
		assert_noop!(
			Energy::set_parameters(RuntimeOrigin::root(), endless),
			Error::<Test>::InvalidParameters
		);
	});
}

#[test]
fn genesis_should_store_parameters_and_feeders() {
	let parameters = EnergyParameters { margin: Ppm(7), ..EnergyParameters::default() };
	ExtBuilder::default().parameters(parameters.clone()).build_and_execute(|| {
		assert_eq!(Parameters::<Test>::get(), parameters);
		let who: Vec<_> = Feeders::<Test>::get(EUR).iter().map(|f| f.who).collect();
		assert_eq!(who, FEEDERS);
	});
}

fn genesis(config: crate::GenesisConfig<Test>) -> std::thread::Result<()> {
	std::panic::catch_unwind(move || {
		config.build_storage().expect("storage");
	})
}

#[test]
fn genesis_should_be_refused_when_it_is_invalid() {
	let invalid = EnergyParameters { min_feeders: 2, ..EnergyParameters::default() };
	let feeders = |list: &[u64]| list.iter().map(|who| (EUR, *who)).collect::<Vec<_>>();
	assert!(genesis(crate::GenesisConfig::default()).is_ok());
	assert!(genesis(crate::GenesisConfig { parameters: invalid, ..Default::default() }).is_err());
	assert!(
		genesis(crate::GenesisConfig { feeders: feeders(&[1, 1]), ..Default::default() }).is_err()
	);
	let most: Vec<u64> = (0..u64::from(MAX_FEEDERS)).collect();
	assert!(genesis(crate::GenesisConfig { feeders: feeders(&most), ..Default::default() }).is_ok());
	let more: Vec<u64> = (0..=u64::from(MAX_FEEDERS)).collect();
	assert!(
		genesis(crate::GenesisConfig { feeders: feeders(&more), ..Default::default() }).is_err()
	);
}

#[test]
fn genesis_config_should_survive_json() {
	let config = crate::GenesisConfig::<Test> {
		parameters: EnergyParameters { margin: Ppm(7), ..EnergyParameters::default() },
		feeders: vec![(EUR, 1), (USD, 2)],
	};
	let text = serde_json::to_string(&config).unwrap();
	let back: crate::GenesisConfig<Test> = serde_json::from_str(&text).unwrap();
	assert_eq!(back.parameters, config.parameters);
	assert_eq!(back.feeders, config.feeders);
}
