//! What a committee's verdicts come to, and how they are sealed.

use alloc::vec::Vec;
use armature_primitives::{
	challenge::{Measured, Verdict},
	telemetry::PowerReading,
	DeviceId, MilliWatts, Ppm, RoundId, H256,
};
use codec::Encode;

/// What is added to half of the median time for reads, in milliseconds: how much longer the last of five
/// waits for a disk, and on a slower way.
const SLACK_READ_MILLIS: u32 = 2_000;

/// What is added to a quarter of the median time before a time is an outlier, in milliseconds: how
/// much later than another one verifier may see the same block and the same answer.
const SLACK_MILLIS: u32 = 500;

/// The same of a read, in nanoseconds: a second's way there and back, over a million reads.
const SLACK_NANOS: u32 = 1_000;

/// How many times more or less one verifier may have moved than the median: the ways to them differ.
const RATE_FACTOR: u32 = 8;

/// What is added to that, in kilobits per second.
const SLACK_KBPS: u32 = 1_000;

/// What a round came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conclusion {
	/// Not enough was said, or neither side has a majority.
	Void,
	/// More than half of the verdicts say failed.
	Failed {
		/// Verdicts that say failed.
		failed: u32,
		/// Verdicts in all.
		posted: u32,
	},
	/// Passed verdicts name different roots: the device signed both.
	TwoRoots {
		/// Verdicts that say failed.
		failed: u32,
		/// Verdicts in all.
		posted: u32,
	},
	/// More than half of the verdicts say passed.
	Passed {
		/// Their upper median times, and lower median rates.
		measured: Measured,
		/// Their upper median figures.
		power: PowerReading,
	},
}

/// Where a verdict stands beside the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
	/// With the majority, and near its median time.
	Agrees,
	/// With the minority, without a majority, or at another time. The device may have brought that
	/// about: it decides what each verifier sees of it.
	Differs,
}

/// The hash that a verifier posts before it says what it found:
/// `blake2b256("armature/verdict" || round || verifier || verdict || salt)`. The salt is random and
/// secret until the reveal; the account keeps others from sealing the same hash.
pub fn seal<AccountId: Encode>(
	round: RoundId,
	verifier: &AccountId,
	verdict: &Verdict,
	salt: &H256,
) -> H256 {
	let input = (b"armature/verdict", round, verifier, verdict, salt).encode();
	H256(sp_io::hashing::blake2_256(&input))
}

/// What a device announces before it answers a round with this root, instead of work:
/// `blake2b256("armature/planted" || device || root || salt)`. The salt is random and secret until the
/// round is over.
pub fn planted_hash(device: DeviceId, root: &H256, salt: &H256) -> H256 {
	let input = (b"armature/planted", device, root, salt).encode();
	H256(sp_io::hashing::blake2_256(&input))
}

