//! Android Key Attestation: what the keystore of a phone certifies about a key that it made.
//!
//! The evidence is a chain of certificates from the key to Google's root. The extension of the
//! leaf says where the key is, how the system was booted and how old its parts are. No field names
//! the device: the identity is that of the key, and only a policy that asks for no more
//! ([`Policy::allow_android_key`]) accepts it.
//!
//! Google's revocation list is not signed: whoever asks must have fetched it
//! (<https://android.googleapis.com/attestation/status>), and without it revocation is not checked.
//!
//! Keys attested by another attested key (`ATTEST_KEY`) are refused: such a chain has two
//! extensions, and the outer one is whatever the inner key's owner wanted.

mod description;
mod status;

use super::{
	check::{Check, Checks, Failure, Fault},
	claims::{Claims, DebugStatus, Format, Hex, Identity, IdentityKind},
	instant::Rfc3339,
	policy::{Policy, SecurityLevel},
	x509::{parse_chain, verify_chain, ChainRules},
	Question,
};
use alloc::{borrow::Cow, format, string::String, vec::Vec};
use description::{ApplicationId, BootState, KeyDescription};

pub use description::{KEY_DESCRIPTION, MAX_CHALLENGE_LEN};
pub use status::MAX_STATUS_LEN;

/// `KeyOrigin::GENERATED`: the key was made where it is.
const GENERATED: u64 = 0;

/// A key's certificates, as `KeyStore.getCertificateChain` gives them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AndroidEvidence {
	/// Certificates in DER, leaf first, root last.
	pub chain: Vec<Vec<u8>>,
	/// Google's revocation list, `status.json`, as it is published; at most [`MAX_STATUS_LEN`]
	/// bytes. `None` leaves it unchecked.
	pub revocation: Option<Vec<u8>>,
}

/// Verifies the chain of a key.
///
/// # Errors
///
/// As [`super::verify`].
pub fn verify(
	evidence: &AndroidEvidence,
	question: &Question<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	if evidence.revocation.as_ref().is_some_and(|list| list.len() > MAX_STATUS_LEN) {
		return Err(checks.unreadable(Check::Layout, Fault::TooLarge));
	}
	let chain = parse_chain(&evidence.chain, checks)?;
	let (Some((leaf, issuers)), Some(root)) = (chain.split_first(), chain.last()) else {
		return Err(checks.unreadable(Check::CertificateLayout(0), Fault::Missing));
	};
	let extension = leaf
		.extension(KEY_DESCRIPTION)
		.ok_or_else(|| checks.unreadable(Check::Layout, Fault::Missing))?;
	let description =
		KeyDescription::read(extension).map_err(|fault| checks.unreadable(Check::Layout, fault))?;
	checks.note(Check::Layout, Ok(()))?;

	for (at, issuer) in (1u8..).zip(issuers) {
		// An attested key that issues could claim anything in the extension of its own leaf.
		if issuer.extension(KEY_DESCRIPTION).is_some() {
			checks.note(Check::CertificateAuthority(at), Err(Fault::NotAccepted))?;
		}
	}
	question.check_nonce(description.challenge, checks)?;
	let key = root.spki_sha256();
	let trusted = question.policy.roots.android.iter().any(|root| root.0 == key);
	checks.require(Check::Root, trusted, Fault::NotTrusted)?;
	let valid = verify_chain(&chain, ChainRules::default(), question, checks)?;
	if let Some(list) = &evidence.revocation {
		let serials: Vec<_> = chain.iter().map(|certificate| certificate.serial()).collect();
		match status::listed(list, &serials) {
			Ok(listed) => {
				for (at, listed) in (0u8..).zip(listed) {
					checks.require(Check::CertificateRevocation(at), !listed, Fault::Revoked)?;
				}
			},
			Err(_) => checks.note(Check::CertificateRevocation(0), Err(Fault::Malformed))?,
		}
	}

	let mut claims = claims(&description);
	claims.valid = valid;
	claims.identity.id = leaf.spki_sha256().to_vec();
	claims.fact("box-identity", "none: the key is named, not the device");
	claims
		.fact("revocation-list", if evidence.revocation.is_some() { "given" } else { "not given" });
	judge(&description, question.policy, checks)?;
	question.check_revocation(&chain, &claims.identity, checks)?;
	Ok(claims)
}

