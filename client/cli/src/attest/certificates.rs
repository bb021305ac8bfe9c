//! Certificates in any order, sorted into chains by who signed whom.

use armature_verifier::evidence::hardware::{
	crypto::sha256,
	policy::{Digest256, Roots},
	x509::{Certificate, MAX_CHAIN_LEN},
};

/// The most certificates of one call. Each step of a chain tries all of them.
const MAX_CERTIFICATES: usize = 128;

/// Certificates, each once.
pub(crate) struct Pool<'a> {
	certificates: Vec<Certificate<'a>>,
	/// For each, whether it was asked for; those of `--root` are there in case they are needed.
	given: Vec<bool>,
}

impl<'a> Pool<'a> {
	/// Of certificates in DER, and of roots that chains may end in.
	///
	/// # Errors
	///
	/// A sentence about one that cannot be read, or about too many.
	pub(crate) fn new(given: &'a [Vec<u8>], roots: &'a [Vec<u8>]) -> Result<Self, String> {
		let mut pool = Self { certificates: Vec::new(), given: Vec::new() };
		let all = given.iter().map(|der| (der, true)).chain(roots.iter().map(|der| (der, false)));
		for (der, given) in all {
			if pool.certificates.iter().any(|known| known.der == der.as_slice()) {
				continue;
			}
			let certificate = Certificate::parse(der)
				.map_err(|fault| format!("a certificate cannot be read: {fault}"))?;
			pool.certificates.push(certificate);
			pool.given.push(given);
		}
		if pool.certificates.len() > MAX_CERTIFICATES {
			return Err(format!("more than {MAX_CERTIFICATES} certificates"));
		}
		Ok(pool)
	}

	pub(crate) fn get(&self, at: usize) -> Option<&Certificate<'a>> {
		self.certificates.get(at)
	}

	/// Those of which something holds, in the order in which they were given.
	pub(crate) fn find(&self, holds: impl Fn(&Certificate<'_>) -> bool) -> Vec<usize> {
		let numbered = self.certificates.iter().enumerate();
		numbered
			.filter(|(_, certificate)| holds(certificate))
			.map(|(at, _)| at)
			.collect()
	}

	/// Those that were given and issued none of the others.
	pub(crate) fn leaves(&self) -> Vec<usize> {
		self.find(|_| true)
			.into_iter()
			.filter(|at| self.given.get(*at).copied().unwrap_or_default())
			.filter(|at| !self.issues_any(*at))
			.collect()
	}

	fn issues_any(&self, at: usize) -> bool {
		let Some(issuer) = self.get(at) else { return false };
		self.certificates.iter().any(|other| {
			other.der != issuer.der && other.names_issuer(issuer) && signed_by(other, issuer)
		})
	}

	/// From a certificate up to a root, or as far as there are issuers. Whoever signed it is its
	/// issuer; where nobody did, whoever has the name, so that the verifier can say what is wrong.
	/// Of several certificates of one key, one that is valid at `now` is preferred.
	pub(crate) fn chain(&self, leaf: usize, now: u64) -> Vec<usize> {
		let mut chain = vec![leaf];
		while let Some(current) = chain.last().and_then(|at| self.get(*at)) {
			if chain.len() >= MAX_CHAIN_LEN || current.names_issuer(current) {
				break;
			}
			let others = self.find(|_| true).into_iter().filter(|at| !chain.contains(at));
			let best = others
				.filter_map(|at| {
					let issuer = self.get(at)?;
					let signed = signed_by(current, issuer);
					let named = current.names_issuer(issuer);
					let valid = issuer.window().contains(now).is_ok();
					(signed || named).then_some(((signed, valid, named), at))
				})
				// The first of the best.
				.fold(None, |best: Option<((bool, bool, bool), usize)>, next| match best {
					Some(best) if best.0 >= next.0 => Some(best),
					_ => Some(next),
				});
			match best {
				Some((_, at)) => chain.push(at),
				None => break,
			}
		}
		chain
	}

	/// Certificates in DER.
	pub(crate) fn der(&self, chain: &[usize]) -> Vec<Vec<u8>> {
		chain
			.iter()
			.filter_map(|at| self.get(*at))
			.map(|one| one.der.to_vec())
			.collect()
	}

	/// The names of those that were given but are not among these.
	pub(crate) fn unused(&self, used: &[usize]) -> Vec<String> {
		self.find(|_| true)
			.into_iter()
			.filter(|at| self.given.get(*at).copied().unwrap_or_default() && !used.contains(at))
			.filter_map(|at| self.get(at).map(name))
			.collect()
	}
}

/// A certificate for people: its name, or else its serial number.
pub(crate) fn name(certificate: &Certificate<'_>) -> String {
	certificate
		.common_name()
		.map_or_else(|| format!("serial {}", hex::encode(certificate.serial())), ToOwned::to_owned)
}

fn signed_by(certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
	issuer.public_key().is_ok_and(|key| certificate.verify(&key).is_ok())
}

/// Adds roots to those that a policy trusts, whatever they are roots of: the SHA-256 of their DER,
/// and of their keys for Android.
///
/// # Errors
///
/// A sentence about a certificate that is no root.
pub(crate) fn trust_roots(roots: &mut Roots, certificates: &[Vec<u8>]) -> Result<(), String> {
	for der in certificates {
		let certificate = Certificate::parse(der)
			.map_err(|fault| format!("the certificate cannot be read: {fault}"))?;
		if !certificate.names_issuer(&certificate) {
			return Err(format!(
				"{} is no root: another certificate issued it",
				name(&certificate)
			));
		}
		let digest = Digest256(sha256(der));
		for list in
			[&mut roots.amd, &mut roots.intel, &mut roots.nvidia, &mut roots.nitro, &mut roots.tpm]
		{
			list.push(digest);
		}
		roots.android.push(Digest256(certificate.spki_sha256()));
	}
	Ok(())
}
