# Shared by the scripts: where things are built and how steps are shown. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Outside the checkout, so that a fresh clone finds what an earlier one has built.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/armature/target}"
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"

# The one package selection and profile of every script: artifacts are shared between them.
CARGO_SELECTION=(--workspace --release --locked)

STARTED_AT=$SECONDS

# elapsed SECONDS -> "1 min 02 s"
elapsed() {
	printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
}

# step TITLE COMMAND...: runs it, prints how long it took, stops the script when it fails.
step() {
	local title=$1 from=$SECONDS
	shift
	printf '==> %s\n' "$title"
	if "$@"; then
		printf '    done in %s (total %s)\n' "$(elapsed $((SECONDS - from)))" \
			"$(elapsed $((SECONDS - STARTED_AT)))"
	else
		local code=$?
		printf 'FAILED: %s (exit code %d, after %s)\n' "$title" "$code" \
			"$(elapsed $((SECONDS - from)))" >&2
		exit 1
	fi
}

die() {
	printf 'error: %s\n' "$1" >&2
	shift
	for line in "$@"; do printf '       %s\n' "$line" >&2; done
	exit 1
}
