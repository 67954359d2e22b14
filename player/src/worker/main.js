/**
 * The worker: owns kernel, measurements and decisions; takes frames, sends findings and drawings.
 */
import { Decisions } from './decisions.js';
import { packedBytes, planesOf, shapeOf } from './frames.js';
import { WasmKernel } from './kernel-wasm.js';
import { GROUPS } from './layout.js';
import { Overlay } from './overlay.js';
import { Watch } from './watch.js';
import { TUNED } from '../generated/tuned.js';

const ALL = Object.values(GROUPS).reduce((all, group) => all | group, 0);
const scope = /** @type {any} */ (globalThis);

/** @type {any} */
let kernel = null;
/** @type {Watch | null} */
let watch = null;
/** @type {Overlay | null} */
let overlay = null;
let shape = '';

/** @param {any} message */
const send = (message) => scope.postMessage(message);

/** @param {any} message Bytes of both modules, or where the JavaScript lies. */
async function start(message) {
  const { variant } = message;
  /** @type {any} */
  let exports;
  if (variant === 'wasm') {
    const both = await Promise.all(
      [message.kernel, message.decisions].map((bytes) => WebAssembly.instantiate(bytes, {})),
    );
    kernel = new WasmKernel(both[0].instance);
    exports = both[1].instance.exports;
  } else {
    scope.importScripts(message.fallbackUrl);
    ({ kernel, exports } = scope.defectscopeFallback());
  }
  const decisions = new Decisions(exports, TUNED);
  watch = new Watch(decisions, (finding) => {
    overlay?.found(finding);
    send({ type: 'finding', finding });
  });
  if (message.detectors) watch.asked = new Set(message.detectors);
  send({ type: 'ready', variant, memoryBytes: kernel.memoryBytes + decisions.memoryBytes });
}

/** @param {string} reason */
function interrupt(reason) {
  watch?.break();
  kernel?.forget();
  send({ type: 'broken', reason });
}

/** @param {any} message With a VideoFrame, or with `rgba`, `width` and `height`. */
async function measure(message) {
  const { frame, time_s } = message;
  const began_ms = performance.now();
  const described = shapeOf(message);
  if (!described) {
    frame?.close();
    send({ type: 'measured', unsupported: frame ? String(frame.format) : 'none', id: message.id });
    return;
  }
  if (described.key !== shape) {
    if (shape) interrupt('size');
    shape = described.key;
    kernel.open(described.geometry, ALL);
    watch?.decisions.open(described.geometry, described.fullRange, kernel.layout.places);
  }
  if (watch && !watch.follows(time_s)) interrupt('gap');
  await planesOf(message, described, kernel);
  frame?.close();
  const copied_ms = performance.now();
  const record = kernel.measure();
  const measured_ms = performance.now();
  watch?.push(record, time_s);
  const decided_ms = performance.now();
  overlay?.frame({ record, places: kernel.layout.places, geometry: described.geometry, time_s, cost_ms: decided_ms - began_ms });
  send({
    type: 'measured',
    id: message.id,
    copy_ms: copied_ms - began_ms,
    kernel_ms: measured_ms - copied_ms,
    decide_ms: decided_ms - measured_ms,
    memoryBytes: kernel.memoryBytes + packedBytes() + (watch?.decisions.memoryBytes ?? 0),
  });
}

/** @type {Record<string, (message: any) => void | Promise<void>>} */
const handlers = {
  start,
  frame: measure,
  break: (message) => interrupt(message.reason),
  ask: (message) => {
    if (watch) watch.asked = new Set(message.detectors);
  },
  overlay: (message) => {
    overlay = message.on ? new Overlay((commands) => send({ type: 'scene', commands })) : null;
    if (!message.on) send({ type: 'scene', commands: [{ do: 'clear' }] });
  },
};

// One after the other: copying a frame is asynchronous, and frames must not overtake each other.
let queue = Promise.resolve();
scope.onmessage = (/** @type {MessageEvent} */ event) => {
  queue = queue.then(async () => {
    try {
      await handlers[event.data.type]?.(event.data);
    } catch (error) {
      event.data.frame?.close();
      send({ type: 'failed', during: event.data.type, id: event.data.id, message: String(error) });
    }
  });
};
