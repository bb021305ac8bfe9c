#!/usr/bin/env bash
# Measures what it takes to judge evidence of each format, natively and in Wasm, beside the cost of
# its signatures alone. Writes no weights. --help lists the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
source "$ROOT/scripts/bencher.sh"
cd "$ROOT"

# The other things that are measured have a script and a program of their own.
if [ "${1:-}" = challenges ]; then
	shift
	exec "$ROOT/scripts/bench-challenges.sh" "$@"
fi

# Plays cheats against the code that devices, verifiers and the chain run.
adversaries() {
	local program=$CARGO_TARGET_DIR/release/examples/adversaries
	case ${1:-} in
		-h | --help)
			printf '%s\n' "Usage: bench.sh adversaries [ROUNDS [TABLE]]" \
				"Plays so many rounds (default 1000) against each kind of cheat, of devices and of verifiers," \
				"and prints how often it is found beside the formula, and what it wins or loses." \
				"Tables: lanes, memory, gemm, storage, network, shared, forward, colluders, copying, planted;" \
				"default all, in some six minutes on two cores." \
				"Tables go to the standard output, everything else to the standard error." \
				"docs/protocol/challenges.md says what they mean."
			;;
		*)
			step "Build" cargo build "${CARGO_SELECTION[@]}" --example adversaries >&2
			"$program" "$@"
			;;
	esac
}
if [ "${1:-}" = adversaries ]; then
	shift
	adversaries "$@"
	exit
fi

usage() {
	printf '%s\n' "Usage: bench.sh [--native] [--wasm] [--output table|json]" \
		"       bench.sh challenges [OPTION...]: what challenges cost; see its own --help" \
		"       bench.sh adversaries [ROUNDS [TABLE]]: what cheating comes to; see its own --help" \
		"  --native  only the verifier as the services run it" \
		"  --wasm    only the calls of pallet-attestation in the runtime" \
		"  --output  a Markdown table (default) or one JSON document" \
		"The result goes to the standard output, everything else to the standard error." \
		"Raw results stay in $WORK." \
		"docs/operations/benchmarks.md says what the columns mean."
}

WORK=$CARGO_TARGET_DIR/evidence-bench
export CRITERION_HOME=$WORK/native
CASES=$CRITERION_HOME/cases.json
WASM_RESULTS=$WORK/wasm.json

# Both ends of each component: times are linear in it. Repeats as for weights.
STEPS=2
REPEAT=20

NATIVE_ASKED= WASM_ASKED= OUTPUT=table
while [ $# -gt 0 ]; do
	case $1 in
		--native) NATIVE_ASKED=1 && shift ;;
		--wasm) WASM_ASKED=1 && shift ;;
		--output)
			[[ ${2:-} =~ ^(table|json)$ ]] || die "--output takes table or json" "bench.sh --help"
			OUTPUT=$2
			shift 2
			;;
		-h | --help) usage && exit 0 ;;
		*) die "unknown option $1" "bench.sh --help" ;;
	esac
done
[ "$NATIVE_ASKED$WASM_ASKED" ] || NATIVE_ASKED=1 WASM_ASKED=1
command -v jq >/dev/null || die "jq was not found" "run: apt-get install jq"

# The result alone goes to the standard output.
exec 3>&1 1>&2

# The workspace's selection, so that dependencies are those of the other scripts.
verifier_bench() {
	cargo bench --workspace --locked --features armature-verifier/testing --bench evidence -- "$@"
}

# Rows and their signatures, without times.
list_cases() { verifier_bench --list; }

# Reads definitions that both the selection of benchmarks and the report need.
JQ_NAMES='
	# The benchmark of pallet-attestation that judges the same evidence.
	def benchmark:
		(if .gpus > 0 then "submit_gpus" else "submit_" + (.format | gsub("-"; "_")) end)
		+ (if .known then "_known" else "" end);
	def floor_benchmark: "floor_" + (.kind | gsub("-"; "_"));'

# Benchmarks of calls and of signatures; not every row has a call's.
measure_wasm() {
	local wanted there selected
	wanted=$(jq -r "$JQ_NAMES"' [.[] | benchmark, (.signatures[] | floor_benchmark)] | unique[]' "$CASES")
	there=$(bencher --pallet pallet_attestation --extrinsic '*' --extra --list=all --no-csv-header |
		sed -n 's/^pallet_attestation, *//p')
	selected=$(grep -Fx -e "$wanted" <<<"$there" | paste -sd ,)
	bencher --pallet pallet_attestation --extrinsic "$selected" --extra --steps $STEPS \
		--repeat $REPEAT --json-file "$WASM_RESULTS"
}

