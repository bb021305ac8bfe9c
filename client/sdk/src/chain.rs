//! The connection to a chain, and how calls are submitted.

use crate::{
	error::{node, Error, Result},
	signer::Account,
};
use armature_primitives::H256;
use std::{sync::Arc, time::Duration};
use subxt::{
	backend::LegacyBackend,
	client::{ClientAtBlock, OnlineClientAtBlockImpl},
	config::{DefaultExtrinsicParamsBuilder, RpcConfigFor},
	error::{DispatchError, TransactionEventsError},
	events::DecodeAsEvent,
	extrinsics::ExtrinsicEvents,
	rpcs::{
		client::{
			reconnecting_rpc_client::{ExponentialBackoff, RpcClient as ReconnectingRpcClient},
			RpcClient,
		},
		methods::legacy::LegacyRpcMethods,
	},
	tx::{Payload, TransactionStatus},
	utils::AccountId32,
	OnlineClient, PolkadotConfig,
};
use tokio::{sync::Mutex, time::timeout};

/// Armature's chain configuration: the SDK's usual account, address and signature types.
pub type ChainConfig = PolkadotConfig;

/// A view of the chain at one block.
pub type AtBlock = ClientAtBlock<ChainConfig, OnlineClientAtBlockImpl<ChainConfig>>;

/// How long one node of the list may take to answer at first.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a transaction may wait for its block.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(90);

/// Blocks that a transaction stays valid for.
const MORTALITY: u64 = 64;

/// A connection to a chain; cheap to clone. It reconnects by itself when the node goes away.
#[derive(Clone)]
pub struct Chain {
	client: OnlineClient<ChainConfig>,
	legacy: LegacyRpcMethods<RpcConfigFor<ChainConfig>>,
	/// Nonces are asked for and used one at a time.
	submitting: Arc<Mutex<()>>,
}

/// A call that was executed.
pub struct Included {
	/// The block that holds it.
	pub block: H256,
	/// The transaction.
	pub hash: H256,
	events: ExtrinsicEvents<ChainConfig>,
}

/// When a submission counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
	/// In a best block; a fork may still drop it.
	Best,
	/// In a finalised block.
	Finalized,
}

impl Chain {
	/// Connects to the first node of `urls` that answers and checks that its runtime is the one that
	/// this program was built for.
	pub async fn connect(urls: &[String]) -> Result<Self> {
		let mut last = String::from("the list is empty");
		for url in urls {
			match timeout(CONNECT_TIMEOUT, Self::connect_one(url)).await {
				Ok(Ok(chain)) => {
					chain.check_runtime().await?;
					return Ok(chain);
				},
				Ok(Err(reason)) => last = reason,
				Err(_) => last = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
			}
			tracing::debug!(url, reason = last, "node did not answer");
		}
		Err(Error::Connect { urls: urls.join(", "), reason: last })
	}

	async fn connect_one(url: &str) -> core::result::Result<Self, String> {
		let rpc = ReconnectingRpcClient::builder()
			.retry_policy(ExponentialBackoff::from_millis(100).max_delay(Duration::from_secs(5)))
			.build(url)
			.await
			.map_err(|error| error.to_string())?;
		let rpc = RpcClient::new(rpc);
		// The legacy methods answer for any block that the node has. A chainHead follower knows only
		// the blocks that it was told of, so that a best block named by one method could be unknown
		// to the next, and after a reconnect it knows none.
		let backend = LegacyBackend::builder().build(rpc.clone());
		let client = OnlineClient::<ChainConfig>::from_backend(Arc::new(backend))
			.await
			.map_err(|error| error.to_string())?;
		Ok(Self {
			client,
			legacy: LegacyRpcMethods::new(rpc),
			submitting: Arc::new(Mutex::new(())),
		})
	}

	async fn check_runtime(&self) -> Result<()> {
		let at = self.best().await?;
		if crate::api::is_codegen_valid_for(at.metadata_ref()) {
			Ok(())
		} else {
			Err(Error::Metadata(format!("spec version {}", at.spec_version())))
		}
	}

	/// Hash of the genesis block.
	pub fn genesis(&self) -> H256 {
		self.client.genesis_hash()
	}

	/// The best block now.
	pub async fn best(&self) -> Result<AtBlock> {
		let hash = self
			.legacy
			.chain_get_block_hash(None)
			.await
			.map_err(node)?
			.ok_or_else(|| node(subxt::Error::other_str("the node has no best block")))?;
		self.client.at_block(hash).await.map_err(node)
	}

	/// The latest finalised block.
	pub async fn finalized(&self) -> Result<AtBlock> {
		self.client.at_current_block().await.map_err(node)
	}

	/// The extrinsics of the block of that number on the node's best chain; `None` where it has none.
	/// Takes no state, which nodes keep for a while only.
	pub async fn body(&self, number: u64) -> Result<Option<Vec<Vec<u8>>>> {
		let hash = self.legacy.chain_get_block_hash(Some(number.into())).await.map_err(node)?;
		let Some(hash) = hash else { return Ok(None) };
		let block = self.legacy.chain_get_block(Some(hash)).await.map_err(node)?;
		Ok(block.map(|found| found.block.extrinsics.into_iter().map(|bytes| bytes.0).collect()))
	}

