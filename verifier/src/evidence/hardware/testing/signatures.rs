//! The makers' signatures by themselves, so that a benchmark can say how much of the time of a
//! verification they are: those that a verification checked, and made ones of a given length.

use super::{
	super::crypto::{Hash, PublicKey, Scheme},
	Key,
};
use alloc::{format, string::String, vec, vec::Vec};
use rsa::traits::PublicKeyParts;

/// How a signature is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Form {
	/// [`PublicKey::verify_der`].
	Der,
	/// [`PublicKey::verify_fixed`].
	Fixed,
}

/// A signature with all that its check takes. The key is decoded already.
#[derive(Clone, Debug)]
pub struct Signed {
	key: PublicKey,
	scheme: Scheme,
	form: Form,
	message: Vec<u8>,
	signature: Vec<u8>,
}

impl Signed {
	/// One over `bytes` bytes.
	fn made(key: &Key, scheme: Scheme, bytes: u32) -> Self {
		let message = vec![0x5a; usize::try_from(bytes).unwrap()];
		Self {
			key: PublicKey::from_spki(&key.spki()).unwrap(),
			scheme,
			form: Form::Der,
			signature: key.sign(scheme, &message),
			message,
		}
	}

	/// Key and scheme, as in `rsa4096-pss-sha384`: what the time depends on, beside [`Self::bytes`].
	pub fn kind(&self) -> String {
		let key = match &self.key {
			PublicKey::P256(_) => String::from("p256"),
			PublicKey::P384(_) => String::from("p384"),
			PublicKey::Rsa(key) => format!("rsa{}", key.n().bit_width_vartime()),
		};
		let (padding, hash) = match self.scheme {
			Scheme::Ecdsa(hash) => ("", hash),
			Scheme::RsaPkcs1(hash) => ("-pkcs1", hash),
			Scheme::RsaPss(hash) => ("-pss", hash),
		};
		let hash = match hash {
			Hash::Sha256 => "sha256",
			Hash::Sha384 => "sha384",
			Hash::Sha512 => "sha512",
		};
		format!("{key}{padding}-{hash}")
	}

	/// Length of the message.
	pub fn bytes(&self) -> usize {
		self.message.len()
	}

	/// Hashes the message and checks the signature, nothing else.
	pub fn holds(&self) -> bool {
		let Self { key, scheme, form, message, signature } = self;
		match (form, scheme) {
			(Form::Fixed, Scheme::Ecdsa(hash)) => key.verify_fixed(*hash, message, signature),
			_ => key.verify_der(*scheme, message, signature),
		}
		.is_ok()
	}
}

/// P-256 with SHA-256.
pub fn p256(bytes: u32) -> Signed {
	Signed::made(&Key::p256(1), Scheme::Ecdsa(Hash::Sha256), bytes)
}

/// P-384 with SHA-384.
pub fn p384(bytes: u32) -> Signed {
	Signed::made(&Key::p384(1), Scheme::Ecdsa(Hash::Sha384), bytes)
}

/// RSA-2048 as TPMs sign.
pub fn rsa2048(bytes: u32) -> Signed {
	Signed::made(&Key::rsa2048(), Scheme::RsaPkcs1(Hash::Sha256), bytes)
}

/// RSA-4096 as Google's root signs.
pub fn rsa4096_pkcs1(bytes: u32) -> Signed {
	Signed::made(&Key::rsa4096(), Scheme::RsaPkcs1(Hash::Sha256), bytes)
}

/// RSA-4096 as AMD's authorities sign.
pub fn rsa4096_pss(bytes: u32) -> Signed {
	Signed::made(&Key::rsa4096(), Scheme::RsaPss(Hash::Sha384), bytes)
}

#[cfg(feature = "std")]
mod recorder {
	use super::*;
	use std::cell::RefCell;

	std::thread_local! {
		static CHECKED: RefCell<Option<Vec<Signed>>> = const { RefCell::new(None) };
	}

	/// Runs something in this thread and returns the makers' signatures that it checked, in order.
	/// Do not nest.
	pub fn recorded(run: impl FnOnce()) -> Vec<Signed> {
		CHECKED.set(Some(Vec::new()));
		run();
		CHECKED.take().unwrap_or_default()
	}

	/// Every check passes here.
	pub(in super::super::super) fn note(
		key: &PublicKey,
		scheme: Scheme,
		form: Form,
		message: &[u8],
		signature: &[u8],
	) {
		CHECKED.with_borrow_mut(|checked| {
			if let Some(checked) = checked {
				let (message, signature) = (message.to_vec(), signature.to_vec());
				checked.push(Signed { key: key.clone(), scheme, form, message, signature });
			}
		});
	}
}

#[cfg(feature = "std")]
pub(in super::super) use recorder::note;
#[cfg(feature = "std")]
pub use recorder::recorded;
