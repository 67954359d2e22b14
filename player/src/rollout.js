/**
 * Who gets which variant: a signed manifest names the modules by hash and says for how many.
 */
import { sha256, sha256OfText } from './sha256.js';

/**
 * @typedef {object} Manifest
 * @property {string} version
 * @property {string} stage
 * @property {number} percentage Share of sessions that get WebAssembly, 0 to 100.
 * @property {boolean} kill Whether nobody is to be watched.
 * @property {string} expires ISO 8601; a later manifest must have come by then.
 * @property {Record<'kernel' | 'decisions', { url: string, sha256: string }>} modules
 */
/** @typedef {'wasm' | 'javascript' | 'off'} Variant */
/** @typedef {{ variant: Variant, reason: string, version: string, kernel?: ArrayBuffer, decisions?: ArrayBuffer }} Choice */

export const BUCKETS = 10_000;

/**
 * Returns the bucket of a session, 0 to 9,999, the same on every visit.
 * @param {string} session
 */
export const bucketOf = (session) => parseInt(sha256OfText(session).slice(0, 8), 16) % BUCKETS;

/**
 * Returns which variant a session gets.
 * @param {Pick<Manifest, 'percentage' | 'kill'>} manifest
 * @param {string} session
 * @returns {Variant}
 */
export function variantOf({ percentage, kill }, session) {
  if (kill) return 'off';
  return bucketOf(session) < percentage * (BUCKETS / 100) ? 'wasm' : 'javascript';
}

/** @param {string} text */
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/**
 * Returns a manifest whose signature fits.
 * @param {string} text JSON with `payload` and `signature`, both base64.
 * @param {string} publicKey SubjectPublicKeyInfo of an ECDSA key on P-256, base64.
 * @param {number} now_ms
 * @returns {Promise<Manifest>}
 * @throws {Error} The signature does not fit, the manifest is no manifest, or it is too old.
 */
export async function verified(text, publicKey, now_ms = Date.now()) {
  const { payload, signature } = JSON.parse(text);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('spki', fromBase64(publicKey), algorithm, false, ['verify']);
  const bytes = fromBase64(payload);
  if (!(await crypto.subtle.verify(algorithm, key, fromBase64(signature), bytes))) {
    throw new Error('bad_signature');
  }
  const manifest = JSON.parse(new TextDecoder().decode(bytes));
  if (!(Date.parse(manifest.expires) > now_ms)) throw new Error('expired');
  if (!(manifest.percentage >= 0 && manifest.percentage <= 100)) throw new Error('bad_manifest');
  return manifest;
}

/**
 * @param {string | URL} url
 * @param {string} expected SHA-256 in hexadecimal.
 */
async function fetched(url, expected) {
  const response = await fetch(url, { credentials: 'omit' });
  if (!response.ok) throw new Error(`http_${response.status}`);
  const bytes = await response.arrayBuffer();
  const hash = crypto.subtle
    ? Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)), (b) => b.toString(16).padStart(2, '0')).join('')
    : sha256(new Uint8Array(bytes));
  if (hash !== expected) throw new Error('wrong_hash');
  return bytes;
}

/** Tells whether WebAssembly with 128-bit vectors runs here. */
export function hasVectors() {
  // One function that gives a vector: (func (result v128) i32.const 0 i8x16.splat).
  const probe = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];
  return typeof WebAssembly === 'object' && WebAssembly.validate(new Uint8Array(probe));
}

/**
 * Chooses a variant and fetches what it needs; whatever fails on the way leads to JavaScript.
 * @param {object} options
 * @param {string} options.session
 * @param {Record<'kernel' | 'decisions', { url: string | URL, sha256: string }>} options.modules Those of the package.
 * @param {string} [options.manifestUrl]
 * @param {string} [options.publicKey]
 * @param {boolean} [options.javascript] Whether WebAssembly is not wanted.
 * @returns {Promise<Choice>}
 */
export async function choose({ session, modules, manifestUrl, publicKey, javascript }) {
  let version = 'package';
  /** @param {string} reason */
  const fallback = (reason) => ({ variant: /** @type {const} */ ('javascript'), reason, version });
  try {
    let named = modules;
    if (manifestUrl) {
      const response = await fetch(manifestUrl, { credentials: 'omit', cache: 'no-cache' });
      if (!response.ok) throw new Error(`http_${response.status}`);
      const manifest = await verified(await response.text(), publicKey ?? '');
      version = manifest.version;
      const variant = variantOf(manifest, session);
      if (variant === 'off') return { variant, reason: 'killed', version };
      if (variant === 'javascript') return fallback('bucket');
      const absolute = (/** @type {{ url: string, sha256: string }} */ each) => ({
        url: new URL(each.url, new URL(manifestUrl, location.href)),
        sha256: each.sha256,
      });
      named = { kernel: absolute(manifest.modules.kernel), decisions: absolute(manifest.modules.decisions) };
    }
    if (javascript) return fallback('asked');
    if (!hasVectors()) return fallback('no_wasm');
    const [kernel, decisions] = await Promise.all(
      [named.kernel, named.decisions].map(({ url, sha256: hash }) => fetched(url, hash)),
    );
    return { variant: 'wasm', reason: manifestUrl ? 'bucket' : 'package', version, kernel, decisions };
  } catch (error) {
    return fallback(error instanceof Error ? error.message : String(error));
  }
}
