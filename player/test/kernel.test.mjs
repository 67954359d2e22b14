/** JavaScript and WebAssembly measure the same integers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { JsKernel } from '../src/worker/kernel-js.js';
import { WasmKernel } from '../src/worker/kernel-wasm.js';
import { GROUPS } from '../src/worker/layout.js';

const ALL = Object.values(GROUPS).reduce((all, group) => all | group, 0);
const bytes = readFileSync(new URL('../dist/kernel.wasm', import.meta.url));
const { instance } = await WebAssembly.instantiate(bytes, {});

/** A generator of 32 bits. Source: G. Marsaglia, Xorshift RNGs, 2003. */
function random(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

/** Fills planes with noise, flat areas, ramps or extremes. */
function fill(kernel, draw, style) {
  const { buffer, planes } = kernel.target(false);
  const { width, height, chromaWidth, chromaHeight } = kernel.geometry;
  const sizes = [[width, height], [chromaWidth, chromaHeight], [chromaWidth, chromaHeight]];
  sizes.forEach(([across, down], i) => {
    const view = new Uint8Array(buffer, planes[i].offset, planes[i].stride * down);
    const flat = draw() & 255;
    for (let y = 0; y < down; y++) {
      for (let x = 0; x < across; x++) {
        const noise = draw() & 255;
        const value = [noise, flat, (x * 3 + y) & 255, noise & 1 ? 255 : 0, Math.min(255, flat + (noise & 7)), (x >> 3) * 37 & 255][style];
        view[y * planes[i].stride + x] = value;
      }
    }
  });
}

test('both measure the same integers on random frames of many sizes', () => {
  const wasm = new WasmKernel(instance);
  const js = new JsKernel(wasm.catalogue);
  const draw = random(7);
  let values = 0;
  for (let round = 0; round < 60; round++) {
    const width = round < 4 ? round + 1 : 8 + (draw() % 400);
    const height = round < 4 ? 5 - round : 8 + (draw() % 300);
    const grey = round % 10 === 9;
    const geometry = {
      width, height, bitDepth: 8,
      chromaWidth: grey ? 0 : Math.ceil(width / 2), chromaHeight: grey ? 0 : Math.ceil(height / 2),
    };
    for (const kernel of [wasm, js]) kernel.open(geometry, ALL);
    for (let frame = 0; frame < 3; frame++) {
      const seed = draw() | 1;
      const style = draw() % 6;
      const records = [wasm, js].map((kernel) => {
        fill(kernel, random(seed), style);
        return kernel.measure().slice();
      });
      assert.ok(Buffer.from(records[1].buffer).equals(Buffer.from(records[0].buffer)), `${width} x ${height}, frame ${frame}`);
      values += records[0].length;
    }
  }
  assert.ok(values > 100_000);
});

test('a frame the kernel refuses is an error, and other depths are not measured in JavaScript', () => {
  const js = new JsKernel(new WasmKernel(instance).catalogue);
  assert.throws(() => js.open({ width: 8, height: 8, chromaWidth: 4, chromaHeight: 4, bitDepth: 10 }, ALL), RangeError);
});
