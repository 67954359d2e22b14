/**
 * Observes a video element: takes frames as they are shown, and hands on what the worker finds.
 */
import { Budget } from './budget.js';
import { FrameSource } from './frame-source.js';
import { Host } from './host.js';
import { Outbox } from './outbox.js';
import { watchPage } from './page.js';
import { choose } from './rollout.js';
import { HASHES } from './generated/hashes.js';

/**
 * @typedef {object} Options
 * @property {string} [session] What the player calls this session; it leaves the page only hashed.
 * @property {string} [content] Id of the title, as the catalogue has it.
 * @property {string} [app] Version of the app.
 * @property {string} [device] Class of device, such as `tv` or `desktop`.
 * @property {string} [collector] Where findings go; without it they stay in the page.
 * @property {string} [manifest] Address of the signed manifest of the roll-out.
 * @property {string} [publicKey] Its key: SubjectPublicKeyInfo of ECDSA on P-256, base64.
 * @property {'auto' | 'javascript'} [engine]
 * @property {'auto' | 'canvas'} [source] `canvas` reads frames back even where WebCodecs is there.
 * @property {number} [maxFps] At most so many frames a second are measured.
 * @property {number} [leastBattery] Share of the battery, 0 to 1, below which nothing is measured
 *   while it discharges; 0.2 if not stated, 0 for never.
 * @property {{ main_ms?: number, worker_ms?: number }} [budget] Mean cost of a frame shown.
 * @property {string | URL} [base] Where the files of `dist` lie, if not beside this module.
 * @property {string} [overlayKey] Key that switches the overlay, as KeyboardEvent.key names it.
 * @property {(finding: import('./worker/tracker.js').Tracked) => void} [onFinding]
 * @property {(event: import('./page.js').PageEvent) => void} [onEvent]
 * @property {(status: Status) => void} [onStatus]
 */
/**
 * @typedef {object} Status
 * @property {'starting' | 'watching' | 'not_applicable' | 'off' | 'failed' | 'stopped'} state
 * @property {string} reason
 * @property {'wasm' | 'javascript' | 'off' | ''} variant
 * @property {string} version
 * @property {'webcodecs' | 'canvas' | ''} source
 * @property {number} stride Every so manieth frame is measured.
 * @property {{ measured: number, skipped: number, missed: number, dropped: number }} frames Measured;
 *   left out on purpose; shown without our being called; dropped by the player.
 * @property {{ main_ms: number[], copy_ms: number[], kernel_ms: number[], decide_ms: number[] }} cost
 *   Of the last frames.
 * @property {number} memoryBytes
 */

const MOST_IN_FLIGHT = 2;
const COSTS_KEPT = 600;
const EVENTS_KEPT = 200;
const DEFAULT_BUDGET = { main_ms: 2, worker_ms: 8 };
const CANVAS_FPS = 5;
const WITH_MOTION = ['black_frames', 'freeze', 'stutter', 'compression_blockiness', 'color_error'];
/** Frames that were left out cannot be told from dropped ones; small frames have no grid. */
const SAMPLED = ['black_frames', 'freeze', 'compression_blockiness', 'color_error'];
const ON_CANVAS = ['black_frames', 'freeze', 'color_error'];

