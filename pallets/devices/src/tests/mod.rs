mod devices;
mod invariants;
mod lifecycle;
mod topology;
mod types;

use crate::{mock::*, *};
use armature_primitives::{
	device::DeviceStatus, Balance, MilliWatts, Ppm, RackId, RegionId, SiteId,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

type Error = crate::Error<Test>;

/// The last event, which must be this pallet's.
fn last_event() -> Event<Test> {
	match System::events().pop().unwrap().event {
		RuntimeEvent::DevicesPallet(event) => event,
		other => panic!("{other:?}"),
	}
}
