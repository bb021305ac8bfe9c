#![doc = include_str!("../README.md")]

mod engine;
mod guest;
mod limiter;
mod scan;

pub use scan::{MAX_FUNCTIONS, MAX_FUNCTION_BYTES, MAX_LOCALS, MAX_MODULE_BYTES};

use armature_primitives::{lease::RunStatus, market::OrderSpec};
use engine::CompileSlots;
use guest::{Capture, Guest};
use std::{
	sync::{
		atomic::{AtomicBool, Ordering},
		mpsc, Arc, Condvar, Mutex, PoisonError,
	},
	time::{Duration, Instant},
};
use wasmtime::{Engine, InstancePre, Linker, Module, Store, Trap, UpdateDeadline};
use wasmtime_wasi::I32Exit;

/// The largest output of any order, in bytes. Part of the protocol: it decides between
/// [`RunStatus::Success`] and [`RunStatus::OutputTooLarge`].
pub const MAX_OUTPUT_BYTES: u64 = 16 * 1024 * 1024;

/// The largest input of any order, in bytes. Part of the protocol: providers decline larger ones.
pub const MAX_INPUT_BYTES: u64 = 64 * 1024 * 1024;

/// Standard error that is kept of a run, in bytes.
pub const MAX_DIAGNOSTIC_BYTES: usize = 4 * 1024;

/// Fuel after which a running guest's account is brought up to date. A guest that ends by a trap
/// or by the clock is charged what was on the account then: at most this much too little.
const FUEL_INTERVAL: u64 = 1_000_000;

/// Compilations that may run at once.
const COMPILE_SLOTS: usize = 2;

/// Stack of the threads that compile modules and run host functions.
const RUN_STACK_BYTES: usize = 8 * 1024 * 1024;

/// How often a running guest, and whoever waits for the compiler, looks whether the sandbox was
/// stopped.
const STOP_POLL: Duration = Duration::from_millis(250);

/// What one run may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
	/// Fuel units.
	pub fuel: u64,
	/// Linear memory plus tables, in bytes. Capped at 4 GiB by the instruction set.
	pub memory_bytes: u64,
	/// Wall clock of compilation and run.
	pub duration: Duration,
	/// Bytes of standard output.
	pub output_bytes: u64,
}

impl Limits {
	/// The limits of an order: the same for the provider that runs it and the verifier that
	/// repeats it.
	pub fn of_order(order: &OrderSpec) -> Self {
		Self {
			fuel: order.max_fuel,
			memory_bytes: u64::from(order.max_memory_mib) << 20,
			duration: Duration::from_millis(order.max_duration_millis),
			output_bytes: MAX_OUTPUT_BYTES,
		}
	}
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunOutcome {
	/// How it ended.
	pub status: RunStatus,
	/// Standard output, cut at `Limits::output_bytes`.
	pub output: Vec<u8>,
	/// Fuel used. The whole limit with [`RunStatus::OutOfFuel`].
	pub fuel: u64,
	/// Wall clock that compilation and run took.
	pub duration: Duration,
	/// The first [`MAX_DIAGNOSTIC_BYTES`] of standard error. Not part of the result.
	pub diagnostics: Vec<u8>,
}

/// Why a run could not be made. None of these is a finding about a module that did run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
	/// The bytes are no module that this sandbox runs; the same on every machine.
	#[error("the module is not runnable: {0}")]
	InvalidModule(String),
	/// Earlier compilations still occupy the compiler.
	#[error("the compiler is busy; try again later")]
	Busy,
	/// [`Sandbox::stop`] was called.
	#[error("the sandbox was stopped")]
	Stopped,
	/// This machine failed, not the module.
	#[error("the host could not run the module: {0}")]
	Host(String),
}

/// An engine with its limits. Clones share it.
#[derive(Clone)]
pub struct Sandbox {
	inner: Arc<Inner>,
}

struct Inner {
	engine: Engine,
	linker: Linker<Guest>,
	slots: Arc<CompileSlots>,
	stopped: AtomicBool,
}

/// Why a run was interrupted or refused, noted where it happens: the error that travels through
/// the guest's frames may lose its type on the way.
#[derive(Default)]
pub(crate) struct Verdicts {
	pub(crate) out_of_memory: AtomicBool,
	pub(crate) out_of_time: AtomicBool,
	pub(crate) output_too_large: AtomicBool,
	pub(crate) stopped: AtomicBool,
	pub(crate) host_failed: AtomicBool,
}

