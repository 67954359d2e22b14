/**
 * Decides over tables that Python exchanges: lines of JSON in, lines of JSON out, with WebAssembly
 * or with JavaScript. `{"detector", "nominal_s", "starts_s": [], "rows": [[]]}` a line.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Decisions } from '../src/worker/decisions.js';
import { TUNED } from '../src/generated/tuned.js';

const exports =
  process.argv[2] === 'javascript'
    ? await import('../src/generated/decisions.js')
    : (await WebAssembly.instantiate(readFileSync(new URL('../dist/decisions.wasm', import.meta.url)), {})).instance.exports;
const decisions = new Decisions(exports, TUNED);
for await (const line of createInterface({ input: process.stdin })) {
  const { detector, nominal_s, starts_s, rows } = JSON.parse(line);
  const index = decisions.detectors.findIndex(({ name }) => name === detector);
  exports.reset();
  rows.forEach((row, i) => {
    new Float64Array(exports.memory.buffer, exports.row(), row.length).set(row);
    exports.add_row(index, starts_s[i]);
  });
  console.log(JSON.stringify(decisions.decide(index, nominal_s)));
}
