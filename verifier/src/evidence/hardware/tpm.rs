//! TPM 2.0 quotes (TCG TPM 2.0 parts 1 to 3; TCG EK Credential Profile).
//!
//! A quote says that a key signed PCR values and a nonce. Whose key it is takes more, and there are
//! three cases ([`KeyOrigin`]): nobody says, an authority certified the key, or the TPM that holds a
//! certified endorsement key also holds this one.
//!
//! The last cannot be seen in a quote: the endorsement key decrypts and does not sign. It is shown
//! by `TPM2_ActivateCredential`: a TPM decrypts what was encrypted to its endorsement key only if it
//! also holds the object whose name was given. So the verifier makes its nonce with
//! [`credential_nonce`] for one endorsement key and one attestation key, hands it out in no other
//! form than `TPM2_MakeCredential` for these two, and keeps the seed to itself until the answer is
//! in. A quote with that nonce then proves both: whoever made it knew the nonce, so the TPM of the
//! endorsement key activated the credential, so the attestation key is in that TPM. With the seed
//! anyone can compute this again. Without it [`Check::KeyBinding`] fails with [`Fault::Missing`].
//!
//! **Only an RSA-2048 endorsement key names a TPM.** A chip has a certified key for each algorithm
//! that its maker chose, and every one of them would be another name of the same box. The profiles of
//! TCG ask every TPM of a PC for one of RSA-2048 (EK Credential Profile, template L-1); keys of other
//! algorithms and sizes are refused ([`Check::KeyBinding`], [`Fault::UnknownAlgorithm`]). A maker that
//! certifies the high-range RSA-2048 key (template H-1) as well would still give a chip two names.
//!
//! What stays outside: that the verifier kept its part, and the credential itself, which the caller
//! makes with a TPM library.

pub mod attest;
pub mod key;
mod maker;

pub use attest::Attest;
pub use key::{AttestationKey, Signature};

use super::{
	check::{Check, Checks, Failure, Fault},
	claims::{Claims, Format, Hex, Identity, IdentityKind},
	crypto::{sha256, PublicKey},
	policy::Policy,
	x509::{parse_chain, verify_chain, Certificate, ChainRules},
	Question,
};
use alloc::{collections::BTreeMap, format, vec::Vec};
use maker::{certifies_attestation_key, certifies_endorsement_key, Kind, Maker};

/// Most PCR values that are read. A bank has 24 registers; the bit map has room for 32.
pub const MAX_PCRS: usize = 32;

/// Length of a value of the SHA-256 bank.
pub const PCR_LEN: usize = 32;

/// The modulus of the endorsement key that every TPM has.
const ENDORSEMENT_KEY_BITS: u32 = 2_048;

/// Parts the nonces of credentials from every other hash.
const CREDENTIAL_DOMAIN: &[u8] = b"armature/tpm-credential/1";

/// PCR values of the SHA-256 bank by index.
pub type Pcrs = BTreeMap<u8, Vec<u8>>;

/// A quote with the values that it is about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TpmEvidence {
	/// `TPMS_ATTEST`, as `TPM2_Quote` returns it.
	pub attest: Vec<u8>,
	/// `TPMT_SIGNATURE`, or the bare bytes of an RSASSA signature with SHA-256.
	pub signature: Vec<u8>,
	/// PCR values. Those that were not quoted are ignored.
	pub pcrs: Pcrs,
	/// The key that signed: `SubjectPublicKeyInfo` in DER, `TPMT_PUBLIC` or `TPM2B_PUBLIC`. With an
	/// endorsement key it must be one of the latter two.
	pub attestation_key: Vec<u8>,
	/// Where the key comes from.
	pub origin: KeyOrigin,
}

/// What is known of an attestation key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum KeyOrigin {
	/// Nothing: anyone can make one.
	#[default]
	Unknown,
	/// The chain of its own certificate, leaf first, root last, DER.
	Certified(Vec<Vec<u8>>),
	/// It is in the TPM of an endorsement key.
	Endorsed(EndorsementBinding),
}

/// Binds an attestation key to the endorsement key of its TPM.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EndorsementBinding {
	/// The chain of the endorsement key's certificate, leaf first, root last, DER.
	pub ek_chain: Vec<Vec<u8>>,
	/// The seed of [`credential_nonce`], as the verifier discloses it once the quote is in.
	pub credential_seed: Option<[u8; 32]>,
}

/// The nonce that is handed out as a credential for one endorsement key (SHA-256 of its
/// `SubjectPublicKeyInfo` in DER) and one attestation key ([`key::Area::name`]). Whoever asks with it
/// must give it to nobody in another form, and disclose the seed only after the answer.
pub fn credential_nonce(seed: &[u8; 32], ek_spki_sha256: &[u8; 32], ak_name: &[u8]) -> [u8; 32] {
	// All parts but the last have a fixed length.
	sha256(&[CREDENTIAL_DOMAIN, seed, ek_spki_sha256, ak_name].concat())
}

