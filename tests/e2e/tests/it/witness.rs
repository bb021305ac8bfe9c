//! A direct line to the chain: for calls that the command line does not let one make, and for the
//! books before and after them.

use anyhow::{bail, ensure, Context, Result};
use armature_e2e_tests::{network::accounts, Network};
use armature_primitives::{evidence::MAX_EVIDENCE_LEN, telemetry::Leaf, DeviceId, H256};
use armature_sdk::{
	api::{self, runtime_types::pallet_attestation::types::AttestationParameters},
	bounded, parse_account, query, Account, AccountBalance, AccountId32, AtBlock, Chain, Error,
	Included, Payload, Static, Wait,
};
use tokio::runtime::{Builder, Runtime};

/// Runs a scenario. Its connections go on while it waits for a command.
pub(crate) fn runtime() -> Result<Runtime> {
	Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Checks that a person was told what happened.
pub(crate) fn contains(said: &str, expected: &str) -> Result<()> {
	ensure!(said.contains(expected), "expected {expected:?} in: {said}");
	Ok(())
}

/// Who has what at one block, and what the chain keeps of providers and devices.
pub(crate) struct Standing {
	block: u64,
	issuance: u128,
	balances: Vec<(AccountId32, AccountBalance)>,
	records: Vec<String>,
}

/// A connection to the network's first node.
pub(crate) struct Witness {
	chain: Chain,
	/// The tenant and both providers.
	watched: Vec<AccountId32>,
}

impl Witness {
	/// Connects.
	pub(crate) async fn connect(network: &Network) -> Result<Self> {
		let chain = Chain::connect(&[network.cli().url().to_owned()]).await?;
		let watched = [accounts::TENANT, accounts::PROVIDER, accounts::OTHER_PROVIDER]
			.into_iter()
			.map(parse_account)
			.collect::<armature_sdk::Result<Vec<_>>>()?;
		Ok(Self { chain, watched })
	}

	/// The chain at its best block.
	pub(crate) async fn best(&self) -> Result<AtBlock> {
		Ok(self.chain.best().await?)
	}

	/// Waits for a block after the best one.
	pub(crate) async fn next_block(&self) -> Result<()> {
		let from = self.best().await?.block_number();
		for _ in 0..120 {
			if self.best().await?.block_number() > from {
				return Ok(());
			}
			tokio::time::sleep(std::time::Duration::from_millis(500)).await;
		}
		bail!("no block after {from} within a minute")
	}

	/// Hash of the genesis block.
	pub(crate) fn genesis(&self) -> H256 {
		self.chain.genesis()
	}

	/// Submits a call that must succeed.
	pub(crate) async fn accepted(
		&self,
		account: &Account,
		call: &impl Payload,
	) -> Result<Included> {
		Ok(self.chain.submit(call, account, Wait::Best).await?)
	}

	/// Submits a call that the chain must execute and refuse with `expected`, as a person is told
	/// it, and checks that it moved nothing but its fee.
	pub(crate) async fn refused(
		&self,
		account: &Account,
		call: &impl Payload,
		expected: &str,
	) -> Result<()> {
		let before = self.standing().await?;
		match self.chain.submit(call, account, Wait::Best).await {
			Ok(_) => bail!("accepted where {expected:?} was expected"),
			Err(error @ Error::Refused { .. }) => contains(&error.to_string(), expected)?,
			Err(error) => {
				return Err(anyhow::Error::from(error).context(format!("{expected:?} was expected")))
			},
		}
		self.only_fees_since(&before).await
	}

	/// The books at the best block.
	pub(crate) async fn standing(&self) -> Result<Standing> {
		let at = self.best().await?;
		let issuance = at
			.storage()
			.fetch(api::storage().balances().total_issuance(), ())
			.await?
			.decode()?;
		let mut balances = Vec::new();
		let mut records = Vec::new();
		for who in &self.watched {
			let account =
				at.storage().fetch(api::storage().system().account(), (*who,)).await?.decode()?;
			let balance = AccountBalance { free: account.data.free, held: account.data.reserved };
			balances.push((*who, balance));
			let provider = query::provider(&at, who).await?;
			records.push(format!("{who}: {provider:?}"));
		}
		// Not the status: a device that fell silent becomes suspect by itself.
		for (id, device) in query::devices(&at, None).await? {
			let uptime = query::uptime_record(&at, id).await?;
			let attestation = query::attestation(&at, id).await?;
			let nonce = query::attestation_nonce(&at, id).await?;
			let kept = (device.bond, device.key, uptime, attestation, nonce);
			records.push(format!("device {id}: {kept:?}"));
		}
		Ok(Standing { block: at.block_number(), issuance, balances, records })
	}

	/// Checks that since `before` nobody lost or got anything, that all records are what they were,
	/// and that who sent transactions paid their fees and no more.
	pub(crate) async fn only_fees_since(&self, before: &Standing) -> Result<()> {
		let after = self.standing().await?;
		ensure!(
			after.issuance == before.issuance,
			"the issuance went from {} to {}",
			before.issuance,
			after.issuance
		);
		ensure!(
			after.records == before.records,
			"records went from {:#?} to {:#?}",
			before.records,
			after.records
		);
		for ((who, old), (_, new)) in before.balances.iter().zip(&after.balances) {
			let fees = self.fees_of(who, before.block, after.block).await?;
			ensure!(
				new.held == old.held && new.free + fees == old.free,
				"{who} went from {old:?} to {new:?} and paid {fees} in fees"
			);
		}
		Ok(())
	}

	/// What `who` paid for transactions in the blocks after `from`, up to `to`.
	async fn fees_of(&self, who: &AccountId32, from: u64, to: u64) -> Result<u128> {
		let mut sum = 0;
		for number in from + 1..=to {
			let at = self.chain.client().at_block(number).await?;
			let events = at.events().fetch().await?;
			for paid in events.find::<api::transaction_payment::events::TransactionFeePaid>() {
				let paid = paid?;
				if paid.who == *who {
					sum += paid.actual_fee;
				}
			}
		}
		Ok(sum)
	}

	/// The leaf that the chain took last from `device`, with its signature, from the chain's blocks.
	pub(crate) async fn accepted_leaf(&self, device: DeviceId) -> Result<(Leaf, [u8; 64])> {
		let best = self.best().await?;
		let record = query::uptime_record(&best, device).await?.context("no leaf was accepted")?;
		let epoch = record.last.epoch.0;
		for number in (1..=best.block_number()).rev() {
			let at = self.chain.client().at_block(number).await?;
			let extrinsics = at.extrinsics().fetch().await?;
			for call in extrinsics.find::<api::uptime::calls::SubmitLeaf>() {
				let call = call?;
				if call.leaf.0.device == device && call.leaf.0.epoch == epoch {
					return Ok((call.leaf.0, call.signature));
				}
			}
		}
		bail!("the leaf of epoch {epoch} is in no block")
	}

	/// The evidence that the chain verified last of `device`, from the chain's blocks.
	pub(crate) async fn accepted_evidence(&self, device: DeviceId) -> Result<Vec<u8>> {
		let best = self.best().await?.block_number();
		for number in (1..=best).rev() {
			let at = self.chain.client().at_block(number).await?;
			let events = at.events().fetch().await?;
			let mut attested = false;
			for event in events.find::<api::attestation::events::Attested>() {
				attested |= event?.device.0 == device;
			}
			if !attested {
				continue;
			}
			let extrinsics = at.extrinsics().fetch().await?;
			for call in extrinsics.find::<api::attestation::calls::SubmitEvidence>() {
				let call = call?;
				if call.device.0 == device {
					return Ok(call.evidence.0);
				}
			}
		}
		bail!("evidence of device {device} is in no block")
	}

	/// Has the chain's administrator open the renewal window of every attestation at once.
	pub(crate) async fn open_renewal(&self) -> Result<()> {
		self.set_attestation_parameters(|parameters| {
			parameters.renewal_window = parameters.validity;
		})
		.await
	}

	/// Has the chain's administrator change the lengths and rates of attestations.
	pub(crate) async fn set_attestation_parameters(
		&self,
		change: impl FnOnce(&mut AttestationParameters),
	) -> Result<()> {
		let at = self.best().await?;
		let address = api::storage().attestation().parameters();
		let mut parameters = at.storage().fetch(address, ()).await?.decode()?;
		change(&mut parameters);
		let call = api::Call::Attestation(api::attestation::Call::set_parameters { parameters });
		// The sudo call itself succeeds whatever becomes of the call in it.
		self.administer(call)
			.await?
			.find::<api::attestation::events::ParametersSet>()
			.context("the parameters did not change")?;
		Ok(())
	}

	/// Has the chain's administrator change the lengths, rates and sums of challenges.
	pub(crate) async fn set_challenge_parameters(
		&self,
		change: impl FnOnce(&mut query::ChallengeParameters),
	) -> Result<()> {
		let mut parameters = query::challenge_parameters(&self.best().await?).await?;
		change(&mut parameters);
		let parameters = Box::new(parameters);
		let call = api::Call::Challenges(api::challenges::Call::set_parameters { parameters });
		self.administer(call)
			.await?
			.find::<api::challenges::events::ParametersSet>()
			.context("the parameters did not change")?;
		Ok(())
	}

	/// Has the chain's administrator accept TPMs that are programs and that nobody certified.
	pub(crate) async fn accept_software_tpms(&self) -> Result<()> {
		let at = self.best().await?;
		let address = api::storage().attestation().references();
		let mut values = at.storage().fetch(address, ()).await?.decode()?;
		values.allow_software_tpm = true;
		values.allow_uncertified_tpm = true;
		let call = api::Call::Attestation(api::attestation::Call::set_reference_values { values });
		self.administer(call)
			.await?
			.find::<api::attestation::events::ReferenceValuesSet>()
			.context("the reference values did not change")?;
		Ok(())
	}

	/// A nonce for the device's next evidence.
	pub(crate) async fn request_nonce(&self, account: &Account, device: DeviceId) -> Result<H256> {
		let call = api::tx().attestation().request_nonce(Static(device));
		let issued: api::attestation::events::NonceIssued =
			self.accepted(account, &call).await?.find().context("no nonce was issued")?;
		Ok(issued.nonce)
	}

	/// Has the chain's administrator revoke a device's attestation.
	pub(crate) async fn revoke_attestation(&self, device: DeviceId) -> Result<()> {
		let device = Static(device);
		self.administer(api::Call::Attestation(api::attestation::Call::revoke { device }))
			.await?
			.find::<api::attestation::events::Revoked>()
			.context("the attestation was not revoked")?;
		Ok(())
	}

	async fn administer(&self, call: api::Call) -> Result<Included> {
		let administrator = Account::from_uri("//Alice")?;
		self.accepted(&administrator, &api::tx().sudo().sudo(call)).await
	}
}

/// The call that attests `device`.
pub(crate) fn submit_evidence(device: DeviceId, evidence: Vec<u8>) -> Result<impl Payload> {
	let evidence = bounded(evidence, MAX_EVIDENCE_LEN, "the evidence")?;
	Ok(api::tx().attestation().submit_evidence(Static(device), evidence))
}
