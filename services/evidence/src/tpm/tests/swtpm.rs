//! Software TPMs on loopback, and what certifies them.

use super::{Pool, Tpm};
use std::{
	fs,
	net::{Ipv4Addr, TcpListener, TcpStream},
	path::Path,
	process::{Child, Command, Stdio},
	thread,
	time::{Duration, Instant},
};
use tempfile::TempDir;

const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Ports are free when they are looked for and may be taken when they are used.
const ATTEMPTS: u32 = 5;

/// A running one; it is stopped when dropped.
pub(super) struct Swtpm {
	process: Child,
	port: u16,
	state: TempDir,
}

impl Drop for Swtpm {
	fn drop(&mut self) {
		// It may have ended by itself; then there is nothing to stop.
		let _ = self.process.kill();
		let _ = self.process.wait();
	}
}

impl Swtpm {
	/// A new TPM; `None` after saying so where there is no swtpm.
	pub(super) fn start() -> Option<Self> {
		let state = tempfile::tempdir().unwrap();
		is_there("swtpm").then(|| Self::run(state))
	}

	/// A TPM with a certified endorsement key; `None` after saying so where that cannot be made.
	pub(super) fn start_certified() -> Option<Self> {
		if !is_there("swtpm") || !is_there("swtpm_setup") || !is_there("certtool") {
			return None;
		}
		let state = tempfile::tempdir().unwrap();
		let at = |name: &str| state.path().join(name).display().to_string();
		fs::create_dir(state.path().join("ca")).unwrap();
		let authority = format!(
			"statedir = {}\nsigningkey = {}\nissuercert = {}\ncertserial = {}\n",
			at("ca"),
			at("ca/key.pem"),
			at("ca/issuer.pem"),
			at("ca/serial")
		);
		fs::write(state.path().join("localca.conf"), authority).unwrap();
		fs::write(state.path().join("localca.options"), "").unwrap();
		let setup = format!(
			"create_certs_tool = swtpm_localca\ncreate_certs_tool_config = {}\n\
			 create_certs_tool_options = {}\n",
			at("localca.conf"),
			at("localca.options")
		);
		fs::write(state.path().join("setup.conf"), setup).unwrap();
		let made = Command::new("swtpm_setup")
			.args(["--tpm2", "--createek", "--create-ek-cert", "--not-overwrite"])
			.args(["--tpmstate", &at(""), "--config", &at("setup.conf"), "--logfile", &at("log")])
			.stdout(Stdio::null())
			.status()
			.unwrap();
		let log = fs::read_to_string(state.path().join("log")).unwrap_or_default();
		assert!(made.success(), "swtpm_setup failed: {log}");
		Some(Self::run(state))
	}

	fn run(state: TempDir) -> Self {
		for _ in 0..ATTEMPTS {
			let port = two_free_ports();
			let mut process = Command::new("swtpm")
				.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
				.args(["--tpmstate", &format!("dir={}", state.path().display())])
				.args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")])
				.args(["--ctrl", &format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1)])
				.stdout(Stdio::null())
				.stderr(Stdio::null())
				.spawn()
				.unwrap();
			let start = Instant::now();
			while start.elapsed() < START_TIMEOUT && process.try_wait().unwrap().is_none() {
				// The second one is opened last, and serves no commands.
				if TcpStream::connect((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
					return Self { process, port, state };
				}
				thread::sleep(Duration::from_millis(20));
			}
			let _ = process.kill();
			let _ = process.wait();
		}
		panic!("swtpm did not start")
	}

	/// Opens it; it serves one at a time.
	pub(super) fn open(&self) -> Tpm {
		Tpm::connect(&format!("swtpm:host=127.0.0.1,port={}", self.port)).unwrap()
	}

	/// The certificates of the authority that certified it, and one that it issued.
	pub(super) fn authority_with(&self, issued: &[u8]) -> Pool {
		let directory = self.state.path().join("ca");
		fs::write(directory.join("issued.der"), issued).unwrap();
		// Keys lie beside the certificates.
		for key in ["key.pem", "swtpm-localca-rootca-privkey.pem"] {
			fs::remove_file(directory.join(key)).unwrap();
		}
		Pool::from_directory(&directory).unwrap()
	}
}

fn is_there(program: &str) -> bool {
	let found = Command::new(program)
		.arg("--version")
		.stdout(Stdio::null())
		.stderr(Stdio::null())
		.status()
		.is_ok();
	if !found {
		println!("skipped: no {program}");
	}
	found
}

/// A port that is free together with the one above it: the library expects them so.
fn two_free_ports() -> u16 {
	(0..100)
		.find_map(|_| {
			let lower = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
			let port = lower.local_addr().ok()?.port();
			TcpListener::bind((Ipv4Addr::LOCALHOST, port.checked_add(1)?)).ok()?;
			Some(port)
		})
		.unwrap()
}

/// Certifies an attestation key of P-256 with an authority of our own; the directory has both
/// certificates. `None` after saying so where there is no openssl.
pub(super) fn certify(area: &[u8]) -> Option<TempDir> {
	if !is_there("openssl") {
		return None;
	}
	let directory = tempfile::tempdir().unwrap();
	let point = area.len() - 68;
	let (x, y) = (&area[point + 2..point + 34], &area[point + 36..]);
	// SubjectPublicKeyInfo of a point on P-256 (RFC 5480), in front of the point.
	let head = hex::decode("3059301306072a8648ce3d020106082a8648ce3d03010703420004").unwrap();
	fs::write(directory.path().join("ak.spki"), [&head[..], x, y].concat()).unwrap();
	let extensions = "extendedKeyUsage=2.23.133.8.3\nkeyUsage=digitalSignature\n";
	fs::write(directory.path().join("extensions"), extensions).unwrap();
	let key = "ec -pkeyopt ec_paramgen_curve:P-256";
	let openssl = |command: String| run(directory.path(), &command);
	openssl(format!(
		"req -x509 -newkey {key} -nodes -keyout ca.key -out ca.pem -days 3650 -subj /CN=Root"
	));
	openssl(format!("req -newkey {key} -nodes -keyout other.key -out ak.csr -subj /CN=Key"));
	openssl("pkey -pubin -inform DER -in ak.spki -out ak.pub".into());
	openssl(
		"x509 -req -in ak.csr -CA ca.pem -CAkey ca.key -CAcreateserial -force_pubkey ak.pub \
		 -extfile extensions -days 3650 -out ak.pem"
			.into(),
	);
	Some(directory)
}

fn run(directory: &Path, command: &str) {
	let output = Command::new("openssl")
		.args(command.split(' '))
		.current_dir(directory)
		.output()
		.unwrap();
	let said = String::from_utf8_lossy(&output.stderr);
	assert!(output.status.success(), "openssl {command}: {said}");
}
