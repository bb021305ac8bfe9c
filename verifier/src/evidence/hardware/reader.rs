//! Reads fields of binary structures off the front of a slice.

use super::check::Fault;

/// The bytes that are left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
	rest: &'a [u8],
}

impl<'a> Fields<'a> {
	pub(super) fn new(bytes: &'a [u8]) -> Self {
		Self { rest: bytes }
	}

	/// What is left.
	pub(super) fn rest(&self) -> &'a [u8] {
		self.rest
	}

	/// The next `len` bytes.
	pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
		let (head, rest) = self.rest.split_at_checked(len).ok_or(Fault::Truncated)?;
		self.rest = rest;
		Ok(head)
	}

	/// The next `N` bytes.
	pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
		self.take(N)?.try_into().map_err(|_| Fault::Truncated)
	}

	pub(super) fn u8(&mut self) -> Result<u8, Fault> {
		self.array::<1>().map(|[byte]| byte)
	}

	pub(super) fn u16_le(&mut self) -> Result<u16, Fault> {
		self.array().map(u16::from_le_bytes)
	}

	pub(super) fn u32_le(&mut self) -> Result<u32, Fault> {
		self.array().map(u32::from_le_bytes)
	}

	pub(super) fn u64_le(&mut self) -> Result<u64, Fault> {
		self.array().map(u64::from_le_bytes)
	}

	pub(super) fn u16_be(&mut self) -> Result<u16, Fault> {
		self.array().map(u16::from_be_bytes)
	}

	pub(super) fn u32_be(&mut self) -> Result<u32, Fault> {
		self.array().map(u32::from_be_bytes)
	}

	pub(super) fn u64_be(&mut self) -> Result<u64, Fault> {
		self.array().map(u64::from_be_bytes)
	}

	/// Ends the reading: nothing may be left.
	pub(super) fn finish(self) -> Result<(), Fault> {
		if self.rest.is_empty() {
			Ok(())
		} else {
			Err(Fault::TrailingBytes)
		}
	}
}
