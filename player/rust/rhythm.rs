//! Which rhythm of standing is meant.

use crate::series::{mirrored, runs};

const LONGEST_CADENCE: usize = 12;
const CADENCE_REACH: usize = 30;
const CADENCE_AGREEMENT: f64 = 0.75;
const LONG_SHARE: f64 = 0.2;
const COMPANY_SHARE: f64 = 0.75;
const LEAST_RHYTHM: usize = 8;
const SAME_RHYTHM: f64 = 0.8;
const HELD_SHARE: f64 = 0.3;
const LEAST_STEP: f64 = 0.05;
const LEAST_ENDS: f64 = 2.5;
const LEAST_FREE_SHARE: f64 = 0.15;
const CATCH_UP_RATIO: f64 = 1.4;

/// Returns the mean of each value and its neighbours, mirrored at the ends.
pub fn window_means(values: &[f64], reach: usize) -> Vec<f64> {
    let (count, reach) = (values.len(), reach as isize);
    if count == 0 {
        return Vec::new();
    }
    let size = 2 * reach as usize + 1;
    let at = |row: isize| values[mirrored(row, count)];
    let mut sums = vec![0.0];
    let mut sum = 0.0;
    for row in -reach..count as isize + reach {
        sum += at(row);
        sums.push(sum);
    }
    (0..count).map(|row| (sums[row + size] - sums[row]) / size as f64).collect()
}

fn as_numbers(flags: &[bool]) -> Vec<f64> {
    flags.iter().map(|&flag| f64::from(u8::from(flag))).collect()
}

/// Returns rows inside a rhythm of standing frames, and of these those that break it.
pub fn cadence(still: &[bool], longest_hold: usize) -> (Vec<bool>, Vec<bool>) {
    let count = still.len();
    let mut best = vec![0.0; count];
    let mut broken = vec![false; count];
    let mut periods = vec![0; count];
    let share = window_means(&as_numbers(still), CADENCE_REACH);
    for period in 2..=LONGEST_CADENCE.min(count.saturating_sub(1)) {
        let agree: Vec<f64> = (0..count)
            .map(|row| f64::from(u8::from(row < period || still[row] == still[row - period])))
            .collect();
        let lasting = window_means(&agree, CADENCE_REACH);
        for row in 0..count {
            // A multiple of the period agrees as well; it must be better to be taken.
            if lasting[row] > best[row] + 0.02 {
                best[row] = lasting[row];
                broken[row] = agree[row] == 0.0;
                periods[row] = period;
            }
        }
    }
    let mut held = vec![0.0; count];
    for (first, last) in runs(still) {
        if last - first > longest_hold {
            held[first..last].iter_mut().for_each(|value| *value = 1.0);
        }
    }
    let long = window_means(&held, CADENCE_REACH);
    let inside: Vec<bool> = (0..count)
        .map(|row| {
            let best = if long[row] > LONG_SHARE { 0.0 } else { best[row] };
            best >= CADENCE_AGREEMENT && share[row] >= HELD_SHARE && share[row] <= 0.9
        })
        .collect();
    for row in 0..count {
        broken[row] = broken[row] && inside[row] && jumps_in_phase(still, row, periods[row]);
    }
    (inside, broken)
}

/// Tells whether one rhythm holds before a row and after it, in another phase.
fn jumps_in_phase(still: &[bool], row: usize, period: usize) -> bool {
    let size = (LEAST_RHYTHM + period - 1) / period * period;
    if row < size || row + period + size > still.len() {
        return false;
    }
    let before = &still[row - size..row];
    let after = &still[row + period..row + period + size];
    let alike = |one: &[bool], other: &[bool]| {
        let same = one.iter().zip(other).filter(|(a, b)| a == b).count();
        one.is_empty() || same as f64 / one.len() as f64 >= SAME_RHYTHM
    };
    let in_rhythm = |part: &[bool]| {
        part.contains(&true)
            && part.contains(&false)
            && alike(&part[period..], &part[..size - period])
    };
    in_rhythm(before) && in_rhythm(after) && !alike(before, after)
}

/// Tells where the steps that end holds are longer than those between frames that move.
pub fn catching_up(still: &[bool], steps: &[f64]) -> Vec<bool> {
    let count = still.len();
    let after_hold = |row: usize| row > 0 && still[row - 1];
    let ends: Vec<bool> = (0..count).map(|row| !still[row] && after_hold(row)).collect();
    let free: Vec<bool> = (0..count).map(|row| !still[row] && !after_hold(row)).collect();
    let logs: Vec<f64> = steps.iter().map(|step| step.max(LEAST_STEP).ln()).collect();
    let of = |flags: &[bool]| {
        let kept: Vec<f64> = (0..count).map(|row| if flags[row] { logs[row] } else { 0.0 }).collect();
        (window_means(&as_numbers(flags), CADENCE_REACH), window_means(&kept, CADENCE_REACH))
    };
    let ((ended, end_logs), (moved, free_logs)) = (of(&ends), of(&free));
    let size = (2 * CADENCE_REACH + 1) as f64;
    (0..count)
        .map(|row| {
            let with_hold = end_logs[row] / ended[row].max(1e-9);
            let without = free_logs[row] / moved[row].max(1e-9);
            ended[row] * size >= LEAST_ENDS
                && moved[row] >= LEAST_FREE_SHARE
                && with_hold - without >= CATCH_UP_RATIO.ln()
        })
        .collect()
}

/// Tells which set flags have company at four multiples of one distance.
pub fn periodic(flags: &[bool]) -> Vec<bool> {
    let places: [[isize; 4]; 3] = [[-4, -3, -2, -1], [-2, -1, 1, 2], [1, 2, 3, 4]];
    let count = flags.len() as isize;
    let bar = COMPANY_SHARE.max(1e-9);
    (0..count)
        .map(|row| {
            flags[row as usize]
                && (2..=LONGEST_CADENCE as isize).any(|period| {
                    let set = |k: isize| {
                        let at = row + k * period;
                        at >= 0 && at < count && f64::from(u8::from(flags[at as usize])) >= bar
                    };
                    places.iter().any(|four| four.iter().all(|&k| set(k)))
                })
        })
        .collect()
}
