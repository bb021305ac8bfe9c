//! Revocation lists that are given beside evidence.

use super::certificates::{name, Pool};
use armature_verifier::evidence::hardware::{policy::HexBytes, x509::Crl};

/// Serial numbers of revoked certificates.
pub(crate) type Revoked = Vec<HexBytes>;

/// The serial numbers of those certificates of the pool that the lists revoke. A list counts only
/// when its issuer is in the pool and signed it, and at an instant at which it is current: whoever
/// gives a list wants it used, so one that cannot be used is a mistake and not a remark.
///
/// # Errors
///
/// A sentence about a list that cannot be used.
pub(crate) fn revoked_by(lists: &[Vec<u8>], pool: &Pool<'_>, now: u64) -> Result<Revoked, String> {
	let mut revoked = Vec::new();
	for der in lists {
		let list = Crl::parse(der)
			.map_err(|fault| format!("a revocation list cannot be read: {fault}"))?;
		let issuers = pool.find(|one| list.verify(one).is_ok());
		let Some(issuer) = issuers.first().and_then(|at| pool.get(*at)) else {
			return Err("nobody among the certificates issued a revocation list that was given: \
			            give its issuer's certificate too"
				.into());
		};
		list.window().contains(now).map_err(|fault| {
			format!("the revocation list of {}: {fault}; fetch the current one", name(issuer))
		})?;
		let concerned = pool.find(|one| one.names_issuer(issuer) && list.revokes(one));
		for certificate in concerned.iter().filter_map(|at| pool.get(*at)) {
			if certificate.serial().is_empty() {
				return Err(format!(
					"the revocation list of {} names serial number zero, which tells no certificate",
					name(issuer)
				));
			}
			revoked.push(HexBytes(certificate.serial().to_vec()));
		}
	}
	Ok(revoked)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::attest::samples::sample;

	/// 2030-01-01, within the list's dates, and 2026-01-01, before them.
	const NOW: u64 = 1_893_456_000_000;
	const BEFORE: u64 = 1_767_225_600_000;

	fn revoked(certificates: &[&str], list: Vec<u8>, now: u64) -> Result<Revoked, String> {
		let certificates: Vec<_> = certificates.iter().map(|name| sample(name)).collect();
		let pool = Pool::new(&certificates, &[]).unwrap();
		revoked_by(&[list], &pool, now)
	}

	#[test]
	fn lists_should_revoke_what_they_name_and_nothing_else() {
		let all = ["not listed", "listed", "list issuer"];
		assert_eq!(revoked(&all, sample("list"), NOW), Ok(vec![HexBytes(vec![0x05, 0x11])]));
		assert_eq!(revoked(&["not listed", "list issuer"], sample("list"), NOW), Ok(Vec::new()));
	}

	#[test]
	fn lists_should_be_refused_without_their_issuer() {
		let error = revoked(&["listed"], sample("list"), NOW).unwrap_err();
		assert!(error.contains("give its issuer's certificate"), "{error}");
	}

	#[test]
	fn lists_should_be_refused_when_changed() {
		let mut list = sample("list");
		*list.last_mut().unwrap() ^= 1;
		let error = revoked(&["listed", "list issuer"], list, NOW).unwrap_err();
		assert!(error.contains("nobody among the certificates issued"), "{error}");
	}

	#[test]
	fn lists_should_be_refused_outside_their_dates() {
		let error = revoked(&["list issuer"], sample("list"), BEFORE).unwrap_err();
		assert!(
			error.contains("Armature list issuer") && error.contains("not valid yet"),
			"{error}"
		);
	}
}
