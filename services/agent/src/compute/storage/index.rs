//! What was sealed, and for whom.

use super::{files::Directory, files_of, Records, SealPlan, StorageFault};
use armature_primitives::H256;
use armature_verifier::challenge::fill::SizeError;
use codec::{Decode, DecodeAll, Encode};
use std::io::Write;

/// The name of its file.
pub(super) const NAME: &str = "storage.index";

/// What it begins with.
const MAGIC: &[u8; 16] = b"armature/sealed2";

/// More than an index of the most sectors takes.
const MAX_BYTES: u64 = 4 << 20;

/// What an index takes beside its roots, and more.
const HEADER_BYTES: u64 = 128;

/// What a root takes, or that there is none.
const ROOT_BYTES: u64 = 33;

/// What was sealed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub(super) struct Index {
	pub(super) plan: SealPlan,
	/// Of each sector, `None` until its files are on disk.
	pub(super) roots: Vec<Option<H256>>,
}

impl Index {
	/// Nothing is sealed yet.
	pub(super) fn new(plan: SealPlan) -> Self {
		Self { plan, roots: (0..plan.sectors).map(|_| None).collect() }
	}

	/// The same with as many sectors as the `plan` has, which differs in nothing else. What was sealed stays;
	/// what was only begun of sectors that are no longer planned is removed.
	pub(super) fn fit(
		mut self,
		plan: SealPlan,
		directory: &Directory,
	) -> Result<Self, StorageFault> {
		let before = self.plan.sectors;
		if self.plan != (SealPlan { sectors: before, ..plan }) {
			return Err(StorageFault::Other(directory.path().to_owned()));
		}
		let sealed = (1u32..).zip(&self.roots).filter(|(_, root)| root.is_some());
		let sealed = sealed.last().map_or(0, |(count, _)| count);
		if plan.sectors < sealed {
			return Err(StorageFault::More { directory: directory.path().to_owned(), sealed });
		}
		for name in (plan.sectors..before).flat_map(files_of) {
			directory.remove(&name)?;
		}
		let len = usize::try_from(plan.sectors).map_err(|_| SizeError::TooLarge)?;
		self.roots.resize(len, None);
		self.plan = plan;
		Ok(self)
	}

	/// The roots of the first sectors, as far as they are sealed.
	pub(super) fn leading(&self) -> Vec<H256> {
		self.roots.iter().map_while(|root| *root).collect()
	}

	/// Reads the index of a directory; `None` if the directory is empty.
	pub(super) fn load(directory: &Directory) -> Result<Option<Self>, StorageFault> {
		let foreign = || StorageFault::Foreign(directory.path().to_owned());
		let Some(bytes) = directory.read_all(NAME, MAX_BYTES)? else {
			return if directory.is_empty_but_for(NAME)? { Ok(None) } else { Err(foreign()) };
		};
		let mut encoded = bytes.strip_prefix(MAGIC).ok_or_else(foreign)?;
		match Self::decode_all(&mut encoded) {
			Ok(index) if index.is_sound() => Ok(Some(index)),
			_ => Err(StorageFault::DamagedIndex(directory.path().join(NAME))),
		}
	}

	fn is_sound(&self) -> bool {
		self.plan.check().is_ok()
			&& u32::try_from(self.roots.len()).is_ok_and(|count| count == self.plan.sectors)
	}

	/// Writes it.
	pub(super) fn store(&self, directory: &Directory) -> Result<(), StorageFault> {
		let mut bytes = MAGIC.to_vec();
		self.encode_to(&mut bytes);
		directory.write(NAME, |file| file.write_all(&bytes))
	}

	/// At most how many bytes it takes on disk.
	pub(super) fn disk_bytes(&self) -> u64 {
		u64::from(self.plan.sectors)
			.saturating_mul(ROOT_BYTES)
			.saturating_add(HEADER_BYTES)
	}

	/// Sectors that are still to be sealed, in order.
	pub(super) fn missing(&self, directory: &Directory) -> Result<Vec<u32>, StorageFault> {
		let lengths = [self.plan.sector().bytes(), Records::new(self.plan.blocks).bytes()];
		let mut missing = Vec::new();
		for (sector, root) in (0u32..).zip(&self.roots) {
			let mut is_whole = root.is_some();
			for (name, len) in files_of(sector).iter().zip(lengths) {
				is_whole = is_whole && directory.len_of(name)? == Some(len);
			}
			if !is_whole {
				missing.push(sector);
			}
		}
		Ok(missing)
	}

	/// Whether a sector may have this root: any, until it was sealed once.
	pub(super) fn allows(&self, sector: u32, root: &H256) -> bool {
		let known = usize::try_from(sector).ok().and_then(|sector| self.roots.get(sector));
		known.is_some_and(|known| known.is_none_or(|known| known == *root))
	}

	/// Enters a sector whose files are on disk.
	pub(super) fn enter(&mut self, sector: u32, root: H256) {
		let slot = usize::try_from(sector).ok().and_then(|sector| self.roots.get_mut(sector));
		if let Some(slot) = slot {
			*slot = Some(root);
		}
	}
}
