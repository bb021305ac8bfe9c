//! The token buckets.

use crate::limit::{Admission, Bucket, RateLimit};
use std::time::{Duration, Instant};

const LIMIT: RateLimit = RateLimit { per_second: 10, burst: 5 };

#[test]
fn bucket_should_grant_a_burst_then_the_rate() {
	let start = Instant::now();
	let mut bucket = Bucket::full(LIMIT, start);
	for _ in 0..5 {
		assert_eq!(bucket.admit(LIMIT, start), Admission::Granted);
	}
	assert_eq!(bucket.admit(LIMIT, start), Admission::Refused);
	let later = start + Duration::from_millis(101);
	assert_eq!(bucket.admit(LIMIT, later), Admission::Granted);
	assert_eq!(bucket.admit(LIMIT, later), Admission::Refused);
}

#[test]
fn bucket_should_lose_patience_and_regain_it_slowly() {
	let start = Instant::now();
	let mut bucket = Bucket::full(LIMIT, start);
	for _ in 0..5 {
		bucket.admit(LIMIT, start);
	}
	for _ in 0..8 {
		assert_eq!(bucket.admit(LIMIT, start), Admission::Refused);
	}
	assert_eq!(bucket.admit(LIMIT, start), Admission::Abusive);
	assert!(!bucket.is_full(LIMIT, start + Duration::from_secs(1)));
	assert!(bucket.is_full(LIMIT, start + Duration::from_secs(9)));
}
