/**
 * What a frame is made of, and how its planes reach the kernel.
 */
import { sampledRows } from './geometry.js';

/** Luma of more bytes is cut to its middle, so that memory stays below 7.5 MB. */
const MOST_LUMA_BYTES = 1920 * 1088;
/** Planes of luma's size that may be held with that: two of luma, two of chroma at 4:2:2. */
const MOST_PLANES = 3;
/** The same for frames of red, green and blue, which are held beside their planes. */
const MOST_PACKED_SAMPLES = 1280 * 720;

/**
 * Formats of planes: by how much chroma is smaller across and down, bits, whether U and V share a
 * plane. @type {Record<string, [number, number, number, boolean]>}
 */
const FORMATS = {
  I420: [2, 2, 8, false], I422: [2, 1, 8, false], I444: [1, 1, 8, false], NV12: [2, 2, 8, true],
  I420P10: [2, 2, 10, false], I422P10: [2, 1, 10, false],
  I420P12: [2, 2, 12, false],
};

/** Where red, green and blue stand in a sample of four bytes. @type {Record<string, [number, number, number]>} */
const PACKED = { RGBA: [0, 1, 2], RGBX: [0, 1, 2], BGRA: [2, 1, 0], BGRX: [2, 1, 0] };

/** Samples of four bytes on their way to planes. */
let packed = new Uint8Array(0);

/** Bytes that are held here for frames of red, green and blue. */
export const packedBytes = () => packed.byteLength;

/**
 * @typedef {object} Shape
 * @property {string} key Says whether two frames can be compared.
 * @property {import('./layout.js').Geometry} geometry
 * @property {boolean} fullRange
 * @property {boolean} interleaved
 * @property {{ x: number, y: number, width: number, height: number } | null} rect
 * @property {[number, number, number] | null} order Of red, green and blue; null where there are planes.
 */

/**
 * Returns what a frame is like, or null where its format is not known.
 * @param {any} message
 * @returns {Shape | null}
 */
export function shapeOf(message) {
  if (message.rgba) {
    const { width, height } = message;
    const geometry = { width, height, chromaWidth: width >> 1, chromaHeight: height >> 1, bitDepth: 8 };
    return { key: `rgba ${width}x${height}`, geometry, fullRange: false, interleaved: false, rect: null, order: PACKED.RGBA };
  }
  /** @type {VideoFrame} */
  const frame = message.frame;
  const order = PACKED[String(frame.format)] ?? null;
  const format = order ? FORMATS.I420 : FORMATS[String(frame.format)];
  const visible = frame.visibleRect;
  if (!format || !visible) return null;
  const [across, down, bitDepth, interleaved] = format;
  const bytes = bitDepth > 8 ? 2 : 1;
  const planes = 2 + 2 / (across * down);
  const most = order ? MOST_PACKED_SAMPLES : MOST_LUMA_BYTES * Math.min(1, MOST_PLANES / planes);
  const share = Math.min(1, Math.sqrt(most / (visible.width * visible.height * bytes)));
  /** @param {number} size */
  const even = (size) => (share < 1 ? Math.floor((size * share) / 16) * 16 : size);
  const [width, height] = [even(visible.width), even(visible.height)];
  /**
   * @param {number} start
   * @param {number} whole
   * @param {number} part
   */
  const middle = (start, whole, part) => start + (((whole - part) >> 2) << 1);
  const rect = {
    x: middle(visible.x, visible.width, width),
    y: middle(visible.y, visible.height, height),
    width,
    height,
  };
  const geometry = {
    width,
    height,
    chromaWidth: Math.ceil(width / across),
    chromaHeight: Math.ceil(height / down),
    bitDepth,
  };
  return {
    key: `${frame.format} ${visible.width}x${visible.height}`,
    geometry,
    fullRange: frame.colorSpace?.fullRange === true,
    interleaved,
    rect,
    order,
  };
}

/**
 * Copies a frame's planes to where the kernel wants them.
 * @param {any} message
 * @param {Shape} shape
 * @param {any} kernel
 */
export async function planesOf(message, shape, kernel) {
  const target = kernel.target(shape.interleaved);
  if (message.rgba) {
    fromPacked(new Uint8Array(message.rgba), shape, target);
    return;
  }
  if (shape.order) {
    const { width, height } = shape.geometry;
    if (packed.length !== width * height * 4) packed = new Uint8Array(width * height * 4);
    await message.frame.copyTo(packed, { rect: shape.rect, layout: [{ offset: 0, stride: width * 4 }] });
    fromPacked(packed, shape, target);
    return;
  }
  const into = new Uint8Array(target.buffer);
  await message.frame.copyTo(into, { rect: shape.rect, layout: target.planes });
  if (shape.interleaved) takeApart(shape.geometry, target, kernel.target(false));
}

/**
 * Takes interleaved chroma apart, on the rows that are looked at.
 * @param {import('./layout.js').Geometry} geometry
 * @param {any} from
 * @param {any} to
 */
function takeApart(geometry, from, to) {
  const { chromaWidth: width, chromaHeight: height } = geometry;
  const bytes = new Uint8Array(to.buffer);
  const [, u, v] = to.planes;
  for (const row of sampledRows(width, height)) {
    let at = from.planes[1].offset + row * from.planes[1].stride;
    for (let x = 0; x < width; x++) {
      bytes[u.offset + row * u.stride + x] = bytes[at++];
      bytes[v.offset + row * v.stride + x] = bytes[at++];
    }
  }
}

/**
 * Turns red, green and blue into luma and chroma of limited range.
 * Source: ITU-R BT.709-6, item 3.2 and 3.3 (the matrix), in 1/65536 with the range applied.
 * @param {Uint8Array} samples Four bytes each.
 * @param {Pick<Shape, 'geometry' | 'order'>} shape
 * @param {any} target
 */
export function fromPacked(samples, { geometry, order }, target) {
  const { width, height, chromaWidth, chromaHeight } = geometry;
  const [red, green, blue] = order ?? PACKED.RGBA;
  const bytes = new Uint8Array(target.buffer);
  const [luma, u, v] = target.planes;
  for (let row = 0; row < height; row++) {
    let at = row * width * 4;
    const first = luma.offset + row * luma.stride;
    for (let to = first; to < first + width; to++, at += 4) {
      const sum = 11966 * samples[at + red] + 40254 * samples[at + green] + 4064 * samples[at + blue];
      bytes[to] = 16 + ((sum + 32768) >> 16);
    }
  }
  for (let row = 0; row < chromaHeight; row++) {
    let at = row * 2 * width * 4;
    for (let x = 0; x < chromaWidth; x++, at += 8) {
      const [r, g, b] = [samples[at + red], samples[at + green], samples[at + blue]];
      bytes[u.offset + row * u.stride + x] = 128 + ((-6596 * r - 22189 * g + 28784 * b + 32768) >> 16);
      bytes[v.offset + row * v.stride + x] = 128 + ((28784 * r - 26145 * g - 2640 * b + 32768) >> 16);
    }
  }
}
