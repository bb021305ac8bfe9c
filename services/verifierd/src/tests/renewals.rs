//! Renewals that do not hold are disputed.

use super::{restart::wait_for, *};
use crate::renewals::Watcher;

/// Adds a renewal of a device, whose evidence is the device's number.
fn renew(chain: &MemoryChain, device: u8, evidence: Option<Vec<u8>>) -> Renewal {
	let renewal =
		Renewal { device: DeviceId(u32::from(device)), evidence: H256::repeat_byte(device) };
	chain.renewals.lock().unwrap().push((renewal, evidence));
	renewal
}

fn disputed(chain: &MemoryChain) -> Vec<DeviceId> {
	chain.disputed.lock().unwrap().clone()
}

fn calls(chain: &MemoryChain) -> u32 {
	chain.calls.load(Ordering::SeqCst)
}

#[tokio::test]
async fn only_renewals_that_do_not_hold_should_be_disputed_each_once() {
	let chain = Arc::new(MemoryChain::default());
	for device in [1, 2, 3] {
		renew(&chain, device, Some(vec![device]));
	}
	chain.forgers.lock().unwrap().extend([DeviceId(1), DeviceId(3)]);
	let mut watcher = Watcher::hasty(chain.clone());
	for _ in 0..3 {
		watcher.look().await.unwrap();
		assert_eq!((disputed(&chain), calls(&chain)), (vec![DeviceId(1), DeviceId(3)], 2));
	}
}

#[tokio::test]
async fn evidence_that_is_not_there_yet_should_be_looked_for_again() {
	let chain = Arc::new(MemoryChain::default());
	renew(&chain, 7, None);
	chain.forgers.lock().unwrap().push(DeviceId(7));
	let mut watcher = Watcher::hasty(chain.clone());
	watcher.look().await.unwrap();
	assert_eq!(calls(&chain), 0);
	chain.renewals.lock().unwrap()[0].1 = Some(vec![7]);
	watcher.look().await.unwrap();
	assert_eq!(disputed(&chain), [DeviceId(7)]);
}

#[tokio::test]
async fn a_dispute_that_did_not_arrive_should_be_made_again() {
	let chain = Arc::new(MemoryChain::default());
	renew(&chain, 7, Some(vec![7]));
	chain.forgers.lock().unwrap().push(DeviceId(7));
	chain.is_deaf.store(true, Ordering::SeqCst);
	let mut watcher = Watcher::hasty(chain.clone());
	watcher.look().await.unwrap();
	assert_eq!((disputed(&chain), calls(&chain)), (vec![], 1));
	chain.is_deaf.store(false, Ordering::SeqCst);
	watcher.look().await.unwrap();
	assert_eq!(disputed(&chain), [DeviceId(7)]);
}

#[tokio::test]
async fn a_renewal_that_cannot_be_judged_should_not_keep_others_from_it() {
	let chain = Arc::new(MemoryChain::default());
	for device in [1, 2] {
		renew(&chain, device, Some(vec![device]));
	}
	chain.unanswered.lock().unwrap().push(DeviceId(1));
	chain.forgers.lock().unwrap().extend([DeviceId(1), DeviceId(2)]);
	let mut watcher = Watcher::hasty(chain.clone());
	watcher.look().await.unwrap();
	assert_eq!(disputed(&chain), [DeviceId(2)]);
	chain.unanswered.lock().unwrap().clear();
	watcher.look().await.unwrap();
	assert_eq!(disputed(&chain), [DeviceId(2), DeviceId(1)]);
}

#[tokio::test]
async fn a_device_that_renews_again_should_be_looked_at_again() {
	let chain = Arc::new(MemoryChain::default());
	renew(&chain, 7, Some(vec![7]));
	let mut watcher = Watcher::hasty(chain.clone());
	watcher.look().await.unwrap();
	// The first is over; the next is forged.
	let next = Renewal { device: DeviceId(7), evidence: H256::repeat_byte(8) };
	*chain.renewals.lock().unwrap() = vec![(next, Some(vec![7]))];
	chain.forgers.lock().unwrap().push(DeviceId(7));
	watcher.look().await.unwrap();
	assert_eq!(disputed(&chain), [DeviceId(7)]);
}

#[tokio::test]
async fn the_service_should_watch() {
	let dir = tempfile::tempdir().unwrap();
	let chain = Arc::new(MemoryChain::default());
	renew(&chain, 9, Some(vec![9]));
	chain.forgers.lock().unwrap().push(DeviceId(9));
	let verifier = start(dir.path(), &chain).await;
	wait_for(|| !disputed(&chain).is_empty()).await;
	verifier.stop().await;
	assert_eq!(calls(&chain), 1);
}
