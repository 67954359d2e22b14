/**
 * Follows findings from one decision to the next: what is new, what goes on, what is over.
 *
 * Each decision looks at all rows held, so a finding comes back again and again with its ends drawn
 * better. It is reported when two decisions in a row have told it, and closed when it is over.
 */

/** @typedef {import('./decisions.js').Found} Found */
/**
 * @typedef {Found & { id: number, state: 'seen' | 'open' | 'closed' | 'withdrawn', reported_at_s: number }} Tracked
 */

/** How long after its end a finding may still change, seconds. */
const SETTLE_S = /** @type {Record<string, number>} */ ({ stutter: 1.2, compression_blockiness: 1.2 });
const SETTLE_DEFAULT_S = 0.3;
/** Told at once, as it is over by then; so long after its end that what follows is known. */
const AT_ONCE_S = /** @type {Record<string, number>} */ ({ stutter: 0.1 });
/** Findings this close are one. */
const NEAR_S = 0.05;

export class Tracker {
  /** @param {(finding: Tracked) => void} report Called when a finding opens, closes or is withdrawn. */
  constructor(report) {
    this.report = report;
    /** @type {Tracked[]} */
    this.live = [];
    this.next = 1;
  }

  /** Where the earliest finding that is not over begins; Infinity without one. */
  get earliest_s() {
    return Math.min(Infinity, ...this.live.filter((each) => each.state !== 'closed').map((each) => each.start_s));
  }

  /**
   * Takes the findings of a detector over the rows held.
   * @param {string} detector
   * @param {Found[]} found
   * @param {number} now_s When the last row ends.
   * @param {boolean} [trimmed] Whether rows before the first one were forgotten.
   */
  update(detector, found, now_s, trimmed = false) {
    const own = this.live.filter((each) => each.detector === detector);
    /** @type {Set<Tracked>} */
    const told = new Set();
    for (const finding of found) {
      const known = own.find((each) => !told.has(each) && isSame(each, finding));
      if (isFromTheStart(finding)) {
        // The step that began an error, read as the end of one that was always there.
        const opened = own.find((each) => Math.abs(each.start_s - finding.end_s) < NEAR_S);
        if (opened && opened.state !== 'closed') {
          opened.end_s = now_s;
          told.add(opened);
          this.#confirm(opened, now_s);
        }
        continue;
      }
      if (!known) {
        const fresh = { ...finding, id: this.next++, state: /** @type {const} */ ('seen'), reported_at_s: NaN };
        this.live.push(fresh);
        told.add(fresh);
        if (now_s - fresh.end_s >= (AT_ONCE_S[detector] ?? Infinity)) this.#confirm(fresh, now_s);
        continue;
      }
      told.add(known);
      if (known.state === 'closed') continue;
      const start_s = trimmed && finding.firstRow === 0 ? known.start_s : finding.start_s;
      Object.assign(known, finding, { start_s });
      this.#confirm(known, now_s);
    }
    for (const each of own) {
      if (each.state === 'closed') continue;
      if (!told.has(each)) this.#vanish(each);
      else if (each.state === 'open' && now_s - each.end_s >= (SETTLE_S[detector] ?? SETTLE_DEFAULT_S)) {
        this.#close(each);
      }
    }
    // What is closed is remembered for as long as its rows may come back.
    this.live = this.live.filter((each) => each.state !== 'withdrawn' && each.end_s > now_s - 120);
  }

  /** Closes everything: what comes does not follow what was. */
  end() {
    for (const each of this.live) if (each.state === 'open') this.#close(each);
    this.live = [];
  }

  /**
   * @param {Tracked} each
   * @param {number} now_s
   */
  #confirm(each, now_s) {
    if (each.state !== 'seen') return;
    each.state = 'open';
    each.reported_at_s = now_s;
    this.report({ ...each });
  }

  /** @param {Tracked} each */
  #close(each) {
    each.state = 'closed';
    this.report({ ...each });
  }

  /** @param {Tracked} each */
  #vanish(each) {
    const wasOpen = each.state === 'open';
    each.state = 'withdrawn';
    if (wasOpen) this.report({ ...each });
  }
}

/**
 * @param {Tracked} known
 * @param {Found} finding
 */
function isSame(known, finding) {
  const sameKind = known.detector !== 'color_error' || known.kind === finding.kind;
  return sameKind && finding.start_s <= known.end_s + NEAR_S && finding.end_s >= known.start_s - NEAR_S;
}

/** @param {Found} finding */
const isFromTheStart = (finding) =>
  finding.detector === 'color_error' && finding.evidence.undone === false && finding.firstRow === 0;
