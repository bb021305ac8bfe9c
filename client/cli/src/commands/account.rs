//! `armature account`.

use crate::{
	cli::Account,
	context::Context,
	show::{Done, Planck},
};
use anyhow::Result;
use armature_sdk::api;
use serde::Serialize;

#[derive(Serialize)]
struct Balance {
	account: String,
	free: Planck,
	held: Planck,
}

#[derive(Serialize)]
struct Transfer {
	from: String,
	to: String,
	amount: Planck,
}

pub(crate) async fn run(context: &Context, command: Account) -> Result<()> {
	match command {
		Account::Balance { who } => {
			let who = context.who(who)?;
			let balance = context.chain().await?.balance(&who).await?;
			let shown = Balance {
				account: who.to_string(),
				free: Planck(balance.free),
				held: Planck(balance.held),
			};
			context.output.record(&shown, |shown| {
				vec![
					("account", shown.account.clone()),
					("free", shown.free.to_string()),
					("held", shown.held.to_string()),
				]
			})
		},
		Account::Transfer { to, amount } => {
			let from = context.account()?.id();
			let call = api::tx().balances().transfer_keep_alive(to.into(), amount);
			let included = context.submit(&call).await?;
			let transfer =
				Transfer { from: from.to_string(), to: to.to_string(), amount: Planck(amount) };
			context.output.record(&Done::new(&included, transfer), |done| {
				done.rows(vec![
					("from", done.of.from.clone()),
					("to", done.of.to.clone()),
					("amount", done.of.amount.to_string()),
				])
			})
		},
	}
}