/// Judges a round with `seats` members by the verdicts that came, and each verdict by the others, in
/// their order.
///
/// Nothing is concluded unless more than half of the committee spoke, and more than half of those
/// agree. Of a passed round the upper medians stand: of an even number the slower time and the higher
/// power, and of rates the lower medians, so that a doubt never flatters the device. Each field of the power figures is taken for
/// itself, the source by its trust; where every reading has `loaded >= idle`, the medians have it too.
/// Verdicts whose signatures were checked and that name different roots show that the device signed
/// both, however many spoke. All verdicts have to be of one kind of work.
pub fn conclude(verdicts: &[Verdict], seats: usize) -> (Conclusion, Vec<Standing>) {
	let passed: Vec<(Measured, PowerReading, H256)> = verdicts
		.iter()
		.filter_map(|verdict| match verdict {
			Verdict::Passed { measured, power, root, .. } => Some((*measured, *power, *root)),
			Verdict::Failed { .. } => None,
		})
		.collect();
	let failed = verdicts.len().saturating_sub(passed.len());
	let two_roots = passed.windows(2).any(|pair| matches!(pair, [one, other] if one.2 != other.2));
	let standings = |agrees: &dyn Fn(&Verdict) -> bool| {
		let standing = |verdict| if agrees(verdict) { Standing::Agrees } else { Standing::Differs };
		verdicts.iter().map(standing).collect()
	};
	let (said_failed, posted) = (count(failed), count(verdicts.len()));
	if two_roots {
		// Whoever checked what it was shown did its work.
		let conclusion = Conclusion::TwoRoots { failed: said_failed, posted };
		return (conclusion, standings(&|_| true));
	}
	if !is_majority(verdicts.len(), seats) {
		return (Conclusion::Void, standings(&|_| false));
	}
	if is_majority(failed, verdicts.len()) {
		let conclusion = Conclusion::Failed { failed: said_failed, posted };
		return (conclusion, standings(&|verdict| matches!(verdict, Verdict::Failed { .. })));
	}
	match medians(&passed) {
		Some((median, power)) if is_majority(passed.len(), verdicts.len()) => {
			let agrees = |verdict: &Verdict| match verdict {
				Verdict::Passed { measured, .. } => agree(measured, &median),
				Verdict::Failed { .. } => false,
			};
			(Conclusion::Passed { measured: median, power }, standings(&agrees))
		},
		_ => (Conclusion::Void, standings(&|_| false)),
	}
}

/// Whether a measurement is near the medians. Each verifier has its own walk, and its own way to the
/// device: times of reads may be half apart, and [`SLACK_NANOS`] or [`SLACK_READ_MILLIS`]; rates by [`RATE_FACTOR`], and
/// [`SLACK_KBPS`]; round trips are what they are.
fn agree(said: &Measured, median: &Measured) -> bool {
	let in_time = || is_near(said.elapsed_millis(), median.elapsed_millis());
	match (said, median) {
		(Measured::Cpu { .. }, Measured::Cpu { .. })
		| (Measured::Gemm { .. }, Measured::Gemm { .. }) => in_time(),
		(
			Measured::Memory { read_nanos: said, .. },
			Measured::Memory { read_nanos: median, .. },
		) => {
			let most = median.div_ceil(2).saturating_add(SLACK_NANOS);
			in_time() && said.abs_diff(*median) <= most
		},
		(
			Measured::Network { up_kbps: up, down_kbps: down, .. },
			Measured::Network { up_kbps: median_up, down_kbps: median_down, .. },
		) => is_alike(*up, *median_up) && is_alike(*down, *median_down),
		(
			Measured::Storage { read_millis: said, .. },
			Measured::Storage { read_millis: median, .. },
		) => said.abs_diff(*median) <= median.div_ceil(2).saturating_add(SLACK_READ_MILLIS),
		_ => false,
	}
}

/// Whether two rates may be of the same device.
fn is_alike(one: u32, other: u32) -> bool {
	let most = |of: u32| of.saturating_mul(RATE_FACTOR).saturating_add(SLACK_KBPS);
	one <= most(other) && other <= most(one)
}

/// Whether a time is within a quarter and [`SLACK_MILLIS`] of the median.
fn is_near(said: u32, median: u32) -> bool {
	said.abs_diff(median) <= median.div_ceil(4).saturating_add(SLACK_MILLIS)
}

