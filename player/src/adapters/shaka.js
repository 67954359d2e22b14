/**
 * Observes what Shaka Player plays.
 */
import { observe } from '../index.js';

/**
 * @param {any} player A shaka.Player that is attached.
 * @param {import('../observe.js').Options} [options]
 */
export function observeShaka(player, options = {}) {
  const handle = observe(player.getMediaElement(), options);
  const adapted = (/** @type {any} */ event) => {
    const { height = 0, bandwidth = 0 } = event.newTrack ?? {};
    handle.rendition({ height: height ?? 0, bitrate_bps: bandwidth });
  };
  for (const name of ['adaptation', 'variantchanged']) player.addEventListener(name, adapted);
  player.addEventListener('unloading', () => handle.stop());
  return handle;
}
