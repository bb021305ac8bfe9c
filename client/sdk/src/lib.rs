//! Typed async access to an Armature chain.
//!
//! Built on subxt and the committed metadata (`artifacts/metadata.scale`); a test in
//! `tests/runtime` fails when that is stale. Nothing of the runtime is linked.
//!
//! ```no_run
//! # async fn example() -> armature_sdk::Result<()> {
//! use armature_sdk::{api, query, Account, Chain, Wait};
//!
//! let chain = Chain::connect(&["ws://127.0.0.1:9944".into()]).await?;
//! let alice = Account::from_uri("//Alice")?;
//! chain.submit(&api::tx().devices().register_provider(None), &alice, Wait::Best).await?;
//! assert!(query::provider(&chain.best().await?, &alice.id()).await?.is_some());
//! # Ok(())
//! # }
//! ```

pub mod api;
pub mod chain;
pub mod error;
pub mod evidence;
pub mod query;
pub mod signer;

pub use chain::{AccountBalance, AtBlock, Chain, ChainConfig, Included, Wait};
pub use error::{refused_error, Error, Result};
pub use signer::{parse_account, Account};
pub use subxt::{
	tx::Payload,
	utils::{AccountId32, Static},
};

use api::runtime_types::bounded_collections::bounded_vec::BoundedVec;

/// A byte string that the chain bounds, as an argument of a call.
pub fn bounded(bytes: Vec<u8>, limit: u32, what: &'static str) -> Result<BoundedVec<u8>> {
	if u32::try_from(bytes.len()).is_ok_and(|len| len <= limit) {
		Ok(BoundedVec(bytes))
	} else {
		Err(Error::TooLong { what, limit })
	}
}
