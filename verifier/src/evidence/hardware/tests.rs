//! Every format against real evidence, damaged evidence, and evidence of our own making.

#![allow(clippy::unwrap_used, reason = "tests")]

mod android;
mod azure;
mod chains;
mod common;
mod dcap;
mod nitro;
mod nvidia;
mod seeds;
mod snp;
mod tpm;
mod x509;
