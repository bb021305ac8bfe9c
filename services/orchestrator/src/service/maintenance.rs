//! What is done at intervals.

use super::{lock, timed, unix_millis, Service};
use armature_p2p::Refusal;
use std::{
	sync::Arc,
	time::{Duration, Instant},
};

const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

/// A difference to the chain's clock that is worth a warning: some blocks and a lot of drift.
const MAX_DRIFT_MILLIS: u64 = 60_000;

/// Sweeps tables and follows the chain's clock.
pub(super) async fn maintain(service: Arc<Service>) {
	let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
	let mut clock = tokio::time::interval(CLOCK_INTERVAL);
	sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
	let idle = Duration::from_millis(service.config.network.idle_peer_millis);
	loop {
		tokio::select! {
			_ = sweep.tick() => {
				let connected = service.handle.connected_peers();
				let silent = {
					let mut sessions = lock(&service.sessions);
					let silent = sessions.sweep(&connected, Instant::now(), idle);
					service.metrics.devices(sessions.len());
					silent
				};
				for peer in silent {
					tracing::debug!(%peer, "disconnecting an idle peer");
					if let Err(error) = service.handle.disconnect(peer).await {
						tracing::warn!(%peer, %error, "could not disconnect");
					}
				}
				let now = unix_millis();
				let epochs = *lock(&service.clock);
				for (device, presence) in lock(&service.beats).sweep(epochs, now) {
					tracing::info!(device = device.0, ?presence, "presence changed");
				}
				let swept = service.with_store(move |store| {
					store.sweep(now).map_err(|error| {
						tracing::error!(%error, "sweeping the blob store failed");
						Refusal::Internal
					})
				});
				// Already logged; the next sweep tries again.
				let _ = swept.await;
			},
			_ = clock.tick() => {
				match timed(service.chain.epoch_clock()).await {
					Ok(epochs) => *lock(&service.clock) = epochs,
					Err(error) => tracing::warn!(%error, "cannot read the epoch length"),
				}
				match timed(service.chain.now()).await {
					Ok(now) if now.abs_diff(unix_millis()) > MAX_DRIFT_MILLIS => {
						tracing::warn!(chain = now, "own clock and the chain's are far apart");
					},
					Ok(_) => {},
					Err(error) => tracing::warn!(%error, "cannot read the chain's clock"),
				}
			},
		}
	}
}
