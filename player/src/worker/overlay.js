/**
 * The debug overlay: drawn by the worker as a scene of host nodes, carried to the page as commands.
 *
 * Nodes are views, texts and images; the page's host objects hold no state but the elements.
 */
import { TILES_X, TILES_Y } from './geometry.js';

/** @typedef {import('../host.js').Command} Command */

const EVERY_MS = 250;
const LINES = 6;

export class Overlay {
  /** @param {(commands: Command[]) => void} send */
  constructor(send) {
    this.send = send;
    this.drawn_ms = 0;
    this.cost_ms = 0;
    /** @type {Map<number, any>} */
    this.findings = new Map();
    /** @type {Command[]} */
    const commands = [
      { do: 'create', id: 1, node: 'view', parent: 0 },
      { do: 'create', id: 2, node: 'text', parent: 1 },
      { do: 'create', id: 3, node: 'image', parent: 1 },
    ];
    for (let line = 0; line < LINES; line++) commands.push({ do: 'create', id: 10 + line, node: 'text', parent: 1 });
    this.send(commands);
  }

  /** @param {any} finding */
  found(finding) {
    if (finding.state === 'withdrawn') this.findings.delete(finding.id);
    else this.findings.set(finding.id, finding);
  }

  /** @param {{ record: Uint32Array, places: Map<string, any>, geometry: any, time_s: number, cost_ms: number }} frame */
  frame({ record, places, geometry, time_s, cost_ms }) {
    this.cost_ms += (cost_ms - this.cost_ms) * 0.1;
    const now_ms = performance.now();
    if (now_ms - this.drawn_ms < EVERY_MS) return;
    this.drawn_ms = now_ms;
    const samples = geometry.width * geometry.height;
    /** @param {string} name */
    const wide = (name) => record[places.get(name).at] + record[places.get(name).at + 1] * 2 ** 32;
    const measures = [
      `${geometry.width} x ${geometry.height}`,
      `t ${time_s.toFixed(2)} s`,
      `luma ${(wide('luma_sum') / samples).toFixed(1)}`,
      `change ${(wide('sad') / samples).toFixed(2)}`,
      `cost ${this.cost_ms.toFixed(2)} ms`,
    ];
    /** @type {Command[]} */
    const commands = [
      { do: 'set', id: 2, text: measures.join('   ') },
      { do: 'set', id: 3, width: TILES_X, height: TILES_Y, pixels: this.#tiles(record, places, samples) },
    ];
    const last = [...this.findings.values()].slice(-LINES).reverse();
    for (let line = 0; line < LINES; line++) {
      const finding = last[line];
      const text = finding
        ? `${finding.state === 'open' ? '●' : '○'} ${finding.kind} ${finding.start_s.toFixed(2)}–${finding.end_s.toFixed(2)} s ${finding.severity}`
        : '';
      commands.push({ do: 'set', id: 10 + line, text });
    }
    this.send(commands);
  }

  /**
   * Shows where the frame changes: one pixel a tile.
   * @param {Uint32Array} record
   * @param {Map<string, any>} places
   * @param {number} samples
   */
  #tiles(record, places, samples) {
    const at = places.get('tile_sad').at;
    const pixels = new Uint8ClampedArray(TILES_X * TILES_Y * 4);
    const usual = samples / (TILES_X * TILES_Y);
    for (let tile = 0; tile < TILES_X * TILES_Y; tile++) {
      pixels.set([255, 180, 60, Math.min(200, (record[at + tile] / usual) * 20)], tile * 4);
    }
    return pixels;
  }
}
