//! The chain of products on a device.

use crate::{
	device::{Device, Kernel},
	CudaError,
};
use armature_primitives::{DeviceId, H256};
use armature_verifier::challenge::{
	fill::SizeError,
	gemm::{first_row_key, mask_key, Backend, Factor, GemmSize, GemmTask, Reference},
};
use std::{
	collections::VecDeque,
	io,
	thread::{available_parallelism, scope, Builder},
};

/// Rows and columns of the entries that a block of the kernel `product` makes.
const BLOCK_TILE: u64 = 128;

/// Bytes of a row that a thread of the kernel `mask` makes. Rows of states lie a multiple of it apart.
const MASKED_AT_ONCE: u64 = 64;

/// Bytes of a row that lie together in a factor.
const PART: u64 = 16;

/// Bytes of a key, and of a hash.
const KEY: usize = 32;

/// Keys that one thread hashes at least, so that starting another one pays.
const LEAST_KEYS: usize = 512;

/// The most threads that hash keys: the machine has other work too.
const MOST_THREADS: usize = 8;

/// Makes the states of one task at a time.
#[derive(Debug)]
pub(crate) struct Products<D: Device> {
	device: D,
	run: Option<Run<D::Buffer>>,
	threads: usize,
}

/// A task that was begun.
#[derive(Debug)]
struct Run<B> {
	task: GemmTask,
	layout: Layout,
	/// The masked factors of the step.
	left: B,
	right: B,
	/// What they are made of: see [`Layout::plan`].
	plan: B,
	hashes: B,
	/// Of the last steps, the oldest first.
	states: VecDeque<B>,
	/// Steps made.
	made: u32,
	/// Of the masks of the next step: those of the left factor's rows, then those of the right one's.
	keys: Vec<u8>,
}

/// How long everything is, in bytes unless it says something else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Layout {
	/// Rows and columns.
	side: u64,
	/// From a row of a state to the next.
	pitch: u64,
	/// Blocks of the kernel `product`, each way.
	tiles: u64,
	/// [`PART`]s of a row of a factor.
	parts: u64,
}

impl Layout {
	fn of(size: &GemmSize) -> Self {
		let side = u64::from(size.side);
		Self {
			side,
			pitch: side.next_multiple_of(MASKED_AT_ONCE),
			tiles: side.div_ceil(BLOCK_TILE),
			parts: side.div_ceil(PART),
		}
	}

	/// Rows of a factor, with those that only fill the last tile.
	fn rows(&self) -> u64 {
		self.tiles.saturating_mul(BLOCK_TILE)
	}

	fn factor(&self) -> u64 {
		self.rows().saturating_mul(self.parts).saturating_mul(PART)
	}

	fn state(&self) -> u64 {
		self.side.saturating_mul(self.pitch)
	}

	/// A key of each row.
	fn keys(&self) -> u64 {
		self.side.saturating_mul(32)
	}

	/// An address of each row.
	fn sources(&self) -> u64 {
		self.side.saturating_mul(8)
	}

	/// For each of the factors' rows: the keys of their masks, those of the key streams that are rows, and
	/// the addresses of rows; all of the left factor before all of the right one.
	fn plan(&self) -> u64 {
		self.keys().saturating_mul(4).saturating_add(self.sources().saturating_mul(2))
	}

	/// Everything that is allocated for a task.
	fn total(&self, size: &GemmSize) -> u64 {
		let states = u64::from(size.kept().min(size.all_steps())).saturating_mul(self.state());
		let parts = [self.factor(), self.factor(), self.plan(), self.keys(), states];
		parts.into_iter().fold(0, u64::saturating_add)
	}

	/// Threads of [`MASKED_AT_ONCE`] bytes in a row, or blocks of as many rows.
	fn blocks(&self) -> Result<u32, CudaError> {
		blocks(self.side.div_ceil(MASKED_AT_ONCE))
	}
}

impl<D: Device> Products<D> {
	pub(crate) fn new(device: D) -> Self {
		let threads = available_parallelism().map_or(1, |threads| threads.get().min(MOST_THREADS));
		Self { device, run: None, threads }
	}

	pub(crate) fn device(&self) -> &D {
		&self.device
	}

	#[cfg(test)]
	pub(crate) fn device_mut(&mut self) -> &mut D {
		&mut self.device
	}

	#[cfg(test)]
	pub(crate) fn set_threads(&mut self, threads: usize) {
		self.threads = threads;
	}

