//! A look at a module's outline before the compiler sees it.
//!
//! Compilation cannot be interrupted, so what makes it superlinear is bounded first: the size of
//! one function (register allocation), the number of functions and the number of locals (a few
//! bytes declare thousands). Everything else is left to wasmtime's own validation.

/// The largest module, in bytes.
pub const MAX_MODULE_BYTES: usize = 16 * 1024 * 1024;

/// The most functions that a module may define.
pub const MAX_FUNCTIONS: u32 = 65_536;

/// The largest function body, in bytes.
pub const MAX_FUNCTION_BYTES: usize = 1024 * 1024;

/// The most locals that all functions together may declare.
pub const MAX_LOCALS: u64 = 4 * 1024 * 1024;

/// A core module of version 1.
const HEADER: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

const CODE_SECTION: u8 = 10;

/// Why a module is not compiled at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ScanError {
	#[error("it has {0} bytes; the most is {MAX_MODULE_BYTES}")]
	TooLarge(usize),
	#[error("it is no core WebAssembly module of version 1")]
	NotAModule,
	#[error("it ends in the middle of a section")]
	Truncated,
	#[error("it defines {0} functions; the most is {MAX_FUNCTIONS}")]
	TooManyFunctions(u32),
	#[error("one of its functions has {0} bytes; the most is {MAX_FUNCTION_BYTES}")]
	FunctionTooLarge(usize),
	#[error("its functions declare more than {MAX_LOCALS} locals")]
	TooManyLocals,
}

/// Refuses what is too large or too odd to compile.
pub(crate) fn check(module: &[u8]) -> Result<(), ScanError> {
	if module.len() > MAX_MODULE_BYTES {
		return Err(ScanError::TooLarge(module.len()));
	}
	let body = module.strip_prefix(&HEADER).ok_or(ScanError::NotAModule)?;
	let mut sections = Reader(body);
	while !sections.0.is_empty() {
		let id = sections.byte()?;
		let length = sections.u32()?;
		let section = sections.take(length)?;
		if id == CODE_SECTION {
			check_code(section)?;
		}
	}
	Ok(())
}

