//! Real modules, built from `workloads/`, under every limit.

#![allow(
	clippy::print_stdout,
	clippy::unwrap_used,
	reason = "helpers of tests fail and speak as tests do"
)]

use armature_primitives::lease::RunStatus;
use armature_sandbox::{Limits, RunOutcome, Sandbox, SandboxError, MAX_DIAGNOSTIC_BYTES};
use std::time::{Duration, Instant};

macro_rules! module {
	($name:literal) => {
		include_bytes!(concat!("../../../workloads/wasm/", $name, ".wasm")).as_slice()
	};
}

const LIMITS: Limits = Limits {
	fuel: 2_000_000_000,
	memory_bytes: 16 << 20,
	duration: Duration::from_secs(60),
	output_bytes: 1 << 20,
};

fn run(module: &[u8], input: &[u8], limits: Limits) -> RunOutcome {
	let sandbox = Sandbox::new().expect("an engine");
	sandbox.run(module, input, limits).expect("the module runs")
}

/// A module of hand-written sections: `sections` follow the header.
fn module(sections: &[&[u8]]) -> Vec<u8> {
	let mut module = b"\0asm\x01\0\0\0".to_vec();
	sections.iter().for_each(|section| module.extend_from_slice(section));
	module
}

/// Type 0: no arguments, no results.
const TYPE: &[u8] = &[1, 4, 1, 0x60, 0, 0];
/// Function 0 of type 0.
const FUNCTION: &[u8] = &[3, 2, 1, 0];
/// Exports function 0 as `_start`.
const START: &[u8] = &[7, 10, 1, 6, b'_', b's', b't', b'a', b'r', b't', 0, 0];
/// One empty body.
const EMPTY_BODY: &[u8] = &[10, 4, 1, 2, 0, 0x0b];
/// Body: unreachable.
const TRAP_BODY: &[u8] = &[10, 5, 1, 3, 0, 0x00, 0x0b];

#[test]
fn primes_should_be_counted_right() {
	for (n, count) in [
		("0", "0\n"),
		("1", "0\n"),
		("2", "1\n"),
		("3\n", "2\n"),
		("9", "4\n"),
		("10", "4\n"),
		("100", "25\n"),
		("262144", "23000\n"),
		("2000000", "148933\n"),
	] {
		let outcome = run(module!("prime-count"), n.as_bytes(), LIMITS);
		assert_eq!(outcome.status, RunStatus::Success, "{n}");
		assert_eq!(String::from_utf8_lossy(&outcome.output), count, "{n}");
	}
}

#[test]
fn bad_input_should_be_the_modules_own_failure() {
	let outcome = run(module!("prime-count"), b"many", LIMITS);
	assert_eq!(outcome.status, RunStatus::Trapped);
	assert!(outcome.output.is_empty());
	assert_eq!(outcome.diagnostics, b"standard input is not one decimal number\n");
}

#[test]
fn fuel_should_be_equal_between_runs_engines_and_limits() {
	let first = run(module!("prime-count"), b"200000", LIMITS);
	let sandbox = Sandbox::new().expect("an engine");
	for fuel in [LIMITS.fuel, first.fuel] {
		let limits = Limits { fuel, ..LIMITS };
		let again = sandbox.run(module!("prime-count"), b"200000", limits).expect("runs");
		assert_eq!((again.status, again.fuel), (RunStatus::Success, first.fuel));
		assert_eq!(again.output, first.output);
	}
	let short = Limits { fuel: first.fuel - 1, ..LIMITS };
	let outcome = sandbox.run(module!("prime-count"), b"200000", short).expect("runs");
	assert_eq!((outcome.status, outcome.fuel), (RunStatus::OutOfFuel, short.fuel));
}

#[test]
fn fuel_of_the_committed_module_should_not_drift() {
	// A tenant is billed by this number: when a wasmtime update changes it, orders in flight
	// would be disputed. Such an update needs a protocol version.
	let outcome = run(module!("prime-count"), b"10000", LIMITS);
	assert_eq!(outcome.fuel, PRIME_COUNT_10_000_FUEL);
}

const PRIME_COUNT_10_000_FUEL: u64 = 1_069_263;

#[test]
fn output_should_equal_input_when_echoed() {
	let input: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
	let outcome = run(module!("echo"), &input, LIMITS);
	assert_eq!(outcome.status, RunStatus::Success);
	assert_eq!(outcome.output, input);
}

