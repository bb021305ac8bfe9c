//! The collateral held against a platform, or against itself: who signed it, when it holds, whom it
//! revokes.

use super::{
	super::{
		check::{Check, Checks, Failure, Fault},
		claims::Window,
		crypto::Hash,
		policy::Policy,
		x509::Certificate,
	},
	collateral::Parsed,
};

/// `commonName` of the certificate that signs TCB infos and identities of quoting enclaves.
pub const TCB_SIGNING_NAME: &str = "Intel SGX TCB Signing";

/// The certificates of a platform.
pub(super) struct PckChain<'c, 'a> {
	pub(super) leaf: &'c Certificate<'a>,
	pub(super) ca: &'c Certificate<'a>,
	pub(super) root: &'c Certificate<'a>,
}

/// The signer of a chain of two; the other one must be the root of the platform's chain.
fn signer<'c, 'a>(
	issuers: &'c [Certificate<'a>],
	root: &Certificate<'_>,
) -> Result<&'c Certificate<'a>, Fault> {
	match issuers {
		[signer, top] if top.der == root.der => Ok(signer),
		[_, _] => Err(Fault::NotTrusted),
		[] | [_] => Err(Fault::Missing),
		_ => Err(Fault::TooLarge),
	}
}

impl Parsed<'_> {
	/// Notes whether every part's dates contain the instant; returns when all of them do.
	pub(super) fn check_dates(&self, now: u64, checks: &mut Checks) -> Result<Window, Failure> {
		let with_signer = |own: Window, issuers: &[Certificate<'_>]| {
			issuers.iter().fold(own, |window, issuer| window.intersect(issuer.window()))
		};
		let info = &self.decoded.tcb_info;
		let identity = &self.decoded.qe_identity;
		let windows = [
			(Check::PckCrlDates, with_signer(self.pck_crl.window(), &self.pck_crl_issuers)),
			(Check::RootCrlDates, self.root_crl.window()),
			(Check::TcbInfoDates, with_signer(info.window(), &self.tcb_issuers)),
			(Check::QeIdentityDates, with_signer(identity.window(), &self.qe_issuers)),
		];
		let mut common = Window::ALWAYS;
		for (check, window) in windows {
			checks.note(check, window.contains(now))?;
			common = common.intersect(window);
		}
		Ok(common)
	}

	/// Notes whether the lists revoke the platform's certificates.
	pub(super) fn check_revocation(
		&self,
		platform: &PckChain<'_, '_>,
		checks: &mut Checks,
	) -> Result<(), Failure> {
		for (at, certificate, list) in [
			(0, platform.leaf, &self.pck_crl),
			(1, platform.ca, &self.root_crl),
			(2, platform.root, &self.root_crl),
		] {
			let revoked = list.revokes(certificate);
			checks.require(Check::CertificateRevocation(at), !revoked, Fault::Revoked)?;
		}
		Ok(())
	}

	/// Notes whether every part was signed by the one who may. The chain of `ca` and `root` is checked
	/// elsewhere; each chain here ends in the very root of it. With `known`, signatures are taken to
	/// hold, and nothing else is.
	pub(super) fn check_signatures(
		&self,
		ca: &Certificate<'_>,
		root: &Certificate<'_>,
		known: bool,
		checks: &mut Checks,
	) -> Result<(), Failure> {
		for certificate in self.signers() {
			checks.consulted(certificate.sha256());
		}
		let list = self.check_pck_issuer(ca, root, known);
		let list = list.and_then(|()| unless(known, || self.pck_crl.verify(ca)));
		checks.note(Check::PckCrlSignature, list)?;
		let root_list = unless(known, || self.root_crl.verify(root));
		checks.note(Check::RootCrlSignature, root_list)?;
		let tcb_signer = self.tcb_signer(&self.tcb_issuers, root, known);
		// It is the same certificate, as a rule.
		let same = self.tcb_issuers.iter().map(|issuer| issuer.der);
		let qe_signer = if same.eq(self.qe_issuers.iter().map(|issuer| issuer.der)) {
			tcb_signer
		} else {
			self.tcb_signer(&self.qe_issuers, root, known)
		};
		let decoded = self.decoded;
		let info = verify(tcb_signer, decoded.tcb_text, &decoded.tcb_signature, known);
		checks.note(Check::TcbInfoSignature, info)?;
		let identity = verify(qe_signer, decoded.qe_text, &decoded.qe_signature, known);
		checks.note(Check::QeIdentitySignature, identity)
	}

	/// The certificates of all signers.
	pub(super) fn signers(&self) -> impl Iterator<Item = &Certificate<'_>> {
		self.pck_crl_issuers.iter().chain(&self.tcb_issuers).chain(&self.qe_issuers)
	}

	/// Notes whether it is as recent as the policy asks for, and not ahead of it: Intel publishes
	/// numbers early, for those who want to update before others must.
	pub(super) fn check_number(&self, policy: &Policy, checks: &mut Checks) -> Result<(), Failure> {
		let accepted =
			policy.min_tcb_evaluation_data_number..=policy.max_tcb_evaluation_data_number;
		let numbers = [
			self.decoded.tcb_info.tcb_evaluation_data_number,
			self.decoded.qe_identity.tcb_evaluation_data_number,
		];
		let within = numbers.iter().all(|number| accepted.contains(number));
		checks.require(Check::TcbLevel, within, Fault::NotAccepted)
	}

	/// Whether the chain of the list of platform keys is that of the CA that issued the platform's.
	fn check_pck_issuer(
		&self,
		ca: &Certificate<'_>,
		root: &Certificate<'_>,
		known: bool,
	) -> Result<(), Fault> {
		let issuer = signer(&self.pck_crl_issuers, root)?;
		if issuer.der == ca.der {
			return Ok(());
		}
		// Another certificate of the same key would do.
		if issuer.spki() != ca.spki() || !issuer.names_issuer(root) {
			return Err(Fault::Mismatch);
		}
		unless(known, || issuer.verify(&root.public_key()?))
	}

	/// The certificate that signs documents. Its name tells it from a PCK, whose key must not sign
	/// TCB levels for others.
	fn tcb_signer<'c, 'a>(
		&self,
		issuers: &'c [Certificate<'a>],
		root: &Certificate<'_>,
		known: bool,
	) -> Result<&'c Certificate<'a>, Fault> {
		let signer = signer(issuers, root)?;
		if signer.common_name() != Some(TCB_SIGNING_NAME) {
			return Err(Fault::NotTrusted);
		}
		if !signer.names_issuer(root) {
			return Err(Fault::Mismatch);
		}
		if self.root_crl.revokes(signer) {
			return Err(Fault::Revoked);
		}
		unless(known, || signer.verify(&root.public_key()?))?;
		Ok(signer)
	}
}

fn verify(
	signer: Result<&Certificate<'_>, Fault>,
	text: &[u8],
	signature: &[u8],
	known: bool,
) -> Result<(), Fault> {
	let signer = signer?;
	unless(known, || signer.public_key()?.verify_fixed(Hash::Sha256, text, signature))
}

/// Verifies a signature, unless it is known to hold.
fn unless(known: bool, verify: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
	if known {
		Ok(())
	} else {
		verify()
	}
}
