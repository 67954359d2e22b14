/**
 * Packs the package, installs it into a copy of each example, and builds that.
 * Usage: node try-package.mjs [FOLDER]   FOLDER keeps what each example serves.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'player-'));
const kept = process.argv[2] && resolve(process.argv[2]);
const run = (cwd, ...command) => execFileSync(command[0], command.slice(1), { cwd, encoding: 'utf8' });
const [packed] = JSON.parse(run(here, 'npm', 'pack', '--json', '--silent', '--pack-destination', folder));
console.log(`${packed.filename}: ${packed.size} bytes, ${packed.files.length} files`);
for (const { path, size } of packed.files) console.log(`  ${path} ${size}`);
for (const name of ['hls', 'dash', 'shaka']) {
  const example = join(folder, name);
  cpSync(join(dirname(here), 'examples', 'player', name), example, { recursive: true });
  run(example, 'npm', 'install', '--no-audit', '--no-fund', '--silent', join(folder, packed.filename));
  run(example, 'npm', 'run', 'build', '--silent');
  const built = ['main.js', 'player/worker.js', 'player/kernel.wasm'].every((file) => existsSync(join(example, 'public', file)));
  console.log(`${name}: ${built ? 'built' : 'NOT BUILT'}`);
  if (!built) process.exitCode = 1;
  else if (kept) cpSync(join(example, 'public'), join(kept, name), { recursive: true });
}
rmSync(folder, { recursive: true });
