/**
 * Keeps the cost below what was asked: measures fewer frames when they cost too much.
 */

const WINDOW = 50;
const MOST_STRIDE = 16;

export class Budget {
  /** @param {{ main_ms: number, worker_ms: number }} limits Mean cost of a frame shown. */
  constructor(limits) {
    this.limits = limits;
    /** Every so manieth frame is measured. */
    this.stride = 1;
    this.exhausted = false;
    this.main_ms = 0;
    this.worker_ms = 0;
    this.count = 0;
  }

  /**
   * Takes what a measured frame cost; tells whether the stride changed.
   * @param {number} main_ms
   * @param {number} worker_ms
   */
  spend(main_ms, worker_ms) {
    this.main_ms += main_ms;
    this.worker_ms += worker_ms;
    if (++this.count < WINDOW) return false;
    const per_frame = 1 / (WINDOW * this.stride);
    const load = Math.max(
      (this.main_ms * per_frame) / this.limits.main_ms,
      (this.worker_ms * per_frame) / this.limits.worker_ms,
    );
    this.main_ms = this.worker_ms = this.count = 0;
    const before = this.stride;
    if (load > 1) {
      if (this.stride >= MOST_STRIDE) this.exhausted = true;
      else this.stride *= 2;
    } else if (load < 0.4 && this.stride > 1) {
      this.stride /= 2;
    }
    return this.stride !== before || this.exhausted;
  }
}
