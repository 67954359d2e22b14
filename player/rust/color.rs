//! Colour errors: a cast, lost or exchanged colour, stretched levels, by their onset and their end.
//!
//! Displaced colour, which Python tells as well, is not looked for here.

use crate::color_steps::KEPT;
use crate::series::{mean, median, put_in_order, row_ends, sorted};
use crate::table::{Finding, Table};

pub const DESCRIPTION: &str = "color_error|cast_u cast_v gain gain_back as_is as_cast as_gain as_gain_back as_swap luma_change slope pivot_change luma_left saturation outside_share|jump_code jump_ratio explained_share plain_cast_share plain_swap_share cut_ratio cut_code alone_ratio colorful_code cast_code loss_gain kept_slope slope slope_ratio stretch_left_share pivot_code stretch_code colored_code outside_least outside_usual_ratio outside_slope|cast chroma_loss chroma_swap illegal_range|duration_s change_code undone mean_saturation_code outside_share cast_u_code cast_v_code luma_gain";
pub const COLUMNS: usize = KEPT.len();
const MIN_DURATION_S: f64 = 0.2;
const REACH: usize = 12;
const ABRUPT_RATIO: f64 = 1.3;
const STEADY: usize = 4;
const EXACTLY: f64 = 0.5;
const NEAR: usize = 250;
const CAST: usize = 0;
const CHROMA_LOSS: usize = 1;
const CHROMA_SWAP: usize = 2;
const ILLEGAL_RANGE: usize = 3;
/// What may be left of a step by the one that undoes it: a share of its size, and so much more.
const UNDONE: [(f64, f64); 4] = [(0.3, 1.0), (0.0, 0.0), (0.0, 0.0), (0.3, 0.0)];

struct Limits {
    jump_code: f64,
    jump_ratio: f64,
    explained_share: f64,
    plain_cast_share: f64,
    plain_swap_share: f64,
    cut_ratio: f64,
    cut_code: f64,
    alone_ratio: f64,
    colorful_code: f64,
    cast_code: f64,
    loss_gain: f64,
    kept_slope: f64,
    slope: f64,
    slope_ratio: f64,
    stretch_left_share: f64,
    pivot_code: f64,
    stretch_code: f64,
    colored_code: f64,
    outside_least: f64,
    outside_usual_ratio: f64,
    outside_slope: f64,
}

/// One abrupt change of colour; `onset` tells whether it must begin or end an error, or may do both.
#[derive(Clone, Copy)]
struct Step {
    row: usize,
    kind: usize,
    onset: Option<bool>,
    vector: [f64; 2],
    strength: f64,
    sure: bool,
}

struct Error {
    first: usize,
    last: usize,
    step: Step,
    paired: bool,
}

struct Steps {
    cast_u: Vec<f64>,
    cast_v: Vec<f64>,
    gain: Vec<f64>,
    gain_back: Vec<f64>,
    as_is: Vec<f64>,
    as_cast: Vec<f64>,
    as_gain: Vec<f64>,
    as_gain_back: Vec<f64>,
    as_swap: Vec<f64>,
    luma_change: Vec<f64>,
    slope: Vec<f64>,
    pivot_change: Vec<f64>,
    luma_left: Vec<f64>,
    saturation: Vec<f64>,
    outside_share: Vec<f64>,
    limit: Limits,
}

pub fn decide(table: &Table, limit: &[f64], nominal_s: f64) -> Vec<Finding> {
    let count = table.len();
    let steps = Steps::of(table, limit);
    let starts_s = &table.starts_s;
    let ends_s = row_ends(starts_s, nominal_s);
    let mut found: Vec<Finding> = Vec::new();
    for error in pair(&steps.find(), count) {
        if error.last <= error.first {
            continue;
        }
        let span_s = (starts_s[error.first], ends_s[error.last - 1]);
        if span_s.1 - span_s.0 < MIN_DURATION_S {
            continue;
        }
        found.push(steps.finding(&error, span_s));
    }
    put_in_order(&mut found, |a, b| (a.start_s, a.end_s) < (b.start_s, b.end_s));
    found
}

