use super::*;
use proptest::prelude::*;

fn at(latitude: f64, longitude: f64) -> Position {
	Position { latitude: (latitude * 1e6) as i32, longitude: (longitude * 1e6) as i32 }
}

/// Great-circle distance on the same sphere, by the haversine.
fn metres(a: &Position, b: &Position) -> f64 {
	let radians = |micro: i32| f64::from(micro) / 1e6 * core::f64::consts::PI / 180.0;
	let (north_a, north_b) = (radians(a.latitude), radians(b.latitude));
	let half = |angle: f64| (angle / 2.0).sin().powi(2);
	let h = half(north_a - north_b)
		+ north_a.cos() * north_b.cos() * half(radians(a.longitude) - radians(b.longitude));
	2.0 * RADIUS as f64 * h.sqrt().min(1.0).asin()
}

fn micro((latitude, longitude): (i32, i32)) -> Position {
	Position { latitude, longitude }
}

fn network(number: u8) -> Network {
	Network::V4([203, number])
}

fn trip(verifier: Position, number: u8, micros: u32) -> RoundTrip {
	RoundTrip { verifier, network: network(number), micros }
}

fn frankfurt() -> Position {
	at(50.11, 8.68)
}

fn paris() -> Position {
	at(48.86, 2.35)
}

fn sydney() -> Position {
	at(-33.87, 151.21)
}

#[test]
fn light_should_reach_as_far_as_the_literature_says() {
	// 149.9 km for each millisecond.
	assert_eq!(light_reach(1_000), 149_897);
	assert_eq!(light_reach(0), 0);
	assert_eq!(light_reach(u32::MAX), 643_799_401_199);
}

#[test]
fn known_distances_should_be_met() {
	// 479 km and 16,500 km by the haversine.
	assert!(is_within(&frankfurt(), &paris(), 480_000));
	assert!(!is_within(&frankfurt(), &paris(), 475_000));
	assert!(is_within(&frankfurt(), &sydney(), 16_600_000));
	assert!(!is_within(&frankfurt(), &sydney(), 16_400_000));
	// Half way round, nothing is out of reach.
	assert!(is_within(&at(90.0, 0.0), &at(-90.0, 0.0), 20_020_000));
	assert!(is_within(&frankfurt(), &sydney(), u64::MAX));
	assert!(is_within(&at(0.0, 180.0), &at(0.0, -180.0), 1_000));
}

#[test]
fn an_answer_sooner_than_light_should_refute() {
	// Whoever says Sydney and answers Frankfurt in 20 ms is within 3,000 km of it.
	let finding = |networks: [u8; 2]| {
		let [a, b] = networks;
		let trips =
			[trip(sydney(), 9, 250_000), trip(frankfurt(), a, 20_000), trip(paris(), b, 21_000)];
		appraise_location(&sydney(), 100_000, 2_000, &trips)
	};
	assert_eq!(finding([1, 2]), LocationFinding::Refuted);
	// Not by those of one network, who could say anything.
	assert_eq!(finding([1, 1]), LocationFinding::Unknown);
	// 480 km take 3.2 ms there and back; with the slack, 3.17 ms.
	let claim = |micros| {
		let trips = [1, 2].map(|number| trip(frankfurt(), number, micros));
		appraise_location(&paris(), 100_000, 2_000, &trips)
	};
	assert_eq!(claim(3_100), LocationFinding::Refuted);
	assert_eq!(claim(3_200), LocationFinding::Unknown);
	assert_eq!(claim(u32::MAX), LocationFinding::Unknown);
}

#[test]
fn three_networks_nearby_should_support() {
	let near = [at(48.8, 2.3), at(48.9, 2.4), at(49.0, 2.2)];
	let trips = |networks: [u8; 3], micros| {
		let [a, b, c] = near;
		let [x, y, z] = networks;
		[trip(a, x, micros), trip(b, y, micros), trip(c, z, micros)]
	};
	let finding = |trips: &[RoundTrip]| appraise_location(&paris(), 100_000, 2_000, trips);
	assert_eq!(finding(&trips([1, 2, 3], 3_000)), LocationFinding::Supported);
	assert_eq!(finding(&trips([1, 2, 2], 3_000)), LocationFinding::Unknown);
	assert_eq!(finding(&trips([1, 2, 3], 3_000)[..2]), LocationFinding::Unknown);
	// 100 km and back take 1.5 ms at the Internet's speed.
	assert_eq!(finding(&trips([1, 2, 3], 3_600)), LocationFinding::Unknown);
	// A verifier far away supports nothing, however fast the answer.
	let mut far = trips([1, 2, 3], 3_000);
	far[0] = trip(frankfurt(), 1, 3_300);
	assert_eq!(finding(&far), LocationFinding::Unknown);
	assert_eq!(finding(&[]), LocationFinding::Unknown);
}

proptest! {
	#[test]
	fn distances_should_be_those_of_the_haversine(
		a in (-90_000_000i32..=90_000_000, -180_000_000i32..=180_000_000),
		b in (-90_000_000i32..=90_000_000, -180_000_000i32..=180_000_000),
	) {
		let (a, b) = (micro(a), micro(b));
		let exact = metres(&a, &b);
		// Near the antipode an arc hardly changes its chord.
		let blur = if exact > 19_500_000.0 { 30_000.0 } else { 2_000.0 };
		prop_assert!(is_within(&a, &b, (exact + blur) as u64));
		if exact > blur {
			prop_assert!(!is_within(&a, &b, (exact - blur) as u64));
		}
	}

	#[test]
	fn the_truth_should_never_be_refuted(
		device in (-90_000_000i32..=90_000_000, -180_000_000i32..=180_000_000),
		verifier in (-90_000_000i32..=90_000_000, -180_000_000i32..=180_000_000),
		delay in 0u32..1_000_000,
	) {
		let device = micro(device);
		let verifier = micro(verifier);
		// Light itself, on the ground, and no delay but the given one.
		let least = (metres(&device, &verifier) * 2.0 / 299.792_458).ceil() as u32;
		let trips = [1, 2].map(|number| trip(verifier, number, least + delay));
		let finding = appraise_location(&device, 1_000, 0, &trips);
		prop_assert_ne!(finding, LocationFinding::Refuted);
	}

	#[test]
	fn the_truth_should_not_be_refuted_nearby(
		north in -80_000_000i32..=80_000_000,
		east in -170_000_000i32..=170_000_000,
		offset in (-50_000i32..=50_000, -50_000i32..=50_000),
	) {
		let device = micro((north, east));
		let verifier = micro((north + offset.0, east + offset.1));
		let least = (metres(&device, &verifier) * 2.0 / 299.792_458).ceil() as u32;
		let trips = [1, 2].map(|number| trip(verifier, number, least));
		let finding = appraise_location(&device, 1_000, 0, &trips);
		prop_assert_ne!(finding, LocationFinding::Refuted);
	}

	#[test]
	fn sines_should_be_those_of_floats(angle in -180_000_000i64..=180_000_000) {
		let exact = (angle as f64 / 1e6).to_radians().sin();
		prop_assert!((sine(angle) as f64 / f64::from(1 << 30) - exact).abs() < 2e-8);
		let exact = (angle as f64 / 1e6).to_radians().cos();
		prop_assert!((cosine(angle) as f64 / f64::from(1 << 30) - exact).abs() < 2e-8);
	}
}
