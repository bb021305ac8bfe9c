//! Evidence in JSON: forms that tools write, and any other object whose fields hold parts as text.

use super::{
	encoding::hex_or_base64,
	recognise::{layer, Layers, Part},
};
use armature_verifier::evidence::hardware::{dcap::Collateral, tpm::Pcrs};
use serde_json::{Map, Value};

/// The parts of a JSON text. No parts where it is no JSON.
///
/// # Errors
///
/// A sentence about a part that is there but cannot be read.
pub(crate) fn parts(text: &str, layers: Layers) -> Result<Vec<Part>, String> {
	let value: Value = match serde_json::from_str(text) {
		Ok(value) => value,
		Err(error) if text.starts_with('{') => return Err(format!("no valid JSON: {error}")),
		Err(_) => return Ok(Vec::new()),
	};
	if value.as_object().is_some_and(is_status) {
		// As it was written: that is what the verifier reads.
		return Ok(vec![Part::AndroidStatus(text.as_bytes().to_vec())]);
	}
	let mut parts = Vec::new();
	let mut rest = vec![value];
	while let Some(value) = rest.pop() {
		match value {
			Value::String(text) => parts.extend(layer(text.as_bytes(), layers, false)?.parts),
			Value::Array(items) => match bytes_of(&items) {
				Some(bytes) => parts.extend(layer(&bytes, layers, false)?.parts),
				None => rest.extend(items.into_iter().rev()),
			},
			Value::Object(mut map) => {
				if is_status(&map) {
					parts.push(Part::AndroidStatus(Value::Object(map).to_string().into_bytes()));
				} else if map.contains_key("tcb_info") && map.contains_key("qe_identity") {
					parts.push(collateral(map)?);
				} else {
					parts.extend(tpm_quote(&mut map)?);
					rest.extend(map.into_iter().map(|(_, value)| value).rev());
				}
			},
			Value::Null | Value::Bool(_) | Value::Number(_) => {},
		}
	}
	Ok(parts)
}

/// Google's `status.json`: serial numbers to states.
fn is_status(map: &Map<String, Value>) -> bool {
	map.get("entries").and_then(Value::as_object).is_some_and(|entries| {
		entries.values().all(|entry| entry.get("status").is_some_and(Value::is_string))
	})
}

/// What `dcap-qvl` writes.
fn collateral(map: Map<String, Value>) -> Result<Part, String> {
	let text = Value::Object(map).to_string();
	Collateral::from_json(text.as_bytes())
		.map(|collateral| Part::Collateral(Box::new(collateral)))
		.map_err(|fault| {
			format!(
				"the DCAP collateral cannot be read ({fault}): tcb_info, qe_identity, their \
				 signatures and chains and both revocation lists must be strings"
			)
		})
}

/// Takes a quote of trustee's form out of an object: `message`, `signature`, `pcrs`.
fn tpm_quote(map: &mut Map<String, Value>) -> Result<Vec<Part>, String> {
	if !["message", "signature", "pcrs"].iter().all(|name| map.contains_key(*name)) {
		return Ok(Vec::new());
	}
	let mut take = |name: &str| {
		let value = map.remove(name).unwrap_or_default();
		bytes(&value).ok_or_else(|| {
			format!("{name} of the TPM quote is neither hex nor base64 nor an array of bytes")
		})
	};
	let attest = Part::TpmAttest(take("message")?);
	let signature = Part::TpmSignature(take("signature")?);
	let pcrs = pcrs(&map.remove("pcrs").unwrap_or_default())
		.ok_or("pcrs of the TPM quote are no list of values in hex, base64 or bytes")?;
	Ok(vec![attest, signature, Part::Pcrs(pcrs)])
}

/// PCR values: a list from 0 on, or an object from index to value.
fn pcrs(value: &Value) -> Option<Pcrs> {
	match value {
		Value::Array(values) => {
			(0u8..).zip(values).map(|(at, value)| Some((at, bytes(value)?))).collect()
		},
		Value::Object(map) => {
			map.iter().map(|(at, value)| Some((at.parse().ok()?, bytes(value)?))).collect()
		},
		_ => None,
	}
}

/// Bytes as text or as an array of numbers.
fn bytes(value: &Value) -> Option<Vec<u8>> {
	match value {
		Value::String(text) => hex_or_base64(text),
		Value::Array(items) => bytes_of(items),
		_ => None,
	}
}

/// An array of numbers from 0 to 255; `None` for an empty one.
fn bytes_of(items: &[Value]) -> Option<Vec<u8>> {
	if items.is_empty() {
		return None;
	}
	items
		.iter()
		.map(|item| item.as_u64().and_then(|number| u8::try_from(number).ok()))
		.collect()
}
