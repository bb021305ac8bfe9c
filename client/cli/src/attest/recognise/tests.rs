//! Every part in every encoding.

use super::super::samples::{
	armoured, attest, document, hcl_report, quote, sample, signature, snp_report,
};
use super::{recognise, Found, Part};
use base64::{
	engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
	Engine,
};
use serde_json::json;

fn parts(bytes: impl AsRef<[u8]>) -> Vec<Part> {
	recognise(bytes.as_ref()).unwrap().parts
}

/// One of each kind that binary files hold.
fn binaries() -> Vec<(Vec<u8>, Part)> {
	let one = |bytes: Vec<u8>, part: fn(Vec<u8>) -> Part| (bytes.clone(), part(bytes));
	vec![
		one(snp_report(1, 0), Part::SnpReport),
		one(quote(), Part::Quote),
		one(sample("gpu report 1"), Part::GpuReport),
		one(document(), Part::NitroDocument),
		one([[0xd2].as_slice(), &document()].concat(), Part::NitroDocument),
		one(hcl_report(), Part::HclReport),
		one(attest(), Part::TpmAttest),
		one(signature(), Part::TpmSignature),
		one(sample("tpm key"), Part::TpmKey),
		one(sample("vcek 1"), Part::Certificate),
		(sample("crl"), Part::Crl(sample("crl"))),
	]
}

#[test]
fn parts_should_be_known_in_every_encoding() {
	for (bytes, part) in binaries() {
		let hex = hex::encode(&bytes);
		let lines: Vec<_> = hex
			.as_bytes()
			.chunks(60)
			.map(|line| std::str::from_utf8(line).unwrap())
			.collect();
		let base64 = STANDARD.encode(&bytes);
		for (text, form) in [
			(hex.clone(), "hex"),
			(hex.to_uppercase(), "hex"),
			(format!("0x{hex}\n"), "hex"),
			(lines.join("\r\n"), "hex"),
			(base64.clone(), "base64"),
			(format!("\u{feff} {base64}\n\0"), "base64"),
			(STANDARD_NO_PAD.encode(&bytes), "base64"),
			(URL_SAFE.encode(&bytes), "base64"),
			(URL_SAFE_NO_PAD.encode(&bytes), "base64"),
			(format!("-----BEGIN X-----\n{base64}\n-----END X-----\n"), "PEM"),
			(json!({ "a": [{ "b": base64, "c": 1, "d": null, "e": "" }] }).to_string(), "JSON"),
			(json!([hex]).to_string(), "JSON"),
			(json!({ "bytes": bytes }).to_string(), "JSON"),
			(json!(base64).to_string(), "JSON"),
			(STANDARD.encode(json!({ "x": hex }).to_string()), "base64"),
		] {
			let found = recognise(text.as_bytes()).unwrap();
			assert_eq!(found, Found { form, parts: vec![part.clone()] }, "{text}");
		}
		let found = recognise(&bytes).unwrap();
		assert_eq!(found, Found { form: "binary", parts: vec![part] });
	}
}

#[test]
fn bundles_should_give_all_certificates() {
	let [ask, ark] = ["ask", "ark"].map(|name| Part::Certificate(sample(name)));
	let both = [ask, ark];
	let pem = format!("# ask\n{}\n# ark\n{}\n\0", armoured("ask"), armoured("ark"));
	assert_eq!(parts(&pem), both);
	assert_eq!(parts([sample("ask"), sample("ark")].concat()), both);
	assert_eq!(parts(json!({ "chain": pem }).to_string()), both);
	let base64 = STANDARD.encode(&pem);
	assert_eq!(parts(json!({ "gpus": [{ "certificate": base64 }] }).to_string()), both);
	let summary = recognise(pem.as_bytes()).unwrap().summary();
	assert_eq!(summary, "2 certificates (PEM)");
}

