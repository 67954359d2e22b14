/**
 * Sends findings in small batches that say nothing personal, and no more than agreed.
 */
import { cmcdOf } from './cmcd.js';
import { bucketOf } from './rollout.js';
import { sha256OfText } from './sha256.js';

const EVERY_MS = 10_000;
const MOST_PER_BATCH = 40;
const MOST_PER_SESSION = 400;
/** Below what browsers let a beacon carry. */
const MOST_BYTES = 60_000;
const SCHEMA = 'defectscope/player/1';

/** @param {number[]} values */
function quantiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  /** @param {number} share */
  const at = (share) => Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(3));
  return { p50: at(0.5), p95: at(0.95), n: sorted.length };
}

export class Outbox {
  /**
   * @param {string} url
   * @param {() => any} about Tells size, status and events of the observation.
   * @param {import('./observe.js').Options} options
   */
  constructor(url, about, options) {
    this.url = url;
    this.about = about;
    this.options = options;
    /** @type {any[]} */
    this.waiting = [];
    this.sent = 0;
    this.number = 0;
    this.timer = setInterval(() => this.flush(), EVERY_MS);
    this.leave = () => {
      if (document.visibilityState === 'hidden') this.flush();
    };
    document.addEventListener('visibilitychange', this.leave);
    addEventListener('pagehide', this.leave);
    this.session = sha256OfText(options.session ?? String(Math.random())).slice(0, 32);
  }

  /** @param {any} finding */
  put(finding) {
    // What is open will be closed; the collector wants its true ends.
    if (finding.state === 'closed' && this.sent + this.waiting.length < MOST_PER_SESSION) this.waiting.push(finding);
  }

  /** Sends what waits; also how the session went, so that a roll-out can be judged. */
  flush() {
    const batch = this.waiting.splice(0, MOST_PER_BATCH);
    if (!batch.length && this.number && this.number % 6) {
      this.number++;
      return;
    }
    this.number++;
    this.sent += batch.length;
    const body = JSON.stringify(this.#payload(batch));
    if (body.length > MOST_BYTES) return;
    const blob = new Blob([body], { type: 'text/plain' });
    if (!navigator.sendBeacon(this.url, blob)) {
      // The browser's queue is full: once more next time.
      this.sent -= batch.length;
      this.waiting.unshift(...batch);
    }
  }

  /** @param {any[]} batch */
  #payload(batch) {
    const { status, events, width, height, duration_s } = this.about();
    const { content = '', app = '', device = '', session = '' } = this.options;
    /** @type {Record<string, { count: number, total_ms: number }>} */
    const counted = {};
    for (const { type, duration_ms } of events) {
      counted[type] ??= { count: 0, total_ms: 0 };
      counted[type].count++;
      counted[type].total_ms += Math.round(duration_ms);
    }
    return {
      schema: SCHEMA,
      number: this.number,
      session: this.session,
      cmcd: cmcdOf(this.session, content),
      content, app, device,
      bucket: bucketOf(session),
      variant: status.variant,
      version: status.version,
      reason: status.reason,
      source: status.source,
      asset: { duration_s, width, height },
      frames: status.frames,
      stride: status.stride,
      cost: Object.fromEntries(Object.entries(status.cost).map(([name, values]) => [name, quantiles(/** @type {number[]} */ (values))])),
      memory_bytes: status.memoryBytes,
      events: counted,
      findings: batch.map(({ detector, start_s, end_s, confidence, severity, evidence }) => ({
        detector, defect: detector, start_s: Number(start_s.toFixed(6)), end_s: Number(end_s.toFixed(6)),
        confidence, severity, evidence,
      })),
    };
  }

  close() {
    this.flush();
    clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.leave);
    removeEventListener('pagehide', this.leave);
  }
}
