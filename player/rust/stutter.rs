//! Stutter: motion stands for a moment by accident, or loses its cadence.
//!
//! Dropped frames, which Python tells by how motion goes on, are not looked for here.

use crate::regular::join_regular;
use crate::rhythm::{cadence, catching_up, periodic, window_means};
use crate::series::{greatest, median, mirrored, put_in_order, quantile, row_ends, runs, Rows};
use crate::table::{Finding, Table};

pub const DESCRIPTION: &str = "stutter|mean peak luma tiles drift apart|still_code still_ratio motion_code moving_ratio resume_ratio least_code copy_code copy_ratio held_apart new_apart held_share quiet_code ground_code cut_code cut_ratio light_share flicker_share|cadence repeat|duration_s events longest_hold_frames";
pub const COLUMNS: usize = 6;
pub const STEPS_PER_MOVED_CODE: f64 = 256.0;
const STEPS_PER_APART: f64 = 160.0;
const GROUP_GAP_S: f64 = 1.0;
const MAX_HOLD_S: f64 = 0.45;
const CADENCE_HOLD_S: f64 = 0.13;
const REACH: isize = 8;
const MOVING_QUANTILE: f64 = 0.85;
const NEAR: usize = 30;
const QUIET_SHARE: f64 = 0.15;
const GROUND_SHARE: f64 = 0.5;

struct Limits {
    still_code: f64,
    still_ratio: f64,
    motion_code: f64,
    moving_ratio: f64,
    resume_ratio: f64,
    least_code: f64,
    copy_code: f64,
    copy_ratio: f64,
    held_apart: f64,
    new_apart: f64,
    held_share: f64,
    quiet_code: f64,
    ground_code: f64,
    cut_code: f64,
    cut_ratio: f64,
    light_share: f64,
    flicker_share: f64,
}

struct Motion {
    mean: Vec<f64>,
    peak: Vec<f64>,
    luma: Vec<f64>,
    tiles: Vec<f64>,
    drift: Vec<f64>,
    apart: Vec<f64>,
    limit: Limits,
}

const CADENCE: f64 = 0.0;
const REPEAT: f64 = 1.0;

#[derive(Clone, Copy)]
pub struct Event {
    pub rows: Rows,
    pub kind: f64,
    strength: f64,
}

pub fn decide(table: &Table, limit: &[f64], nominal_s: f64) -> Vec<Finding> {
    let starts_s = &table.starts_s;
    let ends_s = row_ends(starts_s, nominal_s);
    let motion = Motion {
        mean: table.column(0, crate::freeze::STEPS_PER_DIFFERENCE),
        peak: table.column(1, crate::freeze::STEPS_PER_DIFFERENCE),
        luma: table.column(2, crate::freeze::STEPS_PER_LUMA),
        tiles: table.column(3, STEPS_PER_MOVED_CODE),
        drift: table.column(4, STEPS_PER_MOVED_CODE),
        apart: table.column(5, STEPS_PER_APART),
        limit: Limits {
            still_code: limit[0],
            still_ratio: limit[1],
            motion_code: limit[2],
            moving_ratio: limit[3],
            resume_ratio: limit[4],
            least_code: limit[5],
            copy_code: limit[6],
            copy_ratio: limit[7],
            held_apart: limit[8],
            new_apart: limit[9],
            held_share: limit[10],
            quiet_code: limit[11],
            ground_code: limit[12],
            cut_code: limit[13],
            cut_ratio: limit[14],
            light_share: limit[15],
            flicker_share: limit[16],
        },
    };
    let mut found: Vec<Finding> = Vec::new();
    let events = motion.events(nominal_s, starts_s, &ends_s);
    for group in join_regular(groups(events, starts_s, &ends_s), nominal_s) {
        let first = group[0].rows.0;
        let last = group.iter().map(|event| event.rows.1).max().unwrap();
        let span_s = (starts_s[first], ends_s[last - 1]);
        let strongest = group.iter().map(|event| event.strength).fold(0.0, f64::max);
        let repeats = group.iter().filter(|event| event.kind == REPEAT);
        let longest = repeats.clone().map(|event| event.rows.1 - event.rows.0).max();
        let evidence = [span_s.1 - span_s.0, group.len() as f64, longest.unwrap_or(0) as f64];
        let mut finding = Finding::new((first, last), span_s, strongest.clamp(0.5, 0.99), &evidence);
        // The kind of most events; of as many, the first by name.
        let is_repeat = 2 * repeats.count() > group.len();
        finding.kind = if is_repeat { REPEAT } else { CADENCE };
        found.push(finding);
    }
    found
}

fn groups(events: Vec<Event>, starts_s: &[f64], ends_s: &[f64]) -> Vec<Vec<Event>> {
    let mut groups: Vec<Vec<Event>> = Vec::new();
    for event in events {
        let near = groups.last().and_then(|group| group.last()).map_or(false, |before| {
            starts_s[event.rows.0] - ends_s[before.rows.1 - 1] <= GROUP_GAP_S
        });
        if near {
            groups.last_mut().unwrap().push(event);
        } else {
            groups.push(vec![event]);
        }
    }
    groups
}

