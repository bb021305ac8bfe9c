//! Reports through configfs-tsm (Linux 6.7 and later, `Documentation/ABI/testing/configfs-tsm`).
//!
//! An entry is a directory that the kernel fills: what is to be signed is written to `inblob`, the
//! answer is read from `outblob` and `auxblob`. `generation` counts what was written: if it is not
//! what this process wrote, someone else wrote to the same entry, and the answer may be to that.

use crate::files;
use std::{
	fs, io,
	path::{Path, PathBuf},
	sync::atomic::{AtomicU64, Ordering},
};

#[cfg(test)]
mod tests;

/// Length of what a report can be asked to contain.
pub const REPORT_DATA_LEN: usize = 64;

/// The largest report or quote that is read.
pub const MAX_OUTBLOB_LEN: usize = 16 * 1024;

/// The largest supplement that is read: the kernel's own bound.
pub const MAX_AUXBLOB_LEN: usize = 32 * 1024;

/// The longest text that is read from an attribute.
const MAX_TEXT_LEN: usize = 64;

/// Names that are tried for an entry. One that is taken was left behind by a process that died.
const MAX_NAMES: u32 = 16;

/// How often a report is asked for when someone else writes to the entry.
const MAX_ATTEMPTS: u32 = 3;

/// Parts the entries of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What the kernel answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TsmReport {
	/// Who made it: `sev_guest`, `tdx_guest`.
	pub provider: String,
	/// The report or quote.
	pub outblob: Vec<u8>,
	/// What comes with it; empty if nothing does.
	pub auxblob: Vec<u8>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TsmError {
	/// No configfs-tsm.
	#[error("the kernel has no {}", .0.display())]
	NoInterface(PathBuf),
	/// The interface is there, and nothing behind it.
	#[error("no driver answers behind {}", .0.display())]
	NoProvider(PathBuf),
	/// Not allowed.
	#[error("this process may not use {}", .0.display())]
	NotAllowed(PathBuf),
	/// All names for an entry are taken.
	#[error("the entries of this process in {} are taken", .0.display())]
	NamesTaken(PathBuf),
	/// Somebody else writes to the entry.
	#[error("another process wrote to {} while it was in use", .0.display())]
	Contended(PathBuf),
	/// An answer is larger than any real one.
	#[error("{} holds more than {most} bytes", path.display())]
	TooLarge {
		/// The attribute.
		path: PathBuf,
		/// Its limit.
		most: usize,
	},
	/// An answer makes no sense.
	#[error("{} holds {what}", path.display())]
	Malformed {
		/// The attribute.
		path: PathBuf,
		/// What it holds.
		what: &'static str,
	},
	/// Something else went wrong.
	#[error("using {}", path.display())]
	Io {
		/// The file.
		path: PathBuf,
		/// What the system said.
		#[source]
		error: io::Error,
	},
}

impl TsmError {
	/// What a person can do about it.
	pub fn what_to_do(&self) -> &'static str {
		match self {
			TsmError::NoInterface(_) => {
				"this evidence is made inside a guest with Linux 6.7 or later and CONFIG_TSM_REPORTS; \
				 there, mount configfs: mount -t configfs none /sys/kernel/config"
			},
			TsmError::NoProvider(_) => {
				"load the driver of the guest: modprobe sev-guest (AMD) or modprobe tdx_guest (Intel)"
			},
			TsmError::NotAllowed(_) => {
				"run as root: what configfs-tsm makes belongs to root (CAP_DAC_OVERRIDE is enough)"
			},
			TsmError::NamesTaken(_) => {
				"remove what dead processes left: rmdir /sys/kernel/config/tsm/report/armature-*"
			},
			TsmError::Contended(_) => "stop what else writes to entries named armature-*; run it again",
			TsmError::TooLarge { .. } | TsmError::Malformed { .. } => {
				"report it with the output of uname -a: this kernel answers in a way that is not known"
			},
			TsmError::Io { .. } => {
				"look at the end of dmesg: the guest's driver says there why the firmware or host refused"
			},
		}
	}
}

/// What is asked of the kernel; tests have one that misbehaves.
trait Kernel {
	fn create(&self, entry: &Path) -> io::Result<()>;
	fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()>;
	fn read(&self, file: &Path, most: usize) -> io::Result<Vec<u8>>;
	fn remove(&self, entry: &Path) -> io::Result<()>;
}

struct Linux;

impl Kernel for Linux {
	fn create(&self, entry: &Path) -> io::Result<()> {
		fs::create_dir(entry)
	}

	fn write(&self, file: &Path, bytes: &[u8]) -> io::Result<()> {
		// Neither created nor truncated: attributes are there or the interface is another one. The
		// kernel takes a blob in one write.
		use std::io::Write;
		let mut opened = fs::OpenOptions::new().write(true).open(file)?;
		opened.write_all(bytes)
	}

	fn read(&self, file: &Path, most: usize) -> io::Result<Vec<u8>> {
		files::whole(file, most)
	}

	fn remove(&self, entry: &Path) -> io::Result<()> {
		fs::remove_dir(entry)
	}
}

/// Where entries are made, below the root of `sysfs`.
pub fn report_directory(sys: &Path) -> PathBuf {
	sys.join("kernel/config/tsm/report")
}

/// What a report is asked to contain: the 32 bytes, and zeros.
pub fn padded(report_data: &[u8; 32]) -> [u8; REPORT_DATA_LEN] {
	let mut out = [0; REPORT_DATA_LEN];
	out.iter_mut().zip(report_data).for_each(|(to, from)| *to = *from);
	out
}

