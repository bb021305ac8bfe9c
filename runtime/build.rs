//! Builds the Wasm of this runtime next to the native one. `SKIP_WASM_BUILD=1` skips it.

fn main() {
	// The builder looks for Cargo.lock above the target directory, which lies outside the checkout.
	// Without the hint the Wasm would be built from whatever versions are newest.
	#[cfg(feature = "std")]
	if std::env::var_os("WASM_BUILD_WORKSPACE_HINT").is_none() {
		std::env::set_var("WASM_BUILD_WORKSPACE_HINT", concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
	}

	#[cfg(all(feature = "std", feature = "metadata-hash"))]
	substrate_wasm_builder::WasmBuilder::init_with_defaults()
		.enable_metadata_hash("ARMA", 12)
		.build();

	#[cfg(all(feature = "std", not(feature = "metadata-hash")))]
	substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
