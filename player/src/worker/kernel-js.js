/**
 * The measuring kernel in JavaScript, for engines without WebAssembly or its vectors: the same
 * integers, frame by frame, of frames of 8 bits and of the groups that the decisions need.
 */
import { TILES, TILES_X, sampledBlocks, sampledRows, tileOfColumn, tileRow } from './geometry.js';
import { GROUPS, layoutOf } from './layout.js';

/** @typedef {import('./layout.js').Geometry} Geometry */

const DARK = 20;
const CHANGED = 8;
const SATURATIONS = [4, 16, 64, 112];
const NOMINAL = [16, 240];
const WORD = 4_294_967_296;

export class JsKernel {
  /** @param {string} catalogue What the WebAssembly kernel lists as its layout. */
  constructor(catalogue) {
    this.catalogue = catalogue;
    this.variant = 'javascript';
  }

  get memoryBytes() {
    return this.buffer ? this.buffer.byteLength : 0;
  }

  /**
   * @param {Geometry} geometry
   * @param {number} groups Bit mask of measures.
   */
  open(geometry, groups) {
    if (geometry.bitDepth !== 8) throw new RangeError('JavaScript measures frames of 8 bits only');
    const { width, height, chromaWidth, chromaHeight } = geometry;
    this.geometry = geometry;
    this.groups = groups;
    this.layout = layoutOf(this.catalogue, geometry, groups);
    this.record = new Uint32Array(this.layout.words);
    const luma = width * height;
    const chroma = chromaWidth * chromaHeight;
    this.buffer = new ArrayBuffer(2 * luma + 4 * chroma);
    this.luma = [0, luma];
    this.chroma = [2 * luma, 2 * luma + chroma];
    this.interleaved = 2 * luma + 2 * chroma;
    this.stride = width;
    this.chromaStride = chromaWidth;
    this.current = 0;
    this.hasPrevious = false;
    this.rows = sampledRows(width, height);
    this.blocks = sampledBlocks(width);
    this.tiles = tileOfColumn(width);
    this.chromaRows = chroma ? sampledRows(chromaWidth, chromaHeight) : [];
    this.chromaTiles = tileOfColumn(chromaWidth);
  }

  /** @param {boolean} interleaved */
  target(interleaved) {
    const self = /** @type {any} */ (this);
    const luma = { offset: self.luma[self.current], stride: self.stride };
    const planes = interleaved
      ? [luma, { offset: self.interleaved, stride: 2 * self.chromaStride }]
      : [luma, ...self.chroma.map((/** @type {number} */ offset) => ({ offset, stride: self.chromaStride }))];
    return { buffer: self.buffer, planes };
  }

  measure() {
    const self = /** @type {any} */ (this);
    const { width, height, chromaWidth, chromaHeight } = self.geometry;
    self.record.fill(0);
    const y = new Uint8Array(self.buffer, self.luma[self.current], width * height);
    const before = self.hasPrevious
      ? new Uint8Array(self.buffer, self.luma[1 - self.current], width * height)
      : null;
    if (self.groups & GROUPS.LUMA) this.#levels(y);
    if (self.groups & GROUPS.TEMPORAL && before) this.#changes(y, before);
    if (self.groups & GROUPS.ROWS) this.#rowSteps(y);
    if (self.groups & GROUPS.HISTOGRAM) this.#histogram(y);
    if (self.groups & GROUPS.GRID) this.#columnSteps(y);
    if (self.groups & GROUPS.CHROMA && chromaWidth) {
      const size = chromaWidth * chromaHeight;
      this.#colors(...self.chroma.map((/** @type {number} */ at) => new Uint8Array(self.buffer, at, size)));
    }
    self.current = 1 - self.current;
    self.hasPrevious = true;
    return self.record;
  }

  forget() {
    this.hasPrevious = false;
  }

