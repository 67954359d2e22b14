//! Compression blockiness: a grid of blocks that comes or goes within a shot.

use crate::comb::{comb, Plan, PERIODS_PX};
use crate::geometry::{sampled_columns, sampled_rows, tile_samples, TILES, TILES_X, TILES_Y};
use crate::measure::at;
use crate::series::{bridge, greatest, hysteresis, mean, median, median_filter, runs, sorted};
use crate::table::{saturate, Finding, Table};

pub const DESCRIPTION: &str = "compression_blockiness|strength clarity period height luma_0 luma_1 luma_2 luma_3 luma_4 luma_5 luma_6 luma_7 size_px|faint_clarity clear_clarity plain_code faint_strength rise_octaves programme_octaves|compression_blockiness|duration_s grid_strength grid_clarity step_code block_px programme_grid_strength";
pub const COLUMNS: usize = 13;
const BUCKETS_HZ: f64 = 5.0;
const STEPS: f64 = 256.0;
const FULL_PX: f64 = 600.0;
const LEAST_SIZE: f64 = 0.2;
const HEIGHTS: (f64, f64) = (0.65, 2.0);
const MIN_DURATION_S: f64 = 0.6;
const BRIDGE_S: f64 = 0.8;
/// Rows compared on either side of a change: 0.8 s.
const WINDOW: usize = 4;
const CUT_CODE: f64 = 3.0;
const CUT_RATIO: f64 = 3.0;
const CUT_AROUND_ROWS: usize = 13;
const LEAST: f64 = 0.2;
/// Columns and rows of tiles in one region of a signature.
const REGION: (usize, usize) = (TILES_X / 4, TILES_Y / 2);

/// Sums step profiles over fifths of a second.
pub struct Buckets {
    width: usize,
    height: usize,
    samples: f64,
    region_samples: [f64; 8],
    open: Option<i64>,
    frames: f64,
    luma: [f64; TILES],
    columns: Vec<f64>,
    rows: Vec<f64>,
    plans: [Plan; 2],
}

impl Buckets {
    pub fn new(width: usize, height: usize, scale: f64) -> Buckets {
        let lines = sampled_rows(width, height).len() * sampled_columns(width);
        let every: Vec<usize> = (0..height).collect();
        let region_samples = regions(&tile_samples(width, height, &every));
        Buckets {
            width,
            height,
            samples: ((width * height * lines) as f64).sqrt().max(1.0 / scale) * scale,
            region_samples: region_samples.map(|count| count.max(1.0) * scale),
            open: None,
            frames: 0.0,
            luma: [0.0; TILES],
            columns: vec![0.0; width],
            rows: vec![0.0; height],
            plans: [Plan::new(width), Plan::new(height)],
        }
    }

    pub fn reset(&mut self) {
        self.open = None;
    }

    pub fn push(&mut self, start_s: f64, input: &[u32], table: &mut Table) {
        // A time on the edge of a bucket, as a float, may lie just below it.
        let bucket = (start_s * BUCKETS_HZ + 1e-6).floor() as i64;
        if self.open != Some(bucket) {
            self.close(table);
            self.open = Some(bucket);
        }
        self.frames += 1.0;
        for (sum, &more) in self.luma.iter_mut().zip(&input[at::TILE_LUMA..]) {
            *sum += f64::from(more);
        }
        let steps = &input[at::COLUMN_STEP..];
        for (sum, &more) in self.columns.iter_mut().zip(steps) {
            *sum += f64::from(more);
        }
        for (sum, &more) in self.rows.iter_mut().zip(&steps[self.width..]) {
            *sum += f64::from(more);
        }
    }

    pub fn close(&mut self, table: &mut Table) {
        if let Some(bucket) = self.open.take() {
            let [wide, high] = &self.plans;
            let (across, down) = (comb(&self.columns, wide), comb(&self.rows, high));
            let both: Vec<f64> = across.iter().zip(&down).map(|(a, b)| (a.0 * b.0).sqrt()).collect();
            let best = (0..both.len()).fold(0, |best, i| if both[i] > both[best] { i } else { best });
            let clarity = (across[best].1 * down[best].1).sqrt();
            let sums = self.columns.iter().sum::<f64>() * self.rows.iter().sum::<f64>();
            let height = both[best] * sums.sqrt() / (self.samples * self.frames);
            let mut row = [0.0; COLUMNS];
            for (into, value) in row.iter_mut().zip([both[best], clarity, PERIODS_PX[best], height]) {
                *into = saturate(value * STEPS, 0.0, 65_535.0);
            }
            let levels = regions(&self.luma);
            for i in 0..8 {
                let level = levels[i] / self.frames / self.region_samples[i];
                row[4 + i] = saturate(level, 0.0, 255.0);
            }
            row[12] = ((self.width * self.height) as f64).sqrt();
            table.add(bucket as f64 / BUCKETS_HZ, &row);
        }
        self.frames = 0.0;
        self.luma = [0.0; TILES];
        self.columns.iter_mut().for_each(|sum| *sum = 0.0);
        self.rows.iter_mut().for_each(|sum| *sum = 0.0);
    }
}

fn regions(tiles: &[f64; TILES]) -> [f64; 8] {
    let mut sums = [0.0; 8];
    for (tile, value) in tiles.iter().enumerate() {
        let (row, column) = (tile / TILES_X, tile % TILES_X);
        sums[row / REGION.1 * 4 + column / REGION.0] += value;
    }
    sums
}

