/**
 * Watches one stream: frames of the kernel in, findings out. Knows no browser.
 */
import { Tracker } from './tracker.js';

/** Rows are held for so long, and longer while something is open, seconds. */
const HELD_S = 20;
const BEFORE_OPEN_S = 3;
const MOST_HELD_S = 90;
/** A longer gap between frames is a break. */
const LONGEST_GAP_S = 1.5;
const TRIM_EVERY_S = 2;
const DIFFERENCES = 31;

export class Watch {
  /**
   * @param {import('./decisions.js').Decisions} decisions
   * @param {(finding: import('./tracker.js').Tracked) => void} report
   */
  constructor(decisions, report) {
    this.decisions = decisions;
    this.tracker = new Tracker(report);
    /** @type {Set<string>} Detectors that are asked. */
    this.asked = new Set(decisions.detectors.map((each) => each.name));
    this.turn = 0;
    this.first_s = NaN;
    this.last_s = NaN;
    this.trimmed_s = NaN;
    /** @type {number[]} */
    this.differences_s = [];
  }

  #begin() {
    this.first_s = NaN;
    this.last_s = NaN;
    this.trimmed_s = NaN;
    this.differences_s = [];
  }

  /** How long a frame lasts, seconds: the median of the last ones. */
  get nominal_s() {
    const sorted = [...this.differences_s].sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : 0.04;
  }

  /**
   * Takes the record of the next frame; tells whether it follows the one before.
   * @param {number} time_s
   */
  follows(time_s) {
    const gap = time_s - this.last_s;
    return Number.isNaN(gap) || (gap > 0 && gap <= LONGEST_GAP_S);
  }

  /**
   * @param {Uint32Array} record
   * @param {number} time_s
   */
  push(record, time_s) {
    if (Number.isNaN(this.first_s)) this.first_s = this.trimmed_s = time_s;
    else {
      this.differences_s.push(time_s - this.last_s);
      if (this.differences_s.length > DIFFERENCES) this.differences_s.shift();
    }
    this.last_s = time_s;
    this.decisions.push(record, time_s);
    // One detector a frame, in turn: the cost is spread evenly.
    this.#decide(this.turn);
    this.turn = (this.turn + 1) % this.decisions.detectors.length;
    this.#trim();
  }

  /** @param {number} detector */
  #decide(detector) {
    const { name } = this.decisions.detectors[detector];
    if (!this.asked.has(name)) return;
    const found = this.decisions.decide(detector, this.nominal_s);
    const trimmed = this.trimmed_s > this.first_s;
    this.tracker.update(name, found, this.last_s + this.nominal_s, trimmed);
  }

  #trim() {
    const from = Math.min(this.last_s - HELD_S, this.tracker.earliest_s - BEFORE_OPEN_S);
    if (this.last_s - Math.max(from, this.trimmed_s) > MOST_HELD_S) {
      this.break();
    } else if (from - this.trimmed_s >= TRIM_EVERY_S) {
      this.decisions.exports.trim(from);
      this.trimmed_s = from;
    }
  }

  /** Decides for the last time over what is held, and begins anew. */
  break() {
    if (!Number.isNaN(this.first_s)) {
      this.decisions.exports.finish();
      this.decisions.detectors.forEach((_, index) => this.#decide(index));
      this.tracker.end();
    }
    this.decisions.exports.reset();
    this.#begin();
  }
}