#[test]
fn private_keys_should_be_ignored_by_name() {
	let pem = "-----BEGIN EC PRIVATE KEY-----\nAQID\n-----END EC PRIVATE KEY-----";
	assert_eq!(parts(pem), [Part::PrivateKey]);
	assert!(recognise(pem.as_bytes()).unwrap().summary().contains("keep it to yourself"));
}

#[test]
fn certificates_of_the_host_should_be_found_behind_a_report() {
	let (vcek, ask) = (sample("vcek 1"), armoured("ask"));
	let entry = |offset: usize, len: usize| {
		let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
		[[9; 16].as_slice(), &number(offset), &number(len)].concat()
	};
	let end = vec![0; 24];
	let first = 72 + vcek.len();
	let table = [
		entry(72, vcek.len()),
		entry(first, ask.len()),
		end,
		vcek.clone(),
		ask.as_bytes().to_vec(),
	]
	.concat();
	let certificates = [Part::Certificate(vcek), Part::Certificate(sample("ask"))];
	assert_eq!(parts(&table), certificates);
	let with_report = [snp_report(1, 0), table].concat();
	let all = [vec![Part::SnpReport(snp_report(1, 0))], certificates.to_vec()].concat();
	assert_eq!(parts(with_report), all);
	// What follows a report otherwise is the verifier's to refuse.
	let longer = [snp_report(1, 0), vec![1, 2, 3]].concat();
	assert_eq!(parts(&longer), [Part::SnpReport(longer.clone())]);
}

/// Nothing that can be verified is found in it.
fn unknown(text: &str) {
	let error = recognise(text.as_bytes()).unwrap_err();
	assert!(error.contains("are nothing that can be verified"), "{error}");
}

#[test]
fn tpm_sizes_should_be_taken_off() {
	let sized = [[0, 106].as_slice(), &attest()].concat();
	assert_eq!(parts(sized), [Part::TpmAttest(attest())]);
}

#[test]
fn bytes_without_structure_should_be_known_by_their_number_in_files_only() {
	let signature = vec![0xa5; 256];
	assert_eq!(parts(&signature), [Part::TpmSignature(signature.clone())]);
	assert_eq!(parts(hex::encode(&signature)), [Part::TpmSignature(signature.clone())]);
	unknown(&json!({ "x": hex::encode(&signature) }).to_string());
	let values: Vec<u8> = (0..24).flat_map(|at| [at + 200; 32]).collect();
	let [Part::Pcrs(pcrs)] = &parts(values)[..] else { panic!("no values") };
	assert_eq!((pcrs.len(), &pcrs[&23]), (24, &vec![223; 32]));
}

#[test]
fn quotes_of_trustee_should_be_taken_apart() {
	let pcrs: Vec<_> = (0..3u8).map(|at| hex::encode([at; 32])).collect();
	let raw = vec![7u8; 256];
	let expected = |parts: &[Part], signature: &[u8]| {
		assert_eq!(parts[0], Part::TpmAttest(attest()));
		assert_eq!(parts[1], Part::TpmSignature(signature.to_vec()));
		let Part::Pcrs(pcrs) = &parts[2] else { panic!("no values") };
		assert_eq!((pcrs.len(), &pcrs[&2]), (3, &vec![2; 32]));
	};
	let tpm = json!({
		"ak_public": STANDARD.encode(sample("tpm key")),
		"tpm_quote": {
			"message": STANDARD.encode(attest()),
			"signature": STANDARD.encode(signature()),
			"pcrs": pcrs,
		},
	});
	let found = parts(tpm.to_string());
	assert_eq!(found[0], Part::TpmKey(sample("tpm key")));
	expected(&found[1..], &signature());
	let azure = json!({
		"hcl_report": URL_SAFE.encode(hcl_report()),
		"tpm_quote": {
			"message": hex::encode(attest()),
			"signature": hex::encode(&raw),
			"pcrs": { "0": pcrs[0], "2": pcrs[2], "1": pcrs[1] },
		},
		"vcek": URL_SAFE.encode(sample("vcek 1")),
		"version": 1,
	});
	let found = parts(azure.to_string());
	assert_eq!(found[0], Part::HclReport(hcl_report()));
	expected(&found[1..4], &raw);
	assert_eq!(found[4], Part::Certificate(sample("vcek 1")));
	let values = [[0u8; 32], [1; 32], [2; 32]];
	let numbers = json!({
		"message": attest(), "signature": raw, "pcrs": values,
	});
	expected(&parts(numbers.to_string()), &raw);
	for (name, value) in [("message", json!("!")), ("signature", json!(1)), ("pcrs", json!("00"))] {
		let mut bad = numbers.clone();
		bad[name] = value;
		assert!(recognise(bad.to_string().as_bytes()).unwrap_err().contains(name));
	}
}