	/// Makes a small chain and compares it with the reference.
	pub(crate) fn check(&mut self) -> Result<(), CudaError> {
		// More than a tile, and no multiple of anything.
		let size = GemmSize { side: 133, window: 2, rounds: 1, steps: 3 };
		let task = GemmTask { seed: H256([0x5a; 32]), device: DeviceId(0), size };
		let mut reference = Reference::default();
		let Ok(()) = reference.begin(&task);
		self.begin(&task)?;
		for step in 1..=size.steps {
			let back: Vec<u32> = (0..size.side).map(|column| column / 3 % size.window).collect();
			let Ok(hashes) = reference.step(&task, step, &back);
			let found = self.step(&task, step, &back)?;
			for row in 0..size.side {
				let Ok(expected) = reference.row(step, row);
				if self.row(step, row)? != expected {
					return Err(CudaError::Wrong(
						"a product that was made to try the GPU is wrong",
					));
				}
			}
			if found != hashes {
				return Err(CudaError::Wrong("a hash that was made to try the GPU is wrong"));
			}
		}
		self.run = None;
		Ok(())
	}

	pub(crate) fn begin(&mut self, task: &GemmTask) -> Result<(), CudaError> {
		self.run = None;
		task.size.check()?;
		let layout = Layout::of(&task.size);
		let (needed, (free, _)) = (layout.total(&task.size), self.device.memory()?);
		if needed > free {
			return Err(CudaError::OutOfMemory { needed, free });
		}
		let keys = mask_keys(task, 1, self.threads)?;
		let mut allocate = |bytes| self.device.allocate(in_memory(bytes)?);
		self.run = Some(Run {
			task: *task,
			layout,
			left: allocate(layout.factor())?,
			right: allocate(layout.factor())?,
			plan: allocate(layout.plan())?,
			hashes: allocate(layout.keys())?,
			states: VecDeque::new(),
			made: 0,
			keys,
		});
		Ok(())
	}

	pub(crate) fn step(
		&mut self,
		task: &GemmTask,
		step: u32,
		back: &[u32],
	) -> Result<Vec<H256>, CudaError> {
		let Self { device, run, threads } = self;
		let next = |run: &&mut Run<D::Buffer>| {
			run.task == *task
				&& run.made.checked_add(1) == Some(step)
				&& step <= task.size.all_steps()
		};
		let run = run.as_mut().filter(next).ok_or(CudaError::Order { step })?;
		let layout = run.layout;
		let plan = run.plan(device, back, *threads)?;
		// Before any kernel runs, since the copy is waited for.
		device.write(&mut run.plan, &plan)?;
		let state = run.place(device)?;
		launch(device, run, &state)?;
		// The keys of the next masks while the device works.
		let ahead = if step < task.size.all_steps() {
			mask_keys(task, step.saturating_add(1), *threads)
		} else {
			Ok(Vec::new())
		};
		let mut hashes = vec![0; in_memory(layout.keys())?];
		device.read(&run.hashes, 0, &mut hashes)?;
		run.states.push_back(state);
		run.made = step;
		run.keys = ahead?;
		let hash = |bytes: &[u8]| bytes.try_into().ok().map(H256);
		Ok(hashes.chunks_exact(KEY).filter_map(hash).collect())
	}

	pub(crate) fn row(&mut self, step: u32, row: u32) -> Result<Option<Vec<u8>>, CudaError> {
		let Some(run) = &self.run else { return Ok(None) };
		let back = run.made.checked_sub(step).filter(|_| step > 0);
		let Some((state, at)) = back.and_then(|back| run.made(back, row)) else { return Ok(None) };
		let mut bytes = vec![0; in_memory(run.layout.side)?];
		self.device.read(state, in_memory(at)?, &mut bytes)?;
		Ok(Some(bytes))
	}
}

impl<B> Run<B> {
	/// The computed state that is `back` steps before the last one, and where in it a row is.
	fn made(&self, back: u32, row: u32) -> Option<(&B, u64)> {
		let newest = self.states.len().checked_sub(1)?;
		let state = self.states.get(newest.checked_sub(usize::try_from(back).ok()?)?)?;
		let row = Some(u64::from(row)).filter(|row| *row < self.layout.side)?;
		Some((state, row.checked_mul(self.layout.pitch)?))
	}

	/// What the factors of the next step are made of: see [`Layout::plan`].
	fn plan<D: Device<Buffer = B>>(
		&self,
		device: &D,
		back: &[u32],
		threads: usize,
	) -> Result<Vec<u8>, CudaError> {
		let (task, size, made) = (&self.task, &self.task.size, self.made);
		let wrong = CudaError::Choices { step: made.saturating_add(1) };
		if u32::try_from(back.len()) != Ok(size.side) {
			return Err(wrong);
		}
		let left = vec![0; back.len()];
		let mut plan = self.keys.clone();
		// A state that is older than step 1 is a key stream; which one, counted from the last such.
		let first = |back: u32| back.checked_sub(made);
		for back in [left.as_slice(), back] {
			let key = |row: u32| {
				let back = usize::try_from(row).ok().and_then(|row| back.get(row))?;
				Some(first_row_key(task, first(*back)?, row))
			};
			plan.extend(keys(task, threads, key)?);
		}
		for back in [left.as_slice(), back] {
			for (row, back) in (0u32..).zip(back) {
				let source = match first(*back) {
					Some(first) if first < size.window => Some(0),
					Some(_) => None,
					None => self
						.made(*back, row)
						.and_then(|(state, at)| device.address(state).checked_add(at)),
				};
				let Some(source) = source else { return Err(wrong) };
				plan.extend(source.to_le_bytes());
			}
		}
		Ok(plan)
	}

