//! What connects one pallet to another.

use crate::{
	AccountId, Balance, Balances, BlockNumber, Hash, Historical, Runtime, Session, System,
};
use alloc::vec::Vec;
use codec::Encode;
use frame_support::{
	traits::{
		fungible::{Balanced, Credit},
		Imbalance, OnUnbalanced, Randomness,
	},
	weights::Weight,
	PalletId,
};
use sp_runtime::{
	traits::{AccountIdConversion, BlakeTwo256, Convert, Hash as HashT, One},
	Perbill,
};
use sp_staking::{
	offence::{OffenceDetails, OffenceSeverity, OnOffenceHandler},
	SessionIndex,
};

/// The account that protocol fees go to.
pub const FEE_PALLET_ID: PalletId = PalletId(*b"arm/fees");

/// Sessions for which an equivocation can still be reported.
pub const REPORTABLE_SESSIONS: SessionIndex = 168;

/// The account that protocol fees go to.
pub fn fee_account() -> AccountId {
	FEE_PALLET_ID.into_account_truncating()
}

/// Fees and tips of a transaction go to the author of its block. Without an author (which BABE
/// does not allow) they are burnt.
pub struct ToAuthor;

impl OnUnbalanced<Credit<AccountId, Balances>> for ToAuthor {
	fn on_nonzero_unbalanced(amount: Credit<AccountId, Balances>) {
		let Some(author) = pallet_authorship::Pallet::<Runtime>::author() else { return };
		// Fails only where the author's account does not exist and the fee would not open it:
		// then the credit is dropped, which burns it.
		let _ = Balances::resolve(&author, amount);
	}
}

/// Burns what it is given: a dropped credit lowers the total issuance.
pub struct Burn;

impl OnUnbalanced<Credit<AccountId, Balances>> for Burn {
	fn on_nonzero_unbalanced(amount: Credit<AccountId, Balances>) {
		debug_assert!(amount.peek() > 0);
		drop(amount);
	}
}

/// The account of a validator is its id. Only members of the present set may set session keys.
pub struct ValidatorOf;

impl Convert<AccountId, Option<AccountId>> for ValidatorOf {
	fn convert(account: AccountId) -> Option<AccountId> {
		pallet_session::Validators::<Runtime>::get()
			.contains(&account)
			.then_some(account)
	}
}

/// There is nothing to know of a validator but its account.
pub struct FullIdentificationOf;

impl Convert<AccountId, Option<()>> for FullIdentificationOf {
	fn convert(_: AccountId) -> Option<()> {
		Some(())
	}
}

/// Keeps the validators that genesis named, for good.
///
/// It stands in until a validators pallet manages bonds and membership. An offender is disabled
/// (see [`DisableOffenders`]), never removed, and nothing of it is slashed: it has no bond here.
pub struct FixedValidators;

impl pallet_session::SessionManager<AccountId> for FixedValidators {
	fn new_session(_: SessionIndex) -> Option<Vec<AccountId>> {
		// `None` keeps the set. A new set would also lift every disabling.
		None
	}

	fn new_session_genesis(_: SessionIndex) -> Option<Vec<AccountId>> {
		// Session keys are stored by now, the set is not: the set is those who have keys. Sorted,
		// because the map's order is that of hashes.
		let mut validators: Vec<_> = pallet_session::NextKeys::<Runtime>::iter_keys().collect();
		validators.sort();
		(!validators.is_empty()).then_some(validators)
	}

	fn start_session(_: SessionIndex) {}

	fn end_session(_: SessionIndex) {}
}

impl pallet_session::historical::SessionManager<AccountId, ()> for FixedValidators {
	fn new_session(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
		<Self as pallet_session::SessionManager<_>>::new_session(index)
			.map(|set| set.into_iter().map(|validator| (validator, ())).collect())
	}

	fn new_session_genesis(index: SessionIndex) -> Option<Vec<(AccountId, ())>> {
		<Self as pallet_session::SessionManager<_>>::new_session_genesis(index)
			.map(|set| set.into_iter().map(|validator| (validator, ())).collect())
	}

	fn start_session(_: SessionIndex) {}

	fn end_session(index: SessionIndex) {
		// One root is stored per session; this drops one per session.
		if let Some(oldest) = index.checked_sub(REPORTABLE_SESSIONS).filter(|oldest| *oldest > 0) {
			Historical::prune_up_to(oldest);
		}
	}
}

/// Disables validators that equivocated, less than a third of the set: more would stop finality.
/// Where the limit is reached, a later offence that is at least as severe takes the place of an
/// earlier one. All come back when any validator's keys change, as the set is then reset.
pub struct DisableOffenders;

impl OnOffenceHandler<AccountId, (AccountId, ()), Weight> for DisableOffenders {
	fn on_offence(
		offenders: &[OffenceDetails<AccountId, (AccountId, ())>],
		slash_fraction: &[Perbill],
		_session: SessionIndex,
	) -> Weight {
		for (details, fraction) in offenders.iter().zip(slash_fraction) {
			Session::report_offence(details.offender.0.clone(), OffenceSeverity(*fraction));
		}
		// Per offender: the set and the list of the disabled are read, the list is written.
		let count = u64::try_from(offenders.len()).unwrap_or(u64::MAX);
		<Runtime as frame_system::Config>::DbWeight::get()
			.reads_writes(count.saturating_mul(2), count)
	}
}

/// Fresh randomness: the VRF output of the parent block's author. When pallets finalise a block, after BABE
/// has, it is that of the block's own author, which nobody else could know before.
///
/// Every block of this chain carries a VRF output, also those of secondary slots, so the fallback
/// serves block 1 and genesis only: there it mixes BABE's epoch randomness with the parent's hash.
/// The author of the parent could withhold its block and so choose between two values: nothing
/// that decides over money may rest on this alone (see [`EpochRandomness`]).
pub struct BlockRandomness;

impl Randomness<Hash, BlockNumber> for BlockRandomness {
	fn random(subject: &[u8]) -> (Hash, BlockNumber) {
		let parent = System::block_number().saturating_sub(One::one());
		match pallet_babe::ParentBlockRandomness::<Runtime>::random(subject) {
			(Some(random), known_since) => (random, known_since),
			(None, _) => {
				let mixed = (
					subject,
					pallet_babe::Randomness::<Runtime>::get(),
					System::parent_hash(),
					parent,
				);
				(mixed.using_encoded(BlakeTwo256::hash), parent)
			},
		}
	}
}

/// Randomness that no one could know before the present BABE epoch began: every VRF output of the
/// epoch before it went in. The second value is the block at which the present epoch started; what
/// is committed must have been committed before that, better one epoch earlier.
pub type EpochRandomness = pallet_babe::RandomnessFromOneEpochAgo<Runtime>;

/// The share of a payout that goes to the protocol: 2 %.
pub const PROTOCOL_FEE: armature_primitives::Ppm = armature_primitives::Ppm::from_percent(2);

/// Weight as a fee: one planck for each picosecond of reference time, so that a full second of
/// computation costs one ARMA.
pub type WeightToFee = frame_support::weights::IdentityFee<Balance>;
