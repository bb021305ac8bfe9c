//! What an input changes.

use armature_fuzz::Input;

/// Bytes of a device's work that are made up.
pub(crate) struct Changes {
	/// Whether what comes after a changed byte is computed from it, so that it is right by itself, or as if
	/// nothing had been changed.
	pub(crate) carries_on: bool,
	/// Whether the place of the first one is opened, whatever the input says.
	opens_first: bool,
	/// Where, among all bytes, and what the byte is mixed with.
	bytes: Vec<(u32, u8)>,
}

impl Changes {
	/// None at all: the work of an honest device.
	pub(crate) const NONE: Self = Self { carries_on: true, opens_first: false, bytes: Vec::new() };

	/// Flags (one byte, bit 0: what follows is computed from what was changed; bit 1: the first changed place
	/// is opened), then a list of a place (u32) and a byte each.
	pub(crate) fn read(input: &mut Input<'_>) -> Self {
		let flags = input.u8();
		let (carries_on, opens_first) = (flags & 1 == 1, flags & 2 == 2);
		let bytes = input.list(|input| (u32::from_le_bytes(input.array()), input.u8()));
		Self { carries_on, opens_first, bytes }
	}

	/// The first changed byte, if its place is to be opened.
	pub(crate) fn opened(&self) -> Option<u32> {
		self.bytes.first().filter(|_| self.opens_first).map(|(at, _)| *at)
	}

	/// Changes a part of all bytes that starts at `from`.
	pub(crate) fn apply(&self, part: &mut [u8], from: usize, all: usize) {
		for (at, mixed) in &self.bytes {
			let byte = (*at as usize % all).checked_sub(from).and_then(|at| part.get_mut(at));
			if let Some(byte) = byte {
				*byte ^= mixed;
			}
		}
	}
}

/// Changes an encoding: a list of a place (u16) and what the byte there is mixed with. What came of them
/// may be what was there before.
pub(crate) fn change(input: &mut Input<'_>, bytes: &mut [u8]) {
	let len = bytes.len();
	let changes = input.list(|input| (u16::from_le_bytes(input.array()), input.u8()));
	for (at, mixed) in changes {
		bytes[usize::from(at) % len] ^= mixed;
	}
}

/// Puts a part of another encoding in the same place: start and length (u16 each).
pub(crate) fn graft(input: &mut Input<'_>, bytes: &mut [u8], other: &[u8]) {
	let start = usize::from(u16::from_le_bytes(input.array())) % bytes.len();
	let len = usize::from(u16::from_le_bytes(input.array()));
	for (byte, other) in bytes.iter_mut().zip(other).skip(start).take(len) {
		*byte = *other;
	}
}
