//! Following an order from its submission to its receipt.

use crate::{
	cli::Submit,
	commands::{
		blob::Store,
		order::check_output,
		outcome::{completed, failed_run, stage, unmatched},
	},
	context::Context,
	output::Progress,
	show::{or_dash, Planck, ReceiptView},
};
use anyhow::{anyhow, bail, Context as _, Result};
use armature_economics::format;
use armature_primitives::{
	lease::{Receipt, RunReport, RunStatus},
	market::{OrderSpec, Refusal},
	Balance, LeaseId, OrderId,
};
use armature_sandbox::MAX_OUTPUT_BYTES;
use armature_sdk::{
	api,
	query::{self, LeaseState, Match},
	Account, AccountId32, AtBlock, Chain, Static, Wait,
};
use serde::Serialize;
use std::{
	fs,
	path::PathBuf,
	time::{Duration, Instant},
};

/// Pause between looks at the chain.
const POLL: Duration = Duration::from_millis(1_000);

/// Looks that may fail in a row before the watch ends; the connection comes back by itself.
const PATIENCE: u32 = 60;

/// How often a result is asked for before that is given up, and the pause in between.
const DOWNLOADS: u32 = 10;
const DOWNLOAD_PAUSE: Duration = Duration::from_secs(2);

/// How long a settled lease's receipt may take to be seen.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(60);

/// The order that is followed.
pub(crate) struct Watched {
	/// Its id.
	pub(crate) order: OrderId,
	/// What was ordered.
	pub(crate) spec: OrderSpec,
	/// A block before its submission.
	pub(crate) from_block: u64,
}

#[derive(Serialize)]
struct Bought {
	order: u64,
	lease: u64,
	device: u32,
	price_per_gfuel: Planck,
	/// The sum behind the least payout; `null` when a reserve stood in for it.
	break_even: Option<String>,
	result_hash: String,
	result_len: u64,
	result_file: Option<PathBuf>,
	fuel: u64,
	/// `null` with `--no-accept`: the lease is not settled yet.
	receipt: Option<ReceiptView>,
}

/// Follows the order to its end. Whatever is not a checked result is an error that says what
/// happened.
pub(crate) async fn watch(
	context: &Context,
	account: &Account,
	watched: Watched,
	submit: &Submit,
	progress: Progress,
) -> Result<()> {
	let chain = context.chain().await?;
	let found = until_matched(chain, account, &watched, submit, &progress).await?;
	let mut bought = Bought {
		order: watched.order.0,
		lease: found.lease.0,
		device: found.device.0,
		price_per_gfuel: Planck(found.price_per_gfuel),
		break_even: found.quote.as_ref().map(format::least_payout),
		result_hash: String::new(),
		result_len: 0,
		result_file: None,
		fuel: 0,
		receipt: None,
	};
	let (report, receipt) = match until_reported(chain, &found, &progress).await? {
		Ended::Reported(report) => (report, None),
		Ended::Settled(receipt) => (completed(&receipt)?, Some(receipt)),
	};
	if report.status == RunStatus::Success {
		progress.say("fetching the result");
		let bytes = download(context, &found, &report).await?;
		if let Some(path) = &submit.result {
			fs::write(path, &bytes).with_context(|| format!("writing {}", path.display()))?;
			bought.result_file = Some(path.clone());
		}
	}
	let receipt = match receipt {
		Some(receipt) => Some(receipt),
		None if submit.no_accept => None,
		None => {
			progress.say("accepting the result");
			Some(accept(chain, account, found.lease).await?)
		},
	};
	drop(progress);
	if report.status != RunStatus::Success {
		bail!(failed_run(found.lease, &report, receipt.as_ref()));
	}
	bought.result_hash = format!("{:?}", report.output);
	bought.result_len = report.output_len;
	bought.fuel = report.fuel;
	bought.receipt = receipt.as_ref().map(ReceiptView::from);
	context.output.record(&bought, |bought| {
		let mut rows = vec![
			("order", bought.order.to_string()),
			("lease", bought.lease.to_string()),
			("device", bought.device.to_string()),
			("price for 10^9 fuel", bought.price_per_gfuel.to_string()),
			("break-even", or_dash(&bought.break_even)),
			("result", bought.result_hash.clone()),
			("result bytes", bought.result_len.to_string()),
			("fuel", bought.fuel.to_string()),
		];
		if let Some(receipt) = &bought.receipt {
			rows.extend(receipt.rows().into_iter().skip(5));
		}
		rows
	})
}

