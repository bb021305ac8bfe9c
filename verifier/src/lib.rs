//! Verification that the chain and the services share.
//!
//! The same code judges off chain and, in a dispute, in the runtime. It is pure: the caller passes
//! in the time, the seeds and the keys. Nothing here panics on any input, and every input is
//! bounded before it is decoded.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod challenge;
pub mod evidence;
pub mod merkle;
pub mod signature;