/// Verifies a quote: layout and bindings, then signatures, then policy.
///
/// # Errors
///
/// The check that ended the verification.
pub fn verify(
	evidence: &TpmEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let unreadable = |fault, checks: &mut Checks| checks.unreadable(Check::Layout, fault);
	let key = AttestationKey::parse(&evidence.attestation_key)
		.map_err(|fault| unreadable(fault, checks))?;
	let quote = Quote::read(&evidence.attest, &evidence.signature, &evidence.pcrs, &key.public)
		.map_err(|fault| unreadable(fault, checks))?;
	checks.note(Check::Layout, Ok(()))?;
	let chain = match &evidence.origin {
		KeyOrigin::Unknown => Vec::new(),
		KeyOrigin::Certified(chain) => parse_chain(chain, checks)?,
		KeyOrigin::Endorsed(binding) => parse_chain(&binding.ek_chain, checks)?,
	};
	question.check_nonce(quote.attest.extra_data, checks)?;
	quote.check_pcrs(checks)?;

	let mut claims = quote.claims();
	let kind = Kind::of(quote.attest.firmware_version, &chain);
	if let Some(leaf) = chain.first() {
		let binding = match &evidence.origin {
			KeyOrigin::Unknown => Ok(()),
			KeyOrigin::Certified(_) => is_certified(&key, leaf),
			KeyOrigin::Endorsed(binding) => is_endorsed(&key, leaf, binding, question),
		};
		checks.note(Check::KeyBinding, binding)?;
		question.check_root(&chain, &question.policy.roots.tpm, checks)?;
		claims.valid = verify_chain(&chain, ChainRules::default(), question, checks)?;
		claims.identity = identity(&evidence.origin, kind, leaf);
		describe(&mut claims, leaf);
	}
	checks.note(Check::ReportSignature, quote.verify_signature(&key.public))?;

	claims.fact("tpm-kind", kind.name());
	if let Some(area) = &key.area {
		claims.fact("attestation-key-name", Hex(&area.name));
		claims.fact("attestation-key-attributes", format_args!("{:#010x}", area.attributes));
	}
	check_kind(kind, question.policy, checks)?;
	check_identity(claims.identity.kind, question.policy, checks)?;
	quote.check_measurements(question.policy, checks)?;
	question.check_revocation(&chain, &claims.identity, checks)?;
	Ok(claims)
}

/// Whether the certificate is this attestation key's.
fn is_certified(key: &AttestationKey, leaf: &Certificate<'_>) -> Result<(), Fault> {
	if leaf.public_key()? != key.public {
		Err(Fault::Mismatch)
	} else if !certifies_attestation_key(leaf) {
		Err(Fault::NotAccepted)
	} else {
		Ok(())
	}
}

/// Whether the nonce was a credential for the certificate's endorsement key and this attestation
/// key, and that is one.
fn is_endorsed(
	key: &AttestationKey,
	leaf: &Certificate<'_>,
	binding: &EndorsementBinding,
	question: &Question<'_>,
) -> Result<(), Fault> {
	let area = key.area.as_ref().ok_or(Fault::Missing)?;
	if !area.is_attestation_key() || !certifies_endorsement_key(leaf) {
		return Err(Fault::NotAccepted);
	}
	if !leaf.public_key()?.is_rsa(ENDORSEMENT_KEY_BITS) {
		return Err(Fault::UnknownAlgorithm);
	}
	let seed = binding.credential_seed.as_ref().ok_or(Fault::Missing)?;
	let nonce = question.nonce.ok_or(Fault::Missing)?;
	if nonce == credential_nonce(seed, &leaf.spki_sha256(), &area.name) {
		Ok(())
	} else {
		Err(Fault::Mismatch)
	}
}

/// Whom the certificate names. A program names nobody, whoever signed for it.
fn identity(origin: &KeyOrigin, kind: Kind, leaf: &Certificate<'_>) -> Identity {
	let kind = match (kind, origin) {
		(Kind::Software, _) | (_, KeyOrigin::Unknown) => IdentityKind::None,
		(Kind::Virtual, _) => IdentityKind::CloudInstance,
		(Kind::Physical, KeyOrigin::Certified(_)) => IdentityKind::TpmAttestationKey,
		(Kind::Physical, KeyOrigin::Endorsed(_)) => IdentityKind::TpmEndorsementKey,
	};
	let id = match kind {
		IdentityKind::None => Vec::new(),
		_ => leaf.spki_sha256().to_vec(),
	};
	Identity { kind, id }
}

/// Adds what the certificate says about the TPM.
fn describe(claims: &mut Claims, leaf: &Certificate<'_>) {
	let maker = Maker::of(leaf);
	claims.maker = maker.name();
	claims.model = maker.model.unwrap_or_default();
	claims.fact("certified-key-sha256", Hex(&leaf.spki_sha256()));
	claims.fact("certificate-serial", Hex(leaf.serial()));
	if let Some(number) = maker.manufacturer {
		claims.fact("tpm-manufacturer", Hex(&number));
	}
	if let Some(version) = maker.version {
		claims.fact("tpm-version", version);
	}
}

