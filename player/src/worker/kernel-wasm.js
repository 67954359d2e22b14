/**
 * The measuring kernel as WebAssembly: lays out its memory and measures frame after frame.
 */
import { layoutOf } from './layout.js';

/** @typedef {import('./layout.js').Geometry} Geometry */

// The kernel loads whole vectors, up to this far past the last sample of a plane.
const SLACK_BYTES = 64;
const FRAME_BYTES = 64;
const PAGE_BYTES = 65_536;

/** @param {number} bytes */
const aligned = (bytes) => (bytes + 15) & ~15;

export class WasmKernel {
  /** @param {WebAssembly.Instance} instance */
  constructor(instance) {
    const exports = /** @type {any} */ (instance.exports);
    this.exports = exports;
    /** @type {WebAssembly.Memory} */
    this.memory = exports.memory;
    const text = new Uint8Array(this.memory.buffer, exports.layout(), exports.layout_bytes());
    this.catalogue = new TextDecoder().decode(text);
    this.variant = 'wasm';
  }

  /** Bytes of the kernel's memory. */
  get memoryBytes() {
    return this.memory.buffer.byteLength;
  }

  /**
   * Takes frames of another geometry from now on.
   * @param {Geometry} geometry
   * @param {number} groups Bit mask of measures.
   */
  open(geometry, groups) {
    const { width, height, chromaWidth, chromaHeight, bitDepth } = geometry;
    const sample = bitDepth > 8 ? 2 : 1;
    this.geometry = geometry;
    this.groups = groups;
    this.layout = layoutOf(this.catalogue, geometry, groups);
    const stride = width * sample;
    const chromaStride = chromaWidth * sample;
    let at = aligned(this.exports.__heap_base.value);
    /** @param {number} bytes */
    const take = (bytes) => {
      const here = at;
      at = aligned(at + bytes);
      return here;
    };
    this.frame = take(FRAME_BYTES);
    this.record = take(this.layout.words * 4);
    const scratch = take(this.exports.scratch_bytes(width));
    this.luma = [0, 1].map(() => take(stride * height + SLACK_BYTES));
    this.chroma = [0, 1].map(() => take(chromaStride * chromaHeight + SLACK_BYTES));
    /** Where interleaved chroma is copied to, before it is taken apart. */
    this.interleaved = at;
    this.stride = stride;
    this.chromaStride = chromaStride;
    this.current = 0;
    this.hasPrevious = false;
    this.#reach(at);
    new Uint32Array(this.memory.buffer, this.frame, 14).set([
      width, height, stride, bitDepth, chromaWidth, chromaHeight, chromaStride, groups,
      0, 0, this.chroma[0], this.chroma[1], this.record, scratch,
    ]);
  }

  /** @param {number} bytes */
  #reach(bytes) {
    const lacking = bytes - this.memory.buffer.byteLength;
    if (lacking > 0) this.memory.grow(Math.ceil(lacking / PAGE_BYTES));
  }

  /**
   * Returns the buffer that the next frame is copied into, and where its planes go in it.
   * @param {boolean} interleaved Whether U and V share a plane.
   */
  target(interleaved) {
    const luma = /** @type {number[]} */ (this.luma)[/** @type {number} */ (this.current)];
    const chroma = /** @type {number[]} */ (this.chroma);
    const { stride, chromaStride, geometry } = /** @type {any} */ (this);
    if (!interleaved) {
      return {
        buffer: this.memory.buffer,
        planes: [
          { offset: luma, stride },
          { offset: chroma[0], stride: chromaStride },
          { offset: chroma[1], stride: chromaStride },
        ],
      };
    }
    const base = /** @type {number} */ (this.interleaved);
    this.#reach(base + 2 * chromaStride * geometry.chromaHeight + SLACK_BYTES);
    return {
      buffer: this.memory.buffer,
      planes: [
        { offset: luma, stride },
        { offset: base, stride: 2 * chromaStride },
      ],
    };
  }

  /** Measures the frame that lies in the target and returns its record. */
  measure() {
    const luma = /** @type {number[]} */ (this.luma);
    const current = /** @type {number} */ (this.current);
    const words = new Uint32Array(this.memory.buffer, this.frame, 14);
    words[8] = luma[current];
    words[9] = this.hasPrevious ? luma[1 - current] : 0;
    const measure = words[3] > 8 ? this.exports.measure_16 : this.exports.measure_8;
    const bytes = measure(this.frame);
    const layout = /** @type {{ words: number }} */ (this.layout);
    if (bytes !== layout.words * 4) throw new RangeError('the kernel refused a frame');
    this.current = 1 - current;
    this.hasPrevious = true;
    return new Uint32Array(this.memory.buffer, this.record, layout.words);
  }

  /** Makes the next frame one that has none before it. */
  forget() {
    this.hasPrevious = false;
  }
}