fn medians(passed: &[(Measured, PowerReading, H256)]) -> Option<(Measured, PowerReading)> {
	let power = |field: fn(&PowerReading) -> u32| {
		upper_median(passed.iter().map(|(_, power, _)| field(power)))
	};
	let reading = PowerReading {
		idle: MilliWatts(power(|reading| reading.idle.0)?),
		loaded: MilliWatts(power(|reading| reading.loaded.0)?),
		source: upper_median(passed.iter().map(|(_, power, _)| power.source))?,
		error: Ppm(power(|reading| reading.error.0)?),
	};
	let all = || passed.iter().map(|(measured, ..)| *measured);
	let elapsed = upper_median(all().map(|measured| measured.elapsed_millis()))?;
	let measured = match all().next()? {
		Measured::Cpu { .. } => Measured::Cpu { elapsed_millis: elapsed },
		Measured::Gemm { .. } => Measured::Gemm { elapsed_millis: elapsed },
		Measured::Memory { .. } => {
			let reads = all().filter_map(|measured| match measured {
				Measured::Memory { read_nanos, .. } => Some(read_nanos),
				_ => None,
			});
			Measured::Memory { fill_millis: elapsed, read_nanos: upper_median(reads)? }
		},
		Measured::Storage { .. } => {
			let reads = all().filter_map(|measured| match measured {
				Measured::Storage { read_millis, .. } => Some(read_millis),
				_ => None,
			});
			Measured::Storage { answer_millis: elapsed, read_millis: upper_median(reads)? }
		},
		Measured::Network { .. } => {
			let ways = || {
				all().filter_map(|measured| match measured {
					Measured::Network { round_trip_micros, up_kbps, down_kbps, .. } => {
						Some((round_trip_micros, up_kbps, down_kbps))
					},
					_ => None,
				})
			};
			Measured::Network {
				answer_millis: elapsed,
				round_trip_micros: upper_median(ways().map(|(micros, ..)| micros))?,
				up_kbps: lower_median(ways().map(|(_, up, _)| up))?,
				down_kbps: lower_median(ways().map(|(.., down)| down))?,
			}
		},
	};
	Some((measured, reading))
}

/// The middle value in order, of an even number the larger of the two.
fn upper_median<V: Ord + Copy>(values: impl Iterator<Item = V>) -> Option<V> {
	let mut sorted: Vec<V> = values.collect();
	sorted.sort();
	sorted.get(sorted.len() / 2).copied()
}

/// The middle value in order, of an even number the smaller of the two.
fn lower_median<V: Ord + Copy>(values: impl Iterator<Item = V>) -> Option<V> {
	upper_median(values.map(core::cmp::Reverse)).map(|value| value.0)
}

fn is_majority(part: usize, whole: usize) -> bool {
	part > whole / 2
}

