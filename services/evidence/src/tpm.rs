//! TPM 2.0: quotes by an attestation key that this TPM makes.
//!
//! The attestation key is a primary key of the endorsement hierarchy: the TPM derives it from its
//! own seed, so that it is the same each time and nothing has to be stored. Clearing the TPM does
//! not change it.
//!
//! Open a [`Tpm`] for one task and drop it: what was loaded is flushed then.

use crate::{
	certificates::{CertificateError, Pool},
	Roots,
};
use armature_primitives::evidence::{
	hardware::{PcrValue, TpmOrigin},
	PlatformEvidence,
};
use armature_verifier::evidence::hardware::{tpm::AttestationKey, x509::MAX_CERTIFICATE_LEN};
use std::{path::PathBuf, str::FromStr};
use tss_esapi::{
	abstraction::{ek, nv, AsymmetricAlgorithmSelection},
	attributes::ObjectAttributesBuilder,
	constants::{CapabilityType, SessionType, Tss2ResponseCodeKind},
	handles::{AuthHandle, KeyHandle, NvIndexTpmHandle, SessionHandle, TpmHandle},
	interface_types::{
		algorithm::{HashingAlgorithm, PublicAlgorithm},
		ecc::EccCurve,
		key_bits::RsaKeyBits,
		resource_handles::{Hierarchy, NvAuth},
		session_handles::{AuthSession, PolicySession},
	},
	structures::{
		CapabilityData, Data, EccPoint, EccScheme, EncryptedSecret, HashScheme, IdObject,
		KeyDerivationFunctionScheme, PcrSelectionList, PcrSlot, Public, PublicBuilder,
		PublicEccParametersBuilder, SignatureScheme, SymmetricDefinition,
		SymmetricDefinitionObject,
	},
	tcti_ldr::TctiNameConf,
	traits::Marshall,
	Context, Error,
};

#[cfg(test)]
mod tests;

/// The registers that are quoted: firmware, its settings, boot loader, secure boot.
const REGISTERS: [PcrSlot; 8] = [
	PcrSlot::Slot0,
	PcrSlot::Slot1,
	PcrSlot::Slot2,
	PcrSlot::Slot3,
	PcrSlot::Slot4,
	PcrSlot::Slot5,
	PcrSlot::Slot6,
	PcrSlot::Slot7,
];

/// Length of a register of the bank that is quoted.
const REGISTER_LEN: usize = 32;

/// The longest qualifying data that every TPM takes: a digest of SHA-256.
pub const MAX_QUALIFYING_LEN: usize = 32;

/// How often a quote is taken when registers change meanwhile.
const MAX_ATTEMPTS: u32 = 3;

/// Endorsement keys, each with its certificate's place (TCG EK Credential Profile 2.3, 2.2.1.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndorsementKey {
	/// RSA with 2,048 bits.
	Rsa2048,
	/// NIST P-256.
	P256,
}

impl EndorsementKey {
	fn certificate_index(self) -> u32 {
		match self {
			EndorsementKey::Rsa2048 => 0x01c0_0002,
			EndorsementKey::P256 => 0x01c0_000a,
		}
	}

	fn algorithm(self) -> AsymmetricAlgorithmSelection {
		match self {
			EndorsementKey::Rsa2048 => AsymmetricAlgorithmSelection::Rsa(RsaKeyBits::Rsa2048),
			EndorsementKey::P256 => AsymmetricAlgorithmSelection::Ecc(EccCurve::NistP256),
		}
	}
}

