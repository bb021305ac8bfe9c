#!/usr/bin/env bash
# Measures the weights of our pallets on this machine and writes pallets/*/src/weights.rs.
#   --quick   few steps and repeats: to see that every benchmark runs, not to commit
#   PALLET... only these, e.g. `challenges`
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$ROOT/scripts/bencher.sh"
cd "$ROOT"

PALLETS=(attestation challenges devices energy leases market uptime)
STEPS=50
REPEAT=20
if [ "${1:-}" = --quick ]; then
	STEPS=2
	REPEAT=1
	shift
fi
for pallet in "$@"; do
	[[ " ${PALLETS[*]} " == *" $pallet "* ]] ||
		die "no pallet of ours is called $pallet" "one or more of: ${PALLETS[*]}"
done
[ $# -eq 0 ] || PALLETS=("$@")

measure() {
	local pallet=$1
	bencher --pallet "pallet_$pallet" --extrinsic '*' --steps "$STEPS" --repeat "$REPEAT" \
		--template scripts/weights.hbs --output "pallets/$pallet/src/weights.rs"
	rustfmt --edition 2021 "pallets/$pallet/src/weights.rs"
}

step "Bencher" build_bencher
step "Runtime with benchmarks" build_runtime
for pallet in "${PALLETS[@]}"; do
	step "pallet-$pallet" measure "$pallet"
done
