/**
 * Observes what hls.js plays.
 */
import { observe } from '../index.js';

/**
 * @param {any} hls An instance of Hls with its media attached.
 * @param {import('../observe.js').Options} [options]
 */
export function observeHls(hls, options = {}) {
  const events = hls.constructor.Events;
  const handle = observe(hls.media, options);
  const level = (/** @type {any} */ _, /** @type {any} */ { level: number }) => {
    const { height = 0, bitrate = 0 } = hls.levels[number] ?? {};
    handle.rendition({ height, bitrate_bps: bitrate });
  };
  hls.on(events.LEVEL_SWITCHED, level);
  hls.once(events.DESTROYING, () => handle.stop());
  return handle;
}
