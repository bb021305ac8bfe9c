//! What a guest can reach: two capped streams, its input, a virtual clock, a fixed sequence.

use crate::{limiter::Budget, Verdicts};
use std::{
	pin::Pin,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc, Mutex, PoisonError,
	},
	task::{Context, Poll},
	time::Duration,
};
use tokio::io::AsyncWrite;
use wasmtime::{format_err, Engine, ExternType, Linker, Module, Result};
use wasmtime_wasi::{
	cli::{IsTerminal, StdoutStream},
	p1::WasiP1Ctx,
	p2::{pipe::MemoryInputPipe, OutputStream, Pollable, StreamError},
	Deterministic, HostMonotonicClock, HostWallClock, WasiCtxBuilder,
};

/// WASI's "not supported" for calls that could block on the host.
const ERRNO_NOSYS: i32 = 52;

/// The longest single read of the random sequence, in bytes.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

/// Length of the random sequence in 8-byte words, after which it repeats.
const RANDOM_WORDS: usize = 8 * 1024;

/// Nanoseconds that each reading moves the virtual clock.
const CLOCK_STEP_NANOS: u64 = 1_000;

/// The store's data.
pub(crate) struct Guest {
	wasi: WasiP1Ctx,
	pub(crate) budget: Budget,
}

impl Guest {
	pub(crate) fn new(
		input: &[u8],
		stdout: Capture,
		stderr: Capture,
		memory_bytes: u64,
		verdicts: Arc<Verdicts>,
	) -> Self {
		let clock = VirtualClock::default();
		let wasi = WasiCtxBuilder::new()
			.stdin(MemoryInputPipe::new(input.to_vec()))
			.stdout(stdout)
			.stderr(stderr)
			.secure_random(fixed_sequence())
			.insecure_random(fixed_sequence())
			.insecure_random_seed(0)
			.max_random_size(MAX_RANDOM_BYTES)
			.wall_clock(clock.clone())
			.monotonic_clock(clock)
			.allow_ip_name_lookup(false)
			.allow_tcp(false)
			.allow_udp(false)
			.build_p1();
		Self { wasi, budget: Budget::new(memory_bytes, verdicts) }
	}
}

/// The imports that guests get: WASI preview 1 and nothing else.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
	let mut linker = Linker::new(engine);
	wasmtime_wasi::p1::add_to_linker_async(&mut linker, |guest: &mut Guest| &mut guest.wasi)?;
	linker.allow_shadowing(true);
	// The one call that waits: no epoch could end a guest that sleeps inside the host.
	linker.func_wrap(
		"wasi_snapshot_preview1",
		"poll_oneoff",
		|_: i32, _: i32, _: i32, _: i32| -> i32 { ERRNO_NOSYS },
	)?;
	linker.allow_shadowing(false);
	Ok(linker)
}

/// Checks that the module is a command: `_start` takes and returns nothing.
pub(crate) fn check_start(module: &Module) -> std::result::Result<(), String> {
	match module.get_export("_start") {
		Some(ExternType::Func(start))
			if start.params().len() == 0 && start.results().len() == 0 =>
		{
			Ok(())
		},
		Some(_) => Err("its export `_start` is no function without arguments and results".into()),
		None => Err("it exports no `_start`; build it as a WASI command".into()),
	}
}

/// SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
fn fixed_sequence() -> Deterministic {
	let mut state: u64 = 0x41_52_4d_41_54_55_52_45;
	let bytes = (0..RANDOM_WORDS)
		.flat_map(|_| {
			state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
			let mut word = state;
			word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
			word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
			(word ^ (word >> 31)).to_le_bytes()
		})
		.collect();
	Deterministic::new(bytes)
}

/// A clock that only readings move; shared by all of a guest's clocks.
#[derive(Clone, Default)]
struct VirtualClock(Arc<AtomicU64>);

impl VirtualClock {
	fn tick(&self) -> u64 {
		self.0.fetch_add(CLOCK_STEP_NANOS, Ordering::SeqCst)
	}
}

impl HostMonotonicClock for VirtualClock {
	fn resolution(&self) -> u64 {
		CLOCK_STEP_NANOS
	}

