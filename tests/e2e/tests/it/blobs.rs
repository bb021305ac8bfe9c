//! Blobs whose bytes are not those that their hash names: never stored, never handed on.

use crate::{
	alone,
	witness::{contains, runtime, Witness},
};
use anyhow::{bail, ensure, Context, Result};
use armature_e2e_tests::{network::accounts, Network, Options};
use armature_p2p::{
	messages::put_payload, BlobRequest, BlobResponse, Handle, Inbound, InboundRequest, Node,
	NodeConfig, P2pError, PutAuth, RateLimit, Refusal,
};
use armature_primitives::{RegionId, H256};
use armature_sdk::{query, Account};
use std::{fs, time::Duration};

/// What the hash names.
const GENUINE: &[u8; 35] = b"the module that the tenant has read";

/// As long, and something else.
const FORGED: &[u8; 35] = b"the module that a thief has written";

/// Puts up an orchestrator that lies.
const LIAR: &str = accounts::VERIFIER;

/// Upper bound on an exchange with an orchestrator.
const EXCHANGE: Duration = Duration::from_secs(30);

#[test]
fn blob_should_be_refused_when_its_bytes_do_not_have_its_hash() -> Result<()> {
	let _alone = alone();
	runtime()?.block_on(forge_blobs())
}

async fn forge_blobs() -> Result<()> {
	let mut network = Network::start(&Options::default())?;
	network.start_orchestrator()?;
	let witness = Witness::connect(&network).await?;
	let before = witness.standing().await?;

	upload_other_bytes(&network, &witness).await?;
	damage_stored_blob(&network)?;
	read_from_liar(&network).await?;

	witness.only_fees_since(&before).await?;
	drop(witness);
	ensure!(network.stop()?, "a process had to be killed or ended with an error");
	Ok(())
}

/// An upload, vouched for by its tenant, whose bytes are not the announced ones.
async fn upload_other_bytes(network: &Network, witness: &Witness) -> Result<()> {
	let tenant = Account::from_uri(accounts::TENANT)?;
	let found = query::orchestrators(&witness.best().await?, Some(RegionId(0))).await?;
	let (_, _, address) = found.first().context("no orchestrator is registered")?;
	let (handle, _inbound) = Node::spawn(node(7, Vec::new()))?;
	let orchestrator = handle.dial(address).await?;

	let hash = hash_of(GENUINE);
	let total = u64::try_from(FORGED.len())?;
	let payload = put_payload(&witness.genesis(), &hash, total, &handle.peer_id().to_bytes());
	let auth = PutAuth::Account { account: tenant.id().0, signature: tenant.sign(&payload) };
	let put = BlobRequest::Put { hash, total, offset: 0, bytes: FORGED.to_vec(), auth };
	match handle.blob(orchestrator, put, EXCHANGE).await? {
		BlobResponse::Refused { reason } => {
			contains(&P2pError::from(reason).to_string(), "peer refused: hash mismatch")?
		},
		other => bail!("the orchestrator answered {other:?}"),
	}
	let stat = handle.blob(orchestrator, BlobRequest::Stat { hash }, EXCHANGE).await?;
	ensure!(stat == BlobResponse::Stat { len: None }, "{stat:?}");
	handle.shutdown().await;

	// Nobody finds it, and nothing of it is left.
	cannot_read(network, "0", "peer does not have the blob")?;
	for folder in ["blobs", "incoming"] {
		let left = fs::read_dir(network.folder().join("orchestrator").join(folder))?.count();
		ensure!(left == 0, "{left} files in {folder}");
	}

	// The name is not spoilt for the bytes that it belongs to.
	store_and_read(network)
}

