/**
 * Where the features of a frame stand in the kernel's record, from the kernel's own catalogue.
 */

/** Bits of the groups of measures that the decisions need. */
export const GROUPS = {
  LUMA: 1 << 0,
  TEMPORAL: 1 << 1,
  ROWS: 1 << 2,
  HISTOGRAM: 1 << 3,
  GRID: 1 << 5,
  CHROMA: 1 << 11,
};

/** @typedef {{ width: number, height: number, chromaWidth: number, chromaHeight: number, bitDepth: number }} Geometry */
/** @typedef {{ at: number, count: number, wide: boolean, group: number }} Place  Words of 32 bits. */

/**
 * Returns the places of all features of these groups, and the record's length in 32-bit words.
 * @param {string} catalogue One feature a line: name, group bit, count (`w`, `h` or a number), bytes.
 * @param {Geometry} geometry
 * @param {number} groups Bit mask.
 */
export function layoutOf(catalogue, geometry, groups) {
  /** @type {Map<string, Place>} */
  const places = new Map();
  let at = 0;
  for (const line of catalogue.split('\n')) {
    const [name, bit, extent, bytes] = line.split(' ');
    const group = 1 << Number(bit);
    if (!(groups & group)) continue;
    const count =
      extent === 'w' ? geometry.width : extent === 'h' ? geometry.height : Number(extent);
    const wide = bytes === '8';
    places.set(name, { at, count, wide, group });
    const words = count * (wide ? 2 : 1);
    at += words + (words % 2);
  }
  return { places, words: at };
}