#[test]
fn output_should_be_allowed_up_to_its_cap() {
	let input = vec![7u8; 10_000];
	let at = run(module!("echo"), &input, Limits { output_bytes: 10_000, ..LIMITS });
	assert_eq!(at.status, RunStatus::Success);
	let over = run(module!("echo"), &input, Limits { output_bytes: 9_999, ..LIMITS });
	assert_eq!(over.status, RunStatus::OutputTooLarge);
	assert_eq!(over.output, &input[..9_999]);
}

#[test]
fn a_flood_should_be_cut_on_both_streams() {
	let outcome = run(module!("flood"), b"", LIMITS);
	assert_eq!(outcome.status, RunStatus::OutputTooLarge);
	assert_eq!(outcome.output.len() as u64, LIMITS.output_bytes);
	assert_eq!(outcome.diagnostics.len(), MAX_DIAGNOSTIC_BYTES);
}

#[test]
fn an_endless_loop_should_burn_its_fuel() {
	let limits = Limits { fuel: 10_000_000, ..LIMITS };
	let outcome = run(module!("spin"), b"", limits);
	assert_eq!((outcome.status, outcome.fuel), (RunStatus::OutOfFuel, limits.fuel));
}

#[test]
fn an_endless_loop_should_end_by_the_clock() {
	let limits = Limits { fuel: u64::MAX, duration: Duration::from_millis(300), ..LIMITS };
	let begun = Instant::now();
	let outcome = run(module!("spin"), b"", limits);
	assert_eq!(outcome.status, RunStatus::OutOfTime);
	assert!(outcome.fuel > 0);
	assert!(outcome.duration >= limits.duration);
	assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
}

#[test]
fn two_guests_should_not_end_each_other() {
	let sandbox = Sandbox::new().expect("an engine");
	let spin = Limits { fuel: u64::MAX, duration: Duration::from_millis(200), ..LIMITS };
	std::thread::scope(|scope| {
		let short = scope.spawn(|| sandbox.run(module!("spin"), b"", spin));
		let long = sandbox.run(module!("prime-count"), b"20000000", LIMITS).expect("runs");
		assert_eq!(long.status, RunStatus::Success);
		assert_eq!(long.output, b"1270607\n");
		let short = short.join().expect("no panic").expect("runs");
		assert_eq!(short.status, RunStatus::OutOfTime);
	});
}

#[test]
fn growth_over_the_limit_should_be_out_of_memory() {
	let first = run(module!("grow"), b"", LIMITS);
	let again = run(module!("grow"), b"", LIMITS);
	assert_eq!(first.status, RunStatus::OutOfMemory);
	assert_eq!((again.status, again.fuel), (first.status, first.fuel));
}

#[test]
fn an_initial_memory_over_the_limit_should_be_out_of_memory() {
	let outcome = run(module!("echo"), b"", Limits { memory_bytes: 65_535, ..LIMITS });
	assert_eq!((outcome.status, outcome.fuel), (RunStatus::OutOfMemory, 0));
}

#[test]
fn a_stack_overflow_should_be_a_trap() {
	let outcome = run(module!("recurse"), b"", LIMITS);
	assert_eq!(outcome.status, RunStatus::Trapped);
	assert!(outcome.fuel > 0);
}

#[test]
fn exit_codes_should_be_told_apart() {
	let outcome = run(module!("exit-seven"), b"", LIMITS);
	assert_eq!((outcome.status, outcome.output), (RunStatus::Trapped, b"partial".to_vec()));
	let trap = run(&module(&[TYPE, FUNCTION, START, TRAP_BODY]), b"", LIMITS);
	assert_eq!(trap.status, RunStatus::Trapped);
	let empty = run(&module(&[TYPE, FUNCTION, START, EMPTY_BODY]), b"", LIMITS);
	assert_eq!(empty.status, RunStatus::Success);
	assert!(empty.output.is_empty());
}

#[test]
fn the_host_should_answer_the_same_to_every_guest() {
	let first = run(module!("host-probe"), b"", LIMITS);
	let second = run(module!("host-probe"), b"", LIMITS);
	assert_eq!(first.status, RunStatus::Success);
	assert_eq!((&first.output, first.fuel), (&second.output, second.fuel));
	let (codes, rest) = first.output.split_at(20);
	let codes: Vec<u16> = codes
		.chunks_exact(2)
		.map(|code| u16::from_le_bytes([code[0], code[1]]))
		.collect();
	// Clocks, randomness, arguments and environment answer; sleep, files and sockets do not.
	assert_eq!(codes[..7], [0; 7]);
	assert!(codes[7..].iter().all(|code| *code != 0), "{codes:?}");
	let (times, rest) = rest.split_at(32);
	let times: Vec<u64> = times
		.chunks_exact(8)
		.map(|time| u64::from_le_bytes(time.try_into().expect("8 bytes")))
		.collect();
	assert_eq!(times, [0, 1_000, 2_000, 3_000]);
	assert_eq!(rest[..2], [0, 0], "no arguments, no environment");
	assert_ne!(rest[2..], [0; 16]);
}

