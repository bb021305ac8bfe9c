//! The layer rule: which of our crates may depend on which. Dev-dependencies are exempt.

use cargo_metadata::{DependencyKind, Metadata};

/// A crate's place in the house, from its folder.
fn layer(folder: &str) -> Option<&'static str> {
	Some(match folder {
		"primitives" => "primitives",
		"economics" => "economics",
		"health" => "health",
		"verifier" => "verifier",
		"runtime" => "runtime",
		"node" => "node",
		"xtask" => "xtask",
		"client/sdk" => "sdk",
		"client/cli" => "cli",
		"services/cuda" => "accelerator",
		"services/evidence" => "evidence",
		"services/metrics" => "metrics",
		"services/p2p" => "p2p",
		"services/sandbox" => "sandbox",
		"services/wire" => "wire",
		_ if folder.starts_with("pallets/") => "pallet",
		_ if folder.starts_with("services/") => "service",
		_ if folder.starts_with("tests/") => "tests",
		_ => return None,
	})
}

/// The allowed edges. A layer that is not on the left may depend on none of ours.
fn allowed(from: &str) -> &'static [&'static str] {
	match from {
		"economics" | "health" | "verifier" | "sandbox" | "wire" => &["primitives"],
		"pallet" => &["primitives", "economics", "health", "verifier"],
		"runtime" => &["pallet", "primitives", "economics", "health", "verifier"],
		"node" => &["runtime", "primitives"],
		"p2p" => &["wire", "primitives"],
		// What accelerators compute is the verifier's to say.
		"accelerator" => &["primitives", "verifier"],
		// Evidence is made of the verifier's formats.
		"evidence" => &["primitives", "verifier"],
		"sdk" => &["primitives", "economics"],
		"service" => &[
			"sdk",
			"p2p",
			"wire",
			"metrics",
			"sandbox",
			"accelerator",
			"evidence",
			"verifier",
			"health",
			"economics",
			"primitives",
		],
		"cli" => {
			&["service", "sdk", "p2p", "sandbox", "evidence", "verifier", "economics", "primitives"]
		},
		"tests" | "xtask" => &[
			"primitives",
			"economics",
			"health",
			"verifier",
			"pallet",
			"runtime",
			"node",
			"sdk",
			"cli",
			"p2p",
			"sandbox",
			"evidence",
			"service",
		],
		_ => &[],
	}
}

/// Crates of the SDK that only some layers may touch: what runs on chain stays out of clients, and
/// node crates (GPL with the Classpath exception) stay in the node.
fn forbidden_foreign(from: &str, dependency: &str) -> bool {
	let node_crate = dependency.starts_with("sc-");
	let frame_crate = dependency.starts_with("frame-") || dependency.starts_with("pallet-");
	match from {
		"node" | "tests" | "xtask" => false,
		"runtime" | "pallet" => node_crate,
		_ => node_crate || frame_crate,
	}
}

/// Every forbidden edge, as a sentence.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
	let root = metadata.workspace_root.as_std_path();
	let mut findings = Vec::new();
	let folder_of = |manifest: &std::path::Path| {
		manifest
			.parent()
			.and_then(|folder| folder.strip_prefix(root).ok())
			.map(|folder| folder.to_string_lossy().into_owned())
	};
	for package in metadata.workspace_packages() {
		let Some(folder) = folder_of(package.manifest_path.as_std_path()) else { continue };
		let Some(from) = layer(&folder) else {
			findings.push(format!("layers: {folder} has no place in the layer rule; give it one"));
			continue;
		};
		for dependency in &package.dependencies {
			if dependency.kind == DependencyKind::Development {
				continue;
			}
			let ours = dependency
				.path
				.as_ref()
				.and_then(|path| folder_of(path.join("Cargo.toml").as_std_path()));
			match ours {
				Some(target) => match layer(&target) {
					Some(to) if allowed(from).contains(&to) => {},
					_ => findings.push(format!("layers: {folder} may not depend on {target}")),
				},
				None if forbidden_foreign(from, &dependency.name) => {
					findings.push(format!("layers: {folder} may not depend on {}", dependency.name))
				},
				None => {},
			}
		}
	}
	findings
}

#[cfg(test)]
mod tests {
	use super::{allowed, forbidden_foreign, layer};

	#[test]
	fn pallets_should_not_reach_pallets() {
		assert_eq!(layer("pallets/market"), Some("pallet"));
		assert!(!allowed("pallet").contains(&"pallet"));
	}

	#[test]
	fn clients_should_not_reach_the_chain_side() {
		for to in ["runtime", "pallet", "node"] {
			assert!(!allowed("sdk").contains(&to) && !allowed("service").contains(&to));
		}
		assert!(forbidden_foreign("sdk", "frame-support"));
		assert!(forbidden_foreign("pallet", "sc-service"));
		assert!(!forbidden_foreign("pallet", "frame-support"));
	}

	#[test]
	fn messages_should_reach_no_transport() {
		assert_eq!(layer("services/wire"), Some("wire"));
		assert_eq!(allowed("wire"), ["primitives"]);
		assert!(allowed("p2p").contains(&"wire") && allowed("service").contains(&"wire"));
	}

	#[test]
	fn metrics_should_reach_none_of_ours_and_serve_services() {
		assert_eq!(layer("services/metrics"), Some("metrics"));
		assert!(allowed("metrics").is_empty());
		assert!(allowed("service").contains(&"metrics"));
	}

	#[test]
	fn accelerators_should_reach_the_verifier_and_serve_services() {
		assert_eq!(layer("services/cuda"), Some("accelerator"));
		assert_eq!(allowed("accelerator"), ["primitives", "verifier"]);
		assert!(allowed("service").contains(&"accelerator"));
	}

	#[test]
	fn unknown_folders_should_have_no_layer() {
		assert_eq!(layer("somewhere/else"), None);
	}
}
