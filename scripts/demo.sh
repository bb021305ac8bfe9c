#!/usr/bin/env bash
# The main job on this machine: sets up, builds, starts a chain and its services on loopback, buys a
# computation, checks it, settles it, and stops. --help lists the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

case " $* " in *" --help "* | *" -h "*)
	printf '%s\n' "Usage: demo.sh [--validators 1|3] [--keep]"
	exit 0
	;;
esac

step "Set-up" ./scripts/setup.sh
step "Build (the first one takes most of an hour on two cores)" cargo build "${CARGO_SELECTION[@]}"
"$CARGO_TARGET_DIR/release/armature-demo" "$@"
printf '==> demo finished in %s\n' "$(elapsed $((SECONDS - STARTED_AT)))"
