#!/usr/bin/env bash
# Builds the modules of workloads/ and copies them to workloads/wasm/.
#   WASM_BUILD_TOOLCHAIN  rustup toolchain with wasm32v1-none; the default one if unset
set -euo pipefail
cd "$(dirname "$0")/../workloads"

toolchain=()
if [ -n "${WASM_BUILD_TOOLCHAIN:-}" ]; then
	toolchain=("+${WASM_BUILD_TOOLCHAIN}")
fi
target=wasm32v1-none
libs="$(rustc "${toolchain[@]}" --print sysroot)/lib/rustlib/$target/lib"
if ! compgen -G "$libs/libcore-*.rlib" >/dev/null; then
	echo "no standard library for $target in $libs" >&2
	echo "run scripts/setup.sh, or name a toolchain in WASM_BUILD_TOOLCHAIN" >&2
	exit 1
fi

# The lock names no packages, so nothing is fetched.
cargo "${toolchain[@]}" build --release --locked --offline --target "$target" --bins \
	--target-dir target
mkdir -p wasm
for source in src/bin/*.rs; do
	name="$(basename "$source" .rs)"
	install -m 0644 "target/$target/release/$name.wasm" "wasm/$name.wasm"
done
ls -l wasm