	fn now(&self) -> u64 {
		self.tick()
	}
}

impl HostWallClock for VirtualClock {
	fn resolution(&self) -> Duration {
		Duration::from_nanos(CLOCK_STEP_NANOS)
	}

	fn now(&self) -> Duration {
		Duration::from_nanos(self.tick())
	}
}

/// A stream that keeps what a guest writes, up to a cap.
#[derive(Clone)]
pub(crate) struct Capture {
	kept: Arc<Mutex<Vec<u8>>>,
	cap: u64,
	/// Where to note that the cap was passed; `None` drops the rest without a word.
	overflow: Option<Arc<Verdicts>>,
}

impl Capture {
	/// Ends the run when more than `cap` bytes are written.
	pub(crate) fn capped(cap: u64, verdicts: Arc<Verdicts>) -> Self {
		Self { kept: Arc::default(), cap, overflow: Some(verdicts) }
	}

	/// Drops what is over `cap`.
	pub(crate) fn dropping(cap: u64) -> Self {
		Self { kept: Arc::default(), cap, overflow: None }
	}

	/// What was kept.
	pub(crate) fn take(&self) -> Vec<u8> {
		std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
	}

	/// Keeps what fits; false when the stream has a hard cap and `bytes` passed it.
	fn append(&self, bytes: &[u8]) -> bool {
		let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
		let room = self.cap.saturating_sub(kept.len() as u64);
		let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
		kept.extend(bytes.iter().take(fits));
		match &self.overflow {
			Some(verdicts) if fits < bytes.len() => {
				verdicts.output_too_large.store(true, Ordering::SeqCst);
				false
			},
			_ => true,
		}
	}
}

impl IsTerminal for Capture {
	fn is_terminal(&self) -> bool {
		false
	}
}

impl StdoutStream for Capture {
	fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
		Box::new(self.clone())
	}

	fn p2_stream(&self) -> Box<dyn OutputStream> {
		Box::new(self.clone())
	}
}

impl OutputStream for Capture {
	fn write(&mut self, bytes: bytes::Bytes) -> std::result::Result<(), StreamError> {
		if self.append(&bytes) {
			Ok(())
		} else {
			Err(StreamError::Trap(format_err!("output limit of {} bytes reached", self.cap)))
		}
	}

	fn flush(&mut self) -> std::result::Result<(), StreamError> {
		Ok(())
	}

	fn check_write(&mut self) -> std::result::Result<usize, StreamError> {
		Ok(usize::MAX)
	}
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
	async fn ready(&mut self) {}
}

impl AsyncWrite for Capture {
	fn poll_write(
		self: Pin<&mut Self>,
		_: &mut Context<'_>,
		bytes: &[u8],
	) -> Poll<std::io::Result<usize>> {
		Poll::Ready(if self.append(bytes) {
			Ok(bytes.len())
		} else {
			Err(std::io::Error::other("output limit reached"))
		})
	}

	fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
		Poll::Ready(Ok(()))
	}

	fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
		Poll::Ready(Ok(()))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_capped_stream_should_keep_exactly_its_cap() {
		let verdicts = Arc::new(Verdicts::default());
		let stream = Capture::capped(4, verdicts.clone());
		assert!(stream.append(b"abcd"));
		assert!(!verdicts.output_too_large.load(Ordering::SeqCst));
		assert!(!stream.append(b"e"));
		assert!(verdicts.output_too_large.load(Ordering::SeqCst));
		assert_eq!(stream.take(), b"abcd");
	}

	#[test]
	fn a_dropping_stream_should_cut_in_silence() {
		let stream = Capture::dropping(2);
		assert!(stream.append(b"abc"));
		assert!(stream.append(b"d"));
		assert_eq!(stream.take(), b"ab");
	}

	#[test]
	fn the_clock_should_move_only_when_read() {
		let clock = VirtualClock::default();
		assert_eq!(HostMonotonicClock::now(&clock), 0);
		assert_eq!(HostWallClock::now(&clock), Duration::from_micros(1));
	}
}
