# What measures pallets in Wasm, shared by weights.sh, bench.sh and bench-challenges.sh. Sourced after lib.sh, never run.

WASM=$CARGO_TARGET_DIR/benchmarks
BENCHER=${XDG_CACHE_HOME:-$HOME/.cache}/armature/bencher

build_bencher() {
	# The command brings a test runtime along that weights do not need.
	SKIP_WASM_BUILD=1 CARGO_TARGET_DIR="$BENCHER" \
		cargo build --release --locked --manifest-path xtask/bencher/Cargo.toml
}

# The Wasm alone, as the runtime's build.rs has it compiled: the native half is not needed here.
build_runtime() {
	CARGO_TARGET_DIR="$WASM" \
		RUSTFLAGS="-C link-arg=--export-table -C link-arg=--export=__heap_base -C link-arg=--import-memory --cfg substrate_runtime --cfg cpubits=\"32\"" \
		cargo ${WASM_BUILD_TOOLCHAIN:++$WASM_BUILD_TOOLCHAIN} rustc --release --locked --target wasm32v1-none \
		-p armature-runtime --no-default-features --features runtime-benchmarks --crate-type cdylib
}

# bencher OPTION...: runs benchmarks of that runtime.
bencher() {
	"$BENCHER/release/armature-bencher" \
		--runtime "$WASM/wasm32v1-none/release/armature_runtime.wasm" \
		--genesis-builder runtime --genesis-builder-preset development "$@"
}
