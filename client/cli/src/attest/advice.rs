//! What to do about a check that failed.

use armature_verifier::evidence::hardware::{
	check::{Check, Failure, Fault},
	claims::Format,
};

/// A sentence for people; empty where the fault says it all.
pub(crate) fn advice(format: Format, failure: &Failure) -> &'static str {
	use Fault::{BadSignature, Expired, Missing, NoReference, NotTrusted, NotYetValid};
	match (failure.check, failure.fault) {
		(Check::Layout, fault) => layout(fault),
		(Check::CertificateLayout(_) | Check::Root, Missing) => missing_certificate(format),
		(Check::Root, NotTrusted) => {
			"the chain ends in a certificate that is not the maker's root; if you trust it, name it \
			 with --root"
		},
		(Check::CertificateDates(_), NotYetValid) => "see that --at and this machine's clock are right",
		(Check::CertificateDates(_), Expired) => expired(format),
		(Check::CertificateIssuer(_), _) => {
			"its issuer's name is not the next certificate's: give the chain that belongs to it"
		},
		(Check::CertificateSignature(_), BadSignature) => {
			"it was altered, or the next certificate did not issue it: give the chain that belongs \
			 to it"
		},
		(Check::CertificateAuthority(_), _) => match format {
			Format::SevSnp | Format::AzureSnpVtpm => {
				"give the ASK (ASVK for a VLEK) and the ARK of this processor's product"
			},
			_ => "it may not issue certificates: whatever is below it proves nothing",
		},
		(Check::CertificateRevocation(_), Fault::Malformed) => {
			"fetch the list again: https://android.googleapis.com/attestation/status"
		},
		(Check::CertificateRevocation(_), _) => {
			"the maker does not vouch for this key any more: do not trust the device"
		},
		(Check::ReportSignature | Check::QuoteSignature | Check::QeReportSignature, BadSignature) => {
			"it was altered, or another key signed it: give the certificate that belongs to it"
		},
		(Check::KeyBinding, Missing) if format == Format::Tpm => {
			"only a nonce that the endorsement key has decrypted binds both keys: give its seed with \
			 --credential-seed, the nonce with --nonce and the key in the TPM's own form"
		},
		(Check::KeyBinding, _) => "the parts are not of one device, or one of them was altered",
		(Check::ChipBinding, _) => "the certificate is another chip's: fetch it by this chip's id",
		(Check::TcbBinding, _) => {
			"the certificate is for other firmware: fetch the one for the reported TCB"
		},
		(Check::PcrDigest, _) => "the PCR values are not those that were quoted: read them again",
		(Check::Nonce, _) => {
			"it was made for another nonce: ask the device again, or see that --nonce is right"
		},
		(check, fault) if is_collateral(check) => collateral(fault),
		(Check::TcbLevel, Missing) if matches!(format, Format::Tdx | Format::Sgx) => collateral(Missing),
		(check, fault) => policy(format, check, fault == NoReference),
	}
}

fn layout(fault: Fault) -> &'static str {
	match fault {
		Fault::Truncated => "it was cut short: give it whole",
		Fault::TrailingBytes => "give it as the device made it, with nothing behind it",
		Fault::TooLarge => "nothing of it was read",
		Fault::UnknownVersion(_) => "a later version of this program may know it",
		_ => "it was altered, or made by something else",
	}
}

fn missing_certificate(format: Format) -> &'static str {
	match format {
		Format::SevSnp | Format::AzureSnpVtpm => {
			"give the VCEK or VLEK and the maker's ASK (ASVK for a VLEK) and ARK (cert_chain) beside \
			 the report; https://kdsintf.amd.com has them"
		},
		Format::NvidiaGpu => "give the GPU's certificate chain, with NVIDIA's root, beside the report",
		Format::AndroidKey => "give the whole chain of KeyStore.getCertificateChain",
		Format::Tpm => "give the whole chain of the certificate, with the maker's root",
		Format::Tdx | Format::Sgx | Format::NitroEnclave => {
			"the certificates should be inside: ask the device for new evidence"
		},
	}
}

fn expired(format: Format) -> &'static str {
	match format {
		Format::AndroidKey => {
			"if it is Google's root: Google issued the same key a later certificate; give that one \
			 too, or verify at the time of the evidence with --at"
		},
		Format::NitroEnclave => {
			"the certificate lives for three hours: verify at the time of the document with --at"
		},
		_ => "fetch a new certificate, or verify at the time of the evidence with --at",
	}
}

/// Whether the check is about what comes with a DCAP quote.
fn is_collateral(check: Check) -> bool {
	matches!(
		check,
		Check::TcbInfoSignature
			| Check::TcbInfoDates
			| Check::TcbInfoMatch
			| Check::QeIdentitySignature
			| Check::QeIdentityDates
			| Check::QeIdentityMatch
			| Check::PckCrlSignature
			| Check::PckCrlDates
			| Check::RootCrlSignature
			| Check::RootCrlDates
			| Check::TdxModule
	)
}

fn collateral(fault: Fault) -> &'static str {
	match fault {
		Fault::Missing => {
			"give the collateral of the platform (JSON, as dcap-qvl writes it) beside the quote"
		},
		Fault::Expired => {
			"fetch the collateral again, or verify at the time of the evidence with --at"
		},
		Fault::NotYetValid => "see that --at and this machine's clock are right",
		Fault::Mismatch => "the collateral is another platform's, or for another kind of enclave",
		_ => "fetch the collateral again",
	}
}

fn policy(format: Format, check: Check, no_reference: bool) -> &'static str {
	match check {
		Check::Debug => "whoever runs it can look inside; the policy's allow_debug would accept that",
		Check::TcbLevel if no_reference => {
			"neither the maker nor the policy has a level for this firmware"
		},
		Check::TcbLevel => "update the firmware, or lower what the policy asks for",
		Check::Measurement if no_reference => {
			"name the launch measurements that are accepted in the policy (measurements)"
		},
		Check::Measurement => "something else was started than the policy knows",
		Check::BoxIdentity => match format {
			Format::SevSnp => "it names a cloud or nothing; the policy's allow_vlek accepts a VLEK",
			Format::Tpm => {
				"no maker says which TPM it is; give the certificate of its endorsement key, or see \
				 allow_uncertified_tpm, allow_attestation_key and allow_cloud of the policy"
			},
			Format::AzureSnpVtpm | Format::NitroEnclave => {
				"it names a tenant of a cloud; the policy's allow_cloud accepts that"
			},
			_ => "it names no single machine",
		},
		Check::PhysicalTpm => {
			"the TPM is a program; see allow_virtual_tpm and allow_software_tpm of the policy"
		},
		Check::BootLocked => {
			"lock the device's boot loader; the policy's allow_unlocked_boot accepts an open one"
		},
		Check::VerifiedBoot => {
			"boot the maker's signed system; the policy's allow_unverified_boot accepts others"
		},
		Check::Revocation => "the policy lists a certificate or the identity as revoked",
		Check::PrivilegeLevel => "ask for the report at a more privileged level",
		Check::PlatformConfiguration => "start the machine without what the policy forbids",
		Check::SecurityLevel => "make the key in hardware of the level that the policy asks for",
		_ => "",
	}
}