/// Policy, but for revocation.
fn judge(
	description: &KeyDescription<'_>,
	policy: &Policy,
	checks: &mut Checks,
) -> Result<(), Failure> {
	checks.require(Check::BoxIdentity, policy.allow_android_key, Fault::NotAccepted)?;
	checks.note(Check::SecurityLevel, security_level(description, policy))?;
	// Only the hardware's list counts: the software's is written by what is to be judged.
	let boot = description.hardware.root_of_trust;
	let locked = match boot {
		None => Err(Fault::Missing),
		Some(boot) if boot.locked || policy.allow_unlocked_boot => Ok(()),
		Some(_) => Err(Fault::NotAccepted),
	};
	checks.note(Check::BootLocked, locked)?;
	let verified = match boot {
		None => Err(Fault::Missing),
		Some(boot) if boot.state == BootState::Verified || policy.allow_unverified_boot => Ok(()),
		Some(_) => Err(Fault::NotAccepted),
	};
	checks.note(Check::VerifiedBoot, verified)?;
	checks.note(Check::TcbLevel, patch_levels(description, policy.min_android_patch))
}

/// The lower of where the key is and where the attestation was made.
fn level(description: &KeyDescription<'_>) -> SecurityLevel {
	description.attestation_level.min(description.keystore_level)
}

/// The key is where it should be, and was never elsewhere.
fn security_level(description: &KeyDescription<'_>, policy: &Policy) -> Result<(), Fault> {
	let level = level(description);
	if level < policy.min_android_level {
		return Err(Fault::NotAccepted);
	}
	let list = match level {
		SecurityLevel::Software => &description.software,
		SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox => &description.hardware,
	};
	match list.origin {
		Some(GENERATED) => Ok(()),
		Some(_) => Err(Fault::NotAccepted),
		None => Err(Fault::Missing),
	}
}

/// Every patch level that the version has is at least `floor` (YYYYMM; 0 accepts all).
fn patch_levels(description: &KeyDescription<'_>, floor: u32) -> Result<(), Fault> {
	if floor == 0 {
		return Ok(());
	}
	let all = description.has_all_patch_levels();
	let list = &description.hardware;
	for (level, needed) in [(list.os_patch, true), (list.vendor_patch, all), (list.boot_patch, all)]
	{
		match level {
			Some(level) if month(level) < floor => return Err(Fault::NotAccepted),
			None if needed => return Err(Fault::Missing),
			_ => {},
		}
	}
	Ok(())
}

/// The month, YYYYMM, of a patch level: those of the system are months, those of vendor and boot
/// loader days (YYYYMMDD) or, on older devices, months. 0 for what is neither.
fn month(level: u64) -> u32 {
	let month = match level {
		100_000..=999_999 => level,
		10_000_000..=99_999_999 => level / 100,
		_ => 0,
	};
	u32::try_from(month).unwrap_or_default()
}

/// What the extension says.
fn claims(description: &KeyDescription<'_>) -> Claims {
	let mut claims = Claims::new(Format::AndroidKey, "Google");
	let hardware = &description.hardware;
	claims.nonce = description.challenge.to_vec();
	let kind = match level(description) {
		SecurityLevel::Software => IdentityKind::None,
		SecurityLevel::TrustedEnvironment => IdentityKind::AndroidTee,
		SecurityLevel::StrongBox => IdentityKind::AndroidStrongBox,
	};
	claims.identity = Identity { kind, id: Vec::new() };
	let names: Vec<_> = [hardware.manufacturer, hardware.brand, hardware.model]
		.into_iter()
		.flatten()
		.map(String::from_utf8_lossy)
		.collect();
	claims.model = names.join(" ");
	claims.firmware = format!(
		"os {} patch {}, vendor {}, boot {}",
		or_dash(hardware.os_version),
		or_dash(hardware.os_patch),
		or_dash(hardware.vendor_patch),
		or_dash(hardware.boot_patch)
	);
	let months = [hardware.os_patch, hardware.vendor_patch, hardware.boot_patch];
	claims.tcb = months.into_iter().flatten().map(month).min().map_or(0, u64::from);

	claims.fact("attestation-version", description.version);
	claims.fact("attestation-security-level", level_name(description.attestation_level));
	claims.fact("keymint-version", description.keystore_version);
	claims.fact("keymint-security-level", level_name(description.keystore_level));
	claims.fact("unique-id", Hex(description.unique_id));
	boot_claims(description, &mut claims);
	key_facts(description, &mut claims);
	application_facts(description, &mut claims);
	claims
}

