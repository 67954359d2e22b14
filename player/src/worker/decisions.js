/**
 * The decisions, as WebAssembly or as the JavaScript made of it: the same exports either way.
 */

/** @typedef {import('./layout.js').Geometry} Geometry */
/**
 * @typedef {object} Found One finding of one call; rows count from the oldest one held.
 * @property {string} detector
 * @property {string} kind
 * @property {number} start_s
 * @property {number} end_s
 * @property {number} confidence
 * @property {number} firstRow
 * @property {number} lastRow
 * @property {'minor' | 'major' | 'critical'} severity
 * @property {Record<string, number | string | boolean>} evidence
 */
/** @typedef {{ thresholds: Record<string, number>, severity: Record<string, any> }} Tuned */

const FLOATS = 16;
const FIRST_VALUE = 6;
/** Features in the order of the input, with how many words each has there. */
const INPUT = /** @type {const} */ ([
  ['luma_sum', 2], ['sad', 2], ['dark_counts', 1], [null, 3], ['tile_sad', 96], ['tile_luma', 96],
  ['tile_u', 96], ['tile_v', 96], ['luma_histogram', 256], ['column_step', 0], ['row_step', 0],
  ['row_max', 0],
]);
/** Evidence of colour errors that only some kinds have. */
const ONLY_OF = /** @type {Record<string, string[]>} */ ({
  cast_u_code: ['cast'],
  cast_v_code: ['cast'],
  luma_gain: ['illegal_range', 'level_gain'],
  turn_degrees: ['chroma_turn'],
});
/** @type {Record<string, number>} */
const DECIMALS = {
  duration_s: 4, mean_luma_code: 2, luma_step_code: 2, mean_difference_code: 4, grid_strength: 3,
  grid_clarity: 2, step_code: 2, block_px: 2, programme_grid_strength: 3, change_code: 2,
  mean_saturation_code: 2, outside_share: 4, cast_u_code: 2, cast_v_code: 2, luma_gain: 4,
  turn_degrees: 1,
};

/**
 * @param {number} value
 * @param {number} decimals
 */
export const rounded = (value, decimals) => Number(value.toFixed(decimals));

export class Decisions {
  /**
   * @param {any} exports Of decisions.wasm, or of its JavaScript.
   * @param {Record<string, Tuned>} tuned Thresholds and severity rules by detector.
   */
  constructor(exports, tuned) {
    this.exports = exports;
    this.tuned = tuned;
    const at = exports.describe();
    const bytes = new Uint8Array(exports.memory.buffer, at, exports.describe_bytes());
    const text = String.fromCharCode(...bytes);
    this.detectors = text.split('\n').map((line) => {
      const [name, ...rest] = line.split('|');
      const [columns, thresholds, kinds, evidence] = rest.map((names) => names.split(' '));
      return { name, columns, thresholds, kinds, evidence };
    });
    this.detectors.forEach(({ name, thresholds }, detector) => {
      thresholds.forEach((threshold, index) => {
        const value = tuned[name].thresholds[threshold];
        if (value === undefined) throw new RangeError(`${name} has no threshold ${threshold}`);
        exports.set_threshold(detector, index, value);
      });
    });
  }

  get memoryBytes() {
    return this.exports.memory.buffer.byteLength;
  }

  /**
   * Begins a stream.
   * @param {Geometry} geometry
   * @param {boolean} fullRange
   * @param {Map<string, import('./layout.js').Place>} places Of the kernel's record.
   */
  open(geometry, fullRange, places) {
    const { width, height, chromaWidth, chromaHeight, bitDepth } = geometry;
    this.input = this.exports.open(width, height, chromaWidth, chromaHeight, bitDepth, Number(fullRange));
    /** @type {{ from: number, to: number, words: number }[]} */
    this.copies = [];
    let to = 0;
    for (const [name, fixed] of INPUT) {
      const place = name === null ? undefined : places.get(name);
      const words = fixed || (place ? place.count : 0);
      if (place) this.copies.push({ from: place.at, to, words: Math.min(words, place.count * (place.wide ? 2 : 1)) });
      to += words;
    }
    this.inputWords = to;
  }

  /**
   * Measures a frame by its record.
   * @param {Uint32Array} record
   * @param {number} time_s
   */
  push(record, time_s) {
    const input = new Uint32Array(this.exports.memory.buffer, this.input, this.inputWords);
    for (const { from, to, words } of this.copies ?? []) {
      input.set(record.subarray(from, from + words), to);
    }
    this.exports.push(time_s);
  }

  /**
   * Decides over the rows held.
   * @param {number} detector Index.
   * @param {number} nominal_s How long a frame lasts.
   * @returns {Found[]}
   */
  decide(detector, nominal_s) {
    const { name, kinds, evidence } = this.detectors[detector];
    const count = this.exports.decide(detector, nominal_s);
    if (!count) return [];
    const at = this.exports.findings();
    const floats = new Float64Array(this.exports.memory.buffer, at, count * FLOATS);
    return Array.from({ length: count }, (_, index) => {
      const values = floats.subarray(index * FLOATS, (index + 1) * FLOATS);
      const kind = kinds[values[5]];
      /** @type {Record<string, number | string | boolean>} */
      const quantities = {};
      if (kinds.length > 1) quantities.kind = kind;
      evidence.forEach((key, i) => {
        const value = values[FIRST_VALUE + i];
        if (ONLY_OF[key] && !ONLY_OF[key].includes(kind)) return;
        quantities[key] = key === 'undone' ? value === 1 : rounded(value, DECIMALS[key] ?? 0);
      });
      return {
        detector: name,
        kind,
        start_s: values[0],
        end_s: values[1],
        confidence: rounded(values[2], 4),
        firstRow: values[3],
        lastRow: values[4],
        severity: severityOf(this.tuned[name].severity, quantities),
        evidence: quantities,
      };
    });
  }
}

/**
 * Returns the highest severity whose bound the evidence reaches.
 * @param {Record<string, any>} rules By defect, which is named as its detector.
 * @param {Record<string, any>} evidence
 * @returns {'minor' | 'major' | 'critical'}
 */
function severityOf(rules, evidence) {
  const rule = Object.values(rules)[0];
  const value = Math.abs(Number(evidence[rule.measure]));
  if (rule.critical !== undefined && value >= rule.critical) return 'critical';
  return rule.major !== undefined && value >= rule.major ? 'major' : 'minor';
}
