use super::*;
use crate::testing::{vectors, Tree};
use std::fs;

/// A table of entries by GUID, in front of their content.
fn table(entries: &[(&[u8; 16], &[u8])]) -> Vec<u8> {
	let mut head = Vec::new();
	let mut body = Vec::new();
	let start = (entries.len() + 1) * ENTRY_LEN;
	for (guid, content) in entries {
		let offset = u32::try_from(start + body.len()).unwrap();
		head.extend_from_slice(*guid);
		head.extend_from_slice(&offset.to_le_bytes());
		head.extend_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
		body.extend_from_slice(content);
	}
	head.extend_from_slice(&[0; ENTRY_LEN]);
	[head, body].concat()
}

fn guid_of(name: &str) -> &'static [u8; 16] {
	&GUIDS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// Not one of AMD's.
const OTHER: [u8; 16] = [1; 16];

fn why(table: &[u8]) -> String {
	Pool::from_table(table).unwrap_err().to_string()
}

#[test]
fn guids_should_stand_in_the_order_of_their_text() {
	assert_eq!(guid_of("VCEK")[..4], [0x63, 0xda, 0x75, 0x8d]);
	assert_eq!(guid_of("VLEK")[..4], [0xa8, 0x07, 0x4b, 0xc2]);
	assert_eq!(guid_of("ASK")[..4], [0x4a, 0xb7, 0xb3, 0x79]);
	assert_eq!(guid_of("ARK")[14..], [0xd0, 0xae]);
}

#[test]
fn table_without_certificates_should_give_none() {
	for empty in [vec![], vec![0; ENTRY_LEN], vec![0; 4_096], table(&[(&OTHER, b"list")])] {
		assert!(Pool::from_table(&empty).unwrap().is_empty());
	}
}

#[test]
fn table_should_be_refused_when_malformed() {
	assert!(why(&[0; ENTRY_LEN - 1]).contains("no end"));
	assert!(why(&[1; ENTRY_LEN]).contains("no end"));
	let good = table(&[(guid_of("ASK"), b"x")]);
	assert!(why(&good).contains("the ASK"), "what it points to is no certificate");
	assert!(why(&table(&[(guid_of("ARK"), b"")])).contains("outside"), "empty");
	let large = vec![0x30; MAX_CERTIFICATE_LEN + 1];
	assert!(why(&table(&[(guid_of("VCEK"), &large)])).contains("outside"));
	// Offsets and lengths that leave the table, and such that overflow.
	for (at, bytes) in [(16, [49, 0, 0, 0]), (16, [255; 4]), (20, [2, 0, 0, 0]), (20, [255; 4])] {
		let mut bad = good.clone();
		bad[at..at + 4].copy_from_slice(&bytes);
		assert!(why(&bad).contains("outside"), "{bytes:?} at {at}");
	}
	let full = vec![(&OTHER, &b"x"[..]); MAX_ENTRIES];
	assert!(Pool::from_table(&table(&full)).unwrap().is_empty());
	let more = vec![(&OTHER, &b"x"[..]); MAX_ENTRIES + 1];
	assert!(why(&table(&more)).contains("too many"));
	for len in 1..good.len() - 1 {
		assert!(Pool::from_table(&good[..len]).is_err(), "{len}");
	}
}

#[test]
fn table_of_a_host_should_give_its_chain() {
	let Some(vectors) = vectors() else { return };
	let read = |name: &str| fs::read(vectors.join("snp").join(name)).unwrap();
	let issuers = pem::certificates(&read("cert_chain_milan")).unwrap();
	let vcek = read("vcek_milan.der");
	let pool = Pool::from_table(&table(&[
		(guid_of("ARK"), &issuers[1]),
		(guid_of("VCEK"), &vcek),
		(&OTHER, b"a revocation list"),
		(guid_of("ASK"), &issuers[0]),
		(guid_of("ASK"), &issuers[0]),
	]))
	.unwrap();
	assert_eq!(pool.0.len(), 3, "the same one twice is one");
	let named = |name: &'static str| move |it: &Certificate<'_>| it.common_name() == Some(name);
	let chain = pool.chain(named("SEV-VCEK")).unwrap();
	assert_eq!(chain, [vcek, issuers[0].clone(), issuers[1].clone()]);
	assert_eq!(pool.chain(named("ARK-Milan")).unwrap(), [issuers[1].clone()]);
	assert_eq!(pool.chain(named("SEV-VLEK")), None);
	let without_root = Pool(vec![chain[0].clone(), chain[1].clone()]);
	assert_eq!(without_root.chain(named("SEV-VCEK")).unwrap().len(), 2);
}

#[test]
fn directory_should_give_the_certificates_of_its_files() {
	let Some(vectors) = vectors() else { return };
	let read = |name: &str| fs::read(vectors.join("snp").join(name)).unwrap();
	let tree = Tree::new()
		.file("c/vcek.der", read("vcek_milan.der"))
		.file("c/chain.pem", read("milan_ask_ark_asvk.pem"))
		.file("c/notes.txt", "not a certificate")
		.directory("c/more.pem");
	let mut pool = Pool::from_directory(&tree.path("c")).unwrap();
	assert_eq!(pool.0.len(), 4);
	let same = pool.clone();
	pool.extend(same).unwrap();
	assert_eq!(pool.0.len(), 4);
	let tree = tree.file("c/page.crt", "<html>");
	let error = Pool::from_directory(&tree.path("c")).unwrap_err();
	assert!(error.to_string().contains("page.crt"), "{error}");
	let tree = tree.file("c/page.crt", vec![b' '; MAX_FILE_LEN + 1]);
	assert!(matches!(
		Pool::from_directory(&tree.path("c")),
		Err(CertificateError::File { error, .. }) if error.kind() == io::ErrorKind::FileTooLarge
	));
}

#[test]
fn directory_should_be_named_when_it_is_absent() {
	let tree = Tree::new();
	let error = Pool::from_directory(&tree.path("nowhere")).unwrap_err();
	assert!(matches!(&error, CertificateError::Directory { .. }));
	assert!(error.to_string().contains("nowhere"));
	let empty = tree.directory("empty.pem");
	assert!(Pool::from_directory(&empty.path("empty.pem")).unwrap().is_empty());
	let empty_file = empty.file("e/empty.pem", "");
	assert!(matches!(
		Pool::from_directory(&empty_file.path("e")),
		Err(CertificateError::NoCertificate(_))
	));
}

#[test]
fn pool_should_be_bounded() {
	let mut pool = Pool((0..MAX_CERTIFICATES).map(|at| vec![u8::try_from(at).unwrap()]).collect());
	assert!(pool.add(vec![0]).is_ok(), "it is there");
	assert!(matches!(pool.add(vec![255, 255]), Err(CertificateError::TooMany)));
}