/// A stored blob that the orchestrator's disk has changed.
fn damage_stored_blob(network: &Network) -> Result<()> {
	let name = name_of(GENUINE);
	let name = name.strip_prefix("0x").context("a hash with its prefix")?;
	let stored = network.folder().join("orchestrator").join("blobs").join(name);
	ensure!(fs::read(&stored)? == GENUINE, "{} holds something else", stored.display());
	fs::write(&stored, FORGED)?;
	cannot_read(network, "0", "peer refused: hash mismatch")?;

	// The orchestrator keeps nothing that is damaged, and takes it anew.
	ensure!(!stored.exists(), "{} is still there", stored.display());
	cannot_read(network, "0", "peer does not have the blob")?;
	store_and_read(network)
}

/// A registered orchestrator that hands out other bytes than asked for.
async fn read_from_liar(network: &Network) -> Result<()> {
	let liar = spawn_liar()?;
	let addresses = liar.listen_addresses().await?;
	let address = addresses.first().context("the liar listens nowhere")?;
	network
		.cli()
		.run(LIAR, &["orchestrator", "register", "--region", "1", "--address", address])?;
	cannot_read(network, "1", "blob's bytes do not have its hash")?;

	// Who asks both gets the genuine bytes.
	read(network, &[])?;
	liar.shutdown().await;
	Ok(())
}

/// A node that has every blob, and always the same bytes.
fn spawn_liar() -> Result<Handle> {
	let (handle, mut inbound) = Node::spawn(node(8, vec!["/ip4/127.0.0.1/tcp/0".into()]))?;
	let len = u64::try_from(FORGED.len())?;
	tokio::spawn(async move {
		while let Some(Inbound { request, reply, .. }) = inbound.recv().await {
			match request {
				InboundRequest::Blob(BlobRequest::Stat { .. }) => {
					reply.blob(BlobResponse::Stat { len: Some(len) })
				},
				InboundRequest::Blob(BlobRequest::Get { .. }) => {
					reply.blob(BlobResponse::Chunk { bytes: FORGED.to_vec() })
				},
				_ => reply.refuse(Refusal::NotAssigned),
			}
		}
	});
	Ok(handle)
}

/// Stores the genuine bytes with the command line and reads them back.
fn store_and_read(network: &Network) -> Result<()> {
	let file = network.folder().join("genuine");
	fs::write(&file, GENUINE)?;
	let file = file.display().to_string();
	let stored = network.cli().run(accounts::TENANT, &["blob", "put", &file, "--region", "0"])?;
	ensure!(stored["hash"] == name_of(GENUINE), "{stored}");
	read(network, &["--region", "0"])
}

/// Reads the blob with the command line, which must give the genuine bytes.
fn read(network: &Network, from: &[&str]) -> Result<()> {
	let file = network.folder().join("read");
	let (name, path) = (name_of(GENUINE), file.display().to_string());
	let mut arguments = vec!["blob", "get", name.as_str(), "--output-file", path.as_str()];
	arguments.extend(from);
	network.cli().run("", &arguments)?;
	ensure!(fs::read(&file)? == GENUINE, "other bytes were read");
	Ok(fs::remove_file(&file)?)
}

/// Reads the blob from `region` with the command line, which must say `expected` and write nothing.
fn cannot_read(network: &Network, region: &str, expected: &str) -> Result<()> {
	let file = network.folder().join("refused");
	let (name, path) = (name_of(GENUINE), file.display().to_string());
	let said = network
		.cli()
		.refused("", &["blob", "get", &name, "--output-file", &path, "--region", region])?;
	contains(&said, &format!("no orchestrator gave the blob {name}"))?;
	contains(&said, expected)?;
	ensure!(!file.exists(), "{} was written", file.display());
	Ok(())
}

fn node(seed: u8, listen: Vec<String>) -> NodeConfig {
	NodeConfig {
		identity: [seed; 32],
		listen,
		request_timeout: EXCHANGE,
		max_peers: 8,
		rate: RateLimit::default(),
	}
}

fn hash_of(bytes: &[u8]) -> H256 {
	H256(sp_crypto_hashing::blake2_256(bytes))
}

/// The hash as the command line writes and reads it.
fn name_of(bytes: &[u8]) -> String {
	format!("{:?}", hash_of(bytes))
}
