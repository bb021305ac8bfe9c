#!/usr/bin/env bash
# Compiles the kernels of services/cuda to PTX, which the driver of a GPU compiles for it. Needs clang with
# its NVPTX target, and neither CUDA's compiler nor its headers. A test fails while gemm.ptx is not of
# gemm.c.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT/services/cuda/kernels"
command -v clang >/dev/null || die "clang was not found" "run: scripts/setup.sh"
PTX=$(mktemp)
trap 'rm -f "$PTX"' EXIT

# sm_61 is the first that has dp4a; drivers compile its PTX for all later ones.
compile() {
	clang -x cuda -nocudainc -nocudalib --cuda-device-only --cuda-gpu-arch=sm_61 -O3 \
		-Wall -Wextra -Werror -S gemm.c -o "$PTX"
	for kernel in mask product hash; do
		grep -q "^\.visible \.entry $kernel(" "$PTX" || die "the kernel $kernel is not in the PTX"
	done
}

write() {
	{
		printf '// Written by scripts/cuda.sh from gemm.c of BLAKE2b-256 %s\n' \
			"$(b2sum -l 256 gemm.c | cut -d ' ' -f 1)"
		cat "$PTX"
	} >gemm.ptx
}

step "Compile" compile
step "Write gemm.ptx" write
