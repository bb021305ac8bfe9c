//! The RPC methods beyond those that `sc-service` serves itself (`chainHead`, `transaction`,
//! `archive`, `chainSpec`, and the older `chain`, `state`, `author`, `system`).
//!
//! Reads of our own are view functions and runtime APIs, never methods here: those work through
//! light clients too.

use crate::service::{FullBackend, FullClient, FullSelectChain};
use armature_runtime::{opaque::Block, BlockNumber, Hash};
use jsonrpsee::RpcModule;
use sc_consensus_babe::BabeWorkerHandle;
use sc_consensus_babe_rpc::{Babe, BabeApiServer};
use sc_consensus_grandpa::{
	FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState,
};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sc_transaction_pool::TransactionPoolHandle;
use sp_keystore::KeystorePtr;
use std::sync::Arc;

/// What the methods work on.
pub(crate) struct Deps {
	/// The chain.
	pub(crate) client: Arc<FullClient>,
	/// Pending transactions.
	pub(crate) pool: Arc<TransactionPoolHandle<Block, FullClient>>,
	/// Which block is best.
	pub(crate) select_chain: FullSelectChain,
	/// BABE's worker.
	pub(crate) babe_worker: BabeWorkerHandle<Block>,
	/// The node's keys.
	pub(crate) keystore: KeystorePtr,
	/// Where GRANDPA's voter stands.
	pub(crate) voter_state: SharedVoterState,
	/// Who votes.
	pub(crate) authority_set: SharedAuthoritySet<Hash, BlockNumber>,
	/// Justifications as they are made.
	pub(crate) justifications: GrandpaJustificationStream<Block>,
	/// Proofs of finality.
	pub(crate) finality_proofs: Arc<FinalityProofProvider<FullBackend, Block>>,
	/// Runs subscriptions.
	pub(crate) executor: SubscriptionTaskExecutor,
}

/// Builds the module. Fails when two methods have one name.
pub(crate) fn create(
	deps: Deps,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
	use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
	use substrate_frame_rpc_system::{System, SystemApiServer};

	let mut module = RpcModule::new(());
	module.merge(System::new(Arc::clone(&deps.client), deps.pool).into_rpc())?;
	module.merge(TransactionPayment::new(Arc::clone(&deps.client)).into_rpc())?;
	module.merge(
		Babe::new(deps.client, deps.babe_worker, deps.keystore, deps.select_chain).into_rpc(),
	)?;
	module.merge(
		Grandpa::new(
			deps.executor,
			deps.authority_set,
			deps.voter_state,
			deps.justifications,
			deps.finality_proofs,
		)
		.into_rpc(),
	)?;
	Ok(module)
}