/// A committee's count; committees have a handful of members.
fn count(n: usize) -> u32 {
	u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::{
		challenge::ChallengeFailure, ed25519::Signature, telemetry::PowerSource,
	};
	use proptest::prelude::*;
	use Standing::*;

	fn said(elapsed_millis: u32, power: (u32, u32, PowerSource, u32), root: u8) -> Verdict {
		let (idle, loaded, source, error) = power;
		let power = PowerReading {
			idle: MilliWatts(idle),
			loaded: MilliWatts(loaded),
			source,
			error: Ppm(error),
		};
		let signature = Signature::from_raw([root; 64]);
		Verdict::Passed {
			measured: Measured::Cpu { elapsed_millis },
			power,
			root: H256([root; 32]),
			signature,
		}
	}

	fn passed(elapsed_millis: u32) -> Verdict {
		said(elapsed_millis, (1, 2, PowerSource::WallMeter, 0), 1)
	}

	fn under(root: u8) -> Verdict {
		said(100, (1, 2, PowerSource::WallMeter, 0), root)
	}

	const FAILED: Verdict = Verdict::Failed { reason: ChallengeFailure::WrongResult };

	/// With all seats taken.
	fn judged(verdicts: &[Verdict]) -> (Conclusion, Vec<Standing>) {
		conclude(verdicts, verdicts.len())
	}

	fn failed(failed: u32, posted: u32) -> Conclusion {
		Conclusion::Failed { failed, posted }
	}

	fn is_passed(conclusion: Conclusion) -> bool {
		matches!(conclusion, Conclusion::Passed { .. })
	}

	#[test]
	fn nothing_should_be_concluded_from_too_little() {
		assert_eq!(judged(&[]), (Conclusion::Void, Vec::new()));
		let ok = passed(100);
		// More than half of the committee has to speak.
		for (posted, seats, enough) in
			[(1, 1, true), (1, 2, false), (2, 3, true), (2, 5, false), (3, 5, true)]
		{
			let (conclusion, standings) = conclude(&vec![ok; posted], seats);
			assert_eq!(is_passed(conclusion), enough, "{posted} of {seats}");
			assert_eq!(standings, vec![if enough { Agrees } else { Differs }; posted]);
			let lost = conclude(&vec![FAILED; posted], seats).0;
			assert_eq!(lost == Conclusion::Void, !enough, "{posted} of {seats}");
		}
	}

	#[test]
	fn majority_should_decide_and_a_tie_nothing() {
		let ok = passed(100);
		assert_eq!(judged(&[FAILED]), (failed(1, 1), vec![Agrees]));
		assert_eq!(judged(&[ok, FAILED]), (Conclusion::Void, vec![Differs, Differs]));
		assert_eq!(judged(&[ok, FAILED, FAILED, ok]).0, Conclusion::Void);
		let (conclusion, standings) = judged(&[ok, FAILED, FAILED, ok, FAILED]);
		assert_eq!(conclusion, failed(3, 5));
		assert_eq!(standings, vec![Differs, Agrees, Agrees, Differs, Agrees]);
		let (conclusion, standings) = judged(&[ok, FAILED, ok, ok, FAILED]);
		assert!(is_passed(conclusion));
		assert_eq!(standings, vec![Agrees, Differs, Agrees, Agrees, Differs]);
	}

	#[test]
	fn two_roots_should_fail_the_device_that_signed_them() {
		let all = [under(2), under(2), under(2), under(1), FAILED];
		let two_roots = |failed, posted| Conclusion::TwoRoots { failed, posted };
		assert_eq!(judged(&all), (two_roots(1, 5), vec![Agrees; 5]));
		assert_eq!(judged(&[under(1), under(2)]).0, two_roots(0, 2));
		// What the device signed speaks for itself, whoever is silent.
		assert_eq!(conclude(&[under(1), under(2)], 5), (two_roots(0, 2), vec![Agrees; 2]));
		assert!(is_passed(judged(&[under(3), under(3)]).0));
	}

	#[test]
	fn upper_medians_should_be_taken_of_each_field_by_itself() {
		use PowerSource::*;
		let verdicts = [
			said(400, (10, 70, WallMeter, 5), 1),
			said(100, (40, 50, Estimated, 9), 1),
			FAILED,
			said(300, (20, 90, WallMeter, 7), 1),
			said(200, (30, 80, BoardSensor, 1), 1),
		];
		let power = PowerReading {
			idle: MilliWatts(30),
			loaded: MilliWatts(80),
			source: BoardSensor,
			error: Ppm(7),
		};
		assert_eq!(
			judged(&verdicts).0,
			Conclusion::Passed { measured: Measured::Cpu { elapsed_millis: 300 }, power }
		);
	}

	#[test]
	fn reads_of_storage_should_be_near_each_other() {
		let of = |answer_millis, read_millis| {
			let Verdict::Passed { power, root, signature, .. } = passed(1) else { unreachable!() };
			let measured = Measured::Storage { answer_millis, read_millis };
			Verdict::Passed { measured, power, root, signature }
		};
		// The upper median of what they read in is 1,000 ms, of answers 40 ms.
		let all = [of(30, 400), of(50, 1_000), of(40, 3_500), of(40, 3_501), of(2_000, 900)];
		let (conclusion, standings) = judged(&all);
		let Conclusion::Passed { measured, .. } = conclusion else { panic!("{conclusion:?}") };
		assert_eq!(measured, Measured::Storage { answer_millis: 40, read_millis: 1_000 });
		// When they saw the block is no figure.
		assert_eq!(standings, vec![Agrees, Agrees, Agrees, Differs, Agrees]);
		let (conclusion, standings) = judged(&[of(30, 400), of(30, 600), passed(30)]);
		assert!(is_passed(conclusion));
		assert_eq!(standings, vec![Agrees, Agrees, Differs]);
	}

	#[test]
	fn medians_of_memory_should_be_of_both_figures() {
		let memory = |fill_millis, read_nanos| {
			let Verdict::Passed { power, root, signature, .. } = passed(1) else { unreachable!() };
			let measured = Measured::Memory { fill_millis, read_nanos };
			Verdict::Passed { measured, power, root, signature }
		};
		let all = [memory(300, 900), memory(100, 700), FAILED, memory(200, 800), memory(400, 600)];
		let (conclusion, standings) = judged(&all);
		let Conclusion::Passed { measured, .. } = conclusion else { panic!("{conclusion:?}") };
		assert_eq!(measured, Measured::Memory { fill_millis: 300, read_nanos: 800 });
		assert_eq!(standings, vec![Agrees, Agrees, Differs, Agrees, Agrees]);
	}

	#[test]
	fn products_should_be_judged_by_their_time() {
		let gemm = |elapsed_millis| {
			let Verdict::Passed { power, root, signature, .. } = passed(1) else { unreachable!() };
			Verdict::Passed { measured: Measured::Gemm { elapsed_millis }, power, root, signature }
		};
		let (conclusion, standings) = judged(&[gemm(1_000), gemm(1_751), FAILED, gemm(1_001)]);
		let Conclusion::Passed { measured, .. } = conclusion else { panic!("{conclusion:?}") };
		assert_eq!(measured, Measured::Gemm { elapsed_millis: 1_001 });
		// A quarter and half a second: 751 and 500.
		assert_eq!(standings, vec![Agrees, Agrees, Differs, Agrees]);
		let late = judged(&[gemm(1_000), gemm(1_753), gemm(1_000)]).1;
		assert_eq!(late, vec![Agrees, Differs, Agrees]);
		// Times of another kind are no times of this one.
		let other = judged(&[gemm(1_000), passed(1_000), gemm(1_000)]).1;
		assert_eq!(other, vec![Agrees, Differs, Agrees]);
	}

	#[test]
	fn reads_far_from_the_median_should_not_agree() {
		let memory = |read_nanos| {
			let Verdict::Passed { power, root, signature, .. } = passed(1) else { unreachable!() };
			let measured = Measured::Memory { fill_millis: 1_000, read_nanos };
			Verdict::Passed { measured, power, root, signature }
		};
		// Of 4,000 ns half and a microsecond: 3,000 ns either way.
		let standing = |nanos| judged(&[memory(4_000), memory(nanos), memory(4_000)]).1[1];
		assert_eq!(standing(1_000), Agrees);
		assert_eq!(standing(999), Differs);
		assert_eq!(standing(7_000), Agrees);
		assert_eq!(standing(7_001), Differs);
	}

	fn ways(round_trip_micros: u32, up_kbps: u32, down_kbps: u32) -> Verdict {
		let Verdict::Passed { power, root, signature, .. } = passed(1) else { unreachable!() };
		// Answers come as late as they like.
		let answer_millis = up_kbps;
		let measured = Measured::Network { answer_millis, round_trip_micros, up_kbps, down_kbps };
		Verdict::Passed { measured, power, root, signature }
	}

	#[test]
	fn medians_of_ways_should_never_flatter() {
		let all =
			[ways(300, 40, 90), ways(100, 30, 70), FAILED, ways(200, 20, 60), ways(400, 10, 80)];
		let (conclusion, standings) = judged(&all);
		let Conclusion::Passed { measured, .. } = conclusion else { panic!("{conclusion:?}") };
		let Measured::Network { answer_millis, round_trip_micros, up_kbps, down_kbps } = measured
		else {
			panic!("{measured:?}")
		};
		assert_eq!((answer_millis, round_trip_micros, up_kbps, down_kbps), (30, 300, 20, 70));
		assert_eq!(standings, vec![Agrees, Agrees, Differs, Agrees, Agrees]);
	}

	#[test]
	fn rates_far_from_the_median_should_not_agree() {
		let up = |kbps| {
			let all = [ways(9, 40_000, 5), ways(1, kbps, 5), ways(90_000, 40_000, 5)];
			judged(&all).1
		};
		let down = |kbps| {
			let all = [ways(9, 5, 40_000), ways(1, 5, kbps), ways(90_000, 5, 40_000)];
			judged(&all).1
		};
		for standing in [up, down] {
			// Eight times and 1,000 more: 4,875 to 321,000. Round trips do not matter.
			for (kbps, stands) in
				[(321_000, Agrees), (321_001, Differs), (4_875, Agrees), (4_874, Differs)]
			{
				assert_eq!(standing(kbps), vec![Agrees, stands, Agrees], "{kbps}");
			}
		}
	}

	#[test]
	fn times_far_from_the_median_should_not_agree() {
		// Of 4,000 ms a quarter and half a second: 1,500 ms either way.
		let standing = |ms| judged(&[passed(4_000), passed(ms), passed(4_000)]).1[1];
		assert_eq!(standing(2_500), Agrees);
		assert_eq!(standing(2_499), Differs);
		assert_eq!(standing(5_500), Agrees);
		assert_eq!(standing(5_501), Differs);
	}

	#[test]
	fn seals_should_bind_all_that_they_are_made_of() {
		let sealed = |round, who: u64, verdict, salt| seal(RoundId(round), &who, &verdict, &salt);
		let (salt, other) = (H256([7; 32]), H256([8; 32]));
		let base = sealed(1, 2, FAILED, salt);
		assert_eq!(base, sealed(1, 2, FAILED, salt));
		for changed in [
			sealed(2, 2, FAILED, salt),
			sealed(1, 3, FAILED, salt),
			sealed(1, 2, passed(1), salt),
			sealed(1, 2, FAILED, other),
		] {
			assert_ne!(base, changed);
		}
	}

	fn any_verdict() -> impl Strategy<Value = Verdict> {
		prop_oneof![
			1 => Just(FAILED),
			3 => (1u32..10_000, 0u32..1_000, 0u32..1_000, 0u32..20).prop_map(
				|(ms, idle, more, root)| {
					let power = (idle, idle + more + 1, PowerSource::WallMeter, 0);
					said(ms, power, u8::from(root == 0))
				}
			),
		]
	}

	proptest! {
		#[test]
		fn what_stands_should_be_what_more_than_half_said_or_slower(
			verdicts in proptest::collection::vec(any_verdict(), 1..8),
			absent in 0usize..4,
		) {
			let (conclusion, standings) = conclude(&verdicts, verdicts.len() + absent);
			prop_assert_eq!(standings.len(), verdicts.len());
			let times: Vec<_> = verdicts
				.iter()
				.filter_map(|verdict| match verdict {
					Verdict::Passed { measured, .. } => Some(measured.elapsed_millis()),
					Verdict::Failed { .. } => None,
				})
				.collect();
			match conclusion {
				Conclusion::Passed { measured, power } => {
					let elapsed_millis = measured.elapsed_millis();
					prop_assert!(times.len() * 2 > verdicts.len());
					prop_assert!(times.contains(&elapsed_millis));
					// At least half of them were no slower than what stands.
					let no_slower = times.iter().filter(|ms| **ms <= elapsed_millis).count();
					prop_assert!(no_slower * 2 >= times.len());
					prop_assert!(power.loaded > power.idle);
				},
				Conclusion::Failed { failed, posted }
				| Conclusion::TwoRoots { failed, posted } => {
					prop_assert_eq!(posted as usize, verdicts.len());
					prop_assert_eq!(failed as usize, verdicts.len() - times.len());
				},
				Conclusion::Void => {
					prop_assert!(absent >= verdicts.len() || times.len() * 2 == verdicts.len());
				},
			}
		}

		#[test]
		fn order_should_not_matter(
			verdicts in proptest::collection::vec(any_verdict(), 1..8),
			by in any::<usize>(),
		) {
			let mut turned = verdicts.clone();
			let by = by % verdicts.len();
			turned.rotate_left(by);
			let (conclusion, mut standings) = judged(&verdicts);
			let (other, others) = judged(&turned);
			prop_assert_eq!(conclusion, other);
			standings.rotate_left(by);
			prop_assert_eq!(standings, others);
		}
	}
}
