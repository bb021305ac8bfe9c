//! Evidence out of parts that were given in any order.

use super::{
	certificates::{name, Pool},
	recognise::Part,
	revocation::{revoked_by, Revoked},
};
use armature_verifier::evidence::hardware::{
	android::{AndroidEvidence, KEY_DESCRIPTION},
	azure::AzureEvidence,
	crypto::{Hash, PublicKey},
	dcap::{Collateral, DcapEvidence},
	nitro::NitroEvidence,
	nvidia::{self, GpuEvidence, NvidiaEvidence, MAX_GPUS},
	snp::{endorsement::Endorsement, Report, SnpEvidence, REPORT_LEN},
	tpm::{AttestationKey, EndorsementBinding, KeyOrigin, Pcrs, TpmEvidence},
	x509::Certificate,
	HardwareEvidence,
};

/// Evidence, and what was left over.
#[derive(Debug)]
pub(crate) struct Assembled {
	pub(crate) evidence: HardwareEvidence,
	/// Serial numbers of certificates that the given lists revoke.
	pub(crate) revoked: Revoked,
	/// Sentences about parts that were not needed.
	pub(crate) notes: Vec<String>,
}

/// Parts by kind.
#[derive(Default)]
struct Parts {
	snp_reports: Vec<Vec<u8>>,
	quotes: Vec<Vec<u8>>,
	collaterals: Vec<Collateral>,
	gpu_reports: Vec<Vec<u8>>,
	nitro_documents: Vec<Vec<u8>>,
	hcl_reports: Vec<Vec<u8>>,
	attests: Vec<Vec<u8>>,
	signatures: Vec<Vec<u8>>,
	keys: Vec<Vec<u8>>,
	pcrs: Vec<Pcrs>,
	certificates: Vec<Vec<u8>>,
	statuses: Vec<Vec<u8>>,
	lists: Vec<Vec<u8>>,
	notes: Vec<String>,
}

impl Parts {
	fn sort(parts: Vec<Part>) -> Self {
		let mut sorted = Self::default();
		for part in parts {
			let name = part.name();
			match part {
				Part::SnpReport(bytes) => add(&mut sorted.snp_reports, bytes),
				Part::Quote(bytes) => add(&mut sorted.quotes, bytes),
				Part::Collateral(collateral) => add(&mut sorted.collaterals, *collateral),
				Part::GpuReport(bytes) => add(&mut sorted.gpu_reports, bytes),
				Part::NitroDocument(bytes) => add(&mut sorted.nitro_documents, bytes),
				Part::HclReport(bytes) => add(&mut sorted.hcl_reports, bytes),
				Part::TpmAttest(bytes) => add(&mut sorted.attests, bytes),
				Part::TpmSignature(bytes) => add(&mut sorted.signatures, bytes),
				Part::TpmKey(bytes) => add(&mut sorted.keys, bytes),
				Part::Pcrs(pcrs) => add(&mut sorted.pcrs, pcrs),
				Part::Certificate(bytes) => add(&mut sorted.certificates, bytes),
				Part::AndroidStatus(bytes) => add(&mut sorted.statuses, bytes),
				Part::Crl(bytes) => add(&mut sorted.lists, bytes),
				Part::PrivateKey => add(&mut sorted.notes, format!("not used: {name}")),
			}
		}
		sorted
	}

	/// Notes about what the kind of evidence at hand has no place for.
	fn note_leftover(&mut self) {
		for (name, count) in [
			("DCAP collateral", self.collaterals.len()),
			("TPM quote", self.attests.len()),
			("TPM signature", self.signatures.len()),
			("public key", self.keys.len()),
			("PCR values", self.pcrs.len()),
			("Android revocation list", self.statuses.len()),
		] {
			if count > 0 {
				self.notes.push(format!("not used: {name}"));
			}
		}
	}
}

/// Puts a part to others of its kind, unless it is there already.
fn add<T: PartialEq>(parts: &mut Vec<T>, part: T) {
	if !parts.contains(&part) {
		parts.push(part);
	}
}

