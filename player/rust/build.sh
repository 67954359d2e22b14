#!/bin/sh
# Rebuilds decisions.wasm from decisions.rs; with --check, only compares it with the committed hash.
# Needs Debian 12's rustc, libstd-rust-dev-wasm32 and lld-14, and the wasm-opt of the lockfile (npm ci
# in player/): the same compiler and optimiser give the same bytes.
set -eu
cd "$(dirname "$0")"
rustc=${RUSTC:-/usr/bin/rustc}
if ! command -v "$rustc" >/dev/null; then
    echo "build: $rustc is missing: apt-get install rustc libstd-rust-dev-wasm32 lld-14" >&2
    exit 2
fi
optimiser=../node_modules/.bin/wasm-opt
if [ ! -x "$optimiser" ]; then
    echo "build: wasm-opt is missing: run npm ci in player/" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$rustc" --target wasm32-unknown-unknown --crate-type cdylib --edition 2021 \
    -C opt-level=s -C lto=fat -C panic=abort -C codegen-units=1 -C strip=symbols \
    -C link-arg=-zstack-size=65536 --remap-path-prefix="$PWD=." \
    -o "$folder/unoptimised.wasm" decisions.rs
"$optimiser" -Oz "$folder/unoptimised.wasm" -o "$folder/decisions.wasm"
built=$(sha256sum "$folder/decisions.wasm" | cut -d ' ' -f 1)
if [ "${1:-}" = --check ]; then
    committed=$(cut -d ' ' -f 1 decisions.wasm.sha256)
    if [ "$built" != "$committed" ]; then
        echo "build: the sources give $built, committed is $committed" >&2
        exit 1
    fi
    echo "decisions.wasm is what its sources give ($built)"
else
    cp "$folder/decisions.wasm" decisions.wasm
    chmod 644 decisions.wasm
    echo "$built  decisions.wasm" >decisions.wasm.sha256
    echo "decisions.wasm: $built"
fi