/// Why there is no quote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TpmError {
	/// There is no TPM.
	#[error("there is no TPM at {}", .0.display())]
	NoDevice(PathBuf),
	/// The TPM cannot be opened.
	#[error("opening the TPM by {tcti}: {error}")]
	Open {
		/// How it was tried.
		tcti: String,
		/// What the library said.
		error: Error,
	},
	/// The TPM refused a command.
	#[error("the TPM refused to {doing}: {error}")]
	Command {
		/// What was to be done.
		doing: &'static str,
		/// What it answered.
		error: Error,
	},
	/// The bank of SHA-256 registers is off.
	#[error("the TPM has no bank of SHA-256 registers")]
	NoBank,
	/// The registers change faster than they are quoted.
	#[error("the registers changed while they were quoted")]
	Changing,
	/// What is to be quoted is too long.
	#[error("{0} bytes are more than a TPM takes beside a quote")]
	TooLong(usize),
	/// An answer does not fit what the chain takes.
	#[error("the TPM's {0} is not of a form that is known")]
	Malformed(&'static str),
	/// Certificates that cannot be used.
	#[error(transparent)]
	Certificates(#[from] CertificateError),
}

impl TpmError {
	/// What a person can do about it.
	pub fn what_to_do(&self) -> &'static str {
		match self {
			TpmError::NoDevice(_) => {
				"enable the TPM in the BIOS, then modprobe tpm_crb tpm_tis; in a container, pass \
				 --device /dev/tpmrm0"
			},
			TpmError::Open { .. } => {
				"let the user into the group of /dev/tpmrm0 (usermod -aG tss USER) and install \
				 libtss2-tcti-device0"
			},
			TpmError::Command { error, .. } => match kind(error) {
				Some(Tss2ResponseCodeKind::AuthFail | Tss2ResponseCodeKind::BadAuth) => {
					"the endorsement hierarchy has a password: take it off with \
					 tpm2_changeauth -c endorsement -p OLD"
				},
				Some(Tss2ResponseCodeKind::Hierarchy) => {
					"the endorsement hierarchy is off: enable it in the BIOS (TPM, endorsement hierarchy)"
				},
				Some(Tss2ResponseCodeKind::Lockout) => {
					"wait until the TPM's lockout ends, or end it with tpm2_dictionarylockout -c"
				},
				_ => "update the TPM's firmware; tpm2_getcap properties-fixed shows its version",
			},
			TpmError::NoBank => "switch the bank on: tpm2_pcrallocate sha256:all, then restart",
			TpmError::Changing => "run it again once nothing extends registers 0 to 7",
			TpmError::TooLong(_) => "ask with a digest of at most 32 bytes",
			TpmError::Malformed(_) => "update the TPM's firmware",
			TpmError::Certificates(error) => error.what_to_do(),
		}
	}
}

fn kind(error: &Error) -> Option<Tss2ResponseCodeKind> {
	match error {
		Error::Tss2Error(code) => code.kind(),
		Error::WrapperError(_) => None,
	}
}

/// Names what was to be done.
trait Doing<T> {
	fn to(self, doing: &'static str) -> Result<T, TpmError>;
}

impl<T> Doing<T> for Result<T, Error> {
	fn to(self, doing: &'static str) -> Result<T, TpmError> {
		self.map_err(|error| TpmError::Command { doing, error })
	}
}

/// A quote with all that a verifier needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quote {
	/// `TPMS_ATTEST`.
	pub attest: Vec<u8>,
	/// `TPMT_SIGNATURE`.
	pub signature: Vec<u8>,
	/// Registers 0 to 7 of the SHA-256 bank.
	pub registers: Vec<PcrValue>,
	/// `TPMT_PUBLIC` of the attestation key.
	pub attestation_key: Vec<u8>,
}

impl Quote {
	/// As it travels.
	///
	/// # Errors
	///
	/// [`TpmError::Malformed`].
	pub fn into_evidence(self, origin: TpmOrigin) -> Result<PlatformEvidence, TpmError> {
		let too_large = TpmError::Malformed;
		Ok(PlatformEvidence::Tpm {
			attest: self.attest.try_into().map_err(|_| too_large("quote"))?,
			signature: self.signature.try_into().map_err(|_| too_large("signature"))?,
			pcrs: self.registers.try_into().map_err(|_| too_large("register list"))?,
			attestation_key: self.attestation_key.try_into().map_err(|_| too_large("key"))?,
			origin,
		})
	}
}

/// An open TPM.
pub struct Tpm {
	context: Context,
	/// The attestation key, once it is loaded.
	key: Option<(KeyHandle, Public)>,
}

impl Tpm {
	/// Opens this machine's TPM through the kernel's resource manager.
	///
	/// # Errors
	///
	/// [`TpmError::NoDevice`], [`TpmError::Open`].
	pub fn open(roots: &Roots) -> Result<Self, TpmError> {
		let device = roots.dev.join("tpmrm0");
		if !device.exists() {
			return Err(TpmError::NoDevice(device));
		}
		Self::connect(&format!("device:{}", device.display()))
	}

	/// Opens a TPM by the words of tpm2-tss: `device:/dev/tpmrm0`, `swtpm:host=127.0.0.1,port=2321`.
	///
	/// # Errors
	///
	/// [`TpmError::Open`].
	pub fn connect(tcti: &str) -> Result<Self, TpmError> {
		let context = TctiNameConf::from_str(tcti)
			.and_then(Context::new)
			.map_err(|error| TpmError::Open { tcti: tcti.to_owned(), error })?;
		Ok(Self { context, key: None })
	}

