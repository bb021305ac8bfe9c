//! Hardware evidence as files: what is in them, what belongs together, and what came of it.

mod advice;
mod assemble;
mod certificates;
mod encoding;
mod json;
mod present;
mod recognise;
mod revocation;
#[cfg(test)]
mod samples;

pub(crate) use assemble::assemble;
pub(crate) use certificates::trust_roots;
pub(crate) use present::{Given, View};
pub(crate) use recognise::{recognise, Found, Part};

/// The most files of one call.
pub(crate) const MAX_FILES: usize = 32;

/// The largest file that is read.
pub(crate) const MAX_FILE_LEN: u64 = 8 * 1024 * 1024;
