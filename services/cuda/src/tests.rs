use crate::{
	device::{Device, Kernel},
	gpu::PTX,
	products::Products,
	CudaError, CudaGemm,
};
use armature_primitives::{DeviceId, H256};
use armature_verifier::challenge::{
	fill::SizeError,
	gemm::{
		check_entry, dot, first_row, keep, masked, row_hash, sample_entries, Backend, Factor,
		GemmError, GemmProver, GemmRound, GemmSize, GemmTask, Reference,
	},
};
use emulated::Emulated;

mod emulated;

const MIB: u64 = 1 << 20;

/// Parameters of a kernel, all of 64 bits, in the PTX.
fn parameters(kernel: Kernel) -> usize {
	let entry = format!(".visible .entry {}(", kernel.name());
	let (_, after) = PTX.split_once(&entry).expect("in the PTX");
	let (list, _) = after.split_once(')').expect("closed");
	let all = list.matches(".param").count();
	assert_eq!(list.matches(".param .u64 ").count(), all);
	all
}

/// The products, as a backend, on what stands for a GPU.
struct On<'a>(&'a mut Products<Emulated>);

impl Backend for On<'_> {
	type Error = CudaError;

	fn begin(&mut self, task: &GemmTask) -> Result<(), CudaError> {
		self.0.begin(task)
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, CudaError> {
		self.0.step(task, step, back)
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, CudaError> {
		self.0.row(step, row)
	}
}

fn task(side: u32, window: u32, rounds: u32, steps: u32) -> GemmTask {
	let size = GemmSize { side, window, rounds, steps };
	GemmTask { seed: H256([side as u8; 32]), device: DeviceId(7), size }
}

/// Makes all rounds of a task and compares them, and openings of each while it can be opened, with the
/// reference's.
fn compare<B: Backend<Error = CudaError>>(task: GemmTask, backend: B) {
	let mut reference = GemmProver::begin(task, Reference::default()).unwrap();
	let mut prover = GemmProver::begin(task, backend).unwrap();
	let mut rounds = Vec::new();
	for round in 0..task.size.rounds {
		let nonce = H256([round as u8 + 1; 32]);
		let root = reference.round(nonce).unwrap();
		assert_eq!(prover.round(nonce).unwrap(), root, "{task:?} {round}");
		let committed = GemmRound { nonce, root };
		rounds.push(committed);
		let sampled = sample_entries(&H256([9; 32]), &task, round, &committed, 60).unwrap();
		for (step, row, column) in sampled {
			let opening = prover.open(step, row, column).unwrap();
			assert_eq!(opening, reference.open(step, row, column).unwrap());
			assert_eq!(
				check_entry(&task, &rounds, &opening),
				Ok(()),
				"{task:?} {step} {row} {column}"
			);
		}
	}
	assert!(matches!(prover.round(H256([0; 32])), Err(GemmError::Done)));
	// What is not kept any more.
	let kept = task.size.kept();
	if kept < task.size.all_steps() {
		let gone = task.size.all_steps() - kept;
		assert!(matches!(prover.open(gone, 0, 0), Err(GemmError::NotThere)));
	}
}

/// Sizes to compare: window, rounds, steps.
const SIZES: [(u32, u32, u32); 5] = [(1, 1, 1), (1, 3, 2), (3, 2, 4), (4, 1, 4), (5, 4, 1)];

#[test]
fn the_kernels_should_give_the_reference() {
	let Some(device) = Emulated::new(64 * MIB) else { return };
	let mut products = Products::new(device);
	for side in [1, 7, 16, 64, 100, 130] {
		for (window, rounds, steps) in SIZES {
			compare(task(side, window, rounds, steps), On(&mut products));
		}
	}
}

#[test]
fn a_gpu_should_give_the_reference() {
	let mut gpu = match CudaGemm::new(0) {
		Ok(gpu) => gpu,
		Err(error) => {
			println!("skipped: no NVIDIA GPU: {error}");
			return;
		},
	};
	let (free, total) = gpu.memory().unwrap();
	println!("{}: {free} of {total} bytes free", gpu.name());
	assert!(free <= total && total > 0 && !gpu.name().is_empty());
	for side in [1, 7, 16, 64, 100, 130, 300] {
		for (window, rounds, steps) in SIZES {
			compare(task(side, window, rounds, steps), &mut Lent(&mut gpu));
		}
	}
	// More than one strip of tiles: rows against the definition, since the reference takes too long.
	let task = task(2_200, 2, 1, 2);
	gpu.begin(&task).unwrap();
	let back: Vec<u32> = (0..2_200).map(|column| column % 2).collect();
	let hashes = [1, 2].map(|step| gpu.step(&task, step, &back).unwrap());
	let state = |gpu: &mut CudaGemm, step| -> Vec<Vec<u8>> {
		(0..2_200).map(|row| gpu.row(step, row).unwrap().unwrap()).collect()
	};
	let [first, second] = [1, 2].map(|step| state(&mut gpu, step));
	for (state, hashes) in [&first, &second].into_iter().zip(&hashes) {
		assert!(state.iter().map(|row| row_hash(row)).eq(hashes.iter().copied()));
	}
	for row in [0, 127, 128, 2_047, 2_048, 2_199] {
		let left = masked(Factor::Left, &task, 2, row, &first[row as usize]);
		for column in 0..2_200 {
			// With one step made, the state before it is a key stream.
			let source = match column % 2 {
				0 => first[column as usize].clone(),
				_ => first_row(&task, 0, column),
			};
			let right = masked(Factor::Right, &task, 2, column, &source);
			assert_eq!(second[row as usize][column as usize], keep(dot(&left, &right)));
		}
	}
}

/// A backend that is lent.
struct Lent<'a>(&'a mut CudaGemm);

