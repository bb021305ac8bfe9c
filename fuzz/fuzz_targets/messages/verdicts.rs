//! What a committee says of a round, and what it comes to.

use armature_fuzz::Input;
use armature_primitives::{
	challenge::{ChallengeTask, Measured, Verdict},
	H256,
};
use armature_verifier::challenge::{
	check_power, check_work,
	network::together,
	verdict::{conclude, Conclusion, Standing},
};
use armature_wire::MAX_DEPTH;
use codec::DecodeLimit;

/// The most verifiers of a round.
const MAX_COMMITTEE: usize = 5;

/// A task, and what a committee says of it: as many verdicts as standings, and nothing depends on
/// their order.
pub(crate) fn judge_verdicts(input: &mut Input<'_>) {
	let (flags, absent) = (input.u8(), usize::from(input.u8() % 6));
	let (by, other) = (usize::from(input.u8()), usize::from(input.u8()));
	let mut rest = input.take(usize::MAX);
	let Ok(task) = ChallengeTask::decode_with_depth_limit(MAX_DEPTH, &mut rest) else { return };
	if check_work(&task.work).is_err() {
		return;
	}
	let kind = task.work.kind();
	let mut verdicts = Vec::new();
	while verdicts.len() < MAX_COMMITTEE {
		let Ok(verdict) = Verdict::decode_with_depth_limit(MAX_DEPTH, &mut rest) else { break };
		verdicts.push(verdict);
	}
	// The chain takes none of another kind.
	verdicts.retain(|verdict| match verdict {
		Verdict::Passed { measured, .. } => measured.kind() == kind,
		Verdict::Failed { .. } => true,
	});
	if flags & 1 == 1 {
		for verdict in &mut verdicts {
			if let Verdict::Passed { root, .. } = verdict {
				*root = H256::zero();
			}
		}
	}
	let seats = verdicts.len() + absent;
	let (conclusion, mut standings) = conclude(&verdicts, seats);
	check_conclusion(&verdicts, seats, &conclusion, &standings);
	if verdicts.is_empty() {
		return;
	}
	let (by, other) = (by % verdicts.len(), other % verdicts.len());
	verdicts.rotate_left(by);
	verdicts.swap(0, other);
	standings.rotate_left(by);
	standings.swap(0, other);
	assert_eq!(conclude(&verdicts, seats), (conclusion, standings), "their order matters");
}

/// Of which the upper median stands, beside the time of the commitment.
fn times(said: &Measured) -> [u32; 2] {
	match *said {
		Measured::Cpu { elapsed_millis } | Measured::Gemm { elapsed_millis } => [elapsed_millis, 0],
		Measured::Memory { fill_millis, read_nanos } => [fill_millis, read_nanos],
		Measured::Network { answer_millis, round_trip_micros, .. } => {
			[answer_millis, round_trip_micros]
		},
		Measured::Storage { answer_millis, read_millis } => [answer_millis, read_millis],
	}
}

/// Of which the lower median stands.
fn rates(said: &Measured) -> [u32; 2] {
	match *said {
		Measured::Network { up_kbps, down_kbps, .. } => [up_kbps, down_kbps],
		Measured::Cpu { .. }
		| Measured::Memory { .. }
		| Measured::Gemm { .. }
		| Measured::Storage { .. } => [0, 0],
	}
}

/// Whether a measurement is too far from the medians, said here in numbers that cannot overflow:
/// times by a quarter and half a second, reads by a half and a microsecond, or two seconds of storage,
/// rates eight times and a megabit per second more either way.
fn is_outlier(said: &Measured, median: &Measured) -> bool {
	let is_apart = |said: u32, median: u32, part: u64, slack: u64| {
		u64::from(said.abs_diff(median)) > u64::from(median).div_ceil(part) + slack
	};
	let is_unlike = |one: u32, other: u32| u64::from(one) > u64::from(other) * 8 + 1_000;
	let ([said_at, said_read], [at, read]) = (times(said), times(median));
	match median {
		Measured::Cpu { .. } | Measured::Gemm { .. } => is_apart(said_at, at, 4, 500),
		Measured::Memory { .. } => {
			is_apart(said_at, at, 4, 500) || is_apart(said_read, read, 2, 1_000)
		},
		Measured::Storage { .. } => is_apart(said_read, read, 2, 2_000),
		Measured::Network { .. } => rates(said)
			.into_iter()
			.zip(rates(median))
			.any(|(said, median)| is_unlike(said, median) || is_unlike(median, said)),
	}
}

