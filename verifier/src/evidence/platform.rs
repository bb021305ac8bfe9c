//! Evidence of hardware as it is on the wire, judged as a whole: the platform, its GPUs, the tier.

#[cfg(test)]
mod tests;

use super::{
	gpu_nonce, hardware,
	hardware::{
		android::{self, AndroidEvidence},
		azure::{self, AzureEvidence},
		dcap,
		nitro::{self, NitroEvidence},
		nvidia::{self, GpuEvidence, NvidiaEvidence},
		snp::{self, SnpEvidence},
		tpm::{self, KeyOrigin, Pcrs, TpmEvidence},
		Check, Checks, Claims, Failure, Fault, Format, Known, Policy, Question,
	},
	hardware_id, AttestationResult, EvidenceError, References,
};
use alloc::vec::Vec;
use armature_primitives::{
	device::Tier,
	evidence::{
		hardware::{ders, PcrValues, TpmOrigin},
		EvidenceFormat, GpuReport, PlatformEvidence,
	},
	H256,
};
use sp_io::hashing::blake2_256;

/// How far evidence that holds under its policy roots an identity in hardware. Only identities that
/// name a box count: whatever else a policy accepts stays at T0.
pub fn tier_of(claims: &Claims) -> Tier {
	let names_box = claims.identity.kind.names_box();
	match claims.format {
		Format::SevSnp | Format::Tdx if names_box => Tier::T2,
		Format::Sgx | Format::Tpm if names_box => Tier::T1,
		_ => Tier::T0,
	}
}

/// Which box a platform says it is: what its GPUs are asked with ([`gpu_nonce`]). Nothing of it is
/// verified, so this is for whoever collects evidence. `None` for platforms beside which GPUs do not
/// count.
///
/// # Errors
///
/// [`EvidenceError::Hardware`] for what cannot be read.
pub fn claimed_box(platform: &PlatformEvidence) -> Result<Option<H256>, EvidenceError> {
	let policy = Policy::default();
	let mut checks = Checks::note_all();
	let known = Known::nothing();
	let claims = match platform {
		// Its identity is in the quote; collateral only judges it.
		PlatformEvidence::Dcap { quote } => {
			dcap::verify_quote(quote, None, &Question::new(&policy, None, 0), &mut checks)?
		},
		_ => {
			let references = References { policy: &policy, known, collateral: None, now: 0 };
			verify_platform(platform, &[0; 32], &references, &mut checks)?
		},
	};
	Ok(hardware_id(&claims.identity).filter(|_| tier_of(&claims) == Tier::T2))
}

/// Judges platform and GPUs.
pub(super) fn judge(
	platform: &PlatformEvidence,
	gpus: &[GpuReport],
	report_data: &[u8; 32],
	references: &References<'_>,
	(format, inventory): (EvidenceFormat, H256),
	checks: &mut Checks,
) -> Result<AttestationResult, EvidenceError> {
	let claims = verify_platform(platform, report_data, references, checks)?;
	let mut tier = tier_of(&claims);
	let mut valid = claims.valid;
	let mut identities: Vec<H256> = hardware_id(&claims.identity).into_iter().collect();
	if !gpus.is_empty() {
		let (Tier::T2, Some(platform)) = (tier, identities.first()) else {
			return Err(EvidenceError::GpuWithoutConfidentialPlatform);
		};
		let nonce = gpu_nonce(report_data, platform);
		let found = verify_gpus(gpus, &nonce, references, checks)?;
		valid = valid.intersect(found.valid);
		let parts =
			if found.parts.is_empty() { core::slice::from_ref(&found) } else { &found.parts };
		let mut named: Vec<H256> =
			parts.iter().filter_map(|part| hardware_id(&part.identity)).collect();
		// The order of the reports is that of slots and drivers, and says nothing.
		named.sort();
		identities.extend(named);
		tier = Tier::T3;
	}
	let model = [claims.maker.as_bytes(), claims.model.as_bytes()].concat();
	Ok(AttestationResult {
		tier,
		format,
		inventory,
		identities,
		tcb: claims.tcb,
		model: H256(blake2_256(&model)),
		issuers: checks.issuers().to_vec(),
		certificates: checks.certificates().iter().copied().map(H256).collect(),
		// The window's end is its last instant.
		expires_at: valid.until.saturating_add(1),
	})
}

