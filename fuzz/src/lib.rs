//! What the fuzz targets share: how bytes become evidence, and what must hold of every judgement.
//!
//! Inputs have no structure of their own. Bytes are mapped by position, so that every input means
//! something and a mutation changes one thing; what is missing at the end is zero or empty. README.md
//! has the layout of each target.

pub mod device;

use armature_verifier::evidence::hardware::{
	self,
	claims::nonce_matches,
	crypto::sha256,
	policy::{Digest256, Policy, Roots, SecurityLevel, TcbStatus},
	x509::Certificate,
	Checks, Claims, Failure, HardwareEvidence, Question,
};

/// The most items of a list. More than any format takes, so that their own limits are met.
const MAX_ITEMS: usize = 20;

/// The part of an input that was not read yet.
pub struct Input<'a> {
	rest: &'a [u8],
}

impl<'a> Input<'a> {
	/// All of it.
	pub fn new(bytes: &'a [u8]) -> Self {
		Self { rest: bytes }
	}

	/// What is left.
	pub fn rest(self) -> &'a [u8] {
		self.rest
	}

	/// The next `len` bytes, or what there is.
	pub fn take(&mut self, len: usize) -> &'a [u8] {
		let (head, rest) = self.rest.split_at(len.min(self.rest.len()));
		self.rest = rest;
		head
	}

	/// The next `N` bytes, with zeros where there are none.
	pub fn array<const N: usize>(&mut self) -> [u8; N] {
		let mut out = [0; N];
		let bytes = self.take(N);
		out[..bytes.len()].copy_from_slice(bytes);
		out
	}

	/// One byte.
	pub fn u8(&mut self) -> u8 {
		let [byte] = self.array();
		byte
	}

	/// A length, u16 little endian, and as many bytes.
	pub fn field(&mut self) -> &'a [u8] {
		let len = u16::from_le_bytes(self.array());
		self.take(len.into())
	}

	/// A field that need not be text: what is not UTF-8 is replaced.
	pub fn text(&mut self) -> String {
		String::from_utf8_lossy(self.field()).into_owned()
	}

	/// A count of one byte and as many items, at most [`MAX_ITEMS`].
	pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
		let count = usize::from(self.u8()).min(MAX_ITEMS);
		(0..count).map(|_| item(self)).collect()
	}

	/// A list of fields: a chain of certificates.
	pub fn chain(&mut self) -> Vec<Vec<u8>> {
		self.list(|input| input.field().to_vec())
	}

	/// A list of PCR values: an index of one byte and a field each.
	pub fn pcrs(&mut self) -> hardware::tpm::Pcrs {
		self.list(|input| (input.u8(), input.field().to_vec())).into_iter().collect()
	}
}

/// How evidence is held against what: the head of every input that has evidence of hardware.
pub struct Asked<'a> {
	/// The first byte. Bit 0: a nonce is asked for. Bit 1: the policy is lenient instead of the
	/// default. The others are the target's.
	pub flags: u8,
	/// Bytes 1 to 8: the instant.
	pub now: u64,
	/// A field: the nonce.
	pub nonce: &'a [u8],
}

impl<'a> Asked<'a> {
	/// Reads it.
	pub fn read(input: &mut Input<'a>) -> Self {
		Self { flags: input.u8(), now: u64::from_le_bytes(input.array()), nonce: input.field() }
	}

	/// A bit of the flags.
	pub fn flag(&self, bit: u8) -> bool {
		self.flags >> bit & 1 == 1
	}

	fn nonce(&self) -> Option<&'a [u8]> {
		self.flag(0).then_some(self.nonce)
	}
}

/// SHA-256 of the last certificate of a chain.
pub fn root_of<C: AsRef<[u8]>>(chain: &[C]) -> Option<Digest256> {
	chain.last().map(|root| Digest256(sha256(root.as_ref())))
}

/// SHA-256 of the key of the last certificate of a chain.
pub fn root_key_of<C: AsRef<[u8]>>(chain: &[C]) -> Option<Digest256> {
	let root = Certificate::parse(chain.last()?.as_ref()).ok()?;
	Some(Digest256(root.spki_sha256()))
}

