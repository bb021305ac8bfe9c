//! Tests, one file for each concern.

mod feeds;
mod invariants;
mod ledger;
mod parameters;
mod quotes;
mod tariffs;

use crate::{mock::*, Error, Event};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::DispatchError::BadOrigin;

fn signed(who: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who)
}