fn verify_platform(
	platform: &PlatformEvidence,
	report_data: &[u8; 32],
	references: &References<'_>,
	checks: &mut Checks,
) -> Result<Claims, EvidenceError> {
	let References { policy, known, collateral, now } = *references;
	let question = Question { policy, nonce: Some(report_data), now, known };
	let claims = match platform {
		PlatformEvidence::SevSnp { report, leaf, issuers } => {
			let evidence = SnpEvidence {
				report: report.to_vec(),
				leaf: leaf.to_vec(),
				issuers: ders(issuers),
			};
			snp::verify(&evidence, &question, checks)
		},
		PlatformEvidence::Dcap { quote } => {
			let collateral = collateral.ok_or(EvidenceError::CollateralMissing)?;
			dcap::verify_quote(quote, Some(collateral), &question, checks)
		},
		PlatformEvidence::Tpm { attest, signature, pcrs, attestation_key, origin } => {
			let evidence = TpmEvidence {
				attest: attest.to_vec(),
				signature: signature.to_vec(),
				pcrs: registers(pcrs)?,
				attestation_key: attestation_key.to_vec(),
				origin: match origin {
					TpmOrigin::Unknown => KeyOrigin::Unknown,
					TpmOrigin::Certified(chain) => KeyOrigin::Certified(ders(chain)),
				},
			};
			tpm::verify(&evidence, &question, checks)
		},
		PlatformEvidence::AzureSnpVtpm { hcl_report, vcek, issuers, attest, signature, pcrs } => {
			let evidence = AzureEvidence {
				hcl_report: hcl_report.to_vec(),
				vcek: vcek.to_vec(),
				issuers: ders(issuers),
				attest: attest.to_vec(),
				signature: signature.to_vec(),
				pcrs: registers(pcrs)?,
			};
			azure::verify(&evidence, &question, checks)
		},
		PlatformEvidence::AndroidKey { chain } => {
			// Google's list of revoked keys is not signed; the chain's own list is in the policy.
			let evidence = AndroidEvidence { chain: ders(chain), revocation: None };
			android::verify(&evidence, &question, checks)
		},
		PlatformEvidence::NitroEnclave { document } => {
			nitro::verify(&NitroEvidence { document: document.to_vec() }, &question, checks)
		},
	};
	Ok(claims?)
}

/// Register values, each index once.
fn registers(values: &PcrValues) -> Result<Pcrs, Failure> {
	let pcrs: Pcrs = values.iter().map(|pcr| (pcr.index, pcr.value.to_vec())).collect();
	if pcrs.len() == values.len() {
		Ok(pcrs)
	} else {
		Err(Failure::new(Check::Layout, Fault::Malformed))
	}
}

/// Verifies GPUs; a failure of the only one is one of part 0, so that it is not taken for one of the
/// platform.
fn verify_gpus(
	gpus: &[GpuReport],
	nonce: &[u8; 32],
	references: &References<'_>,
	checks: &mut Checks,
) -> Result<Claims, Failure> {
	let References { policy, known, now, .. } = *references;
	let question = hardware::Question { policy, nonce: Some(nonce), now, known };
	let read =
		|gpu: &GpuReport| GpuEvidence { report: gpu.report.to_vec(), chain: ders(&gpu.chain) };
	let evidence = NvidiaEvidence { gpus: gpus.iter().map(read).collect() };
	nvidia::verify(&evidence, &question, checks).map_err(|failure| match gpus {
		[_] => Failure { part: Some(0), ..failure },
		_ => failure,
	})
}
