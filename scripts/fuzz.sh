#!/usr/bin/env bash
# Fuzzes what reads foreign bytes, one target after the other, on the stable toolchain. --help lists
# the options; fuzz/README.md describes targets and inputs.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
	printf '%s\n' "Usage: fuzz.sh [--seconds N] [TARGET...]" \
		"  --seconds N  seconds for each target (default 600)" \
		"  TARGET...    only these (default: all): ${ALL[*]}" \
		"Exits with 1 when a target found something; corpora and findings stay in" \
		"$WORK."
}

# What libFuzzer needs to see where an input went: counters of edges, their addresses, compared
# values. This is what cargo-fuzz sets, less the sanitizer, which needs a nightly toolchain: the
# verifier has no unsafe code.
FLAGS=(
	-Cpasses=sancov-module
	-Cllvm-args=-sanitizer-coverage-level=4
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters
	-Cllvm-args=-sanitizer-coverage-pc-table
	-Cllvm-args=-sanitizer-coverage-trace-compares
	-Ccodegen-units=1
	-Cdebug-assertions
	-Coverflow-checks
	--cfg fuzzing
)

# No evidence is longer; the largest seed has 11 KB.
MAX_LEN=16384
# Seconds for one input. Everything is bounded: the worst takes milliseconds.
TIMEOUT=10
MEMORY_MB=1024

# Apart from the other artifacts: other flags. Corpora grow from run to run.
export CARGO_TARGET_DIR="$CARGO_TARGET_DIR/fuzz"
WORK=$CARGO_TARGET_DIR/runs
HOST=$(rustc -vV | sed -n 's/^host: //p')
SEEDS=$ROOT/fuzz/seeds
mapfile -t ALL < <(cd "$ROOT/fuzz/fuzz_targets" && ls -- *.rs | sed 's/\.rs$//')

SECONDS_EACH=600
TARGETS=()
while [ $# -gt 0 ]; do
	case $1 in
		--seconds)
			[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--seconds takes a number from 1" "fuzz.sh --help"
			SECONDS_EACH=$2
			shift 2
			;;
		-h | --help) usage && exit 0 ;;
		-*) die "unknown option $1" "fuzz.sh --help" ;;
		*)
			[ -f "$ROOT/fuzz/fuzz_targets/$1.rs" ] || die "there is no target $1" "there are: ${ALL[*]}"
			TARGETS+=("$1")
			shift
			;;
	esac
done
[ ${#TARGETS[@]} -gt 0 ] || TARGETS=("${ALL[@]}")

# With a target of its own, build scripts and macros are built without these flags.
build() {
	(cd "$ROOT/fuzz" && RUSTFLAGS="${FLAGS[*]}" cargo build --release --locked --target "$HOST" \
		"${TARGETS[@]/#/--bin=}")
}

# The value of a final statistic.
statistic() { sed -n "s/^stat::$1: *//p" "$2" | tail -n 1; }

# run TARGET: prints one line; non-zero when something was found.
run() {
	local target=$1 binary=$CARGO_TARGET_DIR/$HOST/release/$1
	local corpus=$WORK/$target/corpus found=$WORK/$target/findings log=$WORK/$target/log code=0
	mkdir -p "$corpus" "$found"
	if [ -d "$SEEDS/$target" ]; then cp -- "$SEEDS/$target"/* "$corpus"; fi
	"$binary" "$corpus" -artifact_prefix="$found/" -max_total_time="$SECONDS_EACH" \
		-max_len=$MAX_LEN -timeout=$TIMEOUT -rss_limit_mb=$MEMORY_MB -print_final_stats=1 \
		>"$log" 2>&1 || code=$?
	printf '    %-16s %10s executions %7s/s  coverage %6s  inputs %5s  peak %s MB\n' "$target" \
		"$(statistic number_of_executed_units "$log")" "$(statistic average_exec_per_sec "$log")" \
		"$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)" \
		"$(find "$corpus" -type f | wc -l)" "$(statistic peak_rss_mb "$log")"
	[ $code -ne 0 ] || return 0
	local input
	input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
	printf 'FINDING in %s (exit code %s):\n' "$target" "$code" >&2
	grep -m 1 -A 4 -e 'panicked at' -e 'ERROR: libFuzzer' "$log" >&2 || tail -n 20 "$log" >&2
	printf '  input:     %s\n  log:       %s\n  reproduce: %s %s\n' "${input:-none}" "$log" \
		"$binary" "${input:-}" >&2
	return 1
}

step "Build of ${#TARGETS[@]} fuzz targets" build
printf '==> Fuzzing, %s each\n' "$(elapsed "$SECONDS_EACH")"
FINDINGS=0
for target in "${TARGETS[@]}"; do
	run "$target" || FINDINGS=$((FINDINGS + 1))
done
[ $FINDINGS -eq 0 ] || die "$FINDINGS of ${#TARGETS[@]} targets found something, see above"
printf '==> nothing found in %s\n' "$(elapsed $((SECONDS - STARTED_AT)))"