/// How the system was booted.
fn boot_claims(description: &KeyDescription<'_>, claims: &mut Claims) {
	let Some(boot) = description.hardware.root_of_trust else { return };
	claims.debug = match (boot.locked, boot.state) {
		(false, _) => DebugStatus::Enabled,
		(true, BootState::Verified) => DebugStatus::Disabled,
		(true, _) => DebugStatus::Unknown,
	};
	claims.measure("verified-boot-key", boot.boot_key);
	if let Some(hash) = boot.boot_hash {
		claims.measure("verified-boot-hash", hash);
	}
	claims.fact("device-locked", boot.locked);
	claims.fact("verified-boot-state", boot.state.name());
}

/// The key, as the hardware describes it, and when the device's clock says it was made.
fn key_facts(description: &KeyDescription<'_>, claims: &mut Claims) {
	let hardware = &description.hardware;
	if let Some(purposes) = &hardware.purposes {
		claims.fact("purpose", joined(purposes, &PURPOSES));
	}
	if let Some(algorithm) = hardware.algorithm {
		claims.fact("algorithm", named(algorithm, &ALGORITHMS));
	}
	if let Some(size) = hardware.key_size {
		claims.fact("key-size", size);
	}
	if let Some(digests) = &hardware.digests {
		claims.fact("digest", joined(digests, &DIGESTS));
	}
	claims.fact("no-auth-required", hardware.no_auth_required.is_some());
	if let Some(origin) = hardware.origin {
		claims.fact("origin", named(origin, &ORIGINS));
	}
	if let Some(created) = hardware.created.or(description.software.created) {
		claims.fact("creation-date-time", Rfc3339(created));
	}
}

/// Who asked for the key, according to the operating system.
fn application_facts(description: &KeyDescription<'_>, claims: &mut Claims) {
	let Some(id) = description.software.application_id else { return };
	match ApplicationId::read(id) {
		Ok(id) => {
			for (package, version) in id.packages {
				claims.fact("application-package", format_args!("{package} {version}"));
			}
			for digest in id.signatures {
				claims.fact("application-signature", Hex(digest));
			}
		},
		// It proves nothing, so it refuses nothing.
		Err(_) => claims.fact("application-id", "unreadable"),
	}
}

fn or_dash(value: Option<u64>) -> Cow<'static, str> {
	value.map_or(Cow::Borrowed("-"), |value| format!("{value}").into())
}

fn level_name(level: SecurityLevel) -> &'static str {
	match level {
		SecurityLevel::Software => "software",
		SecurityLevel::TrustedEnvironment => "trusted-environment",
		SecurityLevel::StrongBox => "strong-box",
	}
}

/// Names of numbers of KeyMint's `KeyPurpose.aidl`, `Algorithm.aidl`, `Digest.aidl`,
/// `KeyOrigin.aidl`.
type Names = [(u64, &'static str)];

const PURPOSES: [(u64, &str); 7] = [
	(0, "encrypt"),
	(1, "decrypt"),
	(2, "sign"),
	(3, "verify"),
	(5, "wrap-key"),
	(6, "agree-key"),
	(7, "attest-key"),
];

const ALGORITHMS: [(u64, &str); 5] =
	[(1, "rsa"), (3, "ec"), (32, "aes"), (33, "triple-des"), (128, "hmac")];

const DIGESTS: [(u64, &str); 7] = [
	(0, "none"),
	(1, "md5"),
	(2, "sha-1"),
	(3, "sha-224"),
	(4, "sha-256"),
	(5, "sha-384"),
	(6, "sha-512"),
];

const ORIGINS: [(u64, &str); 5] = [
	(GENERATED, "generated"),
	(1, "derived"),
	(2, "imported"),
	(3, "reserved"),
	(4, "securely-imported"),
];

fn named(number: u64, names: &Names) -> Cow<'static, str> {
	names
		.iter()
		.find(|(known, _)| *known == number)
		.map_or_else(|| format!("{number}").into(), |(_, name)| Cow::Borrowed(*name))
}

fn joined(numbers: &[u64], names: &Names) -> String {
	numbers
		.iter()
		.map(|number| named(*number, names))
		.collect::<Vec<_>>()
		.join(", ")
}
