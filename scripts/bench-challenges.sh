#!/usr/bin/env bash
# Measures what challenges cost those who answer them, those who check the answers, and the chain. Writes
# no weights. Run as `bench.sh challenges`; --help lists the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$ROOT/scripts/bencher.sh"
cd "$ROOT"

usage() {
	printf '%s\n' "Usage: bench.sh challenges [--native] [--wasm] [--memory MIB] [--output table|json]" \
		"  --native  only what the agent and the verifier daemon compute, on this machine" \
		"  --wasm    only what the chain computes in disputes and rounds" \
		"  --memory  how much memory is filled, and as much storage sealed, in MiB (default 1024)" \
		"  --output  a Markdown table (default) or one JSON document" \
		"The result goes to the standard output, everything else to the standard error." \
		"docs/operations/benchmarks.md says what the columns mean."
}

WORK=$CARGO_TARGET_DIR/challenge-bench
NATIVE=$WORK/native.json
WASM_RESULTS=$WORK/wasm.json

# Both ends of each component: times are linear in it. Repeats as for weights.
STEPS=2
REPEAT=20

# What the chain may have to compute for a round and its disputes.
BENCHMARKS=(prove_fraud prove_wrong_block prove_wrong_sector prove_wrong_entry prove_equivocation
	two_roots show_planted
	seal_verdicts reveal_verdicts close_round score_network open_round visit_owner visit_candidate)

# Rounds of an owner's device in a day, by the parameters' defaults: a new one, and one with good history.
ROUNDS_NEW=16
ROUNDS_GOOD=1
# The parts of them that are about memory, the way to verifiers, accelerators and storage; all others, and
# those of what an owner does not offer, are about lanes.
MEMORY_PART=0.25
NETWORK_PART=0.0625
GEMM_PART=0.125
STORAGE_PART=0.1875
# What takes as long as the parameters say, in milliseconds: moving data in both directions, and the most
# that reading for verifiers may take. Sealing is done once and is no part of a round.
NETWORK_MILLIS=10000
STORAGE_MILLIS=5000

NATIVE_ASKED= WASM_ASKED= OUTPUT=table MEMORY=1024
while [ $# -gt 0 ]; do
	case $1 in
		--native) NATIVE_ASKED=1 && shift ;;
		--wasm) WASM_ASKED=1 && shift ;;
		--memory)
			[[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "--memory takes a number of MiB" "bench.sh challenges --help"
			MEMORY=$2
			shift 2
			;;
		--output)
			[[ ${2:-} =~ ^(table|json)$ ]] || die "--output takes table or json" "bench.sh challenges --help"
			OUTPUT=$2
			shift 2
			;;
		-h | --help) usage && exit 0 ;;
		*) die "unknown option $1" "bench.sh challenges --help" ;;
	esac
done
[ "$NATIVE_ASKED$WASM_ASKED" ] || NATIVE_ASKED=1 WASM_ASKED=1
command -v jq >/dev/null || die "jq was not found" "run: apt-get install jq"

# The result alone goes to the standard output.
exec 3>&1 1>&2

measure_native() {
	"$CARGO_TARGET_DIR/release/armature" --output json challenge run --local \
		--duration 10s --memory "$MEMORY" --storage "$MEMORY" >"$NATIVE"
}

measure_wasm() {
	local extrinsics
	extrinsics=$(IFS=, && echo "${BENCHMARKS[*]}")
	bencher --pallet pallet_challenges --extrinsic "$extrinsics" --extra --steps $STEPS \
		--repeat $REPEAT --json-file "$WASM_RESULTS"
}