	/// The subxt client, for what this crate has no function for.
	pub fn client(&self) -> &OnlineClient<ChainConfig> {
		&self.client
	}

	/// Signs, submits and waits. An error that the chain's execution returned is
	/// [`Error::Refused`] with the pallet's own explanation.
	pub async fn submit<Call: Payload>(
		&self,
		call: &Call,
		account: &Account,
		wait: Wait,
	) -> Result<Included> {
		let name = call_name(call);
		let progress = {
			let _guard = self.submitting.lock().await;
			let nonce = self.legacy.system_account_next_index(&account.id()).await.map_err(node)?;
			let params =
				DefaultExtrinsicParamsBuilder::new().mortal(MORTALITY).nonce(nonce).build();
			self.best()
				.await?
				.transactions()
				.sign_and_submit_then_watch(call, account.keypair(), params)
				.await
				.map_err(|error| Error::NotIncluded {
					call: name.clone(),
					reason: explain_pool(&error.to_string()),
				})?
		};
		timeout(INCLUSION_TIMEOUT, included(progress, wait, name)).await.map_err(|_| {
			Error::Timeout {
				what: "the transaction to be included".into(),
				seconds: INCLUSION_TIMEOUT.as_secs(),
			}
		})?
	}

	/// Free balance of an account, in planck.
	pub async fn free_balance(&self, who: &AccountId32) -> Result<u128> {
		Ok(self.balance(who).await?.free)
	}

	/// Free and held balance of an account, in planck.
	pub async fn balance(&self, who: &AccountId32) -> Result<AccountBalance> {
		let at = self.best().await?;
		let account = at
			.storage()
			.fetch(crate::api::storage().system().account(), (*who,))
			.await
			.map_err(node)?
			.decode()
			.map_err(node)?;
		Ok(AccountBalance { free: account.data.free, held: account.data.reserved })
	}
}

/// What an account has, in planck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountBalance {
	/// Spendable, but for the existential deposit.
	pub free: u128,
	/// Held for bonds, deposits and escrows.
	pub held: u128,
}

impl Included {
	/// The first event of this kind that the call emitted.
	pub fn find<Event: DecodeAsEvent>(&self) -> Option<Event> {
		self.events.find_first::<Event>().and_then(core::result::Result::ok)
	}

	/// The same, as an error when it is missing.
	pub fn expect<Event: DecodeAsEvent>(
		&self,
		call: &'static str,
		event: &'static str,
	) -> Result<Event> {
		self.find().ok_or(Error::MissingEvent { call, event })
	}
}

async fn included(
	mut progress: subxt::tx::TransactionProgress<ChainConfig, OnlineClientAtBlockImpl<ChainConfig>>,
	wait: Wait,
	call: String,
) -> Result<Included> {
	while let Some(status) = progress.next().await {
		let block = match status.map_err(node)? {
			TransactionStatus::InBestBlock(block) if wait == Wait::Best => block,
			TransactionStatus::InFinalizedBlock(block) => block,
			TransactionStatus::Error { message }
			| TransactionStatus::Invalid { message }
			| TransactionStatus::Dropped { message } => {
				return Err(Error::NotIncluded { call, reason: explain_pool(&message) })
			},
			_ => continue,
		};
		let (hash, at) = (block.extrinsic_hash(), block.block_hash());
		let events = block.wait_for_success().await.map_err(|error| refusal(error, &call))?;
		return Ok(Included { block: at, hash, events });
	}
	Err(Error::NotIncluded { call, reason: "the node stopped reporting on it".into() })
}

fn refusal(error: TransactionEventsError, call: &str) -> Error {
	let call = call.to_owned();
	match error {
		TransactionEventsError::ExtrinsicFailed(DispatchError::Module(module)) => {
			match module.details() {
				Ok(details) => Error::Refused {
					call,
					pallet: details.pallet.name().to_owned(),
					error: details.variant.name.clone(),
					explanation: details.variant.docs.join(" ").trim().to_owned(),
				},
				Err(error) => Error::RefusedByRuntime { call, reason: error.to_string() },
			}
		},
		TransactionEventsError::ExtrinsicFailed(error) => {
			Error::RefusedByRuntime { call, reason: error.to_string() }
		},
		other => node(other),
	}
}

fn call_name<Call: Payload>(call: &Call) -> String {
	format!("{}.{}", call.pallet_name(), call.call_name())
}

/// The pool's messages are codes; the frequent ones get a sentence.
fn explain_pool(message: &str) -> String {
	if message.contains("1010") && message.contains("pay some fees") {
		"the account cannot pay the transaction fee; fund it first".to_owned()
	} else if message.contains("1014") {
		"another transaction of this account with the same nonce is waiting; try again".to_owned()
	} else {
		message.to_owned()
	}
}