/// Where an order stands.
enum Standing {
	Open(Option<Refusal>),
	Matched(LeaseId, Balance),
	Gone,
}

async fn standing(at: &AtBlock, order: OrderId) -> armature_sdk::Result<Standing> {
	if let Some(open) = query::open_order(at, order).await? {
		return Ok(Standing::Open(open.last_refusal.map(|refusal| refusal.0)));
	}
	Ok(match query::matched_order(at, order).await? {
		Some(matched) => Standing::Matched(matched.lease.0, matched.price_per_gfuel),
		None => Standing::Gone,
	})
}

/// Counts failed looks at the chain.
struct Patience(u32);

impl Patience {
	/// Takes a good answer; a bad one only when there were too many in a row.
	fn with<T>(&mut self, answer: armature_sdk::Result<T>) -> Result<Option<T>> {
		match answer {
			Ok(answer) => {
				self.0 = 0;
				Ok(Some(answer))
			},
			Err(error) => {
				self.0 = self.0.saturating_add(1);
				if self.0 >= PATIENCE {
					return Err(error).context("the chain stopped answering");
				}
				tracing::debug!(%error, "looking again");
				Ok(None)
			},
		}
	}
}

async fn until_matched(
	chain: &Chain,
	account: &Account,
	watched: &Watched,
	submit: &Submit,
	progress: &Progress,
) -> Result<Match> {
	let order = watched.order;
	let started = Instant::now();
	let mut last: Option<Refusal> = None;
	let mut open_at = watched.from_block;
	let mut patience = Patience(0);
	progress.say(format!("order {order} waits for a match"));
	loop {
		let look = async {
			let at = chain.best().await?;
			standing(&at, order).await.map(|standing| (at, standing))
		};
		match patience.with(look.await)? {
			Some((at, Standing::Open(refusal))) => {
				open_at = at.block_number();
				if let Some(refusal) = refusal.filter(|refusal| last.as_ref() != Some(refusal)) {
					progress.note(&format!("not matched yet: {}", format::refusal(&refusal)));
					last = Some(refusal);
				}
				if submit.give_up_after.is_some_and(|limit| started.elapsed() >= limit) {
					if let Some(error) = give_up(chain, account, order, last.as_ref()).await? {
						return Err(error);
					}
				}
			},
			Some((at, Standing::Matched(lease, price_per_gfuel))) => {
				if let Some(found) = find_match(chain, order, open_at, &at).await {
					return Ok(found);
				}
				// Its block's events are gone or moved; the lease tells the rest.
				if let Some(found) = query::lease(&at, lease).await? {
					let device = found.device.0;
					return Ok(Match { lease, device, price_per_gfuel, quote: None });
				}
			},
			Some((at, Standing::Gone)) => {
				// Matched and settled between two looks, or lapsed.
				if let Some(found) = find_match(chain, order, open_at, &at).await {
					return Ok(found);
				}
				if query::now(&at).await? > watched.spec.deadline {
					bail!("{}", unmatched("lapsed at its deadline", order, last.as_ref()));
				}
				bail!("{}", unmatched("is gone: it was cancelled", order, last.as_ref()));
			},
			None => {},
		}
		tokio::time::sleep(POLL).await;
	}
}

/// The match of `order` in the blocks after `from`, if their events can still be read.
async fn find_match(chain: &Chain, order: OrderId, from: u64, at: &AtBlock) -> Option<Match> {
	match query::match_of(chain, order, from.saturating_add(1)..=at.block_number()).await {
		Ok(found) => found,
		Err(error) => {
			tracing::debug!(%error, "the match's block could not be read");
			None
		},
	}
}

/// Cancels the order. `None` when it was matched in the meantime.
async fn give_up(
	chain: &Chain,
	account: &Account,
	order: OrderId,
	last: Option<&Refusal>,
) -> Result<Option<anyhow::Error>> {
	let call = api::tx().market().cancel_order(Static(order));
	match chain.submit(&call, account, Wait::Best).await {
		Ok(_) => {
			Ok(Some(anyhow!(unmatched("was not matched in time and is cancelled", order, last))))
		},
		Err(armature_sdk::Error::Refused { .. }) => Ok(None),
		Err(error) => Err(error).context("cancelling the order"),
	}
}