/// Accepts whatever can be accepted, and trusts `root`.
pub fn lenient(root: Option<Digest256>) -> Policy {
	let root: Vec<_> = root.into_iter().collect();
	Policy {
		roots: Roots {
			amd: root.clone(),
			intel: root.clone(),
			nvidia: root.clone(),
			nitro: root.clone(),
			android: root.clone(),
			tpm: root,
		},
		allow_debug: true,
		allow_vlek: true,
		allow_virtual_tpm: true,
		allow_software_tpm: true,
		allow_uncertified_tpm: true,
		allow_attestation_key: true,
		allow_cloud: true,
		allow_android_key: true,
		allow_unlocked_boot: true,
		allow_unverified_boot: true,
		allow_migration_agent: true,
		max_vmpl: u32::MAX,
		tcb_statuses: vec![
			TcbStatus::UpToDate,
			TcbStatus::SWHardeningNeeded,
			TcbStatus::ConfigurationNeeded,
			TcbStatus::ConfigurationAndSWHardeningNeeded,
			TcbStatus::OutOfDate,
			TcbStatus::OutOfDateConfigurationNeeded,
			TcbStatus::Revoked,
		],
		min_android_level: SecurityLevel::Software,
		..Policy::default()
	}
}

/// Judges evidence in every way and compares the judgements. `lenient` trusts the root that the
/// evidence itself brings ([`lenient`]), so that inputs get behind the roots.
///
/// # Panics
///
/// When one of them contradicts another, or the default policy accepts the evidence: nobody but the
/// makers can sign under their roots. Evidence of real hardware must therefore never be an input.
pub fn judge(evidence: &HardwareEvidence, asked: &Asked<'_>, lenient: Policy) {
	let strict = Policy::default();
	let policy = if asked.flag(1) { lenient } else { strict.clone() };
	let outcome = consistent(asked.now, |checks| {
		let question = Question::new(&policy, asked.nonce(), asked.now);
		hardware::verify(evidence, &question, checks)
	});
	let Ok(claims) = outcome else { return };
	if let Some(nonce) = asked.nonce() {
		assert!(nonce_matches(&claims.nonce, nonce), "another nonce was accepted");
	}
	// What the default policy refuses, only the lenient one may accept.
	let question = Question::new(&strict, asked.nonce(), asked.now);
	let refused = hardware::verify(evidence, &question, &mut Checks::stop_at_first());
	assert!(refused.is_err(), "the default policy trusts it: {claims:?}");
}

/// Runs a verification that stops at the first failure and one that notes all, holds them against
/// each other, and returns the outcome of the first.
///
/// # Panics
///
/// When they contradict each other.
pub fn consistent(
	now: u64,
	verify: impl Fn(&mut Checks) -> Result<Claims, Failure>,
) -> Result<Claims, Failure> {
	let outcome = same_outcome(&verify);
	if let Ok(claims) = &outcome {
		assert_eq!(claims.valid.contains(now), Ok(()), "accepted outside its window");
		serde_json::to_string(claims).expect("claims can be written");
	}
	outcome
}

/// [`consistent`] for verifications whose result are not claims.
///
/// # Panics
///
/// When they contradict each other.
pub fn same_outcome<T: PartialEq + core::fmt::Debug>(
	verify: impl Fn(&mut Checks) -> Result<T, Failure>,
) -> Result<T, Failure> {
	let (mut first, mut again, mut all) =
		(Checks::stop_at_first(), Checks::stop_at_first(), Checks::note_all());
	let outcome = verify(&mut first);
	assert_eq!(outcome, verify(&mut again), "the same input was judged differently");
	assert_eq!(first, again, "the same input was judged differently");
	let noted = verify(&mut all);
	match &outcome {
		Ok(_) => {
			assert_eq!(first.failed(), [], "accepted in spite of failures");
			assert_eq!(all.failed(), [], "accepted by the one, refused by the other");
			assert_eq!(outcome, noted, "the claims differ");
			assert!(first.passed().eq(all.passed()), "the lists of what held differ");
		},
		Err(failure) => {
			assert_eq!(first.failed(), [*failure], "more than the first failure");
			assert_eq!(all.failed().first(), Some(failure), "the first failures differ");
		},
	}
	if let Err(failure) = &noted {
		assert!(all.failed().contains(failure), "{failure} ended it and was not noted");
	}
	for failure in all.failed() {
		assert!(!failure.to_string().is_empty());
		assert!(all.passed().all(|check| check != failure.check), "{failure}, and it held");
	}
	outcome
}
