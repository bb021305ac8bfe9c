//! One module for each group of commands.

pub(crate) mod account;
pub(crate) mod ask;
pub(crate) mod attest;
pub(crate) mod blob;
pub(crate) mod chain;
pub(crate) mod challenge;
pub(crate) mod config;
pub(crate) mod daemons;
pub(crate) mod device;
pub(crate) mod energy;
pub(crate) mod evidence;
pub(crate) mod job;
pub(crate) mod keys;
pub(crate) mod lease;
pub(crate) mod maintenance;
pub(crate) mod order;
pub(crate) mod outcome;
pub(crate) mod position;
pub(crate) mod provider;
pub(crate) mod rack;
pub(crate) mod score;
pub(crate) mod services;
pub(crate) mod site;
pub(crate) mod verifier;
pub(crate) mod watch;
pub(crate) mod workload;