impl Backend for &mut Lent<'_> {
	type Error = CudaError;

	fn begin(&mut self, task: &GemmTask) -> Result<(), CudaError> {
		self.0.begin(task)
	}

	fn step(&mut self, task: &GemmTask, step: u32, back: &[u32]) -> Result<Vec<H256>, CudaError> {
		self.0.step(task, step, back)
	}

	fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, CudaError> {
		self.0.row(step, row)
	}
}

#[test]
fn a_gpu_that_is_not_there_should_be_a_typed_error() {
	match CudaGemm::new(usize::MAX) {
		Err(error @ CudaError::NoDriver) => {
			assert!(error.to_string().starts_with("no NVIDIA driver was found: "))
		},
		Err(CudaError::NoGpu { ordinal: usize::MAX, .. }) => {},
		// A driver that does not start.
		other => assert!(matches!(other, Err(CudaError::Driver { .. })), "{other:?}"),
	}
}

#[test]
fn a_backend_should_move_between_threads() {
	fn movable<T: Send + 'static>() {}
	movable::<CudaGemm>();
	movable::<CudaError>();
}

#[test]
fn the_ptx_should_be_of_the_kernels() {
	let hash = sp_crypto_hashing::blake2_256(include_bytes!("../kernels/gemm.c"));
	let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
	let first = PTX.lines().next().unwrap_or_default();
	assert!(first.ends_with(&format!("BLAKE2b-256 {hash}")), "run scripts/cuda.sh: {first}");
	assert_eq!([Kernel::Mask, Kernel::Product, Kernel::Hash].map(parameters), [6, 7, 4]);
	// A processor cannot tell whether a block's threads are as many as the kernel is for.
	for kernel in [Kernel::Mask, Kernel::Product, Kernel::Hash] {
		let (_, after) = PTX.split_once(&format!(".entry {}(", kernel.name())).unwrap();
		let (_, most) = after.split_once(".maxntid ").unwrap();
		assert_eq!(most.split(',').next(), Some(kernel.threads().to_string().as_str()));
	}
	// Nothing of the C is left to the driver, and no tile has left its registers.
	assert!(!PTX.contains(".extern") && !PTX.contains(".local") && !PTX.contains("call"));
}

/// A buffer with bytes in it.
fn buffer(device: &mut Emulated, bytes: &[u8]) -> emulated::Buffer {
	let mut buffer = device.allocate(bytes.len()).unwrap();
	device.write(&mut buffer, bytes).unwrap();
	buffer
}

#[allow(unsafe_code, reason = "runs a kernel over buffers of the test")]
fn launch(device: &mut Emulated, kernel: Kernel, blocks: u32, arguments: &[u64]) {
	// SAFETY: whoever calls this gives what the kernel takes.
	unsafe { device.launch(kernel, (blocks, 1), arguments) }.unwrap();
}