  /** @param {string} name */
  #at(name) {
    return /** @type {any} */ (this).layout.places.get(name).at;
  }

  /**
   * @param {string} name
   * @param {number} value Below 2^53.
   * @param {number} [index]
   */
  #setWide(name, value, index = 0) {
    const at = this.#at(name) + 2 * index;
    const record = /** @type {Uint32Array} */ (this.record);
    record[at] = value % WORD;
    record[at + 1] = Math.floor(value / WORD);
  }

  /** @param {Uint8Array} y */
  #levels(y) {
    const { geometry, record, tiles } = /** @type {any} */ (this);
    const { width, height } = geometry;
    const [tileLuma, rowLuma, rowMin, rowMax] = ['tile_luma', 'row_luma', 'row_min', 'row_max'].map(
      (name) => this.#at(name),
    );
    let total = 0;
    let least = 255;
    let most = 0;
    let dark = 0;
    for (let row = 0, at = 0; row < height; row++) {
      const tilesAt = tileLuma + tileRow(row, height) * TILES_X;
      let low = 255;
      let high = 0;
      let sum = 0;
      for (let x = 0; x < width; x++, at++) {
        const v = y[at];
        sum += v;
        if (v < low) low = v;
        if (v > high) high = v;
        if (v <= DARK) dark++;
        record[tilesAt + tiles[x]] += v;
      }
      total += sum;
      record[rowLuma + row] = sum;
      record[rowMin + row] = low;
      record[rowMax + row] = high;
      if (low < least) least = low;
      if (high > most) most = high;
    }
    this.#setWide('luma_sum', total);
    record[this.#at('luma_min')] = least;
    record[this.#at('luma_max')] = most;
    record[this.#at('dark_counts')] = dark;
  }

  /**
   * @param {Uint8Array} y
   * @param {Uint8Array} before
   */
  #changes(y, before) {
    const { geometry, record, tiles } = /** @type {any} */ (this);
    const { width, height } = geometry;
    const tileSad = this.#at('tile_sad');
    const rowSad = this.#at('row_sad');
    let total = 0;
    let changed = 0;
    for (let row = 0, at = 0; row < height; row++) {
      const tilesAt = tileSad + tileRow(row, height) * TILES_X;
      let sum = 0;
      for (let x = 0; x < width; x++, at++) {
        const step = y[at] - before[at];
        const change = step < 0 ? -step : step;
        sum += change;
        if (change >= CHANGED) changed++;
        record[tilesAt + tiles[x]] += change;
      }
      total += sum;
      record[rowSad + row] = sum;
    }
    record[this.#at('has_previous')] = 1;
    this.#setWide('sad', total);
    record[this.#at('changed_count')] = changed;
  }

  /** @param {Uint8Array} y */
  #rowSteps(y) {
    const { geometry, record, blocks } = /** @type {any} */ (this);
    const { width, height } = geometry;
    const difference = this.#at('row_difference');
    const step = this.#at('row_step');
    for (const from of blocks) {
      for (let x = from; x < Math.min(from + 16, width); x++) {
        let above = 0;
        let here = height > 1 ? Math.abs(y[width + x] - y[x]) : 0;
        for (let row = 1; row < height; row++) {
          const last = row === height - 1;
          const below = last ? 0 : Math.abs(y[(row + 1) * width + x] - y[row * width + x]);
          record[difference + row] += here;
          if (row > 1 && !last) {
            const around = above > below ? above : below;
            if (here > around) record[step + row] += here - around;
          }
          above = here;
          here = below;
        }
      }
    }
  }

  /** @param {Uint8Array} y */
  #histogram(y) {
    const { geometry, record, rows } = /** @type {any} */ (this);
    const bins = this.#at('luma_histogram');
    for (const row of rows) {
      const end = (row + 1) * geometry.width;
      for (let at = row * geometry.width; at < end; at += 2) record[bins + y[at]]++;
    }
  }

  /** @param {Uint8Array} y */
  #columnSteps(y) {
    const { geometry, record, rows } = /** @type {any} */ (this);
    const { width } = geometry;
    const difference = this.#at('column_difference');
    const step = this.#at('column_step');
    for (const row of rows) {
      const at = row * width;
      for (let x = 1; x < width; x++) {
        const here = Math.abs(y[at + x] - y[at + x - 1]);
        record[difference + x] += here;
        if (x > 1 && x < width - 1) {
          const left = Math.abs(y[at + x - 1] - y[at + x - 2]);
          const right = Math.abs(y[at + x + 1] - y[at + x]);
          const around = left > right ? left : right;
          if (here > around) record[step + x] += here - around;
        }
      }
    }
  }

  /** @param {...Uint8Array} planes U and V. */
  #colors(...planes) {
    const { geometry, record, chromaRows, chromaTiles } = /** @type {any} */ (this);
    const { chromaWidth: width, chromaHeight: height } = geometry;
    const [u, v] = planes;
    const tileAt = ['tile_u', 'tile_v'].map((name) => this.#at(name));
    const saturationAt = this.#at('tile_saturation');
    const illegalAt = this.#at('chroma_illegal');
    const saturatedAt = this.#at('saturation_counts');
    const sums = [0, 0];
    const squares = [0, 0];
    const least = [255, 255];
    const most = [0, 0];
    let product = 0;
    for (const row of chromaRows) {
      const tilesAt = tileRow(row, height) * TILES_X;
      for (let x = 0, at = row * width; x < width; x++, at++) {
        const tile = tilesAt + chromaTiles[x];
        const pair = [u[at], v[at]];
        for (let i = 0; i < 2; i++) {
          const c = pair[i];
          sums[i] += c;
          squares[i] += c * c;
          if (c < least[i]) least[i] = c;
          if (c > most[i]) most[i] = c;
          if (c < NOMINAL[0]) record[illegalAt + 2 * i]++;
          if (c > NOMINAL[1]) record[illegalAt + 2 * i + 1]++;
          record[tileAt[i] + tile] += c;
        }
        product += pair[0] * pair[1];
        const strength = Math.max(Math.abs(pair[0] - 128), Math.abs(pair[1] - 128));
        record[saturationAt + tile] += strength;
        for (let i = 0; i < SATURATIONS.length; i++) {
          if (strength >= SATURATIONS[i]) record[saturatedAt + i]++;
        }
      }
    }
    for (let i = 0; i < 2; i++) {
      this.#setWide('chroma_sums', sums[i], i);
      this.#setWide('chroma_squares', squares[i], i);
    }
    this.#setWide('chroma_product', product);
    record.set([...least, ...most], this.#at('chroma_extremes'));
  }
}

export { TILES };
