//! Documents of enclaves of our own making.

use super::{super::crypto::Hash, CertSpec, Key, NOW};
use alloc::{vec, vec::Vec};
use core::convert::Infallible;
use minicbor::{encode::Error, Encoder};

pub(in super::super) const NONCE: &[u8] = b"a nonce of the verifier";
pub(in super::super) const MODULE: &str = "i-0123456789abcdef0-enc0123456789abcdef";
/// `{ 1: -35 }`.
pub(in super::super) const ES384: &[u8] = &[0xa1, 0x01, 0x38, 0x22];

/// A key of the payload and its value, encoded.
pub(in super::super) type Field = (&'static str, Vec<u8>);

pub(in super::super) fn cbor(
	write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), Error<Infallible>>,
) -> Vec<u8> {
	let mut bytes = Vec::new();
	write(&mut Encoder::new(&mut bytes)).unwrap();
	bytes
}

pub(in super::super) fn bytes(content: &[u8]) -> Vec<u8> {
	cbor(|e| e.bytes(content)?.ok())
}

pub(in super::super) fn text(content: &str) -> Vec<u8> {
	cbor(|e| e.str(content)?.ok())
}

pub(in super::super) fn array(items: &[Vec<u8>]) -> Vec<u8> {
	let header = cbor(|e| e.array(items.len().try_into().unwrap())?.ok());
	[header, items.concat()].concat()
}

pub(in super::super) fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
	let header = cbor(|e| e.map(entries.len().try_into().unwrap())?.ok());
	let content = entries.iter().flat_map(|(key, value)| [key.clone(), value.clone()].concat());
	header.into_iter().chain(content).collect()
}

pub(in super::super) fn pcrs(values: &[(u8, Vec<u8>)]) -> Vec<u8> {
	let entries: Vec<_> = values
		.iter()
		.map(|(index, value)| (cbor(|e| e.u8(*index)?.ok()), bytes(value)))
		.collect();
	map(&entries)
}

pub(in super::super) fn leaf_key() -> Key {
	Key::p384(3)
}

pub(in super::super) fn root_certificate() -> Vec<u8> {
	let root = Key::p384(1);
	CertSpec::new("root", "root").authority().sign(&root, &root)
}

pub(in super::super) fn zone_certificate() -> Vec<u8> {
	CertSpec::new("zone", "root").authority().sign(&Key::p384(2), &Key::p384(1))
}

pub(in super::super) fn leaf_spec() -> CertSpec {
	CertSpec { serial: vec![0x77], ..CertSpec::new("leaf", "zone") }
}

pub(in super::super) fn leaf_certificate(key: &Key) -> Vec<u8> {
	leaf_spec().sign(key, &Key::p384(2))
}

/// The payload of an enclave that is not debugged.
pub(in super::super) fn fields() -> Vec<Field> {
	let bundle = [root_certificate(), zone_certificate()];
	fields_of(&leaf_certificate(&leaf_key()), &bundle, NONCE)
}

/// The same with other certificates and another nonce.
pub(in super::super) fn fields_of(
	certificate: &[u8],
	bundle: &[Vec<u8>],
	nonce: &[u8],
) -> Vec<Field> {
	let bundle: Vec<_> = bundle.iter().map(|certificate| bytes(certificate)).collect();
	vec![
		("module_id", text(MODULE)),
		("digest", text("SHA384")),
		("timestamp", cbor(|e| e.u64(NOW)?.ok())),
		("pcrs", pcrs(&[(0, vec![1; 48]), (1, vec![2; 48]), (2, vec![3; 48]), (3, vec![0; 48])])),
		("certificate", bytes(certificate)),
		("cabundle", array(&bundle)),
		("public_key", cbor(|e| e.null()?.ok())),
		("user_data", bytes(b"ours")),
		("nonce", bytes(nonce)),
	]
}

/// The fields with another value for one of them.
pub(in super::super) fn fields_with(key: &'static str, value: Vec<u8>) -> Vec<Field> {
	let mut fields = fields();
	fields.retain(|(name, _)| *name != key);
	fields.push((key, value));
	fields
}

pub(in super::super) fn payload(fields: &[Field]) -> Vec<u8> {
	let entries: Vec<_> = fields.iter().map(|(key, value)| (text(key), value.clone())).collect();
	map(&entries)
}

/// The four parts of COSE_Sign1 of a payload.
pub(in super::super) fn parts(payload: &[u8], key: &Key) -> [Vec<u8>; 4] {
	let signed = array(&[text("Signature1"), bytes(ES384), bytes(&[]), bytes(payload)]);
	let mut signature = key.sign_fixed(Hash::Sha384, &signed);
	signature.resize(96, 0);
	[bytes(ES384), map(&[]), bytes(payload), bytes(&signature)]
}

pub(in super::super) fn document(fields: &[Field]) -> Vec<u8> {
	array(&parts(&payload(fields), &leaf_key()))
}
