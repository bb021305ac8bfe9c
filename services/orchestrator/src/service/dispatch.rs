//! Lease notices.

use super::{lock, timed, Service};
use armature_p2p::{ControlRequest, ControlResponse};
use armature_primitives::LeaseId;
use futures::StreamExt;
use std::{
	collections::{HashMap, HashSet},
	sync::{atomic::Ordering, Arc},
	time::{Duration, Instant},
};

/// Notices under way at once.
const MAX_NOTICES: usize = 32;

const NOTICE_TIMEOUT: Duration = Duration::from_secs(10);

/// Tells connected devices of leases that wait for them.
pub(super) async fn dispatch(service: Arc<Service>) {
	let config = &service.config.dispatch;
	let repeat = Duration::from_millis(config.repeat_millis);
	let mut poll = tokio::time::interval(Duration::from_millis(config.poll_millis));
	poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	let mut told: HashMap<LeaseId, Instant> = HashMap::new();
	loop {
		poll.tick().await;
		let offered = match timed(service.chain.offered_leases(service.config.region)).await {
			Ok(offered) => offered,
			Err(error) => {
				tracing::warn!(%error, "cannot read offered leases");
				continue;
			},
		};
		service
			.offered
			.store(u32::try_from(offered.len()).unwrap_or(u32::MAX), Ordering::Relaxed);
		let waiting: HashSet<_> = offered.iter().map(|lease| lease.lease).collect();
		told.retain(|lease, _| waiting.contains(lease));
		let now = Instant::now();
		let due: Vec<_> = {
			let sessions = lock(&service.sessions);
			offered
				.iter()
				.filter(|offer| {
					told.get(&offer.lease).is_none_or(|at| now.duration_since(*at) >= repeat)
				})
				.filter_map(|offer| sessions.peer_of(offer.device).map(|peer| (*offer, peer)))
				.filter(|(_, peer)| service.handle.is_connected(peer))
				.collect()
		};
		let notices = due.into_iter().map(|(offer, peer)| {
			let handle = &service.handle;
			async move {
				let notice = ControlRequest::LeaseNotice { lease: offer.lease };
				let response = handle.control(peer, notice, NOTICE_TIMEOUT).await;
				(offer, response)
			}
		});
		let mut notices = futures::stream::iter(notices).buffer_unordered(MAX_NOTICES);
		while let Some((offer, response)) = notices.next().await {
			let (lease, device) = (offer.lease.0, offer.device.0);
			match response {
				Ok(ControlResponse::Accepted) => {
					tracing::info!(lease, device, "device knows of its lease");
					told.insert(offer.lease, now);
				},
				Ok(response) => {
					tracing::warn!(lease, device, ?response, "device does not take the notice");
					told.insert(offer.lease, now);
				},
				Err(error) => tracing::debug!(lease, device, %error, "notice not delivered"),
			}
		}
	}
}