/// The only part of its kind.
fn one<T>(parts: &mut Vec<T>, what: &str) -> Result<Option<T>, String> {
	if parts.len() > 1 {
		return Err(format!("{what}: {} were given; verify them one at a time", parts.len()));
	}
	Ok(parts.pop())
}

fn needed<T>(parts: &mut Vec<T>, what: &str, beside: &str) -> Result<T, String> {
	one(parts, what)?.ok_or_else(|| format!("{beside} comes with {what}, which was not given"))
}

/// Sorts out what belongs together. Certificates of `roots` are used where a chain needs them.
/// `credential_seed` is that of [`EndorsementBinding`].
///
/// # Errors
///
/// A sentence about what is missing or too much. Certificates that are missing are the verifier's to
/// name.
pub(crate) fn assemble(
	parts: Vec<Part>,
	roots: &[Vec<u8>],
	now: u64,
	credential_seed: Option<[u8; 32]>,
) -> Result<Assembled, String> {
	let mut parts = Parts::sort(parts);
	let certificates = std::mem::take(&mut parts.certificates);
	let sorter = Sorter { pool: Pool::new(&certificates, roots)?, now };
	let revoked = revoked_by(&parts.lists, &sorter.pool, now)?;
	let (evidence, used) = match kind(&parts, &sorter)? {
		Kind::Snp => sorter.snp(&mut parts)?,
		Kind::Dcap => {
			let quote = needed(&mut parts.quotes, "DCAP quotes", "a quote")?;
			let collateral = one(&mut parts.collaterals, "DCAP collaterals")?;
			(HardwareEvidence::Dcap(DcapEvidence { quote, collateral }), Vec::new())
		},
		Kind::Nvidia => sorter.nvidia(&mut parts)?,
		Kind::Nitro => {
			let document = needed(&mut parts.nitro_documents, "Nitro documents", "a document")?;
			(HardwareEvidence::NitroEnclave(NitroEvidence { document }), Vec::new())
		},
		Kind::Azure => sorter.azure(&mut parts)?,
		Kind::Tpm => sorter.tpm(&mut parts, credential_seed)?,
		Kind::Android => sorter.android(&mut parts)?,
	};
	parts.note_leftover();
	let unused = sorter.pool.unused(&used);
	if !unused.is_empty() {
		parts.notes.push(format!("certificates not used: {}", unused.join(", ")));
	}
	Ok(Assembled { evidence, revoked, notes: parts.notes })
}

/// Kinds of evidence, by what they cannot be without.
#[derive(Clone, Copy)]
enum Kind {
	Snp,
	Dcap,
	Nvidia,
	Nitro,
	Azure,
	Tpm,
	Android,
}

/// The only kind that the parts can be.
fn kind(parts: &Parts, sorter: &Sorter<'_>) -> Result<Kind, String> {
	let azure = !parts.hcl_reports.is_empty();
	let found: Vec<_> = [
		(Kind::Snp, "an SEV-SNP report", !parts.snp_reports.is_empty()),
		(Kind::Dcap, "a DCAP quote", !parts.quotes.is_empty()),
		(Kind::Nvidia, "an NVIDIA GPU report", !parts.gpu_reports.is_empty()),
		(Kind::Nitro, "a Nitro document", !parts.nitro_documents.is_empty()),
		(Kind::Azure, "an Azure HCL report", azure),
		(Kind::Tpm, "a TPM quote", !parts.attests.is_empty() && !azure),
		(Kind::Android, "an Android key's certificate", !sorter.attested_keys().is_empty()),
	]
	.into_iter()
	.filter(|(_, _, found)| *found)
	.collect();
	match found.as_slice() {
		[(kind, ..)] => Ok(*kind),
		[] => Err("there is no report, quote, document or attested key among these files".into()),
		many => {
			let names: Vec<_> = many.iter().map(|(_, name, _)| *name).collect();
			Err(format!(
				"there are {} among these files: verify them one at a time",
				names.join(" and ")
			))
		},
	}
}

