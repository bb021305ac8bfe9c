//! Evidence that is rooted in hardware: one entry point for every format.
//!
//! [`verify`] answers two questions, which [`Check::side`] keeps apart: whether the maker's hardware
//! said this, now and for us (*crypto*), and whether what it said is good enough (*policy*).
//!
//! Nothing panics on any input; sizes are bounded before anything is read; the caller passes in the
//! instant and the reference values. Sources: AMD 56860 (SEV-SNP ABI), Intel's DCAP quote and PCS
//! formats, TCG TPM 2.0 part 2, NVIDIA's SPDM 1.1 reports, Android Key Attestation, AWS Nitro
//! Enclaves attestation, RFC 9711 for the names of claims.

pub mod android;
pub mod azure;
mod base64;
pub mod check;
pub mod claims;
pub mod crypto;
pub mod dcap;
pub mod der;
pub mod instant;
pub mod nitro;
pub mod nvidia;
pub mod policy;
mod reader;
pub mod snp;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod tpm;
pub mod x509;

use alloc::collections::BTreeSet;
use policy::Digest256;

pub use check::{Check, CheckKind, Checks, Failure, Fault, FaultKind, Side};
pub use claims::{Claims, Format, Identity, IdentityKind, Window};
pub use policy::Policy;
pub use x509::Issuer;

/// Evidence of any supported format, as the makers' tools write it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HardwareEvidence {
	/// AMD SEV-SNP.
	SevSnp(snp::SnpEvidence),
	/// Intel TDX or SGX.
	Dcap(dcap::DcapEvidence),
	/// TPM 2.0.
	Tpm(tpm::TpmEvidence),
	/// Azure: SEV-SNP with a vTPM.
	AzureSnpVtpm(azure::AzureEvidence),
	/// NVIDIA GPUs of one box.
	NvidiaGpu(nvidia::NvidiaEvidence),
	/// Android Key Attestation.
	AndroidKey(android::AndroidEvidence),
	/// AWS Nitro Enclaves.
	NitroEnclave(nitro::NitroEvidence),
}

/// Signatures that held before and need not be computed again. Dates, names, authority, revocation
/// and the roots are looked at every time.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
	/// Issuing certificates, by [`Issuer::sha256`].
	pub issuers: BTreeSet<[u8; 32]>,
	/// Whether the signatures of the very collateral that is given, and of its signers'
	/// certificates, held before ([`dcap::collateral::verify_collateral`]).
	pub collateral: bool,
}

impl Known {
	/// Nothing was verified before.
	pub fn nothing() -> &'static Self {
		static NOTHING: Known = Known { issuers: BTreeSet::new(), collateral: false };
		&NOTHING
	}
}

/// What evidence is held against.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
	/// Whom to trust and what to accept.
	pub policy: &'a Policy,
	/// What the freshness field must contain; `None` leaves freshness unchecked.
	pub nonce: Option<&'a [u8]>,
	/// The instant, in milliseconds since 1970.
	pub now: u64,
	/// What was verified before; [`Known::nothing`] verifies all.
	pub known: &'a Known,
}

impl<'a> Question<'a> {
	/// One that takes nothing as verified before.
	pub fn new(policy: &'a Policy, nonce: Option<&'a [u8]>, now: u64) -> Self {
		Self { policy, nonce, now, known: Known::nothing() }
	}

	/// Checks that the last certificate of a chain is one of the trusted roots.
	fn check_root(
		&self,
		chain: &[x509::Certificate<'_>],
		trusted: &[Digest256],
		checks: &mut Checks,
	) -> Result<(), Failure> {
		let root = chain.last().map(|root| Digest256(root.sha256()));
		let trusted = root.is_some_and(|root| trusted.contains(&root));
		checks.require(Check::Root, trusted, Fault::NotTrusted)
	}

	/// Checks a freshness field, if a nonce was asked for.
	fn check_nonce(&self, field: &[u8], checks: &mut Checks) -> Result<(), Failure> {
		match self.nonce {
			Some(nonce) => {
				checks.require(Check::Nonce, claims::nonce_matches(field, nonce), Fault::Mismatch)
			},
			None => Ok(()),
		}
	}

	/// Checks that neither a certificate nor the identity is on the policy's lists of revoked ones.
	fn check_revocation<'c, 'd: 'c>(
		&self,
		chain: impl IntoIterator<Item = &'c x509::Certificate<'d>>,
		identity: &Identity,
		checks: &mut Checks,
	) -> Result<(), Failure> {
		let revoked = self.policy.revokes_id(&identity.id)
			|| chain
				.into_iter()
				.any(|certificate| self.policy.revokes_serial(certificate.serial()));
		checks.require(Check::Revocation, !revoked, Fault::Revoked)
	}
}

/// Verifies evidence.
///
/// With [`Checks::stop_at_first`], `Ok` means that every check held. With [`Checks::note_all`], `Ok`
/// means only that everything could be read; [`Checks::failed`] has the rest.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify(
	evidence: &HardwareEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	match evidence {
		HardwareEvidence::SevSnp(evidence) => snp::verify(evidence, question, checks),
		HardwareEvidence::Dcap(evidence) => dcap::verify(evidence, question, checks),
		HardwareEvidence::Tpm(evidence) => tpm::verify(evidence, question, checks),
		HardwareEvidence::AzureSnpVtpm(evidence) => azure::verify(evidence, question, checks),
		HardwareEvidence::NvidiaGpu(evidence) => nvidia::verify(evidence, question, checks),
		HardwareEvidence::AndroidKey(evidence) => android::verify(evidence, question, checks),
		HardwareEvidence::NitroEnclave(evidence) => nitro::verify(evidence, question, checks),
	}
}
