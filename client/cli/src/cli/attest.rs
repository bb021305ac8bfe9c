//! Commands of hardware evidence.

use armature_verifier::evidence::hardware::instant::parse_rfc3339;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand)]
pub(crate) enum Attest {
	/// Verify hardware evidence from files: AMD SEV-SNP, Intel TDX and SGX, TPM quotes, Azure
	/// confidential VMs, NVIDIA GPUs, Android keys, AWS Nitro Enclaves. No chain is needed. Exits
	/// with 0 if signatures and policy hold, 1 if not, 2 if a file is nothing that can be verified.
	Verify(AttestVerify),
	/// Put on chain what Intel says of one kind of platform, so that its quotes can be verified: TCB
	/// info, identity of the quoting enclave, revocation lists. For anyone; Intel signed it. It must
	/// hold now and be newer than what is there.
	SubmitCollateral {
		/// The collateral as JSON, in the form that dcap-qvl and PCCS clients write.
		file: PathBuf,
	},
}

#[derive(Args)]
pub(crate) struct AttestVerify {
	/// The report, quote or document, the certificates beside it and what else belongs to it, in any
	/// order: binary, PEM, JSON, hex or base64.
	#[arg(required = true, value_name = "FILE")]
	pub(crate) files: Vec<PathBuf>,
	/// The instant to verify at, as 2026-01-31T12:00:00Z; now if not given.
	#[arg(long, value_name = "RFC3339", value_parser = instant)]
	pub(crate) at: Option<u64>,
	/// What the evidence was asked to contain, in hex; freshness is not checked if not given.
	#[arg(long, value_name = "HEX", value_parser = bytes)]
	pub(crate) nonce: Option<Bytes>,
	/// What to accept, TOML or JSON; without it no debugging, no cloud, no virtual or software TPM.
	#[arg(long, value_name = "FILE")]
	pub(crate) policy: Option<PathBuf>,
	/// Certificates of further roots to trust; may be repeated.
	#[arg(long, value_name = "FILE")]
	pub(crate) root: Vec<PathBuf>,
	/// Seed of the credential by which a TPM's endorsement key vouches for the key of a quote: 64
	/// hexadecimal digits.
	#[arg(long, value_name = "HEX", value_parser = seed)]
	pub(crate) credential_seed: Option<Seed>,
}

/// Bytes of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

/// A seed of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) [u8; 32]);

fn instant(text: &str) -> Result<u64, String> {
	parse_rfc3339(text).ok_or_else(|| "an instant is written as 2026-01-31T12:00:00Z".into())
}

fn bytes(text: &str) -> Result<Bytes, String> {
	hex::decode(text.strip_prefix("0x").unwrap_or(text))
		.ok()
		.filter(|bytes| !bytes.is_empty())
		.map(Bytes)
		.ok_or_else(|| "a nonce is an even number of hexadecimal digits".into())
}

fn seed(text: &str) -> Result<Seed, String> {
	super::hash(text)
		.map(|seed| Seed(seed.0))
		.map_err(|_| "a seed is 64 hexadecimal digits".into())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn arguments_should_mean_what_they_say() {
		assert_eq!(instant("2026-01-01T01:00:00+01:00"), Ok(1_767_225_600_000));
		assert!(instant("2026-01-01").unwrap_err().contains("2026-01-31T12:00:00Z"));
		assert_eq!(bytes("0x00fF"), Ok(Bytes(vec![0, 0xff])));
		for text in ["", "0", "zz", "0x"] {
			assert!(bytes(text).unwrap_err().contains("hexadecimal digits"), "{text}");
		}
		assert_eq!(seed(&"0a".repeat(32)), Ok(Seed([10; 32])));
		assert_eq!(seed("0a").unwrap_err(), "a seed is 64 hexadecimal digits");
	}
}