	/// Evidence over `report_data`. If `certificates` have one of the attestation key, it goes with
	/// its chain.
	///
	/// # Errors
	///
	/// See [`TpmError`].
	pub fn evidence(
		&mut self,
		report_data: &[u8; 32],
		certificates: &Pool,
	) -> Result<PlatformEvidence, TpmError> {
		let quote = self.quote(report_data)?;
		let origin = origin(&quote.attestation_key, certificates)?;
		quote.into_evidence(origin)
	}

	/// Quotes registers 0 to 7 of the SHA-256 bank beside `qualifying`.
	///
	/// # Errors
	///
	/// See [`TpmError`].
	pub fn quote(&mut self, qualifying: &[u8]) -> Result<Quote, TpmError> {
		if qualifying.len() > MAX_QUALIFYING_LEN {
			return Err(TpmError::TooLong(qualifying.len()));
		}
		let (handle, public) = self.attestation_key()?;
		let qualifying = Data::try_from(qualifying.to_vec()).to("take what is to be quoted")?;
		for _ in 0..MAX_ATTEMPTS {
			let (before, registers) = self.registers()?;
			let (attest, signature) = self
				.context
				.execute_with_session(Some(AuthSession::Password), |context| {
					context.quote(handle, qualifying.clone(), SignatureScheme::Null, selection()?)
				})
				.to("quote its registers")?;
			// The counter rises with every change of any register.
			if self.registers()?.0 != before {
				continue;
			}
			return Ok(Quote {
				attest: attest.marshall().to("give its quote")?,
				signature: signature.marshall().to("give its signature")?,
				registers,
				attestation_key: public.marshall().to("give its attestation key")?,
			});
		}
		Err(TpmError::Changing)
	}

	/// `TPMT_PUBLIC` of the attestation key.
	///
	/// # Errors
	///
	/// [`TpmError::Command`].
	pub fn attestation_key_area(&mut self) -> Result<Vec<u8>, TpmError> {
		self.attestation_key()?.1.marshall().to("give its attestation key")
	}

	/// The maker's certificate of an endorsement key, DER; `None` if the TPM holds none.
	///
	/// # Errors
	///
	/// [`TpmError::Command`], [`TpmError::Malformed`].
	pub fn endorsement_certificate(
		&mut self,
		key: EndorsementKey,
	) -> Result<Option<Vec<u8>>, TpmError> {
		const DOING: &str = "give the certificate of its endorsement key";
		let index = key.certificate_index();
		// Asked first: the library complains on standard error about an index that is not there.
		let (capability, _) = self
			.context
			.get_capability(CapabilityType::Handles, index, 1)
			.to("list its indices")?;
		let index = TpmHandle::NvIndex(NvIndexTpmHandle::new(index).to(DOING)?);
		let (CapabilityData::Handles(handles), TpmHandle::NvIndex(handle)) = (capability, index)
		else {
			return Err(TpmError::Malformed("list of indices"));
		};
		if handles.iter().next() != Some(&index) {
			return Ok(None);
		}
		let auth = self.context.tr_from_tpm_public(index).to(DOING)?;
		// A session that commands without authorisation bear too: reading asks for sizes first.
		let bytes = self
			.context
			.execute_with_nullauth_session(|context| {
				nv::read_full(context, NvAuth::NvIndex(auth.into()), handle)
			})
			.to(DOING)?;
		der_at_the_front(&bytes)
			.map(|der| Some(der.to_vec()))
			.ok_or(TpmError::Malformed("certificate"))
	}

	/// Decrypts a credential that was made for this TPM's endorsement key and attestation key
	/// (`TPM2_MakeCredential`: its two results, without their lengths).
	///
	/// # Errors
	///
	/// [`TpmError::Command`] also for a credential that is for another TPM or key.
	pub fn activate_credential(
		&mut self,
		endorsement: EndorsementKey,
		credential: &[u8],
		secret: &[u8],
	) -> Result<Vec<u8>, TpmError> {
		const DOING: &str = "open the credential";
		let credential = IdObject::try_from(credential.to_vec()).to(DOING)?;
		let secret = EncryptedSecret::try_from(secret.to_vec()).to(DOING)?;
		let (attestation, _) = self.attestation_key()?;
		let endorsement = self.endorsement_key(endorsement)?;
		let opened =
			self.context.execute_with_temporary_object(endorsement.into(), |context, _| {
				let session = context
					.start_auth_session(
						None,
						None,
						None,
						SessionType::Policy,
						SymmetricDefinition::AES_128_CFB,
						HashingAlgorithm::Sha256,
					)?
					.ok_or(Error::WrapperError(tss_esapi::WrapperErrorKind::WrongValueFromTpm))?;
				context.execute_with_temporary_object(
					SessionHandle::from(session).into(),
					|context, _| {
						// The policy of the profile's endorsement keys: whoever may use the hierarchy.
						context.execute_with_session(Some(AuthSession::Password), |context| {
							context.policy_secret(
								PolicySession::try_from(session)?,
								AuthHandle::Endorsement,
								Default::default(),
								Default::default(),
								Default::default(),
								None,
							)
						})?;
						let sessions = (Some(AuthSession::Password), Some(session), None);
						context.execute_with_sessions(sessions, |context| {
							context.activate_credential(
								attestation,
								endorsement,
								credential,
								secret,
							)
						})
					},
				)
			});
		Ok(opened.to(DOING)?.value().to_vec())
	}

