//! Builds the Wasm of this runtime next to the native one. `SKIP_WASM_BUILD=1` skips it.

fn main() {
	// The builder looks for Cargo.lock above the target directory, which lies outside the checkout.
	// Without the hint the Wasm would be built from whatever versions are newest. The folder is asked for
	// when this runs: what was compiled in another checkout may be used again.
	#[cfg(feature = "std")]
	if let (None, Some(here)) = (
		std::env::var_os("WASM_BUILD_WORKSPACE_HINT"),
		std::env::var_os("CARGO_MANIFEST_DIR").map(std::path::PathBuf::from),
	) {
		std::env::set_var("WASM_BUILD_WORKSPACE_HINT", here.join(".."));
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
