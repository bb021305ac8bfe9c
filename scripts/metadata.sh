#!/usr/bin/env bash
# Writes artifacts/metadata.scale from the runtime, for the SDK's generated code. Programs over the SDK
# may fail to compile meanwhile: they may need the metadata that is to be written.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
MESSAGES=$(mktemp)
trap 'rm -f "$MESSAGES"' EXIT

# The test's binary is found among what could be built, whatever could not.
build() {
	cargo build "${CARGO_SELECTION[@]}" --test it --keep-going \
		--message-format json-render-diagnostics >"$MESSAGES" || true
	BINARY=$(grep '"executable":"' "$MESSAGES" | grep 'tests/runtime#' |
		sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
	[ -n "$BINARY" ] || die "the runtime's tests do not compile" "see the errors above"
}

write() { (cd tests/runtime && ARMATURE_WRITE_METADATA=1 "$BINARY" metadata); }

step "Build" build
step "Metadata" write