#[test]
fn collateral_should_keep_the_signed_texts() {
	let info = "{\"id\":\"TDX\",  \"version\":3}";
	let json = json!({
		"tcb_info": info, "tcb_info_signature": "00", "qe_identity": "{}",
		"qe_identity_signature": "00", "pck_crl": "00", "root_ca_crl": "00",
		"pck_crl_issuer_chain": "", "tcb_info_issuer_chain": "", "qe_identity_issuer_chain": "",
	});
	let [Part::Collateral(collateral)] = &parts(json.to_string())[..] else { panic!("none") };
	assert_eq!(collateral.tcb_info, info);
	let both = json!({ "quote": hex::encode(quote()), "collateral": json }).to_string();
	assert_eq!(parts(both).len(), 2);
	let objects = json!({ "tcb_info": {}, "qe_identity": {} }).to_string();
	assert!(recognise(objects.as_bytes()).unwrap_err().contains("must be strings"));
}

#[test]
fn lists_of_android_should_stay_as_they_are() {
	let list = "{ \"entries\": { \"1a\": {\"status\": \"REVOKED\"} } }";
	assert_eq!(parts(list), [Part::AndroidStatus(list.as_bytes().to_vec())]);
	let inside = format!("{{\"status\": {list}}}");
	assert!(matches!(&parts(inside)[..], [Part::AndroidStatus(_)]));
}

#[test]
fn other_files_should_be_refused_with_a_reason() {
	let error = |bytes: &[u8]| recognise(bytes).unwrap_err();
	assert_eq!(error(b""), "the file is empty");
	assert!(
		error(b"\x7fELF....").contains("begin with 7f454c46") && error(b"hello").contains("tried")
	);
	assert!(error(b"{\"a\": ").contains("no valid JSON"));
	assert!(error(b"{}").contains("nothing that can be verified"));
	assert!(error(b"-----BEGIN CERTIFICATE-----\nAQ").contains("cut short"));
	let none = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----";
	assert!(error(none.as_bytes()).contains("labelled CERTIFICATE"));
	// The outer name of the algorithm, which must be the inner one.
	let ecdsa_sha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
	let mut broken = sample("ask");
	let at = broken.windows(8).rposition(|window| window == ecdsa_sha256).unwrap();
	broken[at + 7] = 3;
	assert_eq!(error(&broken), "certificate 1 cannot be read: does not agree");
	broken = sample("ask");
	broken.pop();
	assert!(error(&broken).contains("nothing that can be verified"));
	let behind = [sample("ask"), vec![0x30]].concat();
	assert!(error(&behind).contains("behind the last certificate"));
}

#[test]
fn layers_should_be_few() {
	let mut text = hex::encode(snp_report(1, 0));
	for _ in 0..3 {
		text = json!(text).to_string();
	}
	assert_eq!(parts(&text).len(), 1);
	for _ in 0..10 {
		text = json!(text).to_string();
	}
	unknown(&text);
	let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
	unknown(&deep);
}

#[test]
fn any_prefix_and_any_flip_should_end() {
	for (bytes, _) in binaries() {
		for at in 0..bytes.len() {
			let _ = recognise(&bytes[..at]);
			let mut bad = bytes.clone();
			bad[at] ^= 0x81;
			let _ = recognise(&bad);
		}
	}
}