#[test]
fn sums_should_be_exact_at_their_extremes() {
	let Some(mut device) = Emulated::new(64 * MIB) else { return };
	// One tile of the longest rows.
	let (rows, side) = (128, 32_768);
	let factor = |byte| vec![byte; rows * side];
	let [least, most] = [0x80, 0x7f].map(|byte| buffer(&mut device, &factor(byte)));
	let out = buffer(&mut device, &vec![0; rows * side]);
	for (right, value) in [(&least, 0x80), (&most, 0x7f)] {
		let [at, left, right] = [&out, &least, right].map(|buffer| device.address(buffer));
		let (rows, side) = (rows as u64, side as u64);
		launch(&mut device, Kernel::Product, 1, &[at, left, right, side, side, rows, side / 16]);
		let expected = keep(dot(&vec![0x80; 32_768], &vec![value; 32_768]));
		for row in 0..128 {
			let mut found = [0; 128];
			device.read(&out, row * 32_768, &mut found).unwrap();
			assert_eq!(found, [expected; 128]);
		}
	}
}

#[test]
fn every_tile_should_be_made_once() {
	// More than one strip of tiles, of which the last is less high; few bytes a row, to be fast.
	let Some(mut device) = Emulated::new(64 * MIB) else { return };
	let side = 2_200_usize;
	let rows = side.next_multiple_of(128);
	let value = |row: usize, byte: usize| (row * 31 + row / 128 * 7 + byte * 3) as u8;
	let left: Vec<u8> = (0..rows * 16).map(|at| value(at / 16, at % 16)).collect();
	let right: Vec<u8> = left.iter().map(|byte| byte.wrapping_mul(5)).collect();
	let [left_at, right_at] = [&left, &right].map(|bytes| buffer(&mut device, bytes));
	let out = device.allocate(side * 2_240).unwrap();
	let [at, l, r] = [&out, &left_at, &right_at].map(|buffer| device.address(buffer));
	let tiles = rows / 128;
	let arguments = [at, l, r, side as u64, 2_240, rows as u64, 1];
	launch(&mut device, Kernel::Product, (tiles * tiles) as u32, &arguments);
	let mut state = vec![0; side * 2_240];
	device.read(&out, 0, &mut state).unwrap();
	for (left, row) in left.chunks(16).zip(state.chunks(2_240)) {
		let expected = right.chunks(16).take(side).map(|right| keep(dot(left, right)));
		assert!(expected.eq(row[..side].iter().copied()));
	}
}

#[test]
fn rows_of_all_lengths_should_be_hashed() {
	let Some(mut device) = Emulated::new(64 * MIB) else { return };
	for side in (1..=200_usize).chain([1_000, 1_024]) {
		let pitch = side.next_multiple_of(64);
		let bytes: Vec<u8> = (0..side * pitch).map(|at| (at * 7 + at / 251) as u8).collect();
		let state = buffer(&mut device, &bytes);
		let out = device.allocate(side * 32).unwrap();
		let [out_at, state_at] = [&out, &state].map(|buffer| device.address(buffer));
		let arguments = [out_at, state_at, side as u64, pitch as u64];
		launch(&mut device, Kernel::Hash, side.div_ceil(64) as u32, &arguments);
		let mut hashes = vec![0; side * 32];
		device.read(&out, 0, &mut hashes).unwrap();
		for (row, hash) in bytes.chunks(pitch).zip(hashes.chunks(32)) {
			assert_eq!(row_hash(&row[..side]).0, hash, "{side}");
		}
	}
}

#[test]
fn no_more_than_what_was_announced_should_be_held() {
	let Some(device) = Emulated::new(64 * MIB) else { return };
	let mut products = Products::new(device);
	// Ten steps, of which window and round together keep five.
	let task = task(100, 3, 5, 2);
	let (factor, plan, hashes, state) = (128 * 112, 100 * (4 * 32 + 2 * 8), 100 * 32, 100 * 128);
	let needed = 2 * factor + plan + hashes + 5 * state;
	compare(task, On(&mut products));
	assert_eq!(products.device().peak, needed);
	// A task that follows holds nothing of this one.
	compare(self::task(1, 1, 1, 1), On(&mut products));
	assert_eq!(products.device().peak, needed);
	// That is enough, and a byte less is not, which is known before anything is computed.
	compare(task, On(&mut Products::new(Emulated::new(needed).unwrap())));
	let mut products = Products::new(Emulated::new(needed - 1).unwrap());
	let error = products.begin(&task).unwrap_err();
	let free = needed - 1;
	assert!(
		matches!(error, CudaError::OutOfMemory { needed: n, free: f } if (n, f) == (needed, free))
	);
	let text = error.to_string();
	assert!(text.contains(&needed.to_string()) && text.contains(&free.to_string()), "{text}");
}

