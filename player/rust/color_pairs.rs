//! Which two steps of colour belong together: one begins an error, the other undoes it.

use crate::series::put_in_order;

pub const CAST: usize = 0;
pub const CHROMA_LOSS: usize = 1;
pub const CHROMA_SWAP: usize = 2;
pub const ILLEGAL_RANGE: usize = 3;
pub const CHROMA_TURN: usize = 4;
pub const LEVEL_GAIN: usize = 5;
const EXACTLY: f64 = 0.5;
const NEAR: usize = 250;
/// Two errors that share so much of what they cover are one, seen in two ways.
const SAME_SHARE: f64 = 0.5;
/// What may be left of a step by the one that undoes it: a share of its size, and so much more.
const UNDONE: [(f64, f64); 6] =
    [(0.3, 1.0), (0.0, 0.0), (0.0, 0.0), (0.3, 0.0), (0.3, 0.1), (0.3, 1.5)];

/// One abrupt change of colour; `onset` tells whether it must begin or end an error, or may do both.
#[derive(Clone, Copy)]
pub struct Step {
    pub row: usize,
    pub kind: usize,
    pub onset: Option<bool>,
    pub vector: [f64; 2],
    pub strength: f64,
    pub sure: bool,
}

pub struct Error {
    pub first: usize,
    pub last: usize,
    pub step: Step,
    pub paired: bool,
}

/// Joins each step that may begin an error with the first later one that undoes it.
pub fn pair(steps: &[Step], rows: usize) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut alone: Vec<Step> = Vec::new();
    // In the order of their names.
    for kind in [CAST, CHROMA_LOSS, CHROMA_SWAP, CHROMA_TURN, ILLEGAL_RANGE, LEVEL_GAIN] {
        let own: Vec<Step> = steps.iter().filter(|step| step.kind == kind).copied().collect();
        let (mut found, left) = paired(&own);
        errors.append(&mut found);
        if kind != ILLEGAL_RANGE && kind != LEVEL_GAIN {
            alone.extend(left); // light may look like one of the others
        }
    }
    for step in alone {
        let from_here = step.onset.unwrap_or(rows - step.row <= step.row);
        let (first, last) = if from_here { (step.row, rows) } else { (0, step.row) };
        errors.push(Error { first, last, step, paired: false });
    }
    distinct(errors)
}

/// Leaves out what another error covers that is told by more.
fn distinct(errors: Vec<Error>) -> Vec<Error> {
    let mut order: Vec<usize> = (0..errors.len()).collect();
    put_in_order(&mut order, |&a, &b| {
        let rank = |index: usize| (!errors[index].paired, -errors[index].step.strength, index);
        rank(a) < rank(b)
    });
    let mut kept: Vec<usize> = Vec::new();
    for index in order {
        let each = &errors[index];
        let covered = kept.iter().any(|&other| {
            let other = &errors[other];
            let common = each.last.min(other.last) as f64 - each.first.max(other.first) as f64;
            let whole = each.last.max(other.last) - each.first.min(other.first);
            common / whole.max(1) as f64 >= SAME_SHARE
        });
        if !covered {
            kept.push(index);
        }
    }
    let told = errors.into_iter().enumerate();
    told.filter(|(index, _)| kept.contains(index)).map(|(_, error)| error).collect()
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
    let mut size = step.vector[0].hypot(step.vector[1]);
    if step.kind != ILLEGAL_RANGE && step.kind != LEVEL_GAIN {
        // Either is reported anyway: the larger of both says what may be left.
        size = size.max(other.vector[0].hypot(other.vector[1]));
    }
    left <= exactly * (share * size + more)
}
