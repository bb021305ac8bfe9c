use super::*;

#[test]
fn round_trips_should_be_rounded_up() {
	assert_eq!(micros(Duration::ZERO), 1);
	assert_eq!(micros(Duration::from_nanos(1_000)), 1);
	assert_eq!(micros(Duration::from_nanos(1_001)), 2);
	assert_eq!(micros(Duration::MAX), u32::MAX);
}
