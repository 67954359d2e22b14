#!/bin/sh
# Rebuilds kernel.wasm from kernel.rs; with --check, only compares the result with the committed hash.
# Needs Debian 12's rustc, libstd-rust-dev-wasm32 and lld-14: the same compiler gives the same bytes.
set -eu
cd "$(dirname "$0")"
rustc=${RUSTC:-/usr/bin/rustc}
if ! command -v "$rustc" >/dev/null; then
    echo "build_kernel: $rustc is missing: apt-get install rustc libstd-rust-dev-wasm32 lld-14" >&2
    exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$rustc" --target wasm32-unknown-unknown --crate-type cdylib --edition 2021 \
    -C opt-level=3 -C panic=abort -C codegen-units=1 -C strip=symbols \
    -C target-feature=+simd128 -C link-arg=-zstack-size=32768 -C link-arg=--export=__heap_base \
    --remap-path-prefix="$PWD=." -o "$folder/kernel.wasm" kernel.rs
built=$(sha256sum "$folder/kernel.wasm" | cut -d ' ' -f 1)
if [ "${1:-}" = --check ]; then
    committed=$(cut -d ' ' -f 1 kernel.wasm.sha256)
    if [ "$built" != "$committed" ]; then
        echo "build_kernel: the sources give $built, committed is $committed" >&2
        exit 1
    fi
    echo "kernel.wasm is what its sources give ($built)"
else
    cp "$folder/kernel.wasm" kernel.wasm
    chmod 644 kernel.wasm
    echo "$built  kernel.wasm" >kernel.wasm.sha256
    echo "kernel.wasm: $built"
fi
