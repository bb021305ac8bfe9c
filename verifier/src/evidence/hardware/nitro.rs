//! AWS Nitro Enclaves: a document that the hypervisor signs for an enclave, with a certificate that
//! lives for three hours under AWS's root.
//!
//! It names an enclave of a cloud instance, never a box: anyone can rent another. The signing key is
//! the hypervisor's; what stands for the enclave is PCR0, the digest of its image.

pub mod document;

pub use document::{Document, Envelope, MAX_DOCUMENT_LEN};

use super::{
	check::{Check, Checks, Failure, Fault},
	claims::{Claims, DebugStatus, Format, Hex, Identity, IdentityKind, Window},
	x509::{parse_chain, verify_chain, Certificate, ChainRules},
	Question,
};
use alloc::{format, string::String, vec::Vec};

/// The PCRs of image, kernel and application; an enclave in debug mode has only zeros in them.
const IMAGE_PCRS: [u8; 3] = [0, 1, 2];

/// An attestation document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NitroEvidence {
	/// COSE_Sign1, with or without its tag, as the Nitro Security Module gives it.
	pub document: Vec<u8>,
}

/// Verifies a document: crypto first, then policy. The nonce is the document's own; one that the
/// enclave left out matches nothing.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify(
	evidence: &NitroEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let (envelope, document) =
		read(&evidence.document).map_err(|fault| checks.unreadable(Check::Layout, fault))?;
	checks.note(Check::Layout, Ok(()))?;
	question.check_nonce(document.nonce.unwrap_or_default(), checks)?;
	let chain: Vec<&[u8]> = core::iter::once(document.certificate)
		.chain(document.cabundle.iter().rev().copied())
		.collect();
	let chain = parse_chain(&chain, checks)?;
	question.check_root(&chain, &question.policy.roots.nitro, checks)?;
	checks.note(Check::ReportSignature, verify_document(&envelope, &chain))?;
	let valid = verify_chain(&chain, ChainRules::default(), question, checks)?;
	let claims = claims(&document, valid);
	check_policy(&document, &claims, &chain, question, checks)?;
	Ok(claims)
}

fn read(bytes: &[u8]) -> Result<(Envelope<'_>, Document<'_>), Fault> {
	let envelope = Envelope::parse(bytes)?;
	let document = Document::parse(envelope.payload)?;
	Ok((envelope, document))
}

fn verify_document(envelope: &Envelope<'_>, chain: &[Certificate<'_>]) -> Result<(), Fault> {
	let leaf = chain.first().ok_or(Fault::Missing)?;
	leaf.verify_p384(&envelope.signed()?, envelope.signature)
}

/// Whether the enclave runs in debug mode.
fn debugs(document: &Document<'_>) -> bool {
	IMAGE_PCRS
		.iter()
		.filter_map(|index| document.pcrs.get(index))
		.all(|value| value.iter().all(|byte| *byte == 0))
}

fn check_policy(
	document: &Document<'_>,
	claims: &Claims,
	chain: &[Certificate<'_>],
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<(), Failure> {
	let policy = question.policy;
	let no_debug = policy.allow_debug || claims.debug == DebugStatus::Disabled;
	checks.require(Check::Debug, no_debug, Fault::NotAccepted)?;
	checks.require(Check::BoxIdentity, policy.allow_cloud, Fault::NotAccepted)?;
	let image = document.pcrs.get(&0).copied().unwrap_or_default();
	let measured = policy.accepts_measurement(image);
	checks.require(Check::Measurement, measured, Fault::NotAccepted)?;
	question.check_revocation(chain, &claims.identity, checks)
}

/// What the document says.
fn claims(document: &Document<'_>, valid: Window) -> Claims {
	let mut claims = Claims::new(Format::NitroEnclave, "AWS");
	claims.nonce = document.nonce.unwrap_or_default().to_vec();
	claims.identity =
		Identity { kind: IdentityKind::CloudInstance, id: document.module_id.as_bytes().to_vec() };
	claims.model = String::from("Nitro Enclave");
	claims.debug = if debugs(document) { DebugStatus::Enabled } else { DebugStatus::Disabled };
	claims.valid = valid;
	for (index, value) in &document.pcrs {
		if value.iter().any(|byte| *byte != 0) {
			claims.measure(format!("pcr{index}"), value);
		}
	}
	claims.fact("module-id", document.module_id);
	claims.fact("digest", "SHA384");
	claims.fact("timestamp", document.timestamp);
	claims.fact("pcrs", document.pcrs.len());
	for (name, data) in [("public-key", document.public_key), ("user-data", document.user_data)] {
		if let Some(bytes) = data {
			claims.fact(name, Hex(bytes));
		}
	}
	claims
}