	fn endorsement_key(&mut self, key: EndorsementKey) -> Result<KeyHandle, TpmError> {
		ek::create_ek_object_2(&mut self.context, key.algorithm(), None)
			.to("make its endorsement key")
	}

	/// Loads the attestation key.
	fn attestation_key(&mut self) -> Result<(KeyHandle, Public), TpmError> {
		const DOING: &str = "make an attestation key";
		if let Some((handle, public)) = &self.key {
			return Ok((*handle, public.clone()));
		}
		let template = template().to(DOING)?;
		let made = self
			.context
			.execute_with_session(Some(AuthSession::Password), |context| {
				context.create_primary(Hierarchy::Endorsement, template, None, None, None, None)
			})
			.to(DOING)?;
		self.key = Some((made.key_handle, made.out_public.clone()));
		Ok((made.key_handle, made.out_public))
	}

	/// How often registers have changed, and the values of those that are quoted.
	fn registers(&mut self) -> Result<(u32, Vec<PcrValue>), TpmError> {
		let (count, _, values) = selection()
			.and_then(|selection| self.context.pcr_read(selection))
			.to("read its registers")?;
		let values = values.value();
		if values.len() != REGISTERS.len() {
			return Err(TpmError::NoBank);
		}
		let values = (0u8..).zip(values).map(|(index, value)| {
			let value = <[u8; REGISTER_LEN]>::try_from(value.value());
			Ok(PcrValue { index, value: value.map_err(|_| TpmError::NoBank)? })
		});
		Ok((count, values.collect::<Result<_, TpmError>>()?))
	}
}

/// The chain of the attestation key, if its certificate is there.
fn origin(key: &[u8], certificates: &Pool) -> Result<TpmOrigin, TpmError> {
	let key = AttestationKey::parse(key).map_err(|_| TpmError::Malformed("attestation key"))?;
	let chain = certificates
		.chain(|certificate| certificate.public_key().is_ok_and(|public| public == key.public));
	let Some(chain) = chain else { return Ok(TpmOrigin::Unknown) };
	let too_large = || TpmError::Certificates(CertificateError::TooMany);
	let chain = chain.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>, _>>();
	let chain = chain.map_err(|_| too_large())?.try_into().map_err(|_| too_large())?;
	Ok(TpmOrigin::Certified(chain))
}

/// What the attestation key is made from: P-256, restricted, bound to this TPM. Whoever changes it
/// changes the key of every TPM.
fn template() -> Result<Public, Error> {
	let attributes = ObjectAttributesBuilder::new()
		.with_fixed_tpm(true)
		.with_fixed_parent(true)
		.with_sensitive_data_origin(true)
		.with_user_with_auth(true)
		.with_restricted(true)
		.with_sign_encrypt(true)
		.build()?;
	PublicBuilder::new()
		.with_public_algorithm(PublicAlgorithm::Ecc)
		.with_name_hashing_algorithm(HashingAlgorithm::Sha256)
		.with_object_attributes(attributes)
		.with_ecc_parameters(
			PublicEccParametersBuilder::new()
				.with_symmetric(SymmetricDefinitionObject::Null)
				.with_ecc_scheme(EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256)))
				.with_curve(EccCurve::NistP256)
				.with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
				.with_is_signing_key(true)
				.with_is_decryption_key(false)
				.with_restricted(true)
				.build()?,
		)
		.with_ecc_unique_identifier(EccPoint::default())
		.build()
}

fn selection() -> Result<PcrSelectionList, Error> {
	PcrSelectionList::builder()
		.with_selection(HashingAlgorithm::Sha256, &REGISTERS)
		.build()
}

/// The DER at the front: an index is often longer than the certificate in it.
fn der_at_the_front(bytes: &[u8]) -> Option<&[u8]> {
	// A SEQUENCE with two bytes of length: every certificate.
	let [0x30, 0x82, high, low, ..] = bytes else { return None };
	let len = usize::from(u16::from_be_bytes([*high, *low])).checked_add(4)?;
	(len <= MAX_CERTIFICATE_LEN).then(|| bytes.get(..len)).flatten()
}
