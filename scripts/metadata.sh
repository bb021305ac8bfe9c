#!/usr/bin/env bash
# Writes artifacts/metadata.scale from the runtime, for the SDK's generated code.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"
export ARMATURE_WRITE_METADATA=1
step "Metadata" cargo test "${CARGO_SELECTION[@]}" -p armature-runtime-tests --test it metadata