/// Evidence with the certificates that it uses.
type Sorted = (HardwareEvidence, Vec<usize>);

/// Finds the certificates that belong to a report.
struct Sorter<'a> {
	pool: Pool<'a>,
	now: u64,
}

impl Sorter<'_> {
	fn chain(&self, leaf: Option<usize>) -> Vec<usize> {
		leaf.map_or_else(Vec::new, |leaf| self.pool.chain(leaf, self.now))
	}

	/// Leaf and issuers of an AMD report.
	fn amd(&self, report: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>, Vec<usize>) {
		let candidates = self.pool.find(|one| Endorsement::read(one).is_ok());
		let parsed = Report::parse(report).ok();
		let fits = |at: &&usize| {
			let endorsement = self.pool.get(**at).and_then(|one| Endorsement::read(one).ok());
			endorsement.zip(parsed.as_ref()).is_some_and(|(endorsement, report)| {
				endorsement.kind.number() == report.signing_key()
					&& endorsement.hardware_id.is_ok_and(|id| report.chip_id.starts_with(id))
			})
		};
		let leaf = candidates.iter().find(fits).or_else(|| candidates.first()).copied();
		let mut chain = self.chain(leaf);
		if chain.len() == 1 {
			// None of them issued it. The verifier says why if it sees them.
			chain.extend(self.named("SEV-").into_iter().take(1));
			chain.extend(self.named("ARK-").into_iter().take(1));
		}
		let mut issuers = self.pool.der(&chain).into_iter();
		let leaf = issuers.next().unwrap_or_default();
		(leaf, issuers.collect(), chain)
	}

	/// AMD's issuing certificates by what their names begin with.
	fn named(&self, prefix: &str) -> Vec<usize> {
		self.pool.find(|one| {
			one.common_name().is_some_and(|name| name.starts_with(prefix))
				&& Endorsement::read(one).is_err()
		})
	}

	fn snp(&self, parts: &mut Parts) -> Result<Sorted, String> {
		let report = needed(&mut parts.snp_reports, "SEV-SNP reports", "a report")?;
		let (leaf, issuers, used) = self.amd(&report);
		Ok((HardwareEvidence::SevSnp(SnpEvidence { report, leaf, issuers }), used))
	}

	fn azure(&self, parts: &mut Parts) -> Result<Sorted, String> {
		const BESIDE: &str = "an Azure HCL report";
		let hcl_report = needed(&mut parts.hcl_reports, "HCL reports", BESIDE)?;
		let attest = needed(&mut parts.attests, "a quote of the vTPM", BESIDE)?;
		let signature = needed(&mut parts.signatures, "the quote's signature", BESIDE)?;
		let pcrs = needed(&mut parts.pcrs, "the PCR values", BESIDE)?;
		// Behind the header of 32 bytes.
		let report = hcl_report.get(32..).and_then(|rest| rest.get(..REPORT_LEN));
		let (vcek, issuers, used) = self.amd(report.unwrap_or_default());
		let evidence = AzureEvidence { hcl_report, vcek, issuers, attest, signature, pcrs };
		Ok((HardwareEvidence::AzureSnpVtpm(evidence), used))
	}

	/// Each report with the chain whose leaf signed it; where none did, with the next one.
	fn nvidia(&self, parts: &mut Parts) -> Result<Sorted, String> {
		// Each report is tried against each leaf: too many are refused before that.
		if parts.gpu_reports.len() > MAX_GPUS {
			return Err(format!(
				"{} GPU reports were given; one box has at most {MAX_GPUS}",
				parts.gpu_reports.len()
			));
		}
		let mut leaves = self.pool.leaves();
		let mut used = Vec::new();
		let mut gpus = Vec::new();
		for report in parts.gpu_reports.drain(..) {
			let signed = leaves.iter().position(|at| {
				self.pool.get(*at).is_some_and(|leaf| signed_gpu_report(&report, leaf))
			});
			let leaf = match signed {
				Some(place) => Some(leaves.remove(place)),
				None if leaves.is_empty() => None,
				None => Some(leaves.remove(0)),
			};
			let chain = self.chain(leaf);
			gpus.push(GpuEvidence { report, chain: self.pool.der(&chain) });
			used.extend(chain);
		}
		Ok((HardwareEvidence::NvidiaGpu(NvidiaEvidence { gpus }), used))
	}

	/// A quote, and whatever vouches for its key: a certificate of it, or one of an endorsement key.
	fn tpm(&self, parts: &mut Parts, credential_seed: Option<[u8; 32]>) -> Result<Sorted, String> {
		const BESIDE: &str = "a TPM quote";
		let attest = needed(&mut parts.attests, "TPM quotes", BESIDE)?;
		let signature = needed(&mut parts.signatures, "its signature", BESIDE)?;
		let pcrs = needed(&mut parts.pcrs, "the PCR values (SHA-256 bank)", BESIDE)?;
		let leaves = self.pool.leaves();
		let (attestation_key, certified) = match one(&mut parts.keys, "public keys")? {
			Some(key) => {
				let public = AttestationKey::parse(&key).ok().map(|key| key.public);
				let is_its = |one: &Certificate<'_>| public == one.public_key().ok();
				let certified =
					leaves.iter().find(|at| self.pool.get(**at).is_some_and(is_its)).copied();
				(key, certified)
			},
			None => {
				let certified = leaves.first().copied();
				let key = certified.and_then(|at| self.pool.get(at)).map(|one| one.spki().to_vec());
				(
					key.ok_or(
						"a TPM quote comes with the key that signed it, which was not given",
					)?,
					certified,
				)
			},
		};
		let chain = self.chain(certified.or_else(|| leaves.first().copied()));
		let certificates = self.pool.der(&chain);
		let origin = match (certified, certificates.is_empty()) {
			(Some(_), _) => KeyOrigin::Certified(certificates),
			(None, true) => KeyOrigin::Unknown,
			(None, false) => {
				let ek_chain = certificates;
				KeyOrigin::Endorsed(EndorsementBinding { ek_chain, credential_seed })
			},
		};
		let evidence = TpmEvidence { attest, signature, pcrs, attestation_key, origin };
		Ok((HardwareEvidence::Tpm(evidence), chain))
	}

	/// Certificates with the extension of an attested key.
	fn attested_keys(&self) -> Vec<usize> {
		self.pool.find(|one| one.extension(KEY_DESCRIPTION).is_some())
	}

	fn android(&self, parts: &mut Parts) -> Result<Sorted, String> {
		let keys = self.attested_keys();
		let leaves: Vec<_> =
			self.pool.leaves().into_iter().filter(|at| keys.contains(at)).collect();
		if leaves.len() > 1 {
			let names: Vec<_> =
				leaves.iter().filter_map(|at| self.pool.get(*at)).map(name).collect();
			return Err(format!(
				"there are {} attested keys ({}): verify them one at a time",
				leaves.len(),
				names.join(", ")
			));
		}
		let chain = self.chain(leaves.first().or_else(|| keys.first()).copied());
		let revocation = one(&mut parts.statuses, "Android revocation lists")?;
		let evidence = AndroidEvidence { chain: self.pool.der(&chain), revocation };
		Ok((HardwareEvidence::AndroidKey(evidence), chain))
	}
}

/// Whether the leaf's key signed a GPU report.
fn signed_gpu_report(report: &[u8], leaf: &Certificate<'_>) -> bool {
	let Ok(report) = nvidia::Report::parse(report) else { return false };
	matches!(leaf.public_key(), Ok(key @ PublicKey::P384(_))
		if key.verify_fixed(Hash::Sha384, report.signed, report.signature).is_ok())
}

#[cfg(test)]
mod tests;
