//! What devices open, whatever the kind of work.

use armature_p2p::messages::MAX_DEPTH;
use armature_primitives::{challenge::ChallengeFailure, RoundId};
use codec::{Decode, DecodeLimit};

/// What is not right about openings.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Fault<Opening> {
	pub(super) reason: ChallengeFailure,
	/// What is wrong, where that can be proved.
	pub(super) wrong: Option<Opening>,
}

impl<Opening> From<ChallengeFailure> for Fault<Opening> {
	fn from(reason: ChallengeFailure) -> Self {
		Self { reason, wrong: None }
	}
}

/// Openings as they are sent.
pub(crate) fn decoded<Opening: Decode>(openings: &[u8]) -> Result<Vec<Opening>, ChallengeFailure> {
	let mut input = openings;
	Vec::<Opening>::decode_all_with_depth_limit(MAX_DEPTH, &mut input)
		.map_err(|_| ChallengeFailure::Malformed)
}

/// The openings, where they are those that are `wanted`, in this order.
pub(super) fn exactly<Opening, At: PartialEq>(
	openings: Vec<Opening>,
	wanted: &[At],
	at: impl Fn(&Opening) -> Option<At>,
) -> Result<Vec<Opening>, ChallengeFailure> {
	let mut pairs = openings.iter().zip(wanted);
	if openings.len() == wanted.len()
		&& pairs.all(|(opening, wanted)| at(opening).as_ref() == Some(wanted))
	{
		Ok(openings)
	} else {
		Err(ChallengeFailure::Malformed)
	}
}

/// Checks one opening after the other. A wrong one is checked a second time before anybody is accused:
/// the first result may be this machine's fault.
pub(super) fn check_each<Opening>(
	round: RoundId,
	openings: Vec<Opening>,
	check: impl Fn(&Opening) -> Result<(), ChallengeFailure>,
) -> Result<(), Fault<Opening>> {
	for opening in openings {
		let mut found = check(&opening);
		if found == Err(ChallengeFailure::WrongResult) {
			found = check(&opening);
			if found.is_ok() {
				tracing::error!(
					round = round.0,
					"this machine checked what was opened with two results; check its memory and processor"
				);
			}
		}
		match found {
			Ok(()) => {},
			Err(reason @ ChallengeFailure::WrongResult) => {
				return Err(Fault { reason, wrong: Some(opening) })
			},
			Err(reason) => return Err(reason.into()),
		}
	}
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::cell::{Cell, RefCell};

	#[test]
	fn openings_should_be_those_that_are_wanted_in_their_order() {
		let of =
			|openings: &[u32]| exactly(openings.to_vec(), &[2, 4], |at| (*at < 9).then_some(*at));
		assert_eq!(of(&[2, 4]), Ok(vec![2, 4]));
		for wrong in [&[][..], &[2], &[4, 2], &[2, 3], &[2, 9], &[2, 4, 4]] {
			assert_eq!(of(wrong), Err(ChallengeFailure::Malformed), "{wrong:?}");
		}
	}

	/// What checking 1, 2, 3 comes to where `check` says what each is, with all that was checked.
	fn checked(
		check: impl Fn(u32) -> Result<(), ChallengeFailure>,
	) -> (Result<(), Fault<u32>>, Vec<u32>) {
		let seen = RefCell::new(Vec::new());
		let check = |opening: &u32| {
			seen.borrow_mut().push(*opening);
			check(*opening)
		};
		(check_each(RoundId(1), vec![1, 2, 3], check), seen.into_inner())
	}

	#[test]
	fn wrong_opening_should_be_checked_twice_before_it_is_named() {
		let reason = ChallengeFailure::WrongResult;
		assert_eq!(checked(|_| Ok(())), (Ok(()), vec![1, 2, 3]));
		let wrong = |opening| if opening == 2 { Err(reason) } else { Ok(()) };
		assert_eq!(checked(wrong), (Err(Fault { reason, wrong: Some(2) }), vec![1, 2, 2]));
		// This machine's fault.
		let first = Cell::new(true);
		let once = |opening| if opening == 2 && first.take() { Err(reason) } else { Ok(()) };
		assert_eq!(checked(once), (Ok(()), vec![1, 2, 2, 3]));
	}

	#[test]
	fn opening_that_is_none_should_prove_nothing() {
		for reason in [ChallengeFailure::BadOpening, ChallengeFailure::Malformed] {
			let bad = |opening| if opening == 2 { Err(reason) } else { Ok(()) };
			assert_eq!(checked(bad), (Err(Fault { reason, wrong: None }), vec![1, 2]));
		}
	}
}
