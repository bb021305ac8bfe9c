//! What verifiers have at stake, what they have earned, and how their verdicts fared.

use crate::{
	context::Context,
	degrees::show_place,
	show::{or_dash, when, Done, Planck},
};
use anyhow::{bail, Result};
use armature_primitives::{location::Position, Moment};
use armature_sdk::{
	api,
	query::{self, VerifierRecord},
	AccountId32,
};
use serde::Serialize;

#[derive(Serialize)]
struct Shown {
	account: String,
	address: String,
	/// What it bonded.
	bonded: Planck,
	/// What is left of that.
	bond: Planck,
	/// What it can claim.
	earned: Planck,
	/// Verdicts with the majority.
	agreed: u32,
	/// Verdicts without it, or at another time.
	differed: u32,
	/// Verdicts that it never sealed.
	missed: u32,
	/// Verdicts that it sealed and never revealed.
	unrevealed: u32,
	/// Answers that it passed and that were planted, to find out who does not look.
	fooled: u32,
	/// `null` while it takes rounds.
	retired_at: Option<Moment>,
	/// Where it says to be, in micro-degrees; `null` where it does not.
	position: Option<Position>,
}

#[derive(Serialize)]
struct Claimed {
	account: String,
	paid: Planck,
	/// What is still earned: there was no more money.
	left: Planck,
}

#[derive(Serialize)]
struct Withdrawn {
	account: String,
	/// The bond that was released.
	amount: Planck,
	/// Earnings that were paid with it.
	paid: Planck,
	/// Earnings for which there was no money.
	lost: Planck,
}

impl Shown {
	fn new(who: &AccountId32, record: &VerifierRecord) -> Self {
		let VerifierRecord { address, bonded, bond, earned, retired_at, history, position } =
			record;
		Self {
			account: who.to_string(),
			address: query::text(&address.0),
			bonded: Planck(*bonded),
			bond: Planck(*bond),
			earned: Planck(*earned),
			agreed: history.agreed,
			differed: history.differed,
			missed: history.missed,
			unrevealed: history.unrevealed,
			fooled: history.fooled,
			retired_at: *retired_at,
			position: position.as_ref().map(|position| position.0),
		}
	}
}

/// Those that take rounds.
pub(crate) async fn list(context: &Context) -> Result<()> {
	let rows: Vec<_> = query::verifier_records(&context.best().await?)
		.await?
		.iter()
		.filter(|(_, record)| record.retired_at.is_none())
		.map(|(who, record)| Shown::new(who, record))
		.collect();
	let headings = [
		"account",
		"bond left",
		"earned",
		"agreed",
		"differed",
		"missed",
		"unrevealed",
		"fooled",
		"address",
	];
	context.output.rows(&headings, &rows, |row| {
		vec![
			row.account.clone(),
			row.bond.to_string(),
			row.earned.to_string(),
			row.agreed.to_string(),
			row.differed.to_string(),
			row.missed.to_string(),
			row.unrevealed.to_string(),
			row.fooled.to_string(),
			row.address.clone(),
		]
	})
}

pub(crate) async fn show(context: &Context, who: Option<AccountId32>) -> Result<()> {
	let who = context.who(who)?;
	let at = context.best().await?;
	let Some(record) = query::verifier(&at, &who).await? else {
		bail!("{who} is no verifier; become one with `armature verifier register`");
	};
	let now = query::now(&at).await?;
	context.output.record(&Shown::new(&who, &record), |shown| {
		let retired = shown
			.retired_at
			.map_or_else(|| "no: it takes rounds".to_owned(), |moment| when(moment, now));
		vec![
			("account", shown.account.clone()),
			("address", shown.address.clone()),
			("bond left", format!("{} of {}", shown.bond, shown.bonded)),
			("earned", shown.earned.to_string()),
			("agreed", format!("{} verdicts with the majority", shown.agreed)),
			("differed", format!("{} without it, or at another time", shown.differed)),
			("missed", format!("{} never sealed", shown.missed)),
			("unrevealed", format!("{} sealed and never revealed", shown.unrevealed)),
			("fooled", format!("{} passed that were planted answers", shown.fooled)),
			("position", or_dash(&shown.position.as_ref().map(show_place))),
			("retired", retired),
		]
	})
}

pub(crate) async fn claim(context: &Context) -> Result<()> {
	let included = context.submit(&api::tx().challenges().claim_earnings()).await?;
	let event: api::challenges::events::EarningsClaimed =
		included.expect("Challenges.claim_earnings", "EarningsClaimed")?;
	let claimed = Claimed {
		account: event.who.to_string(),
		paid: Planck(event.paid),
		left: Planck(event.left),
	};
	context.output.record(&Done::new(&included, claimed), |done| {
		done.rows(vec![
			("account", done.of.account.clone()),
			("paid", done.of.paid.to_string()),
			("still earned", done.of.left.to_string()),
		])
	})
}

/// Ends a retired verifier's record. What it has earned and nobody can pay now is lost with it, so that
/// has to be said.
pub(crate) async fn withdraw(context: &Context, forfeit: bool) -> Result<()> {
	let who = context.who(None)?;
	let earned = query::verifier(&context.best().await?, &who)
		.await?
		.map_or(0, |record| record.earned);
	if earned > 0 && !forfeit {
		bail!(
			"{} of earnings are not claimed; run `armature verifier claim` first, or pass --forfeit",
			Planck(earned)
		);
	}
	let included = context.submit(&api::tx().challenges().withdraw_verifier_bond()).await?;
	let event: api::challenges::events::VerifierBondWithdrawn =
		included.expect("Challenges.withdraw_verifier_bond", "VerifierBondWithdrawn")?;
	let withdrawn = Withdrawn {
		account: event.who.to_string(),
		amount: Planck(event.amount),
		paid: Planck(event.paid),
		lost: Planck(event.lost),
	};
	context.output.record(&Done::new(&included, withdrawn), |done| {
		done.rows(vec![
			("account", done.of.account.clone()),
			("bond", done.of.amount.to_string()),
			("earnings paid", done.of.paid.to_string()),
			("earnings lost", done.of.lost.to_string()),
		])
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_sdk::{
		api::runtime_types::{
			bounded_collections::bounded_vec::BoundedVec, pallet_challenges::types::VerdictHistory,
		},
		Static,
	};
	use serde_json::json;

	#[test]
	fn shown_verifier_should_have_the_documented_fields() {
		let record = VerifierRecord {
			address: BoundedVec(b"/ip4/192.0.2.1".to_vec()),
			bonded: 10,
			bond: 9,
			earned: 8,
			retired_at: None,
			history: VerdictHistory { agreed: 7, differed: 6, missed: 5, unrevealed: 4, fooled: 3 },
			position: None,
		};
		let who = AccountId32([1; 32]);
		let shown = serde_json::to_value(Shown::new(&who, &record)).unwrap();
		let expected = json!({
			"account": who.to_string(),
			"address": "/ip4/192.0.2.1",
			"bonded": "10",
			"bond": "9",
			"earned": "8",
			"agreed": 7,
			"differed": 6,
			"missed": 5,
			"unrevealed": 4,
			"fooled": 3,
			"retired_at": null,
			"position": null,
		});
		assert_eq!(shown, expected);
		let place = Position { latitude: -33_870_000, longitude: 151_210_000 };
		let placed = VerifierRecord { position: Some(Static(place)), ..record };
		let shown = serde_json::to_value(Shown::new(&who, &placed)).unwrap();
		let expected = json!({ "latitude": -33_870_000, "longitude": 151_210_000 });
		assert_eq!(shown["position"], expected);
	}
}