# Every time in Wasm is the least of its samples: whatever else a machine does only adds to it.
report() {
	jq -n --slurpfile native "$([ "$NATIVE_ASKED" ] && echo "$NATIVE" || echo /dev/null)" \
		--slurpfile wasm "$([ "$WASM_ASKED" ] && echo "$WASM_RESULTS" || echo /dev/null)" \
		--arg date "$(date -u +%FT%TZ)" --arg system "$(uname -sr)" \
		--arg cpu "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)" \
		--arg cores "$(nproc)" --arg rustc "$(rustc --version)" \
		--arg commit "$(git describe --always --dirty)" \
		--argjson new $ROUNDS_NEW --argjson good $ROUNDS_GOOD --argjson memory $MEMORY_PART \
		--argjson network $NETWORK_PART --argjson gemm $GEMM_PART --argjson storage $STORAGE_PART \
		--argjson moving $NETWORK_MILLIS --argjson reading $STORAGE_MILLIS '
		def millis_of($kind): [$native[0][]? | select(.kind == $kind) | .elapsed_millis][0];
		# Of the time of a day, for the parts that are about what an owner offers.
		def load($rounds; $gemm; $storage):
			millis_of("cpu") as $cpu_millis | millis_of("memory") as $memory_millis
			| millis_of("gemm") as $gemm_millis
			| if $cpu_millis and $memory_millis and $gemm_millis
			  then $rounds * ((1 - $memory - $network - $gemm - $storage) * $cpu_millis
				+ $memory * $memory_millis + $network * $moving
				+ $gemm * $gemm_millis + $storage * $reading) / 86400000
			  else null end;
		{
			date: $date, commit: $commit, cpu: $cpu, cores: ($cores | tonumber),
			system: $system, rustc: $rustc,
			kinds: [$native[0][]? | . + {
				prover_over_verifier: (.elapsed_millis * 1000 / ([.check_micros, 1] | max)),
				rounds_per_hour_and_core: (3600000000 / ([.check_micros, 1] | max) | floor)
			}],
			share_of_device_time: {
				new: load($new; 0; 0), good_history: load($good; 0; 0),
				new_all_offered: load($new; $gemm; $storage),
				good_history_all_offered: load($good; $gemm; $storage)
			},
			wasm: [$wasm[0][]? as $one | $one.time_results | group_by(.components)[] | {
				name: $one.benchmark,
				components: (.[0].components | map({ (.[0]): .[1] }) | add // {}),
				ns: (map(.extrinsic_time) | min)
			}]
		}'
}

table() {
	jq -r '
		def right($width): (" " * ([$width - length, 0] | max) // "") + .;
		def left($width): . + (" " * ([$width - length, 0] | max) // "");
		def row: "| " + join(" | ") + " |";
		def tenths: . * 10 | round | "\(. / 10 | floor).\(. % 10)";
		def percent: if . == null then "-" else . * 10000 | round / 100 | "\(.) %" end;
		"\(.date), commit \(.commit), \(.cpu), \(.cores) cores, \(.system), \(.rustc).",
		"",
		if .kinds != [] then
			"| kind    | prover, all cores | verifier, one core | samples | prover / verifier | sent to a verifier | rounds an hour and core |",
			"|---------|------------------:|-------------------:|--------:|------------------:|-------------------:|------------------------:|",
			(.kinds[] | [
				(.kind | left(7)), ("\(.elapsed_millis) ms" | right(17)),
				("\(.check_micros / 1000 | tenths) ms" | right(18)), (.samples | tostring | right(7)),
				(.prover_over_verifier | round | tostring | right(17)),
				("\(.opening_bytes / 1000 | ceil) kB" | right(18)),
				(.rounds_per_hour_and_core | tostring | right(23))
			] | row),
			"",
			(.share_of_device_time |
				"Share of device time: \(.new | percent) of a new device, \(.good_history | percent) with good history;",
				"with accelerator and storage offered \(.new_all_offered | percent) and \(.good_history_all_offered | percent)."),
			""
		else empty end,
		if .wasm != [] then
			"| in Wasm                          |         µs |",
			"|----------------------------------|-----------:|",
			(.wasm[] | [
				(.name + (.components | to_entries | map(" \(.key) = \(.value)") | join(",")) | left(32)),
				(.ns / 1000 | tenths | right(10))
			] | row)
		else empty end'
}

rm -rf "$WORK"
mkdir -p "$WORK"
if [ "$NATIVE_ASKED" ]; then
	step "Build" cargo build "${CARGO_SELECTION[@]}"
	step "Native" measure_native
fi
if [ "$WASM_ASKED" ]; then
	step "Bencher" build_bencher
	step "Runtime with benchmarks" build_runtime
	step "Wasm" measure_wasm
fi
RESULT=$(report)
printf '==> measured in %s\n' "$(elapsed $((SECONDS - STARTED_AT)))"
if [ $OUTPUT = json ]; then printf '%s\n' "$RESULT"; else table <<<"$RESULT"; fi >&3