/// Returns what is usual and what is large around each row, without the row itself.
fn around(values: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let count = values.len();
    (0..count)
        .map(|row| {
            let (from, to) = (row.saturating_sub(REACH), (row + REACH + 1).min(count));
            let mut others = values[from..row].to_vec();
            others.extend_from_slice(&values[row + 1..to]);
            let ordered = sorted(&others);
            let large = if ordered.len() < 3 { 0.0 } else { ordered[ordered.len() - 3].max(0.0) };
            let usual = if others.is_empty() { 0.0 } else { median(&others) };
            (usual, large)
        })
        .unzip()
}

impl Steps {
    fn of(table: &Table, limit: &[f64]) -> Steps {
        let column = |index: usize| table.column(index, KEPT[index].0);
        let as_is = column(4);
        let share = |index: usize| -> Vec<f64> {
            column(index).iter().zip(&as_is).map(|(share, whole)| share * whole).collect()
        };
        Steps {
            cast_u: column(0),
            cast_v: column(1),
            gain: column(2),
            gain_back: column(3),
            as_cast: share(5),
            as_gain: share(6),
            as_gain_back: share(7),
            as_swap: column(8),
            luma_change: column(9),
            slope: column(10),
            pivot_change: column(11),
            luma_left: column(12),
            saturation: column(13),
            outside_share: column(14),
            as_is,
            limit: Limits {
                jump_code: limit[0],
                jump_ratio: limit[1],
                explained_share: limit[2],
                plain_cast_share: limit[3],
                plain_swap_share: limit[4],
                cut_ratio: limit[5],
                cut_code: limit[6],
                alone_ratio: limit[7],
                colorful_code: limit[8],
                cast_code: limit[9],
                loss_gain: limit[10],
                kept_slope: limit[11],
                slope: limit[12],
                slope_ratio: limit[13],
                stretch_left_share: limit[14],
                pivot_code: limit[15],
                stretch_code: limit[16],
                colored_code: limit[17],
                outside_least: limit[18],
                outside_usual_ratio: limit[19],
                outside_slope: limit[20],
            },
        }
    }

    /// Returns the abrupt changes of colour, in order, each with the explanation that fits it.
    fn find(&self) -> Vec<Step> {
        let limit = &self.limit;
        let count = self.as_is.len();
        let (usual, largest) = around(&self.as_is);
        let (luma_usual, luma_largest) = around(&self.luma_left);
        let slopes: Vec<f64> = self.slope.iter().map(|slope| (slope - 1.0).abs()).collect();
        let (usual_slope, largest_slope) = around(&slopes);
        let left_range = self.left_range();
        let mut found = Vec::new();
        for row in 0..count {
            let jump = self.as_is[row];
            let cut = luma_usual[row] * limit.cut_ratio + limit.cut_code;
            let calm = self.luma_left[row] <= cut.max(luma_largest[row] * ABRUPT_RATIO);
            let floor = limit.jump_code.max(limit.jump_ratio * usual[row]);
            // Errors of colour leave luma's contrast alone, and no fade looks like an exchange.
            let kept = slopes[row] <= limit.kept_slope
                || (jump >= limit.cast_code && self.as_swap[row] <= limit.plain_swap_share * jump);
            let once = jump >= limit.alone_ratio * largest[row];
            if calm && kept && once && jump >= floor {
                if let Some(step) = self.explained(row, floor) {
                    found.push(step);
                    continue;
                }
            }
            let change = self.luma_change[row];
            let pure = self.luma_left[row] <= limit.stretch_left_share * change;
            let least = (limit.slope_ratio * usual_slope[row]).max(ABRUPT_RATIO * largest_slope[row]);
            let standing_out = slopes[row] >= least
                && self.luma_left[row] <= cut
                && change >= luma_usual[row] + limit.stretch_code;
            let like_stretch = slopes[row] >= limit.slope
                && change >= limit.stretch_code
                && self.pivot_change[row].abs() <= limit.pivot_code
                && self.gain_agrees(row);
            let sure = (like_stretch && (pure || standing_out)) || (calm && left_range[row]);
            if like_stretch || sure {
                let stretch = self.slope[row].max(1e-3).ln();
                found.push(Step {
                    row,
                    kind: ILLEGAL_RANGE,
                    onset: Some(stretch > 0.0),
                    vector: [stretch, 0.0],
                    strength: 1.0 + stretch.abs() / limit.slope,
                    sure,
                });
            }
        }
        found
    }

