//! `armature provider`.

use crate::{
	cli::Provider,
	commands::{
		blob::Store,
		services::{meter_of, needs},
	},
	context::{local_now, Context},
	show::{or_dash, Done, Planck},
};
use anyhow::{bail, Result};
use armature_agent::telemetry::Collector;
use armature_economics::format;
use armature_evidence::{probe, Finding, Roots, State, Survey};
use armature_primitives::{telemetry::PowerSource, RegionId};
use armature_sandbox::Sandbox;
use armature_sdk::{api, query, AccountId32, AtBlock, Included};
use serde::Serialize;
use std::{borrow::Cow, path::PathBuf};

/// A clock that is further off than this makes beats worthless, in milliseconds.
const MAX_CLOCK_DIFFERENCE: u64 = 30_000;

#[derive(Serialize)]
struct Changed {
	account: String,
	operator: Option<String>,
}

#[derive(Serialize)]
struct Shown {
	account: String,
	operator: Option<String>,
	deposit: Planck,
	sites: u32,
	devices: usize,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
	Ok,
	/// Works, but not as well as it could.
	Warning,
	Failed,
}

#[derive(Debug, Serialize)]
struct Check {
	check: Cow<'static, str>,
	verdict: Verdict,
	detail: String,
}

impl Check {
	fn new(
		check: impl Into<Cow<'static, str>>,
		verdict: Verdict,
		detail: impl Into<String>,
	) -> Self {
		Self { check: check.into(), verdict, detail: detail.into() }
	}

	fn from(check: &'static str, result: Result<String>) -> Self {
		match result {
			Ok(detail) => Self::new(check, Verdict::Ok, detail),
			Err(error) => Self::new(check, Verdict::Failed, format!("{error:#}")),
		}
	}
}

pub(crate) async fn run(context: &Context, command: Provider) -> Result<()> {
	match command {
		Provider::Init { region, lanes, config } => init(context, region, lanes, config).await,
		Provider::Register { operator } => {
			let call = api::tx().devices().register_provider(operator);
			changed(context, &context.submit(&call).await?, operator)
		},
		Provider::SetOperator { who } => {
			let call = api::tx().devices().set_operator(who);
			changed(context, &context.submit(&call).await?, who)
		},
		Provider::Deregister => {
			let call = api::tx().devices().deregister_provider();
			changed(context, &context.submit(&call).await?, None)
		},
		Provider::Show { who } => {
			let who = context.who(who)?;
			let at = context.best().await?;
			let Some(provider) = query::provider(&at, &who).await? else {
				bail!("{who} is no provider; become one with `armature provider register`");
			};
			let shown = Shown {
				account: who.to_string(),
				operator: provider.operator.map(|operator| operator.to_string()),
				deposit: Planck(provider.deposit),
				sites: provider.sites,
				devices: query::devices(&at, Some(&who)).await?.len(),
			};
			context.output.record(&shown, |shown| {
				vec![
					("account", shown.account.clone()),
					("operator", or_dash(&shown.operator)),
					("deposit", shown.deposit.to_string()),
					("sites", shown.sites.to_string()),
					("devices", shown.devices.to_string()),
				]
			})
		},
	}
}

fn changed(context: &Context, included: &Included, operator: Option<AccountId32>) -> Result<()> {
	let changed = Changed {
		account: context.account()?.id().to_string(),
		operator: operator.map(|operator| operator.to_string()),
	};
	context.output.record(&Done::new(included, changed), |done| {
		done.rows(vec![
			("account", done.of.account.clone()),
			("operator", or_dash(&done.of.operator)),
		])
	})
}

