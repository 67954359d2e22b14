/** Tiles and sampled rows and columns of a plane, as the kernel has them. */

export const TILES_X = 12;
export const TILES_Y = 8;
export const TILES = TILES_X * TILES_Y;
const BLOCK = 16;

/**
 * Returns the rows that sampled measures look at.
 * @param {number} width
 * @param {number} height
 */
export function sampledRows(width, height) {
  const byArea = Math.ceil((width * height) / 65_536) | 1;
  const byRows = (Math.max(Math.floor(height / 36), 2) - 1) | 1;
  const step = Math.max(Math.min(byArea, byRows), Math.ceil(height / 256) | 1);
  const rows = [];
  for (let row = step >> 1; row < height; row += step) rows.push(row);
  return rows;
}

/**
 * Returns the columns at which blocks that the row profiles look at begin.
 * @param {number} width
 */
export function sampledBlocks(width) {
  const blocks = Math.ceil(width / BLOCK);
  const step = Math.max(Math.floor(blocks / 20), 1);
  const found = [];
  for (let block = step >> 1; block < blocks; block += step) found.push(block * BLOCK);
  return found;
}

/**
 * Returns for each column of a row which column of tiles it is in.
 * @param {number} width
 */
export function tileOfColumn(width) {
  const blocks = Math.ceil(width / BLOCK);
  const tiles = new Uint8Array(width);
  for (let tile = 0; tile < TILES_X; tile++) {
    const from = Math.min(Math.floor((tile * blocks) / TILES_X) * BLOCK, width);
    const to = Math.min(Math.floor(((tile + 1) * blocks) / TILES_X) * BLOCK, width);
    tiles.fill(tile, from, to);
  }
  return tiles;
}

/**
 * Returns the row of tiles that a row is in.
 * @param {number} row
 * @param {number} height
 */
export const tileRow = (row, height) => Math.floor(((row + 1) * TILES_Y - 1) / height);
