//! `armature storage seal`.

use super::{
	absolute,
	room::{sectors_in, threads_for, Machine},
	Sealed,
};
use crate::{
	amount::show_millis,
	cli::StorageSeal,
	commands::daemons::stop_signal,
	context::{self, Context, Usage},
	output::Bar,
};
use anyhow::Result;
use armature_agent::compute::{
	available_bytes, SealPlan, SealProgress, SealedSectors, StorageFault, MEMINFO,
};
use armature_sdk::query;
use serde::Serialize;
use std::{
	num::NonZeroUsize,
	path::Path,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	time::Duration,
};

/// What was sealed, and how.
#[derive(Serialize)]
struct Done {
	#[serde(flatten)]
	sealed: Sealed,
	/// The most that sealed at once.
	threads: usize,
	elapsed_millis: u64,
}

impl Done {
	fn rows(&self) -> Vec<(&'static str, String)> {
		let Self { sealed, threads, elapsed_millis } = self;
		let mut rows = sealed.rows();
		let took = format!("{} with {threads} threads at most", show_millis(*elapsed_millis));
		rows.extend([("took", took), ("next", self.next())]);
		rows
	}

	/// What to do with it.
	fn next(&self) -> String {
		let Sealed { directory, device, sectors, .. } = &self.sealed;
		let directory = toml::Value::from(directory.display().to_string());
		format!(
			"name it in the agent's configuration:\n[storage]\ndirectory = {directory}\nstart the agent \
			 anew, and offer them:\narmature device storage offer {device} --sectors {sectors}"
		)
	}
}

pub(super) async fn run(context: &Context, options: StorageSeal) -> Result<()> {
	let plan = plan(context, &options).await?;
	let machine = Machine {
		threads: std::thread::available_parallelism().map_or(1, usize::from),
		available: available_bytes(Path::new(MEMINFO)).ok(),
	};
	let threads = threads_for(options.threads, machine, plan.blocks, plan.sectors);
	eprintln!("{}", begins(&absolute(&options.directory)?, threads));
	let stopped = Arc::new(AtomicBool::new(false));
	let stop = stop_signal()?;
	let (directory, is_stopped) = (options.directory.clone(), stopped.clone());
	let mut work =
		tokio::task::spawn_blocking(move || seal(&directory, plan, threads, &is_stopped));
	let (outcome, elapsed) = tokio::select! {
		done = &mut work => done?,
		() = stop => {
			stopped.store(true, Ordering::Relaxed);
			// What is filled is written.
			work.await?
		},
	};
	let sealed = Sealed::new(&absolute(&options.directory)?, &outcome?.plan());
	let elapsed_millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
	let done = Done { sealed, threads: threads.get(), elapsed_millis };
	context.output.record(&done, Done::rows)
}

/// What is told before anything is sealed, which takes hours: also that nothing is there, for that may be since
/// another disk was meant, which is not mounted.
fn begins(directory: &Path, threads: NonZeroUsize) -> String {
	let with = format!("with {threads} threads at most");
	match SealedSectors::is_begun(directory) {
		Ok(false) => {
			format!("nothing is sealed in {} yet: sealing begins {with}", directory.display())
		},
		Ok(true) => format!("sealing goes on {with}"),
		// What is in the way is told by sealing.
		Err(_) => format!("sealing {with}"),
	}
}

/// What to seal, as the chain counts it.
async fn plan(context: &Context, options: &StorageSeal) -> Result<SealPlan> {
	let at = context.best().await?;
	context::device(&at, options.device).await?;
	let parameters = query::challenge_parameters(&at).await?;
	let blocks = parameters.sector_blocks;
	let sectors = match (options.sectors, options.size) {
		(Some(sectors), _) => sectors,
		(None, Some(size)) => sectors_in(size, blocks)?,
		(None, None) => return Err(Usage("say how much with --sectors or --size".into()).into()),
	};
	Ok(SealPlan {
		genesis: context.chain().await?.genesis(),
		device: options.device,
		sectors,
		blocks,
		compressions: parameters.sector_compressions,
	})
}

/// Seals, and tells how far that is; with how long it took.
fn seal(
	directory: &Path,
	plan: SealPlan,
	threads: NonZeroUsize,
	stopped: &AtomicBool,
) -> (Result<SealedSectors>, Duration) {
	let mut bar = Bar::start();
	let mut last = None;
	let is_stopped = || stopped.load(Ordering::Relaxed);
	let sealed = SealedSectors::seal(directory, plan, threads, &is_stopped, |progress| {
		let message = sentence(&progress, bar.elapsed(), is_stopped());
		bar.tell(progress.blocks, progress.of_blocks, message);
		last = Some(progress);
	});
	(sealed.map_err(|fault| told(fault, last)), bar.elapsed())
}

