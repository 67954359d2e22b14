//! Black frames: a run of dark frames that begins or ends abruptly, or lasts longer than any edit.

use crate::series::{insertion, mean, row_ends, runs};
use crate::table::{Finding, Table};

pub const DESCRIPTION: &str =
    "black_frames|mean_luma dark_share lit_share|dark_share abrupt_luma_code lit_share|black_frames|duration_s mean_luma_code luma_step_code";
pub const COLUMNS: usize = 3;
pub const STEPS_PER_CODE: f64 = 128.0;
pub const STEPS_PER_SHARE: f64 = 65_535.0;
// Lettering shows against black from here on.
const LIT_CODE: f64 = 48.0;
const EDGE_WINDOW_S: f64 = 0.12;
const MAX_EDITORIAL_S: f64 = 3.0;

pub fn decide(table: &Table, limit: &[f64], nominal_s: f64) -> Vec<Finding> {
    let starts_s = &table.starts_s;
    let ends_s = row_ends(starts_s, nominal_s);
    let luma = table.column(0, STEPS_PER_CODE);
    let dark = table.column(1, STEPS_PER_SHARE);
    let lit = table.column(2, STEPS_PER_SHARE);
    let black: Vec<bool> =
        dark.iter().zip(&lit).map(|(&share, &lit)| share >= limit[0] && lit < limit[2]).collect();
    let mut found = Vec::new();
    for (first, last) in runs(&black) {
        let span_s = (starts_s[first], ends_s[last - 1]);
        let duration_s = span_s.1 - span_s.0;
        let inside = mean(&luma[first..last]);
        let contrast = contrast(first, last, starts_s, &luma, inside);
        let abrupt = contrast >= limit[1];
        if !abrupt && duration_s < MAX_EDITORIAL_S {
            continue;
        }
        let confidence = mean(&dark[first..last]) * if abrupt { 0.99 } else { 0.8 };
        found.push(Finding::new((first, last), span_s, confidence, &[duration_s, inside, contrast]));
    }
    found
}

/// Returns the larger step in mean luma at either end.
fn contrast(first: usize, last: usize, starts_s: &[f64], luma: &[f64], inside: f64) -> f64 {
    let mut largest: f64 = 0.0;
    if first > 0 && insertion(starts_s, starts_s[first] - EDGE_WINDOW_S) < first {
        largest = largest.max(luma[first - 1] - inside);
    }
    if last < luma.len() {
        largest = largest.max(luma[last] - inside);
    }
    largest
}

/// Returns which share of the height the highest lit part of a frame takes: lettering on black.
pub fn lit_share(row_max: &[u32], scale: f64) -> f64 {
    let mut longest = 0;
    let mut run = 0;
    for &most in row_max {
        run = if f64::from(most) >= LIT_CODE * scale { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    f64::from(longest) / row_max.len() as f64
}
