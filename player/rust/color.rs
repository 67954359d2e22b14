//! Colour errors: a cast, lost, turned or exchanged colour, stretched levels, by their onset and end.
//!
//! Displaced colour, which Python tells as well, is not looked for here.

use crate::color_pairs::{
    pair, Error, Step, CAST, CHROMA_LOSS, CHROMA_SWAP, CHROMA_TURN, ILLEGAL_RANGE, LEVEL_GAIN,
};
use crate::color_steps::KEPT;
use crate::series::{insertion, least, mean, median, put_in_order, row_ends, sorted};
use crate::table::{Finding, Table};

pub const DESCRIPTION: &str = "color_error|cast_u cast_v gain gain_back as_is as_cast as_gain as_gain_back as_swap luma_change slope pivot_change luma_left saturation outside_share as_flat as_flat_back turn turn_gain as_turn as_tint lift|jump_code jump_ratio explained_share plain_cast_share plain_swap_share cut_ratio cut_code alone_ratio colorful_code cast_code loss_gain kept_slope slope slope_ratio stretch_left_share pivot_code stretch_code colored_code outside_least outside_usual_ratio outside_slope turn turn_gain turn_left_share tint_left_share flat_left_share uncalm_share uncalm_luma_share level_code level_ratio level_gain level_left_share lift_code lift_left_share clipped_left_share stall_code stall_share|cast chroma_loss chroma_swap illegal_range chroma_turn level_gain|duration_s change_code undone mean_saturation_code outside_share cast_u_code cast_v_code luma_gain turn_degrees";
pub const COLUMNS: usize = KEPT.len();
const MIN_DURATION_S: f64 = 0.2;
const REACH: usize = 12;
/// Frames on either side of a stall that say how the picture moves.
const BESIDE: usize = 12;
const ABRUPT_RATIO: f64 = 1.3;
const STEADY: usize = 4;
/// A turn of hue must leave so much less than an exchange of U and V.
const PLAINER: f64 = 1.5;
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
    turn: f64,
    turn_gain: f64,
    turn_left_share: f64,
    tint_left_share: f64,
    flat_left_share: f64,
    uncalm_share: f64,
    uncalm_luma_share: f64,
    level_code: f64,
    level_ratio: f64,
    level_gain: f64,
    level_left_share: f64,
    lift_code: f64,
    lift_left_share: f64,
    clipped_left_share: f64,
    stall_code: f64,
    stall_share: f64,
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
    as_flat: Vec<f64>,
    as_flat_back: Vec<f64>,
    turn: Vec<f64>,
    turn_gain: Vec<f64>,
    as_turn: Vec<f64>,
    as_tint: Vec<f64>,
    lift: Vec<f64>,
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
        if span_s.1 - span_s.0 < MIN_DURATION_S || steps.dims_a_stall(&error) {
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
    let mut window = sorted(&values[..REACH.min(count)]);
    (0..count)
        .map(|row| {
            if row + REACH < count {
                let value = values[row + REACH];
                window.insert(insertion(&window, value), value);
            }
            if row > REACH {
                window.remove(insertion(&window, values[row - REACH - 1]));
            }
            let (own, others) = (insertion(&window, values[row]), window.len() - 1);
            let other = |at: usize| window[at + usize::from(at >= own)];
            let large = if others < 3 { 0.0 } else { other(others - 3).max(0.0) };
            let usual = if others == 0 {
                0.0
            } else {
                (other((others - 1) / 2) + other(others / 2)) / 2.0
            };
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
            as_flat: share(15),
            as_flat_back: share(16),
            turn: column(17),
            turn_gain: column(18),
            as_turn: share(19),
            as_tint: share(20),
            lift: column(21),
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
                turn: limit[21],
                turn_gain: limit[22],
                turn_left_share: limit[23],
                tint_left_share: limit[24],
                flat_left_share: limit[25],
                uncalm_share: limit[26],
                uncalm_luma_share: limit[27],
                level_code: limit[28],
                level_ratio: limit[29],
                level_gain: limit[30],
                level_left_share: limit[31],
                lift_code: limit[32],
                lift_left_share: limit[33],
                clipped_left_share: limit[34],
                stall_code: limit[35],
                stall_share: limit[36],
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
        let (level_usual, level_largest) = around(&self.luma_change);
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
            // Another scene, or a pattern, changes luma far more.
            let able = calm || self.luma_left[row] <= limit.uncalm_luma_share * jump;
            if able && kept && once && jump >= floor {
                // A white balance changes luma as well, and clips it: there, it must be plainer.
                let bound = if calm {
                    limit.explained_share * jump + 0.1
                } else {
                    limit.uncalm_share * jump
                };
                // A cut to a grey scene, too, leaves no colour.
                let told = self.explained(row, bound, floor);
                if let Some(step) = told.filter(|step| calm || step.kind != CHROMA_LOSS) {
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
                if sure {
                    continue;
                }
            }
            if let Some(step) = self.level_gain(row, &level_usual, &level_largest, usual[row]) {
                found.push(step);
            }
        }
        found
    }

    /// Tells whether a moving picture stands for as long as it is darker: a player that waits.
    fn dims_a_stall(&self, error: &Error) -> bool {
        let Error { first, last, step, paired } = *error;
        let of_luma = step.kind == ILLEGAL_RANGE || step.kind == LEVEL_GAIN;
        let change = &self.luma_change;
        let after = (last + 1).min(change.len());
        if !of_luma || !paired || self.slope[first] >= 1.0 || last <= first + 1 {
            return false;
        }
        let mut beside = change[first.saturating_sub(BESIDE)..first].to_vec();
        beside.extend(&change[after..(after + BESIDE).min(change.len())]);
        let moves = median(&beside);
        !beside.is_empty()
            && moves >= self.limit.stall_code
            && median(&change[first + 1..last]) <= self.limit.stall_share * moves
    }

    /// Returns whether levels, and colour with them, are stretched or squeezed by one factor.
    fn level_gain(&self, row: usize, usual: &[f64], largest: &[f64], color: f64) -> Option<Step> {
        let limit = &self.limit;
        let (change, left) = (self.luma_change[row], self.luma_left[row]);
        let floor = limit.level_ratio * usual[row];
        if change < limit.level_code.max(floor) || change < ABRUPT_RATIO * largest[row] {
            return None;
        }
        let (slope, gain, lift) = (self.slope[row], self.gain[row], self.lift[row]);
        let moderate = |factor: f64| (1.0 / limit.level_gain..=limit.level_gain).contains(&factor);
        let (is, as_gain) = (self.as_is[row], self.as_gain[row]);
        let offset = lift.abs() >= limit.lift_code && left <= limit.lift_left_share * change;
        // Colour stays what it is, or is stretched as well.
        let stays = is <= (limit.jump_ratio * color).max(limit.jump_code);
        let pure = left <= limit.level_left_share * change
            && ((slope - 1.0).abs() >= limit.slope || offset)
            && (stays || as_gain <= limit.clipped_left_share * is + 0.1);
        // Where whites clip, luma is no straight line any more; its colours still are.
        let same_way = (gain - 1.0) * (slope - 1.0) > 0.0;
        let colored = as_gain <= limit.level_left_share * is + 0.1
            && is >= limit.colorful_code
            && (gain - 1.0).abs() >= limit.slope
            && moderate(gain)
            && same_way
            && left <= limit.clipped_left_share * change;
        let way = if lift.abs() >= change / 2.0 { lift } else { slope - 1.0 };
        let sign = if way > 0.0 { 1.0 } else if way < 0.0 { -1.0 } else { 0.0 };
        (moderate(slope) && (pure || colored)).then(|| Step {
            row,
            kind: LEVEL_GAIN,
            onset: None,
            vector: [sign * change, 0.0],
            strength: change / floor.max(limit.level_code),
            sure: true,
        })
    }

    /// Returns the transformation that best explains a jump, where one does.
    fn explained(&self, row: usize, bound: f64, floor: f64) -> Option<Step> {
        let limit = &self.limit;
        let jump = self.as_is[row];
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
        if jump >= limit.colorful_code {
            let moderate = 1.0 / limit.turn_gain..=limit.turn_gain;
            let turned = self.turn[row].abs() >= limit.turn && moderate.contains(&self.turn_gain[row]);
            // Where colours lie on one line, an exchange is a turn as well, and the plainer word.
            if turned && self.as_swap[row] > PLAINER * self.as_turn[row] + 0.1 {
                let left = self.as_turn[row] / limit.turn_left_share * bound / jump;
                options.push((left, CHROMA_TURN, None));
            }
        }
        let cast = [self.cast_u[row], self.cast_v[row]];
        let strong = cast[0].hypot(cast[1]) >= limit.cast_code;
        if strong {
            options.push((self.as_cast[row], CAST, None));
        }
        let mut best = *options.first()?;
        for option in &options[1..] {
            if option.0 < best.0 {
                best = *option;
            }
        }
        // Where one shift explains nearly all, the colour was one and the same everywhere.
        let as_cast = self.as_cast[row];
        let plain = strong && as_cast <= limit.plain_cast_share * jump + 0.1;
        let tinted = strong && self.as_tint[row] <= limit.tint_left_share * jump;
        let gone = self.as_flat[row].min(self.as_flat_back[row]);
        if gone <= limit.flat_left_share * jump && gone + 0.1 <= as_cast / 2.0 {
            best = (gone, CHROMA_LOSS, Some(self.as_flat[row] == gone));
        } else if plain || tinted {
            best = (as_cast, CAST, None);
        } else if best.0 > bound {
            return None;
        }
        let (_, kind, onset) = best;
        let vector = match kind {
            CAST => cast,
            CHROMA_TURN => [self.turn[row].sin(), 0.0],
            _ => [0.0; 2],
        };
        Some(Step { row, kind, onset, vector, strength: jump / floor.max(0.1), sure: true })
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
        let of_luma = step.kind == ILLEGAL_RANGE || step.kind == LEVEL_GAIN;
        let change = if of_luma { &self.luma_change } else { &self.as_is };
        let sign = if first == step.row { 1.0 } else { -1.0 };
        let cast = if step.kind == CAST { step.vector.map(|v| sign * v) } else { [0.0; 2] };
        let luma_gain = match step.kind {
            ILLEGAL_RANGE => step.vector[0].abs().exp(),
            LEVEL_GAIN if first == step.row => self.slope[step.row],
            LEVEL_GAIN => 1.0 / self.slope[step.row],
            _ => 0.0,
        };
        let turned = if step.kind == CHROMA_TURN { sign * self.turn[step.row] } else { 0.0 };
        let evidence = [
            span_s.1 - span_s.0,
            change[step.row],
            f64::from(u8::from(paired)),
            mean(&self.saturation[inside.clone()]),
            mean(&self.outside_share[inside]),
            cast[0],
            cast[1],
            luma_gain,
            turned.to_degrees(),
        ];
        // A transformation and its undoing are hardly ever meant; one alone may be an effect.
        let confidence = if paired { 0.98 } else { 0.75 } - 0.3 / (1.0 + step.strength);
        let mut finding = Finding::new((first, last), span_s, confidence, &evidence);
        finding.kind = step.kind as f64;
        finding
    }
}
