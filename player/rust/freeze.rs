//! Freeze: moving frames stop on one, and are not meant to.

use crate::series::{greatest, insertion, mean, median, quantile, row_ends, runs};
use crate::stutter::STEPS_PER_MOVED_CODE;
use crate::table::{Finding, Table};

pub const DESCRIPTION: &str = "freeze|mean peak luma drift|still_code motion_code moving_share cut_ratio cut_code black_luma_code motion_ratio refinement_code noise_code noise_share scene_code quiet_code ground_code|freeze|duration_s mean_difference_code frozen_frames";
pub const COLUMNS: usize = 4;
pub const STEPS_PER_DIFFERENCE: f64 = 64.0;
pub const STEPS_PER_LUMA: f64 = 128.0;
const LEAST_CUT_RATIO: f64 = 1.5;
const NEARLY_ALL: f64 = 0.25;
const FIRST_MOVED: usize = 2;
const QUIETEST: f64 = 0.1;
const MIN_DURATION_S: f64 = 0.3;
const MIN_FRAMES: usize = 5;
const MOTION_WINDOW_S: f64 = 0.4;
const MIN_NOISELESS_S: f64 = 0.6;
const NOISE_WINDOW_S: f64 = 1.5;
const LAST_STEPS: usize = 7;
const GOES_ON: f64 = 0.5;
const LASTS_S: f64 = 0.89;
const LASTING_SHARE: f64 = 0.5;
const NOT_LONGER: f64 = 1.02;
const SHORTER: f64 = 0.75;
const HARDLY: f64 = 0.25;
const BASELINE_S: f64 = 1.0;
const SLOWS: f64 = 0.6;
const MOVES_SHARE: f64 = 0.1;
const LEAP_RATIO: f64 = 2.0;
const CONTENT_S: f64 = 2.0;
const QUIET_SHARE: f64 = 0.2;
const GROUND_SHARE: f64 = 0.5;

struct Limits {
    still_code: f64,
    motion_code: f64,
    moving_share: f64,
    cut_ratio: f64,
    cut_code: f64,
    black_luma_code: f64,
    motion_ratio: f64,
    refinement_code: f64,
    noise_code: f64,
    noise_share: f64,
    scene_code: f64,
    quiet_code: f64,
    ground_code: f64,
}

struct Series<'a> {
    starts_s: &'a [f64],
    mean: Vec<f64>,
    peak: Vec<f64>,
    drift: Vec<f64>,
    limit: Limits,
}

pub fn decide(table: &Table, limit: &[f64], nominal_s: f64) -> Vec<Finding> {
    let series = Series {
        starts_s: &table.starts_s,
        mean: table.column(0, STEPS_PER_DIFFERENCE),
        peak: table.column(1, STEPS_PER_DIFFERENCE),
        drift: table.column(3, STEPS_PER_MOVED_CODE),
        limit: Limits {
            still_code: limit[0],
            motion_code: limit[1],
            moving_share: limit[2],
            cut_ratio: limit[3],
            cut_code: limit[4],
            black_luma_code: limit[5],
            motion_ratio: limit[6],
            refinement_code: limit[7],
            noise_code: limit[8],
            noise_share: limit[9],
            scene_code: limit[10],
            quiet_code: limit[11],
            ground_code: limit[12],
        },
    };
    let luma = table.column(2, STEPS_PER_LUMA);
    let still_code = series.limit.still_code;
    let mut still: Vec<bool> = series.peak.iter().map(|&peak| peak <= still_code).collect();
    if let Some(first) = still.first_mut() {
        *first = false; // nothing came before it
    }
    let ends_s = row_ends(series.starts_s, nominal_s);
    let score = |row: usize| {
        if still[row] { 1.0 - series.peak[row] / (2.0 * still_code).max(1e-6) } else { 0.0 }
    };
    let mut found = Vec::new();
    let mut reached = 0;
    for (first, last) in runs(&still) {
        if first <= reached {
            continue; // part of a freeze that has been extended over it
        }
        let (first, last) = series.extended(first, last);
        // The frozen frame itself came with movement, so it is the one before the run.
        let held = first - 1;
        let span_s = (series.starts_s[held], ends_s[last - 1]);
        let duration_s = span_s.1 - span_s.0;
        if duration_s < MIN_DURATION_S || last - held < MIN_FRAMES {
            continue;
        }
        // One step after a cut is its coder's, or a drawing's, and tells no motion.
        let after_one = held > FIRST_MOVED && series.cut_into(held - 1);
        if luma[held] < series.limit.black_luma_code || after_one || series.cut_into(held) {
            continue; // black that stays, or a slide
        }
        let moved = series.moved_before(held);
        if !moved && !series.below_noise(held, last) {
            continue;
        }
        reached = last;
        let meant = moved && (series.comes_to_rest(held, last) || series.eases(held, last));
        if meant || series.is_drawn(held, last) {
            continue;
        }
        let scores: Vec<f64> = (first..last).map(score).collect();
        let confidence = mean(&scores).clamp(0.5, 0.99);
        let evidence = [duration_s, mean(&series.mean[first..last]), (last - held) as f64];
        found.push(Finding::new((held, last), span_s, confidence, &evidence));
    }
    found
}

