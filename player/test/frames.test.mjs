/** Frames of red, green and blue become planes; frames without a time are taken when they are shown. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FrameSource } from '../src/frame-source.js';
import { Decisions } from '../src/worker/decisions.js';
import { packedBytes, planesOf, shapeOf } from '../src/worker/frames.js';
import { WasmKernel } from '../src/worker/kernel-wasm.js';
import { GROUPS } from '../src/worker/layout.js';
import { TUNED } from '../src/generated/tuned.js';

const ALL = Object.values(GROUPS).reduce((all, group) => all | group, 0);
const instanceOf = async (name) =>
  (await WebAssembly.instantiate(readFileSync(new URL(`../dist/${name}.wasm`, import.meta.url)), {})).instance;

/** Codes of BT.709, limited range: luma, U, V. */
const COLORS = [
  [[255, 255, 255], [235, 128, 128]], [[0, 0, 0], [16, 128, 128]],
  [[255, 0, 0], [63, 102, 240]], [[0, 255, 0], [173, 42, 26]], [[0, 0, 255], [32, 240, 118]],
];

function frameOf(format, width, height, [r, g, b]) {
  const sample = format.startsWith('BGR') ? [b, g, r, 255] : [r, g, b, 255];
  return {
    format,
    visibleRect: { x: 0, y: 0, width, height },
    colorSpace: {},
    async copyTo(into, { rect, layout: [{ offset, stride }] }) {
      for (let row = 0; row < rect.height; row++)
        for (let x = 0; x < rect.width; x++) into.set(sample, offset + row * stride + x * 4);
    },
  };
}

function kernelOf({ width, height, chromaWidth, chromaHeight }) {
  const buffer = new ArrayBuffer(width * height + 2 * chromaWidth * chromaHeight);
  const planes = [
    { offset: 0, stride: width },
    { offset: width * height, stride: chromaWidth },
    { offset: width * height + chromaWidth * chromaHeight, stride: chromaWidth },
  ];
  return { target: () => ({ buffer, planes }) };
}

for (const format of ['BGRA', 'BGRX', 'RGBA', 'RGBX']) {
  test(`${format} becomes luma and chroma`, async () => {
    for (const [color, expected] of COLORS) {
      for (const [width, height] of [[8, 6], [7, 5]]) {
        const frame = frameOf(format, width, height, color);
        const shape = shapeOf({ frame });
        const kernel = kernelOf(shape.geometry);
        await planesOf({ frame }, shape, kernel);
        const { buffer, planes } = kernel.target();
        const bytes = new Uint8Array(buffer);
        planes.forEach(({ offset }, index) => {
          const plane = bytes.subarray(offset, planes[index + 1]?.offset ?? bytes.length);
          assert.ok(plane.every((code) => Math.abs(code - expected[index]) <= 1), `${format} ${color} ${index}: ${plane[0]}`);
        });
      }
    }
  });
}

test('a large frame of red, green and blue is cut to its middle', async () => {
  const frame = frameOf('BGRA', 3840, 2160, [90, 90, 90]);
  const shape = shapeOf({ frame });
  const { width, height } = shape.geometry;
  assert.ok(width * height <= 1280 * 720 && width * height > 0.9 * 1280 * 720);
  assert.ok(Math.abs(2 * shape.rect.x + width - 3840) <= 4);
  await planesOf({ frame }, shape, kernelOf(shape.geometry));
  assert.equal(packedBytes(), width * height * 4);
});

for (const [format, width, height] of [
  ['I420', 1920, 1080], ['I420', 3840, 2160], ['NV12', 3840, 2160], ['I420P10', 3840, 2160],
  ['I422P10', 3840, 2160], ['I444', 1920, 1080], ['I444', 3840, 2160], ['BGRA', 3840, 2160],
]) {
  test(`${format} at ${height}p takes less than 7.5 MB`, async () => {
    const frame = {
      format,
      visibleRect: { x: 0, y: 0, width, height },
      colorSpace: {},
      async copyTo() {},
    };
    const shape = shapeOf({ frame });
    const kernel = new WasmKernel(await instanceOf('kernel'));
    const decisions = new Decisions((await instanceOf('decisions')).exports, TUNED);
    kernel.open(shape.geometry, ALL);
    decisions.open(shape.geometry, false, kernel.layout.places);
    await planesOf({ frame }, shape, kernel);
    for (let index = 0; index < 200; index++) decisions.push(kernel.measure(), index / 25);
    decisions.detectors.forEach((_, index) => decisions.decide(index, 0.04));
    const held = kernel.memoryBytes + decisions.memoryBytes + (format === 'BGRA' ? packedBytes() : 0);
    assert.ok(held <= 7.5e6, `${held} bytes`);
  });
}

test('an unknown format is not measured', () => {
  assert.equal(shapeOf({ frame: frameOf('I444AP12', 8, 8, [0, 0, 0]) }), null);
});

/** A browser's page as far as FrameSource knows it; times in milliseconds. */
function pageOf(t, timestamps) {
  const page = { told: [], animation: [], video: /** @type {any} */ ({}) };
  page.video.requestVideoFrameCallback = (/** @type {any} */ callback) => (page.callback = callback);
  const before = { VideoFrame: globalThis.VideoFrame, raf: globalThis.requestAnimationFrame };
  globalThis.VideoFrame = class {
    timestamp = timestamps.shift();
    close() {}
  };
  globalThis.requestAnimationFrame = (callback) => page.animation.push(callback);
  t.after(() => {
    globalThis.VideoFrame = before.VideoFrame;
    globalThis.requestAnimationFrame = before.raf;
  });
  page.source = new FrameSource(page.video, false, () => {});
  page.source.start(({ time_s }) => page.told.push(page.source.take(time_s)?.time_s ?? null));
  page.announce = (time_s, ahead_ms) =>
    page.callback(0, { mediaTime: time_s, presentedFrames: 0, expectedDisplayTime: performance.now() + ahead_ms });
  return page;
}

test('frames with a time of their own are taken at once and count once', (t) => {
  const page = pageOf(t, [0, 80_000, 80_000]);
  for (const time_s of [0, 0.04, 0.08]) page.announce(time_s, 16);
  assert.deepEqual(page.told, [0, 0.08, null]);
  assert.equal(page.source.untimed, false);
});

test('frames without a time have that of their announcement, once they are shown', (t) => {
  const page = pageOf(t, [0, 0, 1, 1]);
  page.announce(0, 0);
  page.announce(0.04, 0);
  assert.equal(page.source.untimed, true);
  page.announce(0.08, 16);
  assert.deepEqual(page.told, [0, 0.04]);
  page.animation.shift()();
  assert.deepEqual(page.told, [0, 0.04], 'still the animation frame of the callback');
  page.animation.shift()();
  page.announce(0.12, 0);
  assert.deepEqual(page.told, [0, 0.04, 0.08, 0.12]);
});