/// How far sealing is, and how long the rest takes.
fn sentence(progress: &SealProgress, elapsed: Duration, is_stopped: bool) -> String {
	let SealProgress { sectors, of_sectors, .. } = progress;
	let sealed = format!("{sectors} of {of_sectors} sectors sealed");
	if is_stopped {
		return format!("{sealed}, stopping");
	}
	match progress.left(elapsed) {
		Some(left) => {
			let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
			format!("{sealed}, {} left", show_millis(left))
		},
		None => sealed,
	}
}

/// Where sealing was stopped, what there is by then.
fn told(fault: StorageFault, last: Option<SealProgress>) -> anyhow::Error {
	match (fault, last) {
		(StorageFault::Stopped, Some(SealProgress { sectors, of_sectors, .. })) => anyhow::anyhow!(
			"stopped with {sectors} of {of_sectors} sectors sealed: the same command goes on from there"
		),
		(fault, _) => fault.into(),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use armature_primitives::{DeviceId, H256};
	use serde_json::json;

	const PLAN: SealPlan = SealPlan {
		genesis: H256([3; 32]),
		device: DeviceId(7),
		sectors: 3,
		blocks: 1_024,
		compressions: 1,
	};

	#[test]
	fn what_was_stopped_should_go_on() {
		let folder = tempfile::tempdir().expect("a folder");
		let two = NonZeroUsize::new(2).expect("not zero");
		let (stopped, _) = seal(folder.path(), PLAN, two, &AtomicBool::new(true));
		let told = stopped.map(|_| ()).expect_err("stopped").to_string();
		assert!(told.starts_with("stopped with ") && told.contains(" of 3 sectors"), "{told}");
		assert!(told.ends_with("the same command goes on from there"), "{told}");
		let (sealed, _) = seal(folder.path(), PLAN, two, &AtomicBool::new(false));
		assert_eq!(sealed.expect("sealed").plan(), PLAN);
		let more = SealPlan { sectors: 4, ..PLAN };
		let (sealed, _) = seal(folder.path(), more, two, &AtomicBool::new(false));
		assert_eq!(sealed.expect("sealed").plan(), more);
	}

	#[test]
	fn it_should_be_told_where_nothing_is_sealed_yet() {
		let folder = tempfile::tempdir().expect("a folder");
		let two = NonZeroUsize::new(2).expect("not zero");
		let path = folder.path().join("sealed");
		let told = || begins(&path, two);
		let nothing = format!(
			"nothing is sealed in {} yet: sealing begins with 2 threads at most",
			path.display()
		);
		assert_eq!(told(), nothing);
		// A mount point without its disk.
		std::fs::create_dir(&path).expect("made");
		assert_eq!(told(), nothing);
		seal(&path, PLAN, two, &AtomicBool::new(true))
			.0
			.map(|_| ())
			.expect_err("stopped");
		assert_eq!(told(), "sealing goes on with 2 threads at most");
	}

	#[test]
	fn other_faults_should_be_told_as_they_are() {
		let progress = SealProgress { sectors: 1, of_sectors: 3, blocks: 0, of_blocks: 2_048 };
		let fault = told(StorageFault::Changed(2), Some(progress)).to_string();
		assert_eq!(fault, StorageFault::Changed(2).to_string());
		let early = told(StorageFault::Stopped, None).to_string();
		assert_eq!(early, StorageFault::Stopped.to_string());
	}

	#[test]
	fn progress_should_tell_how_long_the_rest_takes() {
		let progress = SealProgress { sectors: 1, of_sectors: 4, blocks: 1_000, of_blocks: 3_000 };
		let elapsed = Duration::from_secs(60);
		let told = |progress, is_stopped| sentence(progress, elapsed, is_stopped);
		assert_eq!(told(&progress, false), "1 of 4 sectors sealed, 2 min 0 s left");
		assert_eq!(told(&progress, true), "1 of 4 sectors sealed, stopping");
		let begun = SealProgress { blocks: 0, ..progress };
		assert_eq!(told(&begun, false), "1 of 4 sectors sealed");
	}

	#[test]
	fn sealed_sectors_should_be_told_with_what_to_do_next() {
		let sealed = Sealed::new(Path::new("/a \"b\""), &PLAN);
		let done = Done { sealed: sealed.clone(), threads: 2, elapsed_millis: 65_000 };
		let rows = done.rows();
		let [.., took, next] = rows.as_slice() else { panic!("rows") };
		assert_eq!(*took, ("took", "1 min 5 s with 2 threads at most".to_owned()));
		let expected = "name it in the agent's configuration:\n\
			[storage]\n\
			directory = '/a \"b\"'\n\
			start the agent anew, and offer them:\n\
			armature device storage offer 7 --sectors 3";
		assert_eq!(*next, ("next", expected.to_owned()));
		assert_eq!(rows.len(), sealed.rows().len() + 2);
		let value = serde_json::to_value(&done).unwrap();
		assert_eq!((&value["threads"], &value["sectors"]), (&json!(2), &json!(3)));
		assert_eq!(value["elapsed_millis"], json!(65_000));
	}
}
