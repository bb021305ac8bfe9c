//! Two versions of these in one binary mean two incompatible sets of traits.

use cargo_metadata::Metadata;
use std::collections::{BTreeMap, BTreeSet};

const SINGLE: [&str; 8] = [
	"frame-metadata-hash-extension",
	"frame-support",
	"frame-system",
	"sp-api",
	"sp-core",
	"sp-io",
	"sp-runtime",
	"subxt",
];

/// A finding for each crate that the lock file holds more than once.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
	let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
	for package in &metadata.packages {
		if let Some(name) = SINGLE.iter().find(|name| **name == package.name) {
			versions.entry(name).or_default().insert(package.version.to_string());
		}
	}
	versions
		.into_iter()
		.filter(|(_, found)| found.len() > 1)
		.map(|(name, found)| {
			let found: Vec<_> = found.into_iter().collect();
			format!("duplicates: {name} is there in versions {}", found.join(", "))
		})
		.collect()
}
