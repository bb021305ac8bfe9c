use super::*;
use crate::testing::Tree;
use std::cell::{Cell, RefCell};

const ASKED: [u8; REPORT_DATA_LEN] = [7; REPORT_DATA_LEN];

/// A kernel over files that fills entries as configfs-tsm does, and misbehaves when told to.
#[derive(Default)]
struct Fake {
	provider: &'static str,
	auxblob: Option<Vec<u8>>,
	floor: Option<&'static str>,
	/// Writes of someone else that come in before an answer is read, one number for each question.
	intruders: RefCell<Vec<u64>>,
	/// What is written instead of the answer.
	outblob: Option<Vec<u8>>,
	/// The attribute that fails, and with which number of the system.
	fails: Option<(&'static str, i32)>,
	/// Entries that cannot be made because they are there.
	taken: Cell<u32>,
	removed: Cell<u32>,
	asked: Cell<u32>,
}

impl Fake {
	fn amd() -> Self {
		Self { provider: "sev_guest\n", auxblob: Some(b"table".to_vec()), ..Self::default() }
	}

	fn fail(&self, file: &Path) -> io::Result<()> {
		match self.fails {
			Some((name, number)) if file.ends_with(name) => {
				Err(io::Error::from_raw_os_error(number))
			},
			_ => Ok(()),
		}
	}

	fn bump(&self, entry: &Path, by: u64) -> io::Result<()> {
		let path = entry.join("generation");
		let now: u64 = fs::read_to_string(&path)?.trim().parse().unwrap();
		fs::write(path, format!("{}\n", now.wrapping_add(by)))
	}
}

impl Kernel for Fake {
	fn create(&self, entry: &Path) -> io::Result<()> {
		if let Some(left) = self.taken.get().checked_sub(1) {
			self.taken.set(left);
			return Err(io::ErrorKind::AlreadyExists.into());
		}
		self.fail(Path::new("entry"))?;
		Linux.create(entry)?;
		fs::write(entry.join("provider"), self.provider)?;
		fs::write(entry.join("generation"), format!("{}\n", u64::MAX))?;
		fs::write(entry.join("inblob"), "")?;
		if let Some(floor) = self.floor {
			fs::write(entry.join("privlevel_floor"), floor)?;
			fs::write(entry.join("privlevel"), "")?;
		}
		if let Some(auxblob) = &self.auxblob {
			fs::write(entry.join("auxblob"), auxblob)?;
		}
		Ok(())
	}

	fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
		self.fail(file)?;
		Linux.write(file, bytes)?;
		let entry = file.parent().unwrap();
		self.bump(entry, 1)?;
		if file.ends_with("inblob") {
			self.asked.set(self.asked.get() + 1);
			let answer = self.outblob.clone().unwrap_or_else(|| [b"report:", bytes].concat());
			fs::write(entry.join("outblob"), answer)?;
		}
		Ok(())
	}

	fn read(&self, file: &Path, most: usize) -> io::Result<Vec<u8>> {
		self.fail(file)?;
		if file.ends_with("outblob") {
			let intruders = self.intruders.borrow_mut().pop().unwrap_or_default();
			self.bump(file.parent().unwrap(), intruders)?;
		}
		Linux.read(file, most)
	}

	fn remove(&self, entry: &Path) -> io::Result<()> {
		self.removed.set(self.removed.get() + 1);
		for file in fs::read_dir(entry)? {
			fs::remove_file(file?.path())?;
		}
		Linux.remove(entry)
	}
}

fn tree() -> Tree {
	Tree::new().directory("sys/kernel/config/tsm/report")
}

/// Asks, and sees that nothing stays behind.
fn ask(kernel: &Fake) -> Result<TsmReport, TsmError> {
	let tree = tree();
	let answer = quote_from(kernel, &tree.path("sys"), &ASKED);
	let left = fs::read_dir(report_directory(&tree.path("sys"))).unwrap().count();
	assert_eq!(left, 0, "an entry stayed");
	answer
}

#[test]
fn report_should_be_what_the_kernel_answers() {
	let kernel = Fake::amd();
	let report = ask(&kernel).unwrap();
	assert_eq!(report.provider, "sev_guest");
	assert_eq!(report.outblob, [b"report:".as_slice(), &ASKED].concat());
	assert_eq!(report.auxblob, b"table");
	assert_eq!((kernel.asked.get(), kernel.removed.get()), (1, 1));
}

#[test]
fn supplement_should_be_empty_when_the_provider_has_none() {
	let kernel = Fake { auxblob: None, provider: "tdx_guest", ..Fake::default() };
	let report = ask(&kernel).unwrap();
	assert_eq!((report.provider.as_str(), report.auxblob), ("tdx_guest", vec![]));
}

