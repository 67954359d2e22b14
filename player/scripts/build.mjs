/** Builds dist/: bundles, both WebAssembly modules, and what is generated from the Python package. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const repository = dirname(here);
const at = (...parts) => join(here, ...parts);
const generated = at('src', 'generated');
const dist = at('dist');

/** Reads a module and refuses one that is not the released one. */
function released(folder, name) {
  const bytes = readFileSync(join(folder, name));
  const hash = createHash('sha256').update(bytes).digest('hex');
  const expected = readFileSync(join(folder, `${name}.sha256`), 'ascii').split(' ')[0];
  if (hash !== expected) throw new Error(`${name} is ${hash}, released is ${expected}`);
  copyFileSync(join(folder, name), join(dist, name));
  return { bytes, hash };
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
mkdirSync(generated, { recursive: true });
const kernel = released(join(repository, 'src', 'defectscope', 'features'), 'kernel.wasm');
const decisions = released(at('rust'), 'decisions.wasm');
const write = (name, text) => writeFileSync(join(generated, name), text);
write('hashes.js', `export const HASHES = ${JSON.stringify({ kernel: kernel.hash, decisions: decisions.hash })};\n`);

const { instance } = await WebAssembly.instantiate(kernel.bytes, {});
const { memory, layout, layout_bytes: length } = instance.exports;
const catalogue = new TextDecoder().decode(new Uint8Array(memory.buffer, layout(), length()));
write('catalogue.js', `export const CATALOGUE = ${JSON.stringify(catalogue)};\n`);

const tuned = {};
const opened = (await WebAssembly.instantiate(decisions.bytes, {})).instance.exports;
const described = opened.describe();
const lines = new TextDecoder().decode(new Uint8Array(opened.memory.buffer, described, opened.describe_bytes()));
for (const line of lines.split('\n')) {
  const [name, , names] = line.split('|');
  const { thresholds, severity } = JSON.parse(readFileSync(join(repository, 'model_artifacts', name, 'detector.json'), 'utf8'));
  const kept = Object.fromEntries(names.split(' ').map((each) => [each, thresholds[each]]));
  tuned[name] = { thresholds: kept, severity };
}
write('tuned.js', `/** @type {Record<string, any>} */\nexport const TUNED = ${JSON.stringify(tuned)};\n`);

const binary = at('node_modules', '.bin', 'wasm2js');
execFileSync(binary, ['-O', at('rust', 'decisions.wasm'), '-o', join(generated, 'decisions.js')], { stdio: 'inherit' });
const translated = join(generated, 'decisions.js');
writeFileSync(translated, `// @ts-nocheck\n${readFileSync(translated, 'utf8')}`);

const common = { bundle: true, minify: true, target: 'es2020', legalComments: 'none', logLevel: 'warning' };
await build({ ...common, format: 'esm', entryPoints: [at('src', 'index.js')], outfile: join(dist, 'index.js') });
await build({ ...common, format: 'iife', entryPoints: [at('src', 'worker', 'main.js')], outfile: join(dist, 'worker.js') });
await build({ ...common, format: 'iife', entryPoints: [at('src', 'worker', 'fallback.js')], outfile: join(dist, 'fallback.js') });
const beside = { name: 'beside', setup: (it) => it.onResolve({ filter: /index\.js$/ }, () => ({ path: '../index.js', external: true })) };
for (const name of ['hls', 'dash', 'shaka']) {
  const entryPoints = [at('src', 'adapters', `${name}.js`)];
  await build({ ...common, format: 'esm', entryPoints, outfile: join(dist, 'adapters', `${name}.js`), plugins: [beside] });
}
