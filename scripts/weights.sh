#!/usr/bin/env bash
# Measures the weights of our pallets on this machine and writes pallets/*/src/weights.rs.
#   --quick   few steps and repeats: to see that every benchmark runs, not to commit
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

WASM=$CARGO_TARGET_DIR/benchmarks
BENCHER=${XDG_CACHE_HOME:-$HOME/.cache}/armature/bencher
PALLETS=(attestation challenges devices energy leases market uptime)
STEPS=50
REPEAT=20
if [ "${1:-}" = --quick ]; then
	STEPS=2
	REPEAT=1
fi

build_bencher() {
	# The command brings a test runtime along that weights do not need.
	SKIP_WASM_BUILD=1 CARGO_TARGET_DIR="$BENCHER" \
		cargo build --release --locked --manifest-path xtask/bencher/Cargo.toml
}

# The Wasm alone, as substrate-wasm-builder compiles it: the native half is not needed here.
build_runtime() {
	CARGO_TARGET_DIR="$WASM" \
		RUSTFLAGS="-C link-arg=--export-table -C link-arg=--export=__heap_base -C link-arg=--import-memory --cfg substrate_runtime" \
		cargo ${WASM_BUILD_TOOLCHAIN:++$WASM_BUILD_TOOLCHAIN} rustc --release --locked --target wasm32v1-none \
		-p armature-runtime --no-default-features --features runtime-benchmarks --crate-type cdylib
}

measure() {
	local pallet=$1
	"$BENCHER/release/armature-bencher" \
		--runtime "$WASM/wasm32v1-none/release/armature_runtime.wasm" \
		--genesis-builder runtime --genesis-builder-preset development \
		--pallet "pallet_$pallet" --extrinsic '*' --steps "$STEPS" --repeat "$REPEAT" \
		--template scripts/weights.hbs --output "pallets/$pallet/src/weights.rs"
	rustfmt --edition 2021 "pallets/$pallet/src/weights.rs"
}

step "Bencher" build_bencher
step "Runtime with benchmarks" build_runtime
for pallet in "${PALLETS[@]}"; do
	step "pallet-$pallet" measure "$pallet"
done