#[test]
fn memory_that_others_take_meanwhile_should_be_an_error() {
	let Some(device) = Emulated::new(MIB) else { return };
	let mut products = Products::new(device);
	let task = task(7, 2, 1, 2);
	products.begin(&task).unwrap();
	products.step(&task, 1, &[0; 7]).unwrap();
	let free = products.device().memory().unwrap().0;
	let taken = products.device_mut().allocate(free as usize - 100).unwrap();
	let error = products.step(&task, 2, &[0; 7]).unwrap_err();
	assert!(matches!(error, CudaError::OutOfMemory { needed: 448, free: 100 }), "{error}");
	// What was there is still there, and the step can be made once there is memory.
	assert!(products.row(1, 6).unwrap().is_some());
	drop(taken);
	products.step(&task, 2, &[0; 7]).unwrap();
}

#[test]
fn only_what_was_begun_should_go_on() {
	let Some(device) = Emulated::new(MIB) else { return };
	let mut products = Products::new(device);
	let task = task(7, 2, 1, 2);
	let order = |result: Result<Vec<H256>, CudaError>, at| {
		assert!(matches!(result, Err(CudaError::Order { step }) if step == at));
	};
	let choices = |result: Result<Vec<H256>, CudaError>, at| {
		assert!(matches!(result, Err(CudaError::Choices { step }) if step == at));
	};
	order(products.step(&task, 1, &[0; 7]), 1);
	assert_eq!(products.row(1, 0).unwrap(), None);
	let sizes = [
		(GemmSize { side: 0, ..task.size }, SizeError::TooSmall),
		(GemmSize { side: u32::MAX, ..task.size }, SizeError::TooLarge),
	];
	for (size, expected) in sizes {
		let error = products.begin(&GemmTask { size, ..task }).unwrap_err();
		assert!(matches!(error, CudaError::Size(error) if error == expected));
	}
	// The most that can be asked for fits nowhere, and nothing overflows.
	let size = GemmSize { side: 32_768, window: 16_384, rounds: 256, steps: 16_384 };
	let error = products.begin(&GemmTask { size, ..task }).unwrap_err();
	assert!(matches!(error, CudaError::OutOfMemory { needed, .. } if needed > 32_768 << 30));

	products.begin(&task).unwrap();
	for step in [0, 2, u32::MAX] {
		order(products.step(&task, step, &[0; 7]), step);
	}
	let other = GemmTask { device: DeviceId(8), ..task };
	order(products.step(&other, 1, &[0; 7]), 1);
	choices(products.step(&task, 1, &[0; 6]), 1);
	choices(products.step(&task, 1, &[0; 8]), 1);
	choices(products.step(&task, 1, &[2; 7]), 1);
	choices(products.step(&task, 1, &[u32::MAX; 7]), 1);
	products.step(&task, 1, &[1; 7]).unwrap();
	for (step, row) in [(0, 0), (2, 0), (1, 7), (u32::MAX, 0), (1, u32::MAX)] {
		assert_eq!(products.row(step, row).unwrap(), None);
	}
	assert_eq!(products.row(1, 6).unwrap().map(|row| row.len()), Some(7));
	products.step(&task, 2, &[1; 7]).unwrap();
	order(products.step(&task, 3, &[0; 7]), 3);
}

#[test]
fn a_device_that_computes_something_else_should_be_found_out() {
	let Some(device) = Emulated::new(MIB) else { return };
	let mut products = Products::new(device);
	products.check().unwrap();
	// It leaves nothing behind.
	assert_eq!(products.device().memory().unwrap(), (MIB, MIB));
	for wrong_from in [1, 2, 300] {
		let mut device = Emulated::new(MIB).unwrap();
		device.wrong_from = Some(wrong_from);
		assert!(matches!(Products::new(device).check(), Err(CudaError::Wrong(_))));
	}
}

#[test]
fn keys_should_not_depend_on_the_number_of_threads() {
	let Some(device) = Emulated::new(64 * MIB) else { return };
	let task = task(1_100, 2, 1, 1);
	let back: Vec<u32> = (0..1_100).map(|column| column % 2).collect();
	let mut products = Products::new(device);
	let mut hashes = [1, 3, 100].map(|threads| {
		products.set_threads(threads);
		products.begin(&task).unwrap();
		products.step(&task, 1, &back).unwrap()
	});
	assert_eq!(hashes[0], hashes[1]);
	assert_eq!(hashes[0], hashes[2]);
	// And each row is its own.
	hashes[0].sort();
	hashes[0].dedup();
	assert_eq!(hashes[0].len(), 1_100);
}