/// How a lease came to its end.
enum Ended {
	Reported(RunReport),
	Settled(Receipt<AccountId32>),
}

async fn until_reported(chain: &Chain, found: &Match, progress: &Progress) -> Result<Ended> {
	let lease = found.lease;
	let mut patience = Patience(0);
	let mut gone: Option<Instant> = None;
	loop {
		let look = async {
			let at = chain.best().await?;
			match query::lease(&at, lease).await? {
				Some(open) => Ok((Some(open), None)),
				None => query::receipt(&at, lease).await.map(|receipt| (None, receipt)),
			}
		};
		match patience.with(look.await)? {
			Some((Some(open), _)) => {
				gone = None;
				match &open.state {
					LeaseState::Reported { report, .. } => return Ok(Ended::Reported(report.0)),
					state => progress.say(stage(lease, found.device, state)),
				}
			},
			Some((None, Some(receipt))) => return Ok(Ended::Settled(receipt)),
			// A fork may show neither for a moment.
			Some((None, None))
				if gone.get_or_insert_with(Instant::now).elapsed() >= RECEIPT_TIMEOUT =>
			{
				bail!("lease {lease} is gone and the chain keeps no receipt of it any more")
			},
			Some((None, None)) | None => {},
		}
		tokio::time::sleep(POLL).await;
	}
}

async fn download(context: &Context, found: &Match, report: &RunReport) -> Result<Vec<u8>> {
	let at = context.best().await?;
	let region = match query::device(&at, found.device).await? {
		Some(device) => query::site(&at, device.site.0).await?.map(|site| site.region.0),
		None => None,
	};
	let store = Store::open(context, region).await?;
	let mut attempt = 1;
	loop {
		let got = store.get(report.output, MAX_OUTPUT_BYTES.min(report.output_len)).await;
		match got.and_then(|bytes| check_output(&bytes, report).map(|()| bytes)) {
			Ok(bytes) => return Ok(bytes),
			Err(error) if attempt < DOWNLOADS => {
				tracing::debug!(%error, attempt, "the result is not there yet");
				attempt += 1;
				tokio::time::sleep(DOWNLOAD_PAUSE).await;
			},
			Err(error) => {
				return Err(error).with_context(|| {
					format!(
						"lease {0} reported a result that cannot be fetched; it is paid unless you \
						 dispute it: armature lease dispute {0}",
						found.lease
					)
				})
			},
		}
	}
}

async fn accept(chain: &Chain, account: &Account, lease: LeaseId) -> Result<Receipt<AccountId32>> {
	let call = api::tx().leases().accept_result(Static(lease));
	match chain.submit(&call, account, Wait::Best).await {
		Ok(included) => {
			if let Some(settled) = included.find::<api::leases::events::LeaseSettled>() {
				return Ok(settled.receipt.0);
			}
		},
		// Its window may have ended meanwhile, which settles it too.
		Err(armature_sdk::Error::Refused { error, .. }) => {
			tracing::debug!(error, "accepting was refused")
		},
		Err(error) => return Err(error).context("accepting the result"),
	}
	let until = Instant::now() + RECEIPT_TIMEOUT;
	while Instant::now() < until {
		let at = chain.best().await?;
		if let Some(receipt) = query::receipt(&at, lease).await? {
			return Ok(receipt);
		}
		tokio::time::sleep(POLL).await;
	}
	bail!("the result of lease {lease} is here, but the lease was not settled; see armature lease show {lease}")
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn patience_should_end_after_too_many_failures_in_a_row() {
		let failed = || -> armature_sdk::Result<()> {
			Err(armature_sdk::Error::Timeout { what: "x".into(), seconds: 1 })
		};
		let mut patience = Patience(0);
		for _ in 1..PATIENCE {
			assert!(patience.with(failed()).unwrap().is_none());
		}
		assert!(patience.with(Ok(())).unwrap().is_some());
		assert!(patience.with(failed()).unwrap().is_none());
		patience.0 = PATIENCE - 1;
		let last = patience.with(failed()).unwrap_err();
		assert_eq!(format!("{last:#}"), "the chain stopped answering: waited 1 s for x");
	}
}