fn check_kind(kind: Kind, policy: &Policy, checks: &mut Checks) -> Result<(), Failure> {
	let accepted = match kind {
		Kind::Physical => true,
		Kind::Virtual => policy.allow_virtual_tpm,
		Kind::Software => policy.allow_software_tpm,
	};
	checks.require(Check::PhysicalTpm, accepted, Fault::NotAccepted)
}

fn check_identity(kind: IdentityKind, policy: &Policy, checks: &mut Checks) -> Result<(), Failure> {
	let accepted = match kind {
		IdentityKind::None => policy.allow_uncertified_tpm,
		IdentityKind::CloudInstance => policy.allow_cloud,
		IdentityKind::TpmAttestationKey => policy.allow_attestation_key,
		other => other.names_box(),
	};
	checks.require(Check::BoxIdentity, accepted, Fault::NotAccepted)
}

/// A quote that could be read, with the values that it is about.
pub(super) struct Quote<'a> {
	message: &'a [u8],
	pub(super) attest: Attest<'a>,
	signature: Signature<'a>,
	pcrs: &'a Pcrs,
}

impl<'a> Quote<'a> {
	/// Reads one. The key says what a signature without a header is.
	pub(super) fn read(
		message: &'a [u8],
		signature: &'a [u8],
		pcrs: &'a Pcrs,
		key: &PublicKey,
	) -> Result<Self, Fault> {
		if pcrs.len() > MAX_PCRS {
			return Err(Fault::TooLarge);
		}
		if pcrs.values().any(|value| value.len() != PCR_LEN) {
			return Err(Fault::Malformed);
		}
		let attest = Attest::parse(message)?;
		let signature = Signature::parse(signature, key)?;
		Ok(Self { message, attest, signature, pcrs })
	}

	/// The quoted registers and their values, in the order in which they are digested.
	fn quoted(&self) -> impl Iterator<Item = (u8, Option<&'a [u8]>)> + '_ {
		let pcrs = self.pcrs;
		let selected = self.attest.selected.iter();
		selected.map(move |index| (*index, pcrs.get(index).map(Vec::as_slice)))
	}

	/// Checks that the digest is that of the values.
	pub(super) fn check_pcrs(&self, checks: &mut Checks) -> Result<(), Failure> {
		checks.note(Check::PcrDigest, self.pcrs_agree())
	}

	fn pcrs_agree(&self) -> Result<(), Fault> {
		// The values of other banks do not come with the evidence.
		if self.attest.other_banks {
			return Err(Fault::UnknownAlgorithm);
		}
		let values: Option<Vec<&[u8]>> = self.quoted().map(|(_, value)| value).collect();
		let digest = sha256(&values.ok_or(Fault::Missing)?.concat());
		if self.attest.pcr_digest == digest {
			Ok(())
		} else {
			Err(Fault::Mismatch)
		}
	}

	/// Whether the key signed the quote.
	pub(super) fn verify_signature(&self, key: &PublicKey) -> Result<(), Fault> {
		self.signature.verify(key, self.message)
	}

	/// Checks the values that the policy has references for.
	pub(super) fn check_measurements(
		&self,
		policy: &Policy,
		checks: &mut Checks,
	) -> Result<(), Failure> {
		let outcome = policy.pcrs.iter().try_for_each(|(index, accepted)| {
			let quoted = self.quoted().find(|(quoted, _)| quoted == index);
			let value = quoted.and_then(|(_, value)| value).ok_or(Fault::Missing)?;
			if accepted.iter().any(|known| known.0 == value) {
				Ok(())
			} else {
				Err(Fault::NotAccepted)
			}
		});
		checks.note(Check::Measurement, outcome)
	}

	/// What the quote says. The firmware version has no order that holds for every TPM, and is not
	/// its true one for every key ([`Attest::reset_count`]): [`Claims::tcb`] stays 0.
	pub(super) fn claims(&self) -> Claims {
		let attest = &self.attest;
		let mut claims = Claims::new(Format::Tpm, "unknown");
		claims.nonce = attest.extra_data.to_vec();
		claims.firmware = format!("{:#018x}", attest.firmware_version);
		claims.boot_count = Some(attest.reset_count);
		claims.clock_millis = Some(attest.clock);
		for (index, value) in self.quoted() {
			if let Some(value) = value {
				claims.measure(format!("pcr{index}"), value);
			}
		}
		claims.fact("restart-count", attest.restart_count);
		claims.fact("clock-safe", attest.safe);
		claims.fact("qualified-signer", Hex(attest.qualified_signer));
		claims.fact("pcr-digest", Hex(attest.pcr_digest));
		claims
	}
}
