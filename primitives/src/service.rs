//! Off-chain services and where they are reached.

use sp_core::ConstU32;
use sp_runtime::BoundedVec;

/// The longest address of a service, in bytes.
pub const MAX_ADDRESS_LEN: u32 = 128;

/// A libp2p multiaddress in text form, ending in `/p2p/<peer id>`. Only its length is checked on
/// chain; who dials it verifies the peer id.
pub type ServiceAddress = BoundedVec<u8, ConstU32<MAX_ADDRESS_LEN>>;