    /// Returns the transformation that best explains a jump, where one does.
    fn explained(&self, row: usize, floor: f64) -> Option<Step> {
        let limit = &self.limit;
        let jump = self.as_is[row];
        let bound = limit.explained_share * jump + 0.1;
        // What is left by it, the kind, and whether it must be an onset.
        let mut options: Vec<(f64, usize, Option<bool>)> = Vec::new();
        // Nobody sees that a frame which is nearly grey has become grey.
        if jump >= limit.colorful_code {
            options.push((self.as_swap[row], CHROMA_SWAP, None));
            if (0.0..=limit.loss_gain).contains(&self.gain[row]) {
                options.push((self.as_gain[row], CHROMA_LOSS, Some(true)));
            }
            if (0.0..=limit.loss_gain).contains(&self.gain_back[row]) {
                options.push((self.as_gain_back[row], CHROMA_LOSS, Some(false)));
            }
        }
        let cast = [self.cast_u[row], self.cast_v[row]];
        if cast[0].hypot(cast[1]) >= limit.cast_code {
            options.push((self.as_cast[row], CAST, None));
        }
        let mut best = *options.first()?;
        for option in &options[1..] {
            if option.0 < best.0 {
                best = *option;
            }
        }
        // Where one shift explains nearly all, the colour was one and the same everywhere.
        if let Some(plain) = options.iter().find(|option| option.1 == CAST) {
            if plain.0 <= limit.plain_cast_share * jump + 0.1 {
                best = *plain;
            }
        }
        let (left, kind, onset) = best;
        let vector = if kind == CAST { cast } else { [0.0; 2] };
        let strength = jump / floor.max(0.1);
        (left <= bound).then(|| Step { row, kind, onset, vector, strength, sure: true })
    }

    /// Tells whether the colour was stretched with the luma, or there is too little of it to tell.
    fn gain_agrees(&self, row: usize) -> bool {
        let slope = self.slope[row];
        let ratio = (self.gain[row] - 1.0) / if slope == 1.0 { 1.0 } else { slope - 1.0 };
        self.as_swap[row] < self.limit.colored_code || (0.3..=1.6).contains(&ratio)
    }

    /// Tells where levels leave the legal range at once, or come back, as luma is stretched.
    fn left_range(&self) -> Vec<bool> {
        let (limit, outside) = (&self.limit, &self.outside_share);
        let count = outside.len();
        let mut out = vec![false; count];
        if count <= 2 * STEADY {
            return out;
        }
        let least = |rows: &[f64]| rows.iter().copied().fold(f64::INFINITY, f64::min);
        let most = |rows: &[f64]| rows.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for row in STEADY..=count - STEADY {
            let (before, after) = (&outside[row - STEADY..row], &outside[row..row + STEADY]);
            if row == count || self.pivot_change[row].abs() > limit.pivot_code {
                continue;
            }
            let leaves = |to: &[f64], from: &[f64]| {
                least(to) >= limit.outside_least
                    && least(to) >= limit.outside_usual_ratio * most(from)
            };
            let slope = self.slope[row];
            out[row] = (leaves(after, before) && slope >= 1.0 + limit.outside_slope)
                || (leaves(before, after) && slope <= 1.0 - limit.outside_slope);
        }
        out
    }