pub fn decide(table: &Table, limit: &[f64], _nominal_s: f64) -> Vec<Finding> {
    let count = table.len();
    if count == 0 {
        return Vec::new();
    }
    let starts_s = &table.starts_s;
    let ends_s: Vec<f64> = starts_s.iter().map(|start| start + 1.0 / BUCKETS_HZ).collect();
    let [strength, clarity, period, height] = [0, 1, 2, 3].map(|i| table.column(i, STEPS));
    let size_px = table.columns[12][0];
    let part = (size_px / FULL_PX).clamp(LEAST_SIZE, 1.0).sqrt();
    let (low, high) = (limit[0] * part, limit[1] * part);
    let shown: Vec<f64> = (0..count)
        .map(|row| {
            let seen = clarity[row] * (height[row] / limit[2]).clamp(HEIGHTS.0, HEIGHTS.1).sqrt();
            strength[row] * ((seen - low) / (high - low)).clamp(0.0, 1.0)
        })
        .collect();
    let level: Vec<f64> = shown.iter().map(|shown| (shown + limit[3]).log2()).collect();
    let usual = median(&level);
    let stands = stands_out(&level, limit[4], &cuts(table));
    let measure: Vec<f64> = (0..count)
        .map(|row| stands[row].max((level[row] - usual) / limit[5]))
        .collect();
    let settled = if count < 2 { measure } else { median_filter(&measure, 3) };
    let spans = bridge(hysteresis(&settled, 1.0, 1.0), starts_s, &ends_s, BRIDGE_S);
    let mut found = Vec::new();
    for (first, last) in spans {
        let span_s = (starts_s[first], ends_s[last - 1]);
        let duration_s = span_s.1 - span_s.0;
        if duration_s < MIN_DURATION_S {
            continue;
        }
        let highest = greatest(&settled[first..last]).max(0.0);
        let confidence = (highest / (highest + 1.0)).clamp(0.5, 0.99);
        let evidence = [
            duration_s,
            mean(&shown[first..last]),
            mean(&clarity[first..last]),
            mean(&height[first..last]),
            median(&period[first..last]),
            median(&shown),
        ];
        found.push(Finding::new((first, last), span_s, confidence, &evidence));
    }
    found
}

/// Tells the rows that begin a new shot, or a flash.
fn cuts(table: &Table) -> Vec<bool> {
    let count = table.len();
    let mut change = vec![0.0; count];
    for row in 1..count {
        let sum: f64 = (4..12).map(|i| (table.columns[i][row] - table.columns[i][row - 1]).abs()).sum();
        change[row] = sum / 8.0;
    }
    let around = median_filter(&change, CUT_AROUND_ROWS);
    (0..count).map(|row| change[row] > CUT_CODE && change[row] > CUT_RATIO * around[row]).collect()
}

/// Returns how far each row's run rose over its shot, 1 being what counts.
fn stands_out(level: &[f64], bound: f64, begins: &[bool]) -> Vec<f64> {
    let lead = median_filter(level, 5);
    let onward = risen(&lead, &rises(level, bound, begins));
    let turn = |values: &[f64]| values.iter().rev().copied().collect::<Vec<f64>>();
    // A fall is a rise with time reversed; a row begins a shot there where its successor did.
    let mut turned = vec![false];
    turned.extend(begins.iter().skip(1).rev());
    let backward = turn(&risen(&turn(&lead), &rises(&turn(level), bound, &turned)));
    onward.iter().zip(&backward).map(|(a, b)| a.max(*b)).collect()
}

/// Returns by how much a level is higher from each row on than before, 0 beside cuts.
fn rises(level: &[f64], bound: f64, begins: &[bool]) -> Vec<f64> {
    let count = level.len();
    let mut out = vec![0.0; count];
    if count < 6 {
        return out;
    }
    let mut shot = Vec::with_capacity(count);
    let mut number = 0;
    for &begin in begins {
        number += usize::from(begin);
        shot.push(number);
    }
    let clamp = |row: isize| row.clamp(0, count as isize - 1) as usize;
    for row in 3..count - 2 {
        let own = shot[row];
        let side = |first: isize, lacking: f64| {
            let inside = (first..first + WINDOW as isize).map(clamp);
            let kept: Vec<f64> =
                inside.map(|at| if shot[at] == own { level[at] } else { lacking }).collect();
            (kept.iter().filter(|value| **value != lacking).count(), sorted(&kept))
        };
        let (after, ahead) = side(row as isize, f64::INFINITY);
        let (before, behind) = side(row as isize - WINDOW as isize, f64::NEG_INFINITY);
        if after >= WINDOW && before >= WINDOW {
            out[row] = (ahead[1] - behind[WINDOW - 2]).max(0.0) / bound;
        }
    }
    out
}

fn risen(lead: &[f64], rise: &[f64]) -> Vec<f64> {
    let count = lead.len();
    let mut out = vec![0.0f64; count];
    let rising: Vec<bool> = rise.iter().map(|&rise| rise >= LEAST).collect();
    for (first, last) in runs(&rising) {
        let best = greatest(&rise[first..last]);
        // Where several rows fit alike, the one at which the level jumps.
        let mut jump = (f64::NEG_INFINITY, first);
        for row in (first..last).filter(|&row| rise[row] >= 0.9 * best) {
            let step = lead[row] - lead[row - 1];
            if step > jump.0 {
                jump = (step, row);
            }
        }
        let at = jump.1;
        let before = median(&lead[at.saturating_sub(WINDOW)..at]);
        let after = median(&lead[at..(at + WINDOW).min(count)]);
        let half = (before + after) / 2.0;
        let end = (at + 1..count).find(|&row| lead[row] < half).unwrap_or(count);
        for value in &mut out[at..end] {
            *value = value.max(best);
        }
    }
    out
}