	/// Where the next state goes: a new buffer, or the oldest one once as many are there as are kept, which
	/// is not chosen from any more.
	fn place<D: Device<Buffer = B>>(&mut self, device: &mut D) -> Result<B, CudaError> {
		let most = usize::try_from(self.task.size.kept()).unwrap_or(usize::MAX);
		let oldest = if self.states.len() >= most { self.states.pop_front() } else { None };
		match oldest {
			Some(oldest) => Ok(oldest),
			None => device.allocate(in_memory(self.layout.state())?),
		}
	}
}

/// Begins to make a state, by the plan that is on the device.
fn launch<D: Device>(
	device: &mut D,
	run: &Run<D::Buffer>,
	state: &D::Buffer,
) -> Result<(), CudaError> {
	let layout @ Layout { side, pitch, tiles, parts } = run.layout;
	let (rows, all) = (layout.rows(), layout.blocks()?);
	let tiles = blocks(tiles.saturating_mul(tiles))?;
	let [plan, state, left, right, hashes] =
		[&run.plan, state, &run.left, &run.right, &run.hashes].map(|buffer| device.address(buffer));
	let (keys, sources) = (layout.keys(), layout.sources());
	let place = |keys_before: u64, sources_before: u64| {
		let keys = keys.saturating_mul(keys_before);
		plan.saturating_add(keys).saturating_add(sources.saturating_mul(sources_before))
	};
	let launches = [
		(Kernel::Mask, (all, all), &[left, place(0, 0), place(4, 0), place(2, 0), side, rows][..]),
		(Kernel::Mask, (all, all), &[right, place(1, 0), place(4, 1), place(3, 0), side, rows]),
		(Kernel::Product, (tiles, 1), &[state, left, right, side, pitch, rows, parts]),
		(Kernel::Hash, (all, 1), &[hashes, state, side, pitch]),
	];
	for (kernel, blocks, arguments) in launches {
		// SAFETY: the buffers are as long as the layout says, which is what the kernels go by; the plan's
		// addresses are of rows of states that the run holds. Nothing was dropped yet.
		#[allow(unsafe_code, reason = "a kernel uses memory by addresses that nothing checks")]
		unsafe { device.launch(kernel, blocks, arguments) }?;
	}
	Ok(())
}

/// The keys of the masks of a step: those of the left factor's rows, then those of the right one's.
fn mask_keys(task: &GemmTask, step: u32, threads: usize) -> Result<Vec<u8>, CudaError> {
	let of = |factor| keys(task, threads, move |row| Some(mask_key(factor, task, step, row)));
	let mut both = of(Factor::Left)?;
	both.extend(of(Factor::Right)?);
	Ok(both)
}

/// A key for each row, zeros where there is none, on so many threads.
fn keys(
	task: &GemmTask,
	threads: usize,
	key: impl Fn(u32) -> Option<[u8; KEY]> + Sync,
) -> Result<Vec<u8>, CudaError> {
	let side = in_memory(task.size.side.into())?;
	let mut keys = vec![0; side.saturating_mul(KEY)];
	let share = side.div_ceil(threads.max(1)).max(LEAST_KEYS);
	let fill = |part: usize, out: &mut [u8]| {
		let first = u32::try_from(part.saturating_mul(share)).unwrap_or(u32::MAX);
		for (row, out) in (first..).zip(out.chunks_exact_mut(KEY)) {
			if let Some(key) = key(row) {
				out.copy_from_slice(&key);
			}
		}
	};
	let fill = &fill;
	let filled = scope(|scope| {
		let mut parts = keys.chunks_mut(share.saturating_mul(KEY)).enumerate();
		let own = parts.next();
		for (part, out) in parts {
			Builder::new()
				.name("gemm-keys".into())
				.spawn_scoped(scope, move || fill(part, out))?;
		}
		if let Some((part, out)) = own {
			fill(part, out);
		}
		io::Result::Ok(())
	});
	filled.map_err(CudaError::Threads)?;
	Ok(keys)
}

/// A length as this machine counts.
fn in_memory(bytes: u64) -> Result<usize, CudaError> {
	usize::try_from(bytes).map_err(|_| CudaError::Size(SizeError::TooLarge))
}

/// Blocks of a grid.
fn blocks(blocks: u64) -> Result<u32, CudaError> {
	u32::try_from(blocks).map_err(|_| CudaError::Size(SizeError::TooLarge))
}