export class Observation {
  /**
   * @param {HTMLVideoElement} video
   * @param {Options} options
   */
  constructor(video, options) {
    this.video = video;
    this.options = options;
    /** @type {Status} */
    this.current = {
      state: 'starting', reason: '', variant: '', version: '', source: '', stride: 1,
      frames: { measured: 0, skipped: 0, missed: 0, dropped: 0 },
      cost: { main_ms: [], copy_ms: [], kernel_ms: [], decide_ms: [] },
      memoryBytes: 0,
    };
    /** @type {Map<number, any>} */
    this.found = new Map();
    /** @type {import('./page.js').PageEvent[]} */
    this.events = [];
    /** @type {Map<number, number>} Milliseconds of the main thread by frame. */
    this.mainOf = new Map();
    this.inFlight = 0;
    this.counter = 0;
    this.lastTaken_ms = 0;
    /** @type {number | undefined} */
    this.lastPresented = undefined;
    this.budget = new Budget({ ...DEFAULT_BUDGET, ...options.budget });
    this.droppedBefore = video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
    this.page = watchPage(video, {
      interrupted: (reason) => this.worker?.postMessage({ type: 'break', reason }),
      event: (event) => this.#event(event),
      protected: () => this.#end('not_applicable', 'protected'),
    }, options.leastBattery);
    /** @param {KeyboardEvent} event */
    this.onKey = (event) => {
      if (event.key === options.overlayKey) this.overlay(!this.host);
    };
    if (options.overlayKey) document.addEventListener('keydown', this.onKey);
    this.outbox = options.collector ? new Outbox(options.collector, () => this.#about(), options) : null;
    this.ready = this.#start();
  }

  async #start() {
    const { options } = this;
    const base = new URL(options.base ?? '.', options.base ? location.href : import.meta.url);
    /** @param {string} name */
    const file = (name) => new URL(name, base);
    if (this.video.mediaKeys) return this.#end('not_applicable', 'protected');
    const choice = await choose({
      session: options.session ?? '',
      modules: {
        kernel: { url: file('kernel.wasm'), sha256: HASHES.kernel },
        decisions: { url: file('decisions.wasm'), sha256: HASHES.decisions },
      },
      manifestUrl: options.manifest,
      publicKey: options.publicKey,
      javascript: options.engine === 'javascript',
    });
    if (this.current.state !== 'starting') return;
    Object.assign(this.current, { variant: choice.variant, version: choice.version, reason: choice.reason });
    if (choice.variant === 'off') return this.#end('off', choice.reason);
    this.source = new FrameSource(this.video, options.source === 'canvas', (status) => {
      this.current.source = status;
      this.#ask();
    });
    this.worker = new Worker(file('worker.js'));
    this.worker.onmessage = ({ data }) => this.#receive(data);
    this.worker.onerror = (event) => this.#end('failed', event.message || 'worker');
    const { kernel, decisions } = choice;
    const transfer = kernel && decisions ? [kernel, decisions] : [];
    this.worker.postMessage(
      { type: 'start', variant: choice.variant, kernel, decisions, fallbackUrl: String(file('fallback.js')) },
      transfer,
    );
  }

  /** @param {any} message */
  #receive(message) {
    if (message.type === 'ready') {
      this.current.state = 'watching';
      this.current.memoryBytes = message.memoryBytes;
      this.#ask();
      this.source?.start((shown) => this.#shown(shown));
      this.options.onStatus?.(this.status());
    } else if (message.type === 'finding') {
      if (message.finding.state === 'withdrawn') this.found.delete(message.finding.id);
      else this.found.set(message.finding.id, message.finding);
      this.outbox?.put(message.finding);
      this.options.onFinding?.(message.finding);
    } else if (message.type === 'measured') {
      this.#measured(message);
    } else if (message.type === 'scene') {
      this.host?.run(message.commands);
    } else if (message.type === 'failed') {
      if (message.during === 'start') this.#end('failed', message.message);
      else this.inFlight = Math.max(0, this.inFlight - 1);
    }
  }