impl Series<'_> {
    /// Carries a run over what an encoder still refines, and over its key frames.
    fn extended(&self, mut first: usize, mut last: usize) -> (usize, usize) {
        let since = insertion(self.starts_s, self.starts_s[first] - MOTION_WINDOW_S);
        let before = &self.peak[since.max(1)..first.max(since.max(1))];
        let moved = if before.is_empty() { 0.0 } else { median(before) };
        let limit = (moved / self.limit.motion_ratio).min(self.limit.refinement_code);
        while first > 1 && self.peak[first - 1] <= limit {
            first -= 1;
        }
        while last < self.peak.len() && self.peak[last] <= limit {
            last += 1;
        }
        (first, last)
    }

    /// Returns rows that lead to a frame, itself included.
    fn before(&self, held: usize) -> core::ops::Range<usize> {
        let since = insertion(self.starts_s, self.starts_s[held] - MOTION_WINDOW_S);
        since.max(1)..(held + 1).max(since.max(1))
    }

    fn cut_into(&self, held: usize) -> bool {
        let before = &self.mean[self.before(held)];
        if before.len() < 2 {
            return true;
        }
        let (last, others) = before.split_last().unwrap();
        let scene = self.limit.scene_code.max(LEAST_CUT_RATIO * quantile(others, NEARLY_ALL));
        let bar = (self.limit.cut_ratio * median(others)).max(self.limit.cut_code);
        *last > bar.min(scene)
    }

    /// Tells whether motion slows down into the frame that stands, and no leap follows.
    fn comes_to_rest(&self, held: usize, last: usize) -> bool {
        let first = (held + 1).saturating_sub(LAST_STEPS).max(1);
        let steps = &self.mean[first..(held + 1).max(first)];
        if steps.len() < LAST_STEPS {
            return false;
        }
        let step = steps[LAST_STEPS - 1];
        // The step of another scene says nothing.
        let goes_on = |step: &&f64| **step <= self.limit.scene_code;
        let after = self.mean.get(last).filter(goes_on).copied().unwrap_or(0.0);
        if after != 0.0 && after >= LEAP_RATIO * greatest(steps) {
            return false;
        }
        if steps.windows(2).all(|two| two[1] <= NOT_LONGER * two[0]) && step <= SHORTER * steps[0] {
            return step <= HARDLY * steps[0] || after < GOES_ON * step;
        }
        let since = insertion(self.starts_s, self.starts_s[held] - BASELINE_S).max(1);
        let led = &self.mean[since.min(held)..held];
        let least = MOVES_SHARE * median(led);
        let moving: Vec<f64> = led.iter().copied().filter(|&step| step > least).collect();
        let pace = median(&moving);
        !moving.is_empty() && step <= HARDLY * pace && after < GOES_ON * pace
    }

    /// Tells whether motion slows down into the frame that stands, and sets off slowly after it.
    fn eases(&self, held: usize, last: usize) -> bool {
        let first = (held + 1).saturating_sub(LAST_STEPS).max(1);
        let led = &self.mean[first..(held + 1).max(first)];
        let followed = &self.mean[last..(last + LAST_STEPS).min(self.mean.len())];
        if led.len().min(followed.len()) < LAST_STEPS {
            return false;
        }
        let half = LAST_STEPS / 2;
        mean(&led[LAST_STEPS - half..]) <= SLOWS * mean(&led[..half])
            && followed.windows(2).all(|two| two[1] > two[0])
            && followed[0] <= HARDLY * followed[LAST_STEPS - 1]
    }

    /// Tells whether what surrounds a freeze often stands, and moves on a ground that stands.
    fn is_drawn(&self, held: usize, last: usize) -> bool {
        let since = insertion(self.starts_s, self.starts_s[held] - CONTENT_S).max(1);
        let until = insertion(self.starts_s, self.starts_s[last - 1] + CONTENT_S);
        let (mut count, mut moves, mut grounded, mut lasting) = (0.0, 0.0, 0.0, 0.0);
        for part in [since..held + 1, last..until] {
            let start = part.start;
            let moving: Vec<bool> = part.map(|row| self.peak[row] > self.limit.quiet_code).collect();
            count += moving.len() as f64;
            for (first, after) in runs(&moving) {
                let (first, after) = (start + first, start + after);
                let length = (after - first) as f64;
                moves += length;
                let grounds = self.drift[first..after].iter();
                grounded += grounds.filter(|&&code| code <= self.limit.ground_code).count() as f64;
                if self.starts_s[after - 1] - self.starts_s[first] >= LASTS_S {
                    lasting += length;
                }
            }
        }
        moves > 0.0
            && moves < count
            && (count - moves) / count >= QUIET_SHARE
            && grounded >= GROUND_SHARE * moves
            && lasting < LASTING_SHARE * moves
    }

    fn moved_before(&self, held: usize) -> bool {
        let before = &self.peak[self.before(held)];
        let moving = |peak: &&f64| **peak >= self.limit.motion_code;
        let count = before.iter().filter(moving).count();
        before.last().map_or(false, |peak| *peak >= self.limit.motion_code)
            && count as f64 / before.len() as f64 >= self.limit.moving_share
    }

    /// Tells whether rows are stiller than their camera ever is, right before and after them.
    fn below_noise(&self, held: usize, last: usize) -> bool {
        if self.starts_s[last - 1] - self.starts_s[held] < MIN_NOISELESS_S {
            return false;
        }
        let since = insertion(self.starts_s, self.starts_s[held] - NOISE_WINDOW_S).max(1);
        let until = insertion(self.starts_s, self.starts_s[last - 1] + NOISE_WINDOW_S);
        let count = self.peak.len();
        let after = (last + 1).min(count)..until.clamp((last + 1).min(count), count);
        let sides = [&self.peak[since.min(held + 1)..held + 1], &self.peak[after]];
        if sides.iter().any(|side| side.len() < MIN_FRAMES) {
            return false;
        }
        let noise = -greatest(&sides.map(|side| -quantile(side, QUIETEST)));
        let inside = quantile(&self.peak[held + 1..last], 1.0 - QUIETEST);
        noise >= self.limit.noise_code && inside <= self.limit.noise_share * noise
    }
}