impl Sandbox {
	/// An engine for this machine. Fails when the CPU or the build lacks what determinism needs.
	pub fn new() -> Result<Self, SandboxError> {
		let engine = engine::engine().map_err(host)?;
		let linker = guest::linker(&engine).map_err(host)?;
		let slots = Arc::new(CompileSlots::new(COMPILE_SLOTS));
		Ok(Self {
			inner: Arc::new(Inner { engine, linker, slots, stopped: AtomicBool::new(false) }),
		})
	}

	/// Checks that `module` is one that [`Sandbox::run`] would start: in format, within the bounds,
	/// with a `_start` and no unknown import. Compiles it, for `within` at most.
	pub fn validate(&self, module: &[u8], within: Duration) -> Result<(), SandboxError> {
		match self.prepare(module, within)? {
			Some(_) => Ok(()),
			None => Err(SandboxError::InvalidModule("it does not compile in time".into())),
		}
	}

	/// Runs `module` on `input`. Blocks for `limits.duration` at most, plus the wait for a free
	/// compiler, which is as long at most.
	pub fn run(
		&self,
		module: &[u8],
		input: &[u8],
		limits: Limits,
	) -> Result<RunOutcome, SandboxError> {
		let waiting = Instant::now();
		let prepared = self.prepare_timed(module, limits.duration)?;
		let (instance, started) = match prepared {
			(Some(instance), started) => (instance, started),
			(None, started) => {
				return Ok(RunOutcome {
					status: RunStatus::OutOfTime,
					output: Vec::new(),
					fuel: 0,
					duration: started.elapsed(),
					diagnostics: Vec::new(),
				})
			},
		};
		tracing::debug!(prepared_in = ?waiting.elapsed(), fuel = limits.fuel, "starting a guest");
		// A thread of its own: the guest's stack need is met whoever calls, and the host functions
		// may block although the caller sits in an async context.
		std::thread::scope(|scope| {
			std::thread::Builder::new()
				.name("sandbox-run".into())
				.stack_size(RUN_STACK_BYTES)
				.spawn_scoped(scope, || self.execute(&instance, input, limits, started))
				.map_err(|error| SandboxError::Host(format!("starting a thread: {error}")))?
				.join()
				.map_err(|_| SandboxError::Host("the runtime panicked".into()))?
		})
	}

	/// [`Sandbox::run`] on tokio's blocking threads. Dropping the future does not end the run;
	/// [`Sandbox::stop`] does.
	pub async fn run_async(
		&self,
		module: Vec<u8>,
		input: Vec<u8>,
		limits: Limits,
	) -> Result<RunOutcome, SandboxError> {
		let sandbox = self.clone();
		tokio::task::spawn_blocking(move || sandbox.run(&module, &input, limits))
			.await
			.map_err(|error| SandboxError::Host(format!("the run's task failed: {error}")))?
	}

	/// Ends all runs and checks of this sandbox with [`SandboxError::Stopped`] within a moment, those
	/// that wait for the compiler included, and refuses new ones. A compilation under way goes on by
	/// itself, as it cannot be interrupted.
	pub fn stop(&self) {
		self.inner.stopped.store(true, Ordering::SeqCst);
		self.inner.engine.increment_epoch();
	}

	fn prepare(
		&self,
		module: &[u8],
		within: Duration,
	) -> Result<Option<InstancePre<Guest>>, SandboxError> {
		self.prepare_timed(module, within).map(|(instance, _)| instance)
	}

	/// Compiles and links; `None` when that took longer than `within`. Also when the compiler was
	/// got and thus the time began to count.
	fn prepare_timed(
		&self,
		module: &[u8],
		within: Duration,
	) -> Result<(Option<InstancePre<Guest>>, Instant), SandboxError> {
		if self.inner.stopped.load(Ordering::SeqCst) {
			return Err(SandboxError::Stopped);
		}
		scan::check(module).map_err(|error| SandboxError::InvalidModule(error.to_string()))?;
		let slot = self
			.wait(within, |wait| CompileSlots::acquire(&self.inner.slots, wait))?
			.ok_or(SandboxError::Busy)?;
		let started = Instant::now();
		let (sender, receiver) = mpsc::sync_channel(1);
		let (engine, bytes) = (self.inner.engine.clone(), module.to_vec());
		std::thread::Builder::new()
			.name("sandbox-compile".into())
			.stack_size(RUN_STACK_BYTES)
			.spawn(move || {
				// The compiler cannot be interrupted: when it overruns, this thread goes on with
				// nobody listening and keeps its slot until it is done.
				let _slot = slot;
				let compiled = Module::new(&engine, &bytes);
				sender.send(compiled).ok();
			})
			.map_err(|error| SandboxError::Host(format!("starting a thread: {error}")))?;
		let compiled = self.wait(within, |wait| match receiver.recv_timeout(wait) {
			Ok(compiled) => Some(Ok(compiled)),
			Err(mpsc::RecvTimeoutError::Timeout) => None,
			Err(mpsc::RecvTimeoutError::Disconnected) => {
				Some(Err(SandboxError::Host("the compiler panicked".into())))
			},
		})?;
		let Some(compiled) = compiled.transpose()? else { return Ok((None, started)) };
		let invalid = |error: wasmtime::Error| SandboxError::InvalidModule(format!("{error:#}"));
		let module = compiled.map_err(invalid)?;
		guest::check_start(&module).map_err(SandboxError::InvalidModule)?;
		let instance = self.inner.linker.instantiate_pre(&module).map_err(invalid)?;
		Ok((Some(instance), started))
	}