  /** @param {any} message */
  #measured(message) {
    this.inFlight = Math.max(0, this.inFlight - 1);
    if (message.unsupported) {
      this.source?.useCanvas();
      return;
    }
    const { cost, frames } = this.current;
    frames.measured++;
    this.current.memoryBytes = message.memoryBytes;
    const main_ms = this.mainOf.get(message.id) ?? 0;
    this.mainOf.delete(message.id);
    /** @type {[number[], number][]} */
    const kept = [
      [cost.main_ms, main_ms], [cost.copy_ms, message.copy_ms],
      [cost.kernel_ms, message.kernel_ms], [cost.decide_ms, message.decide_ms],
    ];
    for (const [values, value] of kept) {
      values.push(value);
      if (values.length > COSTS_KEPT) values.shift();
    }
    const worker_ms = message.copy_ms + message.kernel_ms + message.decide_ms;
    if (this.budget.spend(main_ms, worker_ms)) {
      if (this.budget.exhausted) return this.#end('not_applicable', 'over_budget');
      this.current.stride = this.budget.stride;
      this.#ask();
    }
  }

  /** Asks for the detectors that make sense for the frames that come. */
  #ask() {
    const sampled = this.current.stride > 1 || this.options.maxFps !== undefined;
    // Of frames without a time of their own one may be taken twice: that is ours, and looks like a repeat.
    const motion = !sampled && !this.source?.untimed;
    const detectors = this.current.source === 'canvas' ? ON_CANVAS : motion ? WITH_MOTION : SAMPLED;
    this.worker?.postMessage({ type: 'ask', detectors });
  }

  /** @param {{ time_s: number, presented?: number }} shown */
  #shown({ time_s, presented }) {
    if (this.current.state !== 'watching') return;
    const { frames } = this.current;
    if (presented !== undefined) {
      if (this.lastPresented !== undefined) frames.missed += Math.max(0, presented - this.lastPresented - 1);
      this.lastPresented = presented;
    }
    if (!this.page.isLive) return;
    const began_ms = performance.now();
    const maxFps = this.current.source === 'canvas' ? Math.min(this.options.maxFps ?? CANVAS_FPS, CANVAS_FPS) : this.options.maxFps;
    // Half a display frame early is on time.
    const early = maxFps !== undefined && began_ms - this.lastTaken_ms < 1000 / maxFps - 8;
    if (early || this.counter++ % this.budget.stride || this.inFlight >= MOST_IN_FLIGHT) {
      frames.skipped++;
      return;
    }
    this.lastTaken_ms = began_ms;
    try {
      const taken = this.source?.take(time_s);
      if (!taken) {
        frames.skipped++;
        return;
      }
      this.inFlight++;
      const id = this.counter;
      const { transfer, message } = taken;
      this.worker?.postMessage({ type: 'frame', time_s: taken.time_s, id, ...message }, transfer);
      this.mainOf.set(id, performance.now() - began_ms);
    } catch (error) {
      const name = error instanceof DOMException ? error.name : '';
      if (name === 'SecurityError') this.#end('not_applicable', 'tainted');
      else if (name === 'InvalidStateError') frames.skipped++;
      else this.#end('failed', String(error));
    }
  }

  /** What the outbox tells about the session beside its findings. */
  #about() {
    const video = this.video;
    return {
      width: video.videoWidth, height: video.videoHeight,
      duration_s: Number.isFinite(video.duration) ? video.duration : 0,
      status: this.status(), events: this.events,
    };
  }

  /** Returns what is known of the observation. */
  status() {
    const dropped = this.video.getVideoPlaybackQuality?.().droppedVideoFrames ?? 0;
    this.current.frames.dropped = dropped - this.droppedBefore;
    return structuredClone(this.current);
  }

  /** Returns the findings so far, in order. */
  findings() {
    return [...this.found.values()].sort((a, b) => a.start_s - b.start_s);
  }

  /**
   * Shows or hides the debug overlay.
   * @param {boolean} on
   */
  overlay(on) {
    if (on) this.host = new Host(this.video);
    else {
      this.host?.clear();
      this.host = undefined;
    }
    this.worker?.postMessage({ type: 'overlay', on });
  }

  /**
   * Tells that the player shows another rendition from about now on: a change of bitrate interrupts
   * nothing, but the collector may ask which one a finding was seen in.
   * @param {{ height: number, bitrate_bps: number }} rendition
   */
  rendition({ height, bitrate_bps }) {
    const media_s = this.video.currentTime;
    this.#event({ type: 'rendition', media_s, duration_ms: 0, height, bitrate_bps });
  }

  /** @param {import('./page.js').PageEvent} event */
  #event(event) {
    this.events.push(event);
    if (this.events.length > EVENTS_KEPT) this.events.shift();
    this.options.onEvent?.(event);
  }

  /** Sends what waits to be sent. */
  flush() {
    this.outbox?.flush();
  }

  /** Ends the observation; nothing of it stays in the page. */
  stop() {
    this.#end('stopped', 'asked');
  }

  /**
   * @param {Status['state']} state
   * @param {string} reason
   */
  #end(state, reason) {
    if (this.current.state === 'stopped') return;
    Object.assign(this.current, { state, reason });
    this.source?.stop();
    this.page?.stop();
    document.removeEventListener('keydown', this.onKey);
    this.host?.clear();
    this.outbox?.close();
    this.worker?.terminate();
    this.options.onStatus?.(this.status());
  }
}

/**
 * Observes a video element and returns a handle. Playback is not touched.
 * @param {HTMLVideoElement} video
 * @param {Options} [options]
 * @returns {Observation}
 */
export function observe(video, options = {}) {
  return new Observation(video, options);
}
