/**
 * What the page and the player do: pauses, seeks, rebuffering, hidden tabs, protected media, a
 * battery that runs low. They interrupt the watch, and are told for themselves.
 */

/**
 * @typedef {object} PageEvent
 * @property {'pause' | 'seek' | 'rebuffering' | 'hidden' | 'battery' | 'size' | 'source' | 'ended' | 'rendition'} type
 * @property {number} media_s When in the programme.
 * @property {number} duration_ms How long it took; 0 for an instant.
 * @property {number} [height] Of a rendition.
 * @property {number} [bitrate_bps]
 */

/** @typedef {EventTarget & { charging: boolean, level: number }} Battery */

/** Events of the media element, with what they begin and what ends that. */
const SPANS = /** @type {const} */ ([
  ['pause', ['pause'], ['play', 'playing']],
  ['seek', ['seeking'], ['seeked']],
  ['rebuffering', ['waiting'], ['playing', 'pause', 'seeking', 'emptied', 'timeupdate']],
]);
/** A battery that discharges below this share is left alone. */
const LEAST_BATTERY = 0.2;
const INSTANTS = /** @type {const} */ ([['size', 'resize'], ['source', 'emptied'], ['ended', 'ended']]);

/**
 * Watches a media element without touching it.
 * @param {HTMLVideoElement} video
 * @param {object} on
 * @param {(reason: string) => void} on.interrupted
 * @param {(event: PageEvent) => void} on.event
 * @param {() => void} on.protected
 * @param {number} [leastBattery] Share of the battery below which nothing is measured.
 */
export function watchPage(video, on, leastBattery = LEAST_BATTERY) {
  /** @type {(() => void)[]} */
  const undo = [];
  /** @type {Map<string, { since_ms: number, media_s: number }>} */
  const open = new Map();
  let stopped = false;
  /**
   * @param {EventTarget} target
   * @param {string} name
   * @param {() => void} listener
   */
  const listen = (target, name, listener) => {
    target.addEventListener(name, listener);
    undo.push(() => target.removeEventListener(name, listener));
  };
  /** @param {PageEvent['type']} type */
  const begin = (type) => {
    if (open.has(type)) return;
    open.set(type, { since_ms: performance.now(), media_s: video.currentTime });
    on.interrupted(type);
  };
  /** @param {PageEvent['type']} type */
  const end = (type) => {
    const span = open.get(type);
    if (!span) return;
    // Time goes on only once frames are there again.
    if (type === 'rebuffering' && video.readyState < 3 && !video.paused && !video.seeking) return;
    open.delete(type);
    on.event({ type, media_s: span.media_s, duration_ms: performance.now() - span.since_ms });
  };
  for (const [type, begins, ends] of SPANS) {
    for (const name of begins) {
      listen(video, name, () => {
        // While it seeks or has not begun, a player waits by nature.
        const natural = type === 'rebuffering' && (video.seeking || video.currentTime === 0);
        if (!natural && !(type === 'pause' && video.ended)) begin(type);
      });
    }
    for (const name of ends) listen(video, name, () => end(type));
  }
  for (const [type, name] of INSTANTS) {
    listen(video, name, () => {
      on.interrupted(type);
      on.event({ type, media_s: video.currentTime, duration_ms: 0 });
    });
  }
  const visibility = () => (document.hidden ? begin('hidden') : end('hidden'));
  listen(document, 'visibilitychange', visibility);
  listen(video, 'encrypted', on.protected);
  // Only Chromium tells of the battery, and only to pages that came over HTTPS.
  const asked = /** @type {any} */ (navigator).getBattery?.();
  asked?.then((/** @type {Battery} */ battery) => {
    if (stopped) return;
    const look = () => (!battery.charging && battery.level < leastBattery ? begin('battery') : end('battery'));
    for (const name of ['chargingchange', 'levelchange']) listen(battery, name, look);
    look();
  }, () => {});
  return {
    /** Whether frames that come now are to be measured. */
    get isLive() {
      const held = open.has('rebuffering') || open.has('battery');
      return !document.hidden && !video.paused && !video.seeking && !held;
    },
    stop: () => {
      stopped = true;
      undo.forEach((each) => each());
    },
  };
}
