use super::*;
use crate::testing::peer;

/// The least time there is here.
const MOMENT: Duration = Duration::from_millis(1);

fn turns() -> (Turns, Instant) {
	(Turns::new(Patience::default()), Instant::now())
}

fn is_busy(answer: Result<(), ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::Busy))
}

fn is_not_ones_turn(answer: Result<(), ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::NotYourTurn))
}

fn is_too_many(answer: Result<(), ChallengeFault>) -> bool {
	matches!(answer, Err(ChallengeFault::TooManyTurns))
}

#[test]
fn a_turn_should_last_until_its_walk_was_opened() {
	let (mut turns, now) = turns();
	turns.reserve(peer(1), now).expect("free");
	assert!(is_busy(turns.reserve(peer(2), now)));
	assert!(is_not_ones_turn(turns.begin(peer(2), now)));
	turns.begin(peer(1), now).expect("its turn");
	assert!(is_busy(turns.reserve(peer(2), now)));
	turns.opened(peer(1));
	assert!(is_busy(turns.reserve(peer(2), now)), "nothing to open yet");
	turns.walked(now);
	turns.opened(peer(2));
	assert!(is_busy(turns.reserve(peer(2), now)), "opened by another peer");
	turns.opened(peer(1));
	turns.reserve(peer(2), now).expect("free");
}

#[test]
fn one_turn_should_give_one_walk() {
	let (mut turns, now) = turns();
	assert!(is_not_ones_turn(turns.begin(peer(1), now)));
	turns.reserve(peer(1), now).expect("free");
	turns.begin(peer(1), now).expect("its turn");
	assert!(is_not_ones_turn(turns.begin(peer(1), now)));
	assert!(is_busy(turns.reserve(peer(1), now)), "its walk lasts");
	turns.walked(now);
	assert!(is_not_ones_turn(turns.begin(peer(1), now)));
	turns.opened(peer(1));
	assert!(is_not_ones_turn(turns.begin(peer(1), now)));
}

#[test]
fn a_turn_without_a_walk_should_end_in_time() {
	let (mut turns, now) = turns();
	let Patience { walk, .. } = Patience::default();
	let last = now + walk - MOMENT;
	turns.reserve(peer(1), now).expect("free");
	// Asking again gives no more time.
	turns.reserve(peer(1), last).expect("still its turn");
	assert!(is_busy(turns.reserve(peer(2), last)));
	assert!(is_not_ones_turn(turns.begin(peer(1), now + walk)));
	turns.reserve(peer(2), now + walk).expect("free");
}

#[test]
fn a_turn_without_a_request_to_open_should_end_in_time() {
	let (mut turns, now) = turns();
	let Patience { walk, opening, .. } = Patience::default();
	turns.reserve(peer(1), now).expect("free");
	turns.begin(peer(1), now).expect("its turn");
	// However long the walk takes, nobody walks beside it.
	let walked = now + 100 * walk;
	assert!(is_busy(turns.reserve(peer(2), walked)));
	turns.walked(walked);
	assert!(is_busy(turns.reserve(peer(2), walked + opening - MOMENT)));
	turns.reserve(peer(2), walked + opening).expect("free");
	// What comes late ends nobody's turn.
	turns.opened(peer(1));
	assert!(is_busy(turns.reserve(peer(1), walked + opening)));
}

#[test]
fn a_failed_walk_should_end_the_turn() {
	let (mut turns, now) = turns();
	turns.reserve(peer(1), now).expect("free");
	turns.begin(peer(1), now).expect("its turn");
	turns.fail();
	turns.reserve(peer(2), now).expect("free");
}

#[test]
fn turns_should_go_to_those_who_have_waited_longest() {
	let (mut turns, now) = turns();
	turns.reserve(peer(1), now).expect("free");
	for number in [2, 3] {
		assert!(is_busy(turns.reserve(peer(number), now)));
	}
	// It gives its walk up for another one, but the others come first.
	turns.begin(peer(1), now).expect("its turn");
	turns.walked(now);
	assert!(is_busy(turns.reserve(peer(1), now)));
	for number in [3, 1] {
		assert!(is_busy(turns.reserve(peer(number), now)));
	}
	for number in [2, 3, 1] {
		turns.reserve(peer(number), now).expect("its turn has come");
		turns.begin(peer(number), now).expect("its turn");
		turns.walked(now);
		turns.opened(peer(number));
	}
}

#[test]
fn whoever_does_not_ask_any_more_should_lose_its_place() {
	let Patience { walk, asking, .. } = Patience::default();
	let line = || {
		let (mut turns, now) = turns();
		turns.reserve(peer(1), now).expect("free");
		turns.begin(peer(1), now).expect("its turn");
		assert!(is_busy(turns.reserve(peer(2), now)));
		assert!(is_busy(turns.reserve(peer(3), now + MOMENT)));
		turns.fail();
		(turns, now)
	};
	let (mut turns, now) = line();
	assert!(is_busy(turns.reserve(peer(3), now + asking)), "peer 2 may ask still");
	turns.reserve(peer(2), now + asking).expect("the first one");
	let (mut turns, now) = line();
	let late = now + asking + MOMENT;
	turns.reserve(peer(3), late).expect("the only one");
	// Asking again, it waits behind others.
	assert!(is_busy(turns.reserve(peer(4), late)));
	assert!(is_busy(turns.reserve(peer(2), late)));
	let next = late + walk;
	assert!(is_busy(turns.reserve(peer(2), late + asking)));
	assert!(is_busy(turns.reserve(peer(4), late + asking)));
	assert!(is_busy(turns.reserve(peer(2), next)));
	turns.reserve(peer(4), next).expect("first of the line");
}

#[test]
fn a_peer_should_get_some_turns_and_no_more() {
	let (mut turns, now) = turns();
	for _ in 0..MAX_TURNS {
		turns.reserve(peer(1), now).expect("one of its turns");
		turns.reserve(peer(1), now).expect("the same turn");
		turns.begin(peer(1), now).expect("its turn");
		turns.walked(now);
	}
	assert!(is_too_many(turns.reserve(peer(1), now)));
	assert!(is_busy(turns.reserve(peer(2), now)), "the last walk is still there");
	turns.opened(peer(1));
	assert!(is_too_many(turns.reserve(peer(1), now)));
	turns.reserve(peer(2), now).expect("free");
	assert!(is_too_many(turns.reserve(peer(1), now)), "no use in waiting");
}

#[test]
fn the_line_should_not_grow_without_end() {
	let (mut turns, now) = turns();
	turns.reserve(peer(0), now).expect("free");
	turns.begin(peer(0), now).expect("its turn");
	for number in 1..=255 {
		assert!(is_busy(turns.reserve(peer(number), now)));
	}
	assert_eq!(turns.waiting.len(), MAX_PEERS);
}