async fn init(
	context: &Context,
	region: RegionId,
	lanes: Option<u16>,
	config: Option<PathBuf>,
) -> Result<()> {
	let threads = std::thread::available_parallelism().map_or(1, usize::from);
	let lanes = lanes.unwrap_or_else(|| u16::try_from(threads).unwrap_or(u16::MAX));
	let mut checks = vec![lanes_check(lanes, threads), sandbox_check(), meter_check(config).await];
	let survey = tokio::task::spawn_blocking(|| probe(&Roots::default())).await?;
	checks.extend(evidence_checks(&survey));
	match context.best().await {
		Ok(at) => {
			checks.push(Check::new(
				"node",
				Verdict::Ok,
				format!("best block {}", at.block_number()),
			));
			checks.push(clock_check(query::now(&at).await.map_err(Into::into)));
			checks.push(Check::from("funds", funds(context, &at, lanes).await));
			checks.push(Check::from("orchestrator", reach(context, region).await));
			checks.push(verifier_check(query::verifiers(&at).await.map_err(Into::into)));
		},
		Err(error) => checks.push(Check::new("node", Verdict::Failed, format!("{error:#}"))),
	}
	context.output.rows(&["check", "verdict", "detail"], &checks, |check| {
		let verdict = match check.verdict {
			Verdict::Ok => "ok",
			Verdict::Warning => "warning",
			Verdict::Failed => "FAILED",
		};
		vec![check.check.to_string(), verdict.into(), check.detail.clone()]
	})?;
	let failed = checks.iter().filter(|check| check.verdict == Verdict::Failed).count();
	if failed > 0 {
		bail!("{failed} of {} checks failed", checks.len());
	}
	Ok(())
}

fn lanes_check(lanes: u16, threads: usize) -> Check {
	let detail = format!("{lanes} lanes on {threads} hardware threads");
	let verdict = if usize::from(lanes) > threads { Verdict::Warning } else { Verdict::Ok };
	Check::new("lanes", verdict, detail)
}

fn sandbox_check() -> Check {
	let ready = Sandbox::new().map(|_| "workloads can run".to_owned());
	Check::from("sandbox", ready.map_err(Into::into))
}

async fn meter_check(config: Option<PathBuf>) -> Check {
	let read = tokio::task::spawn_blocking(move || {
		let (power, folder) = meter_of(config.as_deref())?;
		anyhow::Ok(Collector::new(&power, &folder)?.power())
	});
	match read.await.map_err(anyhow::Error::from).and_then(|read| read) {
		Ok((power, source, error)) => {
			let (verdict, advice) = if source == PowerSource::Estimated {
				(Verdict::Warning, ": no meter found, so the upper end of a wide band is priced")
			} else {
				(Verdict::Ok, "")
			};
			let detail = format!(
				"{} ({}), within {}{advice}",
				format::kilowatts(power),
				format::power_source(source),
				format::percent(error)
			);
			Check::new("power meter", verdict, detail)
		},
		Err(error) => Check::new("power meter", Verdict::Failed, format!("{error:#}")),
	}
}

/// What can vouch for this machine, and the tier that results.
fn evidence_checks(survey: &Survey) -> Vec<Check> {
	let finding = |finding: &Finding| {
		let (verdict, detail) = match &finding.state {
			State::Available => {
				(Verdict::Ok, format!("available; it gives {}", format::tier(finding.gives)))
			},
			State::Missing { why, what_to_do } => {
				(Verdict::Warning, format!("missing: {why}; to do: {what_to_do}"))
			},
			// Nothing can be done, and nothing need be.
			State::NotSupported { why } => (Verdict::Ok, format!("not supported: {why}")),
		};
		Check::new(format!("evidence: {}", finding.source), verdict, detail)
	};
	let verdict = if survey.source.is_some() { Verdict::Ok } else { Verdict::Warning };
	let tier = format!("{}; next: {}", format::tier(survey.tier), survey.next_step);
	survey
		.findings
		.iter()
		.map(finding)
		.chain([Check::new("tier", verdict, tier)])
		.collect()
}

fn clock_check(chain: Result<u64>) -> Check {
	match chain {
		Ok(chain) => {
			let off = local_now().abs_diff(chain);
			let verdict = if off > MAX_CLOCK_DIFFERENCE { Verdict::Failed } else { Verdict::Ok };
			let detail =
				format!("{off} ms from the chain's latest block; synchronise it with NTP if larger than a block time");
			Check::new("clock", verdict, detail)
		},
		Err(error) => Check::new("clock", Verdict::Failed, format!("{error:#}")),
	}
}