#[test]
fn level_should_be_set_when_the_guest_is_not_the_most_privileged() {
	for (floor, asked) in [("0\n", None), ("2\n", Some(()))] {
		let kernel = Fake { floor: Some(floor), ..Fake::amd() };
		assert!(ask(&kernel).is_ok(), "{floor}");
		// A level that cannot be written shows whether it is.
		let kernel = Fake { fails: Some(("privlevel", 22)), ..kernel };
		assert_eq!(ask(&kernel).is_err(), asked.is_some(), "{floor}");
	}
	let odd = ask(&Fake { floor: Some("many"), ..Fake::amd() });
	assert!(matches!(odd, Err(TsmError::Malformed { what: "no level", .. })));
}

#[test]
fn question_should_be_repeated_when_another_process_wrote() {
	let kernel = Fake { intruders: vec![0, 3].into(), ..Fake::amd() };
	assert!(ask(&kernel).is_ok());
	assert_eq!(kernel.asked.get(), 2);
	let kernel = Fake { intruders: vec![1; 9].into(), ..Fake::amd() };
	assert!(matches!(ask(&kernel), Err(TsmError::Contended(_))));
	assert_eq!(kernel.asked.get(), MAX_ATTEMPTS);
}

#[test]
fn sizes_should_be_bounded() {
	let with = |outblob: usize, auxblob: usize| {
		let outblob = Some(vec![1; outblob]);
		ask(&Fake { outblob, auxblob: Some(vec![1; auxblob]), ..Fake::amd() })
	};
	assert!(with(MAX_OUTBLOB_LEN, MAX_AUXBLOB_LEN).is_ok());
	let most = |answer| match answer {
		Err(TsmError::TooLarge { most, .. }) => Some(most),
		_ => None,
	};
	assert_eq!(most(with(MAX_OUTBLOB_LEN + 1, 0)), Some(MAX_OUTBLOB_LEN));
	assert_eq!(most(with(1, MAX_AUXBLOB_LEN + 1)), Some(MAX_AUXBLOB_LEN));
	assert!(matches!(with(0, 0), Err(TsmError::Malformed { what: "nothing", .. })));
	let long: &str = Box::leak("x".repeat(MAX_TEXT_LEN + 1).into_boxed_str());
	assert_eq!(most(ask(&Fake { provider: long, ..Fake::amd() })), Some(MAX_TEXT_LEN));
}

#[test]
fn failures_should_be_told_apart() {
	let with = |file, number| ask(&Fake { fails: Some((file, number)), ..Fake::amd() });
	assert!(matches!(with("entry", 6), Err(TsmError::NoProvider(_))));
	assert!(matches!(with("entry", 13), Err(TsmError::NotAllowed(_))));
	assert!(matches!(with("inblob", 13), Err(TsmError::NotAllowed(_))));
	assert!(matches!(with("outblob", 5), Err(TsmError::Io { .. })));
	assert!(matches!(with("auxblob", 5), Err(TsmError::Io { .. })));
	assert!(matches!(with("generation", 2), Err(TsmError::Io { .. })));
	let none = Tree::new();
	let error = quote(&none.path("sys"), &ASKED).unwrap_err();
	assert!(matches!(error, TsmError::NoInterface(_)));
	assert!(error.what_to_do().contains("mount -t configfs none /sys/kernel/config"));
}

#[test]
fn entry_should_be_removed_when_a_question_fails() {
	for file in ["inblob", "provider", "outblob", "auxblob", "generation"] {
		let kernel = Fake { fails: Some((file, 5)), ..Fake::amd() };
		assert!(ask(&kernel).is_err());
		assert_eq!(kernel.removed.get(), 1, "{file}");
	}
}

#[test]
fn names_of_dead_processes_should_be_passed_over() {
	assert!(ask(&Fake { taken: Cell::new(MAX_NAMES - 1), ..Fake::amd() }).is_ok());
	let all = Fake { taken: Cell::new(MAX_NAMES), ..Fake::amd() };
	assert!(matches!(ask(&all), Err(TsmError::NamesTaken(_))));
	assert_eq!(all.removed.get(), 0, "what others made is theirs");
}

#[test]
fn entry_should_be_left_out_when_the_directory_is_no_configfs() {
	// A plain directory stays empty: nothing is created in it but the entry, which goes again.
	let tree = tree();
	let error = quote(&tree.path("sys"), &ASKED).unwrap_err();
	assert!(matches!(error, TsmError::Io { .. }), "{error}");
	assert_eq!(fs::read_dir(report_directory(&tree.path("sys"))).unwrap().count(), 0);
}

#[test]
fn report_data_should_be_padded_with_zeros() {
	let padded = padded(&[9; 32]);
	assert_eq!((&padded[..32], &padded[32..]), (&[9u8; 32][..], &[0u8; 32][..]));
}