	/// Waits for `within` at most, in stretches short enough that a stop is seen. `None` when none of
	/// them gave anything.
	fn wait<T>(
		&self,
		within: Duration,
		mut stretch: impl FnMut(Duration) -> Option<T>,
	) -> Result<Option<T>, SandboxError> {
		let began = Instant::now();
		loop {
			if self.inner.stopped.load(Ordering::SeqCst) {
				return Err(SandboxError::Stopped);
			}
			let left = within.saturating_sub(began.elapsed());
			let got = stretch(left.min(STOP_POLL));
			if got.is_some() || left <= STOP_POLL {
				return Ok(got);
			}
		}
	}

	fn execute(
		&self,
		instance: &InstancePre<Guest>,
		input: &[u8],
		limits: Limits,
		started: Instant,
	) -> Result<RunOutcome, SandboxError> {
		let verdicts = Arc::new(Verdicts::default());
		let stdout = Capture::capped(limits.output_bytes, verdicts.clone());
		let stderr = Capture::dropping(MAX_DIAGNOSTIC_BYTES as u64);
		let guest = Guest::new(
			input,
			stdout.clone(),
			stderr.clone(),
			limits.memory_bytes,
			verdicts.clone(),
		);
		let mut store = Store::new(&self.inner.engine, guest);
		store.limiter(|guest| &mut guest.budget);
		// wasmtime stops a guest when nothing is left; with one unit more it stops when the limit
		// is passed.
		let given = limits.fuel.saturating_add(1);
		store.set_fuel(given).map_err(host)?;
		store.fuel_async_yield_interval(Some(FUEL_INTERVAL)).map_err(host)?;
		let inner = self.inner.clone();
		let noted = verdicts.clone();
		store.epoch_deadline_callback(move |_| {
			if inner.stopped.load(Ordering::SeqCst) {
				noted.stopped.store(true, Ordering::SeqCst);
				return Ok(UpdateDeadline::Interrupt);
			}
			if started.elapsed() >= limits.duration {
				noted.out_of_time.store(true, Ordering::SeqCst);
				return Ok(UpdateDeadline::Interrupt);
			}
			Ok(UpdateDeadline::Continue(1))
		});
		store.set_epoch_deadline(1);

		let runtime = tokio::runtime::Builder::new_current_thread()
			.build()
			.map_err(|error| SandboxError::Host(format!("starting a runtime: {error}")))?;
		let finished = (Mutex::new(false), Condvar::new());
		let result = std::thread::scope(|scope| {
			let watchdog = std::thread::Builder::new()
				.name("sandbox-watchdog".into())
				.spawn_scoped(scope, || self.watch(&finished, started, limits.duration))
				.map_err(|error| SandboxError::Host(format!("starting a thread: {error}")));
			let result = watchdog.map(|_| runtime.block_on(start(instance, &mut store)));
			*finished.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
			finished.1.notify_all();
			result
		})?;

		let left = store.get_fuel().map_err(host)?;
		let fuel = given.saturating_sub(left);
		let status = match result {
			Ok(()) => RunStatus::Success,
			Err((started, error)) => classify(&error, &verdicts, started)?,
		};
		// Between two checks a guest may pass its limit without being stopped, and then end in any
		// way. It is out of fuel all the same, and what it took beyond the limit is not charged.
		let (status, fuel) = match status {
			RunStatus::OutOfFuel => (RunStatus::OutOfFuel, limits.fuel),
			_ if fuel > limits.fuel => (RunStatus::OutOfFuel, limits.fuel),
			status => (status, fuel),
		};
		tracing::debug!(?status, fuel, "a guest ended");
		Ok(RunOutcome {
			status,
			output: stdout.take(),
			fuel,
			duration: started.elapsed(),
			diagnostics: stderr.take(),
		})
	}

