/** Buckets, percentages, kill switch, signatures and hashes. */
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { encodeCmcd } from '@svta/cml-cmcd';
import { cmcdOf } from '../src/cmcd.js';
import { bucketOf, choose, hasVectors, variantOf, verified } from '../src/rollout.js';
import { sha256, sha256OfText } from '../src/sha256.js';

const SESSIONS = Array.from({ length: 20_000 }, (_, i) => `session-${i}`);
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const SPKI = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
const KERNEL = Buffer.from('kernel');
const DECISIONS = Buffer.from('decisions');
const hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

function manifest(changes = {}) {
  return {
    version: '7', stage: 'canary', percentage: 100, kill: false, expires: '2999-01-01T00:00:00Z',
    modules: {
      kernel: { url: 'kernel.wasm', sha256: hash(KERNEL) },
      decisions: { url: 'decisions.wasm', sha256: hash(DECISIONS) },
    },
    ...changes,
  };
}

function signed(content, key = privateKey) {
  const payload = Buffer.from(JSON.stringify(content));
  const signature = sign('sha256', payload, { key, dsaEncoding: 'ieee-p1363' });
  return JSON.stringify({ payload: payload.toString('base64'), signature: signature.toString('base64') });
}

/** Chooses with a web of these files. */
async function chosen(text, files = { 'kernel.wasm': KERNEL, 'decisions.wasm': DECISIONS }, session = 's') {
  globalThis.location = /** @type {any} */ ({ href: 'https://cdn.example/page/' });
  globalThis.fetch = async (url) => {
    const name = String(url).split('/').at(-1);
    if (name === 'manifest.json') return new Response(text);
    return files[name] ? new Response(files[name]) : new Response('', { status: 404 });
  };
  return choose({ session, modules: /** @type {any} */ ({}), manifestUrl: 'https://cdn.example/canary/manifest.json', publicKey: SPKI });
}

test('SHA-256 is the one of node', () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 1000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37) & 255);
    assert.equal(sha256(bytes), hash(bytes));
  }
  assert.equal(sha256OfText('ü'), hash('ü'));
});

test('so many sessions get WebAssembly as the percentage says, and the same ones when it grows', () => {
  for (const percentage of [0, 5, 50, 100]) {
    const share = SESSIONS.filter((s) => variantOf({ percentage, kill: false }, s) === 'wasm').length / SESSIONS.length;
    // Four standard errors of a share of 20,000.
    assert.ok(Math.abs(share - percentage / 100) <= 4 * Math.sqrt((0.05 + share * (1 - share)) / SESSIONS.length), `${share}`);
  }
  for (const session of SESSIONS.slice(0, 500)) {
    assert.ok(bucketOf(session) >= 0 && bucketOf(session) < 10_000);
    if (variantOf({ percentage: 5, kill: false }, session) === 'wasm') {
      assert.equal(variantOf({ percentage: 50, kill: false }, session), 'wasm');
    }
  }
});

test('the kill switch ends it for everybody', async () => {
  assert.equal(variantOf({ percentage: 100, kill: true }, 's'), 'off');
  const choice = await chosen(signed(manifest({ kill: true })));
  assert.deepEqual([choice.variant, choice.reason], ['off', 'killed']);
});

test('a signed manifest leads to the modules it names', async () => {
  const choice = await chosen(signed(manifest()));
  assert.equal(choice.variant, 'wasm');
  assert.equal(choice.version, '7');
  assert.deepEqual(Buffer.from(choice.kernel), KERNEL);
});

test('whatever is wrong leads to JavaScript, with its reason', async () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const cases = {
    bucket: signed(manifest({ percentage: 0 })),
    bad_signature: signed(manifest(), other),
    expired: signed(manifest({ expires: '2020-01-01T00:00:00Z' })),
    bad_manifest: signed(manifest({ percentage: 500 })),
    wrong_hash: signed(manifest({ modules: { ...manifest().modules, kernel: { url: 'kernel.wasm', sha256: hash('other') } } })),
    http_404: signed(manifest({ modules: { ...manifest().modules, kernel: { url: 'gone.wasm', sha256: hash(KERNEL) } } })),
  };
  for (const [reason, text] of Object.entries(cases)) {
    const choice = await chosen(text);
    assert.deepEqual([choice.variant, choice.reason], ['javascript', reason]);
  }
  assert.equal((await chosen('no json')).variant, 'javascript');
  const changed = JSON.parse(signed(manifest()));
  changed.payload = Buffer.from(JSON.stringify(manifest({ percentage: 99 }))).toString('base64');
  await assert.rejects(verified(JSON.stringify(changed), SPKI), /bad_signature/);
});

test('vectors are told from their absence', () => {
  assert.equal(hasVectors(), true);
  const { validate } = WebAssembly;
  WebAssembly.validate = () => false;
  try {
    assert.equal(hasVectors(), false);
  } finally {
    WebAssembly.validate = validate;
  }
});

test('CMCD is what the library of the SVTA encodes', () => {
  for (const cid of ['', 'title-1', 'a "quoted" \\ one']) {
    assert.equal(cmcdOf('ab12', cid), encodeCmcd(cid ? { sid: 'ab12', cid, v: 2 } : { sid: 'ab12', v: 2 }));
  }
});