impl Motion {
    fn events(&self, nominal_s: f64, starts_s: &[f64], ends_s: &[f64]) -> Vec<Event> {
        let still = self.standing();
        let longest = crate::table::saturate(CADENCE_HOLD_S / nominal_s, 1.0, 1e6) as usize;
        let (mut rhythm, mut broken) = cadence(&still, longest);
        let accident = catching_up(&still, &self.tiles);
        for row in 0..still.len() {
            rhythm[row] &= !accident[row];
            broken[row] &= !accident[row];
        }
        // Where all is drawn, what stands is meant to.
        for (row, drawn) in self.drawn(&still).into_iter().enumerate() {
            broken[row] &= !drawn;
            rhythm[row] |= drawn;
        }
        let event = |rows, kind, strength| Event { rows, kind, strength };
        let mut events: Vec<Event> =
            runs(&broken).into_iter().map(|rows| event(rows, CADENCE, 0.9)).collect();
        for (first, last) in self.held_runs(&still, &accident, longest) {
            // The frame before the run is the one that stands: its own time is no fault.
            let short = ends_s[last - 1] - starts_s[first] <= MAX_HOLD_S;
            if short && !rhythm[first..last].iter().any(|&inside| inside) {
                events.push(event((first, last), REPEAT, 0.97));
            }
        }
        put_in_order(&mut events, |a, b| (a.rows, a.kind) < (b.rows, b.kind));
        events
    }

    /// Tells which frames repeat the one before although there is motion around.
    fn standing(&self) -> Vec<bool> {
        let count = self.peak.len();
        (0..count)
            .map(|row| {
                let window: Vec<f64> = (-REACH..=REACH)
                    .map(|offset| self.peak[mirrored(row as isize + offset, count)])
                    .collect();
                let level = quantile(&window, MOVING_QUANTILE);
                let bar = self.limit.still_code.min(level * self.limit.still_ratio);
                row > 0 && self.peak[row] <= bar && level >= self.limit.motion_code
            })
            .collect()
    }

    /// Tells around which frames a small part moves, by fits and starts, on a ground that stands.
    fn drawn(&self, still: &[bool]) -> Vec<bool> {
        let count = still.len();
        let quiet = |row: usize| still[row] || self.peak[row] <= self.limit.quiet_code;
        let on_ground = |row: usize| !quiet(row) && self.drift[row] <= self.limit.ground_code;
        let shares = |told: &dyn Fn(usize) -> bool| {
            let flags: Vec<f64> = (0..count).map(|row| f64::from(u8::from(told(row)))).collect();
            window_means(&flags, NEAR)
        };
        let (stood, grounded) = (shares(&quiet), shares(&on_ground));
        (0..count)
            .map(|row| {
                stood[row] >= QUIET_SHARE && grounded[row] >= GROUND_SHARE * (1.0 - stood[row])
            })
            .collect()
    }

    /// Returns how much of a frame's difference is a change of its mean luma.
    fn light_share(&self, row: usize) -> f64 {
        let step = (self.luma[row] - self.luma[row.saturating_sub(1)]).abs();
        step / self.mean[row].max(1e-6)
    }

    /// Returns the runs of repeated frames that interrupt motion by accident.
    fn held_runs(&self, still: &[bool], accident: &[bool], longest: usize) -> Vec<Rows> {
        let count = still.len();
        let mut rhythm = periodic(still);
        for row in 0..count {
            rhythm[row] &= !accident[row];
        }
        runs(still)
            .into_iter()
            .filter(|&(first, last)| {
                first >= 2
                    && last < count
                    && !(last - first <= longest && rhythm[first..last].iter().all(|&r| r))
                    && self.moves_on_both_sides(first, last)
                    && self.is_held(still, first, last)
            })
            .collect()
    }

    fn is_held(&self, still: &[bool], first: usize, last: usize) -> bool {
        let limit = &self.limit;
        let from = first.saturating_sub(NEAR);
        let near = from..(last + NEAR).min(still.len());
        // Frames that end a hold do not say how fast things usually move.
        let ends_hold = |row: usize| row > from && still[row - 1];
        let mut free: Vec<usize> =
            near.clone().filter(|&row| !still[row] && !ends_hold(row)).collect();
        if free.len() < 3 {
            free = near.filter(|&row| !still[row]).collect();
        }
        let usual = median(&free.iter().map(|&row| self.mean[row]).collect::<Vec<_>>());
        let light = median(&free.iter().map(|&row| self.light_share(row)).collect::<Vec<_>>());
        if light > limit.flicker_share {
            return false;
        }
        let (step, apart) = (self.mean[last], self.apart[last]);
        let far = step > limit.cut_code || step > 2.0 * limit.cut_ratio * usual;
        let cut = (far && apart > limit.held_apart) || (step > 3.0 * usual && apart > limit.new_apart);
        if cut || self.light_share(last) > limit.light_share {
            return false;
        }
        // Nothing at all has changed amid motion and noise: that is a copy.
        let copied = usual >= limit.copy_code
            && greatest(&self.mean[first..last]) <= limit.copy_ratio * usual;
        if greatest(&self.mean[first..last]) > limit.held_share * usual {
            return false;
        }
        let ratio = if copied { limit.moving_ratio } else { limit.resume_ratio };
        step >= ratio * usual
            && self.mean[first - 1] >= limit.moving_ratio * usual
            && usual >= limit.least_code
    }

    fn moves_on_both_sides(&self, first: usize, last: usize) -> bool {
        let reach = REACH as usize;
        let before = &self.peak[first.saturating_sub(reach).max(1)..first];
        let after = &self.peak[last..(last + reach).min(self.peak.len())];
        let level = quantile(before, MOVING_QUANTILE).min(quantile(after, MOVING_QUANTILE));
        level >= self.limit.motion_code
    }
}
