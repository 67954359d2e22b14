#!/bin/sh
# Rebuilds kernel.wasm and motion.wasm; with --check, only compares them with the committed hashes.
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
for name in kernel motion; do
    "$rustc" --target wasm32-unknown-unknown --crate-type cdylib --edition 2021 \
        -C opt-level=3 -C panic=abort -C codegen-units=1 -C strip=symbols \
        -C target-feature=+simd128 -C link-arg=-zstack-size=32768 -C link-arg=--export=__heap_base \
        --remap-path-prefix="$PWD=." -o "$folder/$name.wasm" "$name.rs"
    built=$(sha256sum "$folder/$name.wasm" | cut -d ' ' -f 1)
    if [ "${1:-}" = --check ]; then
        committed=$(cut -d ' ' -f 1 "$name.wasm.sha256")
        if [ "$built" != "$committed" ]; then
            echo "build_kernel: the sources give $built, committed is $committed ($name)" >&2
            exit 1
        fi
        echo "$name.wasm is what its sources give ($built)"
    else
        cp "$folder/$name.wasm" "$name.wasm"
        chmod 644 "$name.wasm"
        echo "$built  $name.wasm" >"$name.wasm.sha256"
        echo "$name.wasm: $built"
    fi
done
