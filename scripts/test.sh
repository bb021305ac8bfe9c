#!/usr/bin/env bash
# The whole gate, the same at the desk and in CI. Installs what it misses; may be interrupted and
# started again at any time.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

PALLETS=(attestation challenges devices energy leases market uptime)
PALLET_SELECTION=()
PALLET_FEATURES=()
for pallet in "${PALLETS[@]}"; do
	PALLET_SELECTION+=(-p "pallet-$pallet")
	PALLET_FEATURES+=("pallet-$pallet/runtime-benchmarks" "pallet-$pallet/try-runtime")
done
join() { local IFS=,; echo "$*"; }

step "Set-up" ./scripts/setup.sh
step "Format" cargo fmt --all --check
step "Build: node, runtime, services, client" cargo build "${CARGO_SELECTION[@]}"
step "Repository checks" "$CARGO_TARGET_DIR/release/xtask" check
step "Clippy" cargo clippy "${CARGO_SELECTION[@]}" --all-targets -- -D warnings
step "Unit, property, runtime and end-to-end tests" cargo test "${CARGO_SELECTION[@]}"
step "Pallet tests with benchmarks and try-runtime" \
	cargo test --release --locked "${PALLET_SELECTION[@]}" --features "$(join "${PALLET_FEATURES[@]}")"
printf '==> all green in %s\n' "$(elapsed $((SECONDS - STARTED_AT)))"