#[test]
fn unrunnable_bytes_should_be_refused_with_a_reason() {
	let sandbox = Sandbox::new().expect("an engine");
	let refused = |bytes: &[u8], part: &str| match sandbox.run(bytes, b"", LIMITS) {
		Err(SandboxError::InvalidModule(reason)) => {
			assert!(reason.contains(part), "{reason:?} does not say {part:?}");
			assert!(sandbox.validate(bytes, Duration::from_secs(10)).is_err());
		},
		other => panic!("{part}: {other:?}"),
	};
	refused(b"", "no core WebAssembly module");
	refused(b"not a module", "no core WebAssembly module");
	refused(&module(&[&[3, 200]]), "middle of a section");
	refused(&module(&[TYPE, FUNCTION]), "");
	refused(&module(&[TYPE, FUNCTION, EMPTY_BODY]), "_start");
	refused(module!("unknown-import"), "spawn_process");
	// `_start` is a memory.
	let memory_start: &[u8] = &[7, 10, 1, 6, b'_', b's', b't', b'a', b'r', b't', 2, 0];
	refused(&module(&[&[5, 3, 1, 0, 1], memory_start]), "_start");
	// A shared memory.
	refused(&module(&[TYPE, FUNCTION, &[5, 4, 1, 3, 1, 1], START, EMPTY_BODY]), "");
	// Two memories.
	refused(&module(&[TYPE, FUNCTION, &[5, 5, 2, 0, 1, 0, 1], START, EMPTY_BODY]), "");
	// A 64-bit memory.
	refused(&module(&[TYPE, FUNCTION, &[5, 3, 1, 4, 1], START, EMPTY_BODY]), "");
}

#[test]
fn runnable_modules_should_validate() {
	let sandbox = Sandbox::new().expect("an engine");
	sandbox
		.validate(module!("prime-count"), Duration::from_secs(30))
		.expect("valid");
}

#[test]
fn a_module_that_compiles_too_long_should_be_out_of_time() {
	// 60 functions of a megabyte each of additions: seconds of compilation.
	let mut body = vec![0u8];
	while body.len() < 200_000 {
		// i32.const 1, i32.const 2, i32.add, drop
		body.extend([0x41, 1, 0x41, 2, 0x6a, 0x1a]);
	}
	body.push(0x0b);
	let leb = |mut value: usize| {
		let mut out = Vec::new();
		while value >= 0x80 {
			out.push((value & 0x7f) as u8 | 0x80);
			value >>= 7;
		}
		out.push(value as u8);
		out
	};
	const COUNT: usize = 70;
	let mut functions = leb(COUNT);
	functions.extend([0; COUNT]);
	let mut code = leb(COUNT);
	for _ in 0..COUNT {
		code.extend(leb(body.len()));
		code.extend(&body);
	}
	let section = |id: u8, body: &[u8]| {
		let mut out = vec![id];
		out.extend(leb(body.len()));
		out.extend(body);
		out
	};
	let bomb = module(&[TYPE, &section(3, &functions), START, &section(10, &code)]);
	let limits = Limits { duration: Duration::from_millis(100), ..LIMITS };
	let begun = Instant::now();
	let outcome = run(&bomb, b"", limits);
	assert_eq!((outcome.status, outcome.fuel), (RunStatus::OutOfTime, 0));
	assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
}

#[test]
fn a_stop_should_end_running_guests_and_refuse_new_ones() {
	let sandbox = Sandbox::new().expect("an engine");
	let spin = Limits { fuel: u64::MAX, ..LIMITS };
	std::thread::scope(|scope| {
		let running = scope.spawn(|| sandbox.run(module!("spin"), b"", spin));
		std::thread::sleep(Duration::from_millis(300));
		sandbox.stop();
		let ended = running.join().expect("no panic");
		assert!(matches!(ended, Err(SandboxError::Stopped)), "{ended:?}");
	});
	let refused = sandbox.run(module!("echo"), b"", LIMITS);
	assert!(matches!(refused, Err(SandboxError::Stopped)), "{refused:?}");
}

#[test]
fn runs_should_work_from_async_code() {
	let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
	let outcome = runtime.block_on(async {
		let sandbox = Sandbox::new().expect("an engine");
		sandbox.run_async(module!("echo").to_vec(), b"hello".to_vec(), LIMITS).await
	});
	assert_eq!(outcome.expect("runs").output, b"hello");
}