    fn finding(&self, error: &Error, span_s: (f64, f64)) -> Finding {
        let Error { first, last, step, paired } = *error;
        let inside = first..last;
        let change = if step.kind == ILLEGAL_RANGE { &self.luma_change } else { &self.as_is };
        let sign = if first == step.row { 1.0 } else { -1.0 };
        let cast = if step.kind == CAST { step.vector.map(|v| sign * v) } else { [0.0; 2] };
        let luma_gain = if step.kind == ILLEGAL_RANGE { step.vector[0].abs().exp() } else { 0.0 };
        let evidence = [
            span_s.1 - span_s.0,
            change[step.row],
            f64::from(u8::from(paired)),
            mean(&self.saturation[inside.clone()]),
            mean(&self.outside_share[inside]),
            cast[0],
            cast[1],
            luma_gain,
        ];
        // A transformation and its undoing are hardly ever meant; one alone may be an effect.
        let confidence = if paired { 0.98 } else { 0.75 } - 0.3 / (1.0 + step.strength);
        let mut finding = Finding::new((first, last), span_s, confidence, &evidence);
        finding.kind = step.kind as f64;
        finding
    }
}

/// Joins each step that may begin an error with the first later one that undoes it.
fn pair(steps: &[Step], rows: usize) -> Vec<Error> {
    let mut errors = Vec::new();
    for kind in [CAST, CHROMA_LOSS, CHROMA_SWAP, ILLEGAL_RANGE] {
        let own: Vec<Step> = steps.iter().filter(|step| step.kind == kind).copied().collect();
        let (mut found, left) = paired(&own);
        errors.append(&mut found);
        if kind == ILLEGAL_RANGE {
            continue; // light may look like one of them
        }
        for step in left {
            let from_here = step.onset.unwrap_or(rows - step.row <= step.row);
            let (first, last) = if from_here { (step.row, rows) } else { (0, step.row) };
            errors.push(Error { first, last, step, paired: false });
        }
    }
    errors
}

/// Returns the errors of one kind that two steps bound, and the sure steps that are left.
fn paired(steps: &[Step]) -> (Vec<Error>, Vec<Step>) {
    let sure: Vec<Step> = steps.iter().filter(|step| step.sure).copied().collect();
    let mut used = vec![false; sure.len()];
    let mut errors: Vec<Error> = Vec::new();
    for number in 0..sure.len() {
        let step = sure[number];
        if used[number] || step.onset == Some(false) {
            continue;
        }
        let other = (number + 1..sure.len()).find(|&other| {
            !used[other] && sure[other].onset != Some(true) && undone(&step, &sure[other], 1.0)
        });
        if let Some(other) = other {
            used[number] = true;
            used[other] = true;
            errors.push(Error { first: step.row, last: sure[other].row, step, paired: true });
        }
    }
    let mut left = Vec::new();
    for (step, _) in sure.iter().zip(&used).filter(|(_, used)| !**used) {
        let rest = |other: &Step| -> f64 {
            other.vector.iter().zip(&step.vector).map(|(a, b)| (a + b) * (a + b)).sum()
        };
        let best = steps
            .iter()
            .filter(|other| !other.sure && other.onset != step.onset && may_end(step, other))
            .filter(|other| {
                let (first, last) = (step.row.min(other.row), step.row.max(other.row));
                // No error encloses one that is told for sure.
                !errors.iter().any(|error| error.first < last && first < error.last)
            })
            .min_by(|a, b| rest(a).total_cmp(&rest(b)));
        match best {
            Some(other) => errors.push(Error {
                first: step.row.min(other.row),
                last: step.row.max(other.row),
                step: *step,
                paired: true,
            }),
            None => left.push(*step),
        }
    }
    (errors, left)
}

/// Tells whether a step lies on the side where an error's other end is wanted, and undoes it.
fn may_end(step: &Step, other: &Step) -> bool {
    let later = other.row > step.row;
    let near = other.row.max(step.row) - other.row.min(step.row) <= NEAR;
    near && Some(later) == step.onset && undone(step, other, EXACTLY)
}

fn undone(step: &Step, other: &Step, exactly: f64) -> bool {
    let (share, more) = UNDONE[step.kind];
    let left = (other.vector[0] + step.vector[0]).hypot(other.vector[1] + step.vector[1]);
    left <= exactly * (share * step.vector[0].hypot(step.vector[1]) + more)
}
