/** Findings are opened, redrawn, closed and withdrawn; costs are kept within the budget. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Budget } from '../src/budget.js';
import { Tracker } from '../src/worker/tracker.js';

const found = (detector, start_s, end_s, changes = {}) => ({
  detector, kind: detector, start_s, end_s, confidence: 0.9, firstRow: 5, lastRow: 9, severity: 'major', evidence: {}, ...changes,
});

function tracked() {
  const log = [];
  return { log, tracker: new Tracker((each) => log.push([each.state, each.kind, each.start_s, each.end_s])) };
}

test('a finding opens when a second decision confirms it, and closes with its last ends', () => {
  const { log, tracker } = tracked();
  tracker.update('freeze', [found('freeze', 2, 2.4)], 2.4);
  assert.deepEqual(log, []);
  tracker.update('freeze', [found('freeze', 2, 2.6)], 2.6);
  tracker.update('freeze', [found('freeze', 2, 3)], 3.2);
  tracker.update('freeze', [found('freeze', 2, 3)], 3.4);
  assert.deepEqual(log, [['open', 'freeze', 2, 2.6], ['closed', 'freeze', 2, 3]]);
  tracker.update('freeze', [found('freeze', 2, 3)], 3.6);
  assert.equal(log.length, 2);
});

test('what only one decision tells is never reported, and what goes away is withdrawn', () => {
  const { log, tracker } = tracked();
  tracker.update('freeze', [found('freeze', 2, 2.4)], 2.4);
  tracker.update('freeze', [], 2.6);
  assert.deepEqual(log, []);
  tracker.update('freeze', [found('freeze', 4, 4.4)], 4.4);
  tracker.update('freeze', [found('freeze', 4, 4.6)], 4.6);
  tracker.update('freeze', [], 4.8);
  assert.deepEqual(log.map(([state]) => state), ['open', 'withdrawn']);
});

test('a colour error stays open when its onset is read as the end of an earlier one', () => {
  const { log, tracker } = tracked();
  const cast = (start_s, end_s, firstRow, undone) => found('color_error', start_s, end_s, { kind: 'cast', firstRow, evidence: { undone } });
  tracker.update('color_error', [cast(1, 1.4, 25, false)], 1.4);
  tracker.update('color_error', [cast(1, 1.6, 25, false)], 1.6);
  tracker.update('color_error', [cast(0, 1, 0, false)], 2.4);
  tracker.update('color_error', [cast(1, 3, 25, true)], 3.4);
  assert.deepEqual(log, [['open', 'cast', 1, 1.6], ['closed', 'cast', 1, 3]]);
  tracker.update('color_error', [cast(0, 9, 0, false)], 9);
  assert.equal(log.length, 2);
});

test('a break closes what is open and forgets the rest', () => {
  const { log, tracker } = tracked();
  tracker.update('freeze', [found('freeze', 2, 2.4)], 2.4);
  tracker.update('freeze', [found('freeze', 2, 2.6)], 2.6);
  tracker.end();
  assert.deepEqual(log.map(([state]) => state), ['open', 'closed']);
});

test('the budget measures fewer frames when they cost too much, more when they are cheap, none when nothing helps', () => {
  const budget = new Budget({ main_ms: 1, worker_ms: 4 });
  const spend = (main, worker) => { for (let i = 0; i < 50; i++) budget.spend(main, worker); };
  spend(0.5, 2);
  assert.equal(budget.stride, 1);
  spend(0.5, 10);
  assert.equal(budget.stride, 2);
  spend(0.5, 10);
  assert.equal(budget.stride, 4);
  spend(0.1, 1);
  assert.equal(budget.stride, 2);
  for (let i = 0; i < 6; i++) spend(90, 500);
  assert.ok(budget.exhausted);
});