# Every time is the least of its samples, in nanoseconds: whatever else a machine does only adds to
# what a computation takes, and these take the same steps each time.
report() {
	local times
	times=$(find "$CRITERION_HOME" -path '*/new/sample.json' -exec jq -c \
		'{
			path: (input_filename | split("/")[-4:-2]),
			samples: ([.iters, .times] | transpose | map(.[1] / .[0]))
		}' {} + | jq -s .)
	jq -n --argjson times "$times" --slurpfile cases "$CASES" \
		--slurpfile wasm "$([ "$WASM_ASKED" ] && echo "$WASM_RESULTS" || echo /dev/null)" \
		--arg date "$(date -u +%FT%TZ)" --arg system "$(uname -sr)" \
		--arg cpu "$(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -n 1)" \
		--arg cores "$(nproc)" --arg rustc "$(rustc --version)" \
		--arg commit "$(git describe --always --dirty)" "$JQ_NAMES"'
		# How much longer the middle sample took than the least.
		def disturbance: (sort | .[length / 2 | floor]) / min;
		# Times of a benchmark in Wasm, in the order of its component.
		def points($name):
			[$wasm[0][]? | select(.benchmark == $name) | .time_results[]]
			| group_by(.components)
			| map({ at: (.[0].components[0][1]? // 0), ns: (map(.extrinsic_time) | min) });
		def line($points; $at):
			$points[0] as $low | $points[-1] as $high
			| $low.ns + ($high.ns - $low.ns) * ($at - $low.at) / ($high.at - $low.at);
		def signature_ns:
			points(floor_benchmark) as $points
			| if ($points | length) < 2 then error("there is no benchmark \(floor_benchmark)")
			  else line($points; .bytes) end;
		def side($evidence; $signatures):
			{ evidence_ns: $evidence, signatures_ns: $signatures, ratio: ($evidence / $signatures) };
		def native:
			.id as $id
			| ($times | map(select(.path[0] == $id) | { (.path[1]): (.samples | min) }) | add) as $ns
			| if $ns then side($ns.verification; $ns.signatures) else null end;
		def wasm:
			. as $case
			| points(benchmark)
			| map(select($case.gpus == 0 or .at == $case.gpus))
			| if length == 0 then null
			  else side(.[-1].ns; [$case.signatures[] | signature_ns] | add) end;
		{
			date: $date, commit: $commit, cpu: $cpu, cores: ($cores | tonumber),
			system: $system, rustc: $rustc,
			disturbance: (
				[$times[].samples] + [$wasm[0][]?.time_results | group_by(.components)[]
					| map(.extrinsic_time)] | map(disturbance) | max
			),
			rows: [$cases[0][] | . + { native: native, wasm: wasm }],
			wasm_signatures_ns: ([$cases[0][].signatures[]] | unique_by(.kind) | map(
				select($wasm != []) | { (.kind): (.bytes = 1024 | signature_ns) }) | add)
		}'
}

table() {
	jq -r '
		def us: if . == null then "-" else . / 1000 | round | tostring end;
		def ratio: if . == null then "-" else
			. * 100 | round | "\(. / 100 | floor).\(. % 100 | tostring | if length < 2 then "0" + . else . end)"
			end;
		def right($width): (" " * ([$width - length, 0] | max) // "") + .;
		def left($width): . + (" " * ([$width - length, 0] | max) // "");
		def side: (.evidence_ns | us | right(9)), (.signatures_ns | us | right(9)),
			(.ratio | ratio | right(5));
		def row: "| " + join(" | ") + " |";
		"\(.date), commit \(.commit), \(.cpu), \(.cores) cores, \(.system), \(.rustc).",
		"Times in µs, the least of all samples.",
		if .disturbance > 1.5 then
			"The machine was busy: some middle samples took \(.disturbance | ratio) times the least. Measure again."
		else empty end,
		"",
		"| format             | known before | signatures |    native |     floor | ratio |      Wasm |     floor | ratio |",
		"|--------------------|--------------|-----------:|----------:|----------:|------:|----------:|----------:|------:|",
		(.rows[] | [
			(.format + ({ "0": "", "1": ", 1 GPU" }[.gpus | tostring] // ", \(.gpus) GPUs") | left(18)),
			(if .known then "all" else "nothing" end | left(12)),
			(.signatures | length | tostring | right(10)), (.native | side), (.wasm | side)
		] | row),
		if .wasm_signatures_ns then
			"",
			"| one signature over 1 KiB |      Wasm |",
			"|--------------------------|----------:|",
			(.wasm_signatures_ns | to_entries[] | [(.key | left(24)), (.value | us | right(9))] | row)
		else empty end'
}

rm -rf "$CRITERION_HOME" "$WASM_RESULTS"
mkdir -p "$CRITERION_HOME"
if [ "$NATIVE_ASKED" ]; then
	step "Native" verifier_bench
else
	step "Rows and their signatures" list_cases
fi
if [ "$WASM_ASKED" ]; then
	step "Bencher" build_bencher
	step "Runtime with benchmarks" build_runtime
	step "Wasm" measure_wasm
fi
RESULT=$(report)
printf '==> measured in %s\n' "$(elapsed $((SECONDS - STARTED_AT)))"
if [ $OUTPUT = json ]; then printf '%s\n' "$RESULT"; else table <<<"$RESULT"; fi >&3