/// Asks for a report over `report_data`. `sys` is the root of `sysfs`.
///
/// Blocks: a TDX quote takes the host seconds.
///
/// # Errors
///
/// See [`TsmError`]. The entry is removed whatever happens.
pub fn quote(sys: &Path, report_data: &[u8; REPORT_DATA_LEN]) -> Result<TsmReport, TsmError> {
	quote_from(&Linux, sys, report_data)
}

fn quote_from(
	kernel: &dyn Kernel,
	sys: &Path,
	report_data: &[u8; REPORT_DATA_LEN],
) -> Result<TsmReport, TsmError> {
	let entry = Entry::make(kernel, &report_directory(sys))?;
	for _ in 0..MAX_ATTEMPTS {
		if let Some(report) = entry.ask(report_data)? {
			return Ok(report);
		}
	}
	Err(TsmError::Contended(entry.path.clone()))
}

/// An entry, until it is dropped.
struct Entry<'a> {
	kernel: &'a dyn Kernel,
	path: PathBuf,
}

impl Drop for Entry<'_> {
	fn drop(&mut self) {
		if let Err(error) = self.kernel.remove(&self.path) {
			tracing::warn!(path = %self.path.display(), %error, "an entry of configfs-tsm stays");
		}
	}
}

impl<'a> Entry<'a> {
	fn make(kernel: &'a dyn Kernel, directory: &Path) -> Result<Self, TsmError> {
		if !directory.is_dir() {
			return Err(TsmError::NoInterface(directory.to_owned()));
		}
		for _ in 0..MAX_NAMES {
			let number = NEXT.fetch_add(1, Ordering::Relaxed);
			let path = directory.join(format!("armature-{}-{number}", std::process::id()));
			match kernel.create(&path) {
				Ok(()) => return Ok(Self { kernel, path }),
				Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {},
				Err(error) => return Err(failure(directory, 0, error)),
			}
		}
		Err(TsmError::NamesTaken(directory.to_owned()))
	}

	/// One question; `None` when someone else asked something in between.
	fn ask(&self, report_data: &[u8; REPORT_DATA_LEN]) -> Result<Option<TsmReport>, TsmError> {
		let before = self.generation()?;
		self.write("inblob", report_data)?;
		let mut written = 1;
		// A guest that is not at the most privileged level may only ask for its own and lower ones.
		if let Some(floor) = self.privilege_floor()? {
			self.write("privlevel", floor.to_string().as_bytes())?;
			written = 2;
		}
		let expected = before.wrapping_add(written);
		let provider = self.text("provider")?;
		let outblob = self.read("outblob", MAX_OUTBLOB_LEN)?;
		let auxblob = self.read_optional("auxblob", MAX_AUXBLOB_LEN)?.unwrap_or_default();
		if self.generation()? != expected {
			return Ok(None);
		}
		if outblob.is_empty() {
			return Err(self.malformed("outblob", "nothing"));
		}
		Ok(Some(TsmReport { provider, outblob, auxblob }))
	}

	fn generation(&self) -> Result<u64, TsmError> {
		let text = self.text("generation")?;
		text.parse().map_err(|_| self.malformed("generation", "no number"))
	}

	/// The least privileged level that may be asked for, if it is not the most privileged one.
	fn privilege_floor(&self) -> Result<Option<u8>, TsmError> {
		let Some(bytes) = self.read_optional("privlevel_floor", MAX_TEXT_LEN)? else {
			return Ok(None);
		};
		let floor = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
		match floor {
			Some(0) => Ok(None),
			Some(floor) => Ok(Some(floor)),
			None => Err(self.malformed("privlevel_floor", "no level")),
		}
	}

	fn text(&self, name: &str) -> Result<String, TsmError> {
		let bytes = self.read(name, MAX_TEXT_LEN)?;
		let text = std::str::from_utf8(&bytes).map_err(|_| self.malformed(name, "no text"))?;
		Ok(text.trim().to_owned())
	}

	fn read(&self, name: &str, most: usize) -> Result<Vec<u8>, TsmError> {
		let path = self.path.join(name);
		self.kernel.read(&path, most).map_err(|error| failure(&path, most, error))
	}

	/// An attribute that not every provider has.
	fn read_optional(&self, name: &str, most: usize) -> Result<Option<Vec<u8>>, TsmError> {
		let path = self.path.join(name);
		match self.kernel.read(&path, most) {
			Ok(bytes) => Ok(Some(bytes)),
			Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
			Err(error) => Err(failure(&path, most, error)),
		}
	}

	fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TsmError> {
		let path = self.path.join(name);
		self.kernel.write(&path, bytes).map_err(|error| failure(&path, 0, error))
	}

	fn malformed(&self, name: &str, what: &'static str) -> TsmError {
		TsmError::Malformed { path: self.path.join(name), what }
	}
}

/// `ENXIO`, what the kernel answers when no driver has registered itself.
const NO_PROVIDER: i32 = 6;

fn failure(path: &Path, most: usize, error: io::Error) -> TsmError {
	let path = path.to_owned();
	match error.kind() {
		io::ErrorKind::PermissionDenied => TsmError::NotAllowed(path),
		io::ErrorKind::FileTooLarge => TsmError::TooLarge { path, most },
		_ if error.raw_os_error() == Some(NO_PROVIDER) => TsmError::NoProvider(path),
		_ => TsmError::Io { path, error },
	}
}