	/// Moves the epoch when the time is over, and often enough that a stop is seen.
	fn watch(&self, finished: &(Mutex<bool>, Condvar), started: Instant, limit: Duration) {
		let mut done = finished.0.lock().unwrap_or_else(PoisonError::into_inner);
		while !*done {
			let left = limit.saturating_sub(started.elapsed());
			if left.is_zero() || self.inner.stopped.load(Ordering::SeqCst) {
				self.inner.engine.increment_epoch();
			}
			let wait = left.clamp(Duration::from_millis(1), STOP_POLL);
			let (next, _) =
				finished.1.wait_timeout(done, wait).unwrap_or_else(PoisonError::into_inner);
			done = next;
		}
	}
}

/// Instantiates and runs a module. The flag with an error says that the module was instantiated.
async fn start(
	instance: &InstancePre<Guest>,
	store: &mut Store<Guest>,
) -> Result<(), (bool, wasmtime::Error)> {
	let instance = instance.instantiate_async(&mut *store).await.map_err(|error| (false, error))?;
	let start = instance
		.get_typed_func::<(), ()>(&mut *store, "_start")
		.map_err(|error| (false, error))?;
	start.call_async(store, ()).await.map_err(|error| (true, error))
}

/// Turns what ended a guest into a status. `in_start` says that the module was instantiated.
fn classify(
	error: &wasmtime::Error,
	verdicts: &Verdicts,
	in_start: bool,
) -> Result<RunStatus, SandboxError> {
	let noted = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
	if noted(&verdicts.stopped) {
		return Err(SandboxError::Stopped);
	}
	if noted(&verdicts.host_failed) {
		return Err(SandboxError::Host(format!("{error:#}")));
	}
	if noted(&verdicts.out_of_memory) {
		return Ok(RunStatus::OutOfMemory);
	}
	if noted(&verdicts.output_too_large) {
		return Ok(RunStatus::OutputTooLarge);
	}
	if noted(&verdicts.out_of_time) {
		return Ok(RunStatus::OutOfTime);
	}
	if let Some(exit) = error.downcast_ref::<I32Exit>() {
		return Ok(if exit.0 == 0 { RunStatus::Success } else { RunStatus::Trapped });
	}
	match error.downcast_ref::<Trap>() {
		Some(Trap::OutOfFuel) => Ok(RunStatus::OutOfFuel),
		Some(_) => Ok(RunStatus::Trapped),
		// A host function refused what the guest asked for (such as an exit code out of range).
		None if in_start => Ok(RunStatus::Trapped),
		// Neither a trap nor a limit of the order: the module asks for what no run is given.
		None => Err(SandboxError::InvalidModule(format!("{error:#}"))),
	}
}

fn host(error: wasmtime::Error) -> SandboxError {
	SandboxError::Host(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
	use super::*;

	const ECHO: &[u8] = include_bytes!("../../../workloads/wasm/echo.wasm");

	#[test]
	fn a_stop_should_end_the_wait_for_the_compiler() {
		let sandbox = Sandbox::new().expect("an engine");
		// Earlier compilations that do not come to an end.
		let occupied: Vec<_> = (0..COMPILE_SLOTS)
			.map(|_| CompileSlots::acquire(&sandbox.inner.slots, Duration::ZERO))
			.collect();
		assert!(occupied.iter().all(Option::is_some));
		let began = Instant::now();
		std::thread::scope(|scope| {
			let waiting = scope.spawn(|| sandbox.validate(ECHO, Duration::from_secs(60)));
			std::thread::sleep(Duration::from_millis(100));
			sandbox.stop();
			let ended = waiting.join().expect("no panic");
			assert!(matches!(ended, Err(SandboxError::Stopped)), "{ended:?}");
		});
		assert!(began.elapsed() < Duration::from_secs(20), "took {:?}", began.elapsed());
	}

	#[test]
	fn a_wait_should_last_its_time_and_no_longer() {
		let sandbox = Sandbox::new().expect("an engine");
		let within = STOP_POLL * 2;
		let began = Instant::now();
		let got = sandbox.wait(within, |wait| {
			std::thread::sleep(wait);
			None::<()>
		});
		assert!(matches!(got, Ok(None)), "{got:?}");
		assert!(began.elapsed() >= within);
		let mut stretches = 0;
		let got = sandbox.wait(within, |_| {
			stretches += 1;
			(stretches == 2).then_some(stretches)
		});
		assert!(matches!(got, Ok(Some(2))), "{got:?}");
	}
}
