//! Machines whose time is shared, and links between them.
//!
//! A machine has processors, each of which runs one unit of one lane at a time. A lane is a chain: its next
//! unit begins when the last one has ended. Nothing else takes time. What comes of that is when tasks end.

use codec::Encode;

/// Who is served when a processor is free.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Order {
	/// Lanes in turn, so that tasks share the machine.
	InTurn,
	/// Tasks one after the other.
	OneByOne,
}

/// A task with its lanes.
#[derive(Clone, Debug)]
pub(crate) struct Job {
	/// When it comes, in microseconds.
	pub(crate) at_micros: u64,
	/// Units of each lane.
	pub(crate) lanes: Vec<u32>,
}

/// What computes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
	pub(crate) processors: usize,
	/// What a unit takes.
	pub(crate) unit_micros: u64,
}

struct Lane {
	job: usize,
	left: u32,
	/// When its next unit can begin.
	ready: u64,
	/// When it was served last, counted in units of the machine.
	served: u32,
}

impl Machine {
	/// When each of the jobs ends.
	pub(crate) fn ends(&self, jobs: &[Job], order: Order) -> Vec<u64> {
		let mut lanes: Vec<Lane> = Vec::new();
		for (job, Job { at_micros, lanes: units }) in jobs.iter().enumerate() {
			let lane = |units: &u32| Lane { job, left: *units, ready: *at_micros, served: 0 };
			lanes.extend(units.iter().map(lane));
		}
		let mut ends: Vec<u64> = jobs.iter().map(|job| job.at_micros).collect();
		let mut free = vec![0u64; self.processors];
		let mut units = 0u32;
		while let Some(first) =
			lanes.iter().filter(|lane| lane.left > 0).map(|lane| lane.ready).min()
		{
			let processor = free.iter_mut().min().expect("a machine has processors");
			let now = first.max(*processor);
			let waits = |lane: &&mut Lane| lane.left > 0 && lane.ready <= now;
			let lane = lanes.iter_mut().filter(waits).min_by_key(|lane| match order {
				Order::InTurn => (lane.served, lane.job),
				Order::OneByOne => (0, lane.job),
			});
			let lane = lane.expect("the first one waits");
			units += 1;
			(lane.left, lane.served, lane.ready) = (lane.left - 1, units, now + self.unit_micros);
			*processor = lane.ready;
			ends[lane.job] = ends[lane.job].max(lane.ready);
		}
		ends
	}

	/// How long one job takes that has the machine to itself.
	pub(crate) fn alone(&self, lanes: Vec<u32>) -> u64 {
		let [end] = self.ends(&[Job { at_micros: 0, lanes }], Order::InTurn)[..] else { return 0 };
		end
	}

	/// A machine so many times as fast.
	pub(crate) fn times(self, speed: u64) -> Self {
		Self { unit_micros: self.unit_micros / speed, ..self }
	}
}

/// A way between two machines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
	/// There and back, of nothing.
	pub(crate) round_trip_micros: u64,
	pub(crate) megabits: u64,
}

impl Link {
	/// No way at all.
	pub(crate) const NONE: Self = Self { round_trip_micros: 0, megabits: u64::MAX };

	/// How long so many bytes take one way.
	pub(crate) fn bytes_micros(self, bytes: u64) -> u64 {
		self.round_trip_micros / 2 + bytes * 8 / self.megabits
	}

	/// How long it takes to ask for something and have the answer, beside making it.
	pub(crate) fn ask_micros(self, asked: &impl Encode, answer: &impl Encode) -> u64 {
		let len = |encoded: usize| encoded as u64;
		self.bytes_micros(len(asked.encoded_size())) + self.bytes_micros(len(answer.encoded_size()))
	}
}