fn verifier_check(verifiers: Result<Vec<(AccountId32, String)>>) -> Check {
	match verifiers {
		Ok(verifiers) if verifiers.is_empty() => Check::new(
			"verifiers",
			Verdict::Failed,
			"no verifier is registered: devices cannot be measured",
		),
		Ok(verifiers) => {
			Check::new("verifiers", Verdict::Ok, format!("{} registered", verifiers.len()))
		},
		Err(error) => Check::new("verifiers", Verdict::Failed, format!("{error:#}")),
	}
}

async fn funds(context: &Context, at: &AtBlock, lanes: u16) -> Result<String> {
	if !context.has_account() {
		bail!("no account: name one with --account or --account-file");
	}
	let who = context.account()?.id();
	let free = context.chain().await?.free_balance(&who).await?;
	let parameters = query::device_parameters(at).await?;
	let bond = parameters
		.bond_per_lane
		.saturating_mul(lanes.into())
		.saturating_add(parameters.device_bond);
	let needed = match query::provider(at, &who).await? {
		Some(_) => bond,
		None => bond
			.saturating_add(parameters.provider_deposit)
			.saturating_add(parameters.site_deposit),
	};
	let price = needs(&format!("a device of {lanes} lanes, with its deposits,"), needed);
	if free <= needed {
		bail!("{price}, fees aside, and {who} has {}", Planck(free));
	}
	Ok(format!("{price}; free: {}", Planck(free)))
}

async fn reach(context: &Context, region: RegionId) -> Result<String> {
	let (peer, address) = Store::open(context, Some(region)).await?.reach().await?;
	Ok(format!("reached {peer} at {address}"))
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_evidence::Source;
	use armature_primitives::device::Tier;

	#[test]
	fn checks_should_tell_what_is_wrong() {
		assert_eq!(lanes_check(4, 4).verdict, Verdict::Ok);
		assert_eq!(lanes_check(5, 4).verdict, Verdict::Warning);
		assert_eq!(clock_check(Ok(local_now())).verdict, Verdict::Ok);
		assert_eq!(clock_check(Ok(0)).verdict, Verdict::Failed);
		assert_eq!(verifier_check(Ok(Vec::new())).verdict, Verdict::Failed);
		let failed = Check::from("x", Err(anyhow::anyhow!("inner").context("outer")));
		assert_eq!((failed.verdict, failed.detail.as_str()), (Verdict::Failed, "outer: inner"));
	}

	#[test]
	fn what_vouches_for_a_machine_should_be_told_with_the_tier_and_what_to_do() {
		let finding = |source, gives, state| Finding { source, gives, state };
		let missing =
			State::Missing { why: "no module".into(), what_to_do: "modprobe sev-guest".into() };
		let survey = Survey {
			tier: Tier::T0,
			source: None,
			next_step: "for T2: modprobe sev-guest".into(),
			findings: vec![
				finding(Source::SevSnp, Tier::T2, missing),
				finding(Source::Tdx, Tier::T2, State::NotSupported { why: "AMD".into() }),
				finding(Source::Tpm, Tier::T0, State::Available),
			],
		};
		let said: Vec<_> = evidence_checks(&survey)
			.into_iter()
			.map(|check| (check.check.to_string(), check.verdict, check.detail))
			.collect();
		let line = |check: &str, verdict, detail: &str| (check.into(), verdict, detail.into());
		assert_eq!(
			said,
			[
				line(
					"evidence: sev-snp",
					Verdict::Warning,
					"missing: no module; to do: modprobe sev-guest"
				),
				line("evidence: tdx", Verdict::Ok, "not supported: AMD"),
				line("evidence: tpm", Verdict::Ok, "available; it gives T0"),
				line("tier", Verdict::Warning, "T0; next: for T2: modprobe sev-guest"),
			]
		);
	}

	#[test]
	fn check_should_serialise_with_kebab_case_verdicts() {
		let check = Check::new("lanes", Verdict::Failed, "d");
		assert_eq!(
			serde_json::to_string(&check).unwrap(),
			"{\"check\":\"lanes\",\"verdict\":\"failed\",\"detail\":\"d\"}"
		);
	}
}