fn check_code(section: &[u8]) -> Result<(), ScanError> {
	let mut bodies = Reader(section);
	let count = bodies.u32()?;
	if count > MAX_FUNCTIONS {
		return Err(ScanError::TooManyFunctions(count));
	}
	let mut locals: u64 = 0;
	for _ in 0..count {
		let length = bodies.u32()?;
		let body = bodies.take(length)?;
		if body.len() > MAX_FUNCTION_BYTES {
			return Err(ScanError::FunctionTooLarge(body.len()));
		}
		let mut body = Reader(body);
		// Each group takes two bytes at least, so the body's length bounds this loop.
		for _ in 0..body.u32()? {
			locals = locals.saturating_add(u64::from(body.u32()?));
			if locals > MAX_LOCALS {
				return Err(ScanError::TooManyLocals);
			}
			body.skip_type()?;
		}
	}
	Ok(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
	fn byte(&mut self) -> Result<u8, ScanError> {
		let (first, rest) = self.0.split_first().ok_or(ScanError::Truncated)?;
		self.0 = rest;
		Ok(*first)
	}

	fn take(&mut self, length: u32) -> Result<&'a [u8], ScanError> {
		let length = usize::try_from(length).map_err(|_| ScanError::Truncated)?;
		let (taken, rest) = self.0.split_at_checked(length).ok_or(ScanError::Truncated)?;
		self.0 = rest;
		Ok(taken)
	}

	/// An unsigned LEB128 of at most five bytes.
	fn u32(&mut self) -> Result<u32, ScanError> {
		let mut value: u64 = 0;
		for shift in [0u32, 7, 14, 21, 28] {
			let byte = self.byte()?;
			value |= u64::from(byte & 0x7f) << shift;
			if byte & 0x80 == 0 {
				return u32::try_from(value).map_err(|_| ScanError::NotAModule);
			}
		}
		Err(ScanError::NotAModule)
	}

	/// A value type: one byte, or a reference prefix followed by a LEB128 heap type.
	fn skip_type(&mut self) -> Result<(), ScanError> {
		if matches!(self.byte()?, 0x63 | 0x64) {
			while self.byte()? & 0x80 != 0 {}
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn leb(mut value: u32) -> Vec<u8> {
		let mut out = Vec::new();
		loop {
			let byte = (value & 0x7f) as u8;
			value >>= 7;
			if value == 0 {
				out.push(byte);
				return out;
			}
			out.push(byte | 0x80);
		}
	}

	fn with_code(bodies: &[Vec<u8>]) -> Vec<u8> {
		let mut section = leb(bodies.len() as u32);
		for body in bodies {
			section.extend(leb(body.len() as u32));
			section.extend(body);
		}
		let mut module = HEADER.to_vec();
		module.push(CODE_SECTION);
		module.extend(leb(section.len() as u32));
		module.extend(section);
		module
	}

	fn with_locals(count: u32) -> Vec<u8> {
		let mut body = vec![1];
		body.extend(leb(count));
		body.extend([0x7f, 0x0b]);
		body
	}

	#[test]
	fn an_empty_module_should_pass() {
		assert_eq!(check(&HEADER), Ok(()));
	}

	#[test]
	fn other_bytes_should_be_refused() {
		assert_eq!(check(b""), Err(ScanError::NotAModule));
		assert_eq!(check(b"#!/bin/sh\n"), Err(ScanError::NotAModule));
		// A component: version 13, layer 1.
		assert_eq!(check(b"\0asm\x0d\0\x01\0"), Err(ScanError::NotAModule));
	}

	#[test]
	fn size_should_be_checked_on_both_sides_of_the_bound() {
		let at = |len: usize| {
			// One custom section that fills the module.
			let mut module = HEADER.to_vec();
			module.push(0);
			let header = module.len() + 4;
			module.extend(leb((len - header) as u32));
			module.resize(len, 0);
			module
		};
		assert_eq!(check(&at(MAX_MODULE_BYTES)), Ok(()));
		let over = MAX_MODULE_BYTES + 1;
		assert_eq!(check(&at(over)), Err(ScanError::TooLarge(over)));
	}

	#[test]
	fn functions_should_be_checked_on_both_sides_of_the_bounds() {
		let body = |len: usize| {
			let mut body = vec![0; len];
			body[len - 1] = 0x0b;
			body
		};
		assert_eq!(check(&with_code(&[body(MAX_FUNCTION_BYTES)])), Ok(()));
		let over = MAX_FUNCTION_BYTES + 1;
		assert_eq!(check(&with_code(&[body(over)])), Err(ScanError::FunctionTooLarge(over)));
		let many = vec![vec![0, 0x0b]; MAX_FUNCTIONS as usize + 1];
		assert_eq!(check(&with_code(&many[1..])), Ok(()));
		let refused = ScanError::TooManyFunctions(MAX_FUNCTIONS + 1);
		assert_eq!(check(&with_code(&many)), Err(refused));
	}

	#[test]
	fn locals_should_be_summed_over_functions() {
		let half = with_locals((MAX_LOCALS / 2) as u32);
		assert_eq!(check(&with_code(&[half.clone(), half.clone()])), Ok(()));
		let refused = check(&with_code(&[half.clone(), half, with_locals(1)]));
		assert_eq!(refused, Err(ScanError::TooManyLocals));
	}

	#[test]
	fn truncated_modules_should_be_refused_at_every_length() {
		let module = with_code(&[with_locals(3), vec![0, 0x0b]]);
		for length in HEADER.len() + 1..module.len() {
			assert_eq!(check(&module[..length]), Err(ScanError::Truncated), "at {length}");
		}
		assert_eq!(check(&module), Ok(()));
	}
}