fn check_conclusion(
	verdicts: &[Verdict],
	seats: usize,
	conclusion: &Conclusion,
	standings: &[Standing],
) {
	assert_eq!(standings.len(), verdicts.len());
	let passed: Vec<_> = verdicts
		.iter()
		.filter_map(|verdict| match verdict {
			Verdict::Passed { measured, power, root, .. } => Some((measured, power, root)),
			Verdict::Failed { .. } => None,
		})
		.collect();
	let said_failed = verdicts.len() - passed.len();
	let mut roots = passed.iter().map(|(.., root)| *root);
	let first = roots.next();
	let is_one_root = roots.all(|root| Some(root) == first);
	let has_quorum = 2 * verdicts.len() > seats;
	match *conclusion {
		Conclusion::Void => {
			assert!(is_one_root && (!has_quorum || said_failed == passed.len()));
			assert!(standings.iter().all(|standing| *standing == Standing::Differs));
		},
		Conclusion::TwoRoots { failed, posted } => {
			assert!(!is_one_root);
			assert!(standings.iter().all(|standing| *standing == Standing::Agrees));
			assert_eq!((failed as usize, posted as usize), (said_failed, verdicts.len()));
		},
		Conclusion::Failed { failed, posted } => {
			assert!(is_one_root && has_quorum && said_failed > passed.len());
			for (verdict, standing) in verdicts.iter().zip(standings) {
				let is_failed = matches!(verdict, Verdict::Failed { .. });
				assert_eq!(*standing == Standing::Agrees, is_failed);
			}
			assert_eq!((failed as usize, posted as usize), (said_failed, verdicts.len()));
		},
		Conclusion::Passed { measured, power } => {
			assert!(is_one_root && has_quorum && passed.len() > said_failed);
			let said: Vec<_> = passed.iter().map(|(said, ..)| **said).collect();
			assert!(said.iter().all(|said| said.kind() == measured.kind()));
			// Times are upper medians, rates lower ones.
			let middle = |at: usize, figure: &dyn Fn(&Measured) -> u32| {
				let mut sorted: Vec<_> = said.iter().map(figure).collect();
				sorted.sort_unstable();
				assert_eq!(figure(&measured), sorted[at], "no median");
			};
			let (upper, lower) = (said.len() / 2, (said.len() - 1) / 2);
			middle(upper, &Measured::elapsed_millis);
			for figure in 0..2 {
				middle(upper, &|said| times(said)[figure]);
				middle(lower, &|said| rates(said)[figure]);
			}
			for (verdict, standing) in verdicts.iter().zip(standings) {
				let agrees = match verdict {
					Verdict::Passed { measured: said, .. } => !is_outlier(said, &measured),
					Verdict::Failed { .. } => false,
				};
				assert_eq!(*standing == Standing::Agrees, agrees, "{verdict:?} of {measured:?}");
			}
			// What moved at once is judged by the same median.
			for (figure, median) in rates(&measured).into_iter().enumerate() {
				let all: Vec<_> = said.iter().map(|said| rates(said)[figure]).collect();
				assert!(u64::from(together(&all)) <= u64::from(median) * all.len() as u64);
			}
			// Figures that all agree with themselves come to such ones.
			if passed.iter().all(|(_, power, _)| check_power(power).is_ok()) {
				assert_eq!(check_power(&power), Ok(()));
			}
		},
	}
}
