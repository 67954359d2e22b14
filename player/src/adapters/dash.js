/**
 * Observes what dash.js plays.
 */
import { observe } from '../index.js';

/**
 * @param {any} player A MediaPlayer of dash.js with its view attached.
 * @param {import('../observe.js').Options} [options]
 */
export function observeDash(player, options = {}) {
  const handle = observe(player.getVideoElement(), options);
  const rendered = (/** @type {any} */ { mediaType, newRepresentation }) => {
    if (mediaType !== 'video') return;
    const { height = 0, bitrateInKbit = 0 } = newRepresentation ?? {};
    handle.rendition({ height, bitrate_bps: Math.round(bitrateInKbit * 1000) });
  };
  player.on('qualityChangeRendered', rendered);
  player.on('streamTeardownComplete', () => handle.stop());
  return handle;
}
