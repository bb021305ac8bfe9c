#!/usr/bin/env bash
# Finds or installs what a build needs and writes .cargo/config.toml, so that a plain
# `cargo build --release` works afterwards. Safe to run again at any time.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WASM_TARGET=wasm32v1-none
PACKAGES=(binaryen build-essential clang jq libclang-dev libssl-dev libtss2-dev pkg-config protobuf-compiler)
# A software TPM, which tests attest with.
PACKAGES+=(libtss2-tcti-swtpm0 swtpm swtpm-tools)
DEBIAN_RUST=(rustc-web cargo-web rust-web-src lld-19)

say() { printf '    %s\n' "$1"; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "installing packages needs root" "run as root: apt-get install $*"
	fi
}

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

install_packages() {
	local missing=()
	command -v dpkg-query >/dev/null || die "this is not a Debian system" \
		"install yourself what matches: ${PACKAGES[*]}" \
		"and the Rust target $WASM_TARGET, then write .cargo/config.toml as docs/operations/build.md shows"
	for package in "$@"; do installed "$package" || missing+=("$package"); done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing: ${missing[*]}"
	as_root apt-get update -qq || die "apt-get update failed" "check the network and run this again"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		"${missing[@]}" >/dev/null || die "apt-get install failed" "run: apt-get install ${missing[*]}"
}

find_rust() {
	command -v rustup >/dev/null || die "rustup was not found" \
		"install it from https://rustup.rs with the stable toolchain, then run this again"
	command -v cargo >/dev/null || die "cargo was not found" "run: rustup default stable"
	say "$(rustc --version)"
}

# The runtime's target, from rustup where rustup can add targets, else from Debian's packages.
wasm_toolchain() {
	if [ -z "${ARMATURE_DEBIAN_WASM:-}" ] &&
		rustup target list --installed 2>/dev/null | grep -qx "$WASM_TARGET"; then
		say "$WASM_TARGET: of the default toolchain"
	elif [ -z "${ARMATURE_DEBIAN_WASM:-}" ] &&
		timeout 120 rustup target add "$WASM_TARGET" >/dev/null 2>&1; then
		say "$WASM_TARGET: added by rustup"
	else
		install_packages "${DEBIAN_RUST[@]}"
		debian_wasm
		WASM_BUILD_TOOLCHAIN=debian
	fi
}

# Debian ships the compiler and the library's source but not this target's library: build it once
# and lay it beside the others. Repeated when the compiler was upgraded (the stamp tells).
debian_wasm() {
	rustup toolchain list | grep -q '^debian' || rustup toolchain link debian /usr
	local sysroot lib stamp version work
	sysroot=$(rustc +debian --print sysroot)
	lib=$sysroot/lib/rustlib
	stamp=$lib/$WASM_TARGET/armature-stamp
	version=$(rustc +debian --version)
	if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$version" ]; then
		say "$WASM_TARGET: Debian's $version, library built before"
		return
	fi
	say "$WASM_TARGET: building the library for Debian's $version"
	work=$(mktemp -d)
	mkdir -p "$work/src"
	cat >"$work/Cargo.toml" <<-'TOML'
		[package]
		name = "wasm-library"
		version = "0.0.0"
		edition = "2021"
		[lib]
		crate-type = ["rlib"]
		[workspace]
	TOML
	printf '#![no_std]\n' >"$work/src/lib.rs"
	# Bitcode is what the runtime's link-time optimisation reads.
	(cd "$work" && RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR="$work/target" \
		cargo +debian build --quiet --release --target "$WASM_TARGET" -Z build-std=core,alloc) ||
		die "building the $WASM_TARGET library failed" "is rust-web-src installed? see the output above"
	as_root mkdir -p "$lib/$WASM_TARGET/lib"
	as_root rm -f "$lib/$WASM_TARGET/lib/"*.rlib
	as_root cp "$work/target/$WASM_TARGET/release/deps/"lib{core,alloc,compiler_builtins}-*.rlib \
		"$lib/$WASM_TARGET/lib/"
	as_root mkdir -p "$lib/x86_64-unknown-linux-gnu/bin"
	as_root ln -sfn /usr/lib/llvm-19/bin/lld "$lib/x86_64-unknown-linux-gnu/bin/rust-lld"
	printf '%s\n' "$version" | as_root tee "$stamp" >/dev/null
	rm -rf "$work"
}

write_config() {
	local config=$ROOT/.cargo/config.toml new
	new=$(
		printf '# Written by scripts/setup.sh; not tracked.\n[build]\ntarget-dir = "%s"\n\n[env]\n' \
			"$CARGO_TARGET_DIR"
		# The system libssl saves three minutes of compiling a vendored one.
		printf 'OPENSSL_NO_VENDOR = "1"\n'
		[ -z "${WASM_BUILD_TOOLCHAIN:-}" ] ||
			printf 'WASM_BUILD_TOOLCHAIN = "%s"\n' "$WASM_BUILD_TOOLCHAIN"
	)
	mkdir -p "$ROOT/.cargo"
	if [ -f "$config" ] && [ "$(cat "$config")" = "$new" ]; then
		say ".cargo/config.toml: unchanged"
	else
		printf '%s\n' "$new" >"$config"
		say ".cargo/config.toml: written"
	fi
}

memory_hint() {
	local kib
	kib=$(awk '/MemAvailable/ {print $2}' /proc/meminfo)
	[ "$kib" -ge 7000000 ] || say "only $((kib / 1024)) MiB of memory free: use cargo -j2 or less"
}

step "Rust" find_rust
step "System packages" install_packages "${PACKAGES[@]}"
step "WebAssembly toolchain" wasm_toolchain
step "Cargo configuration" write_config
memory_hint
