//! Builds the Wasm of this runtime next to the native one. `SKIP_WASM_BUILD=1` skips it.

fn main() {
	// The builder looks for Cargo.lock above the target directory, which lies outside the checkout.
	// Without the hint the Wasm would be built from whatever versions are newest.
	#[cfg(feature = "std")]
	if std::env::var_os("WASM_BUILD_WORKSPACE_HINT").is_none() {
		std::env::set_var("WASM_BUILD_WORKSPACE_HINT", concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
	}

	#[cfg(feature = "std")]
	{
		// Wasm has no product of two words of 64 bits: big integers are faster in words of 32.
		let builder = substrate_wasm_builder::WasmBuilder::init_with_defaults()
			.append_to_rust_flags("--cfg cpubits=\"32\"");
		#[cfg(feature = "metadata-hash")]
		let builder = builder.enable_metadata_hash("ARMA", 12);
		builder.build();
	}
}
