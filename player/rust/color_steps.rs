//! How colour changes from one frame to the next, over the means of tiles.

use crate::geometry::TILES;
use crate::measure::at;
use crate::series::{mean, median};
use crate::table::{saturate, Table};

/// Full-range conversion stretches luma about the middle of 16 and 235.
/// Source: ITU-R BT.709-6, table 4 (nominal range of luma).
const PIVOT_CODE: f64 = 125.5;
const BLACK_CODE: f64 = 16.0;
const LEAST_ENERGY: f64 = 0.25;
const LEAST_SPREAD: f64 = 4.0;
/// Source: EBU R 103 (8-bit, 5 to 246).
const LEGAL_CODES: (usize, usize) = (5, 246);

/// Steps of a unit in which each column is kept, and the range of its integers.
pub const KEPT: [(f64, f64, f64); 22] = [
    (16.0, -32_768.0, 32_767.0),  // cast_u
    (16.0, -32_768.0, 32_767.0),  // cast_v
    (64.0, -128.0, 127.0),        // gain
    (64.0, -128.0, 127.0),        // gain_back
    (64.0, 0.0, 65_535.0),        // as_is
    (255.0, 0.0, 255.0),          // as_cast, a share of as_is
    (255.0, 0.0, 255.0),          // as_gain, likewise
    (255.0, 0.0, 255.0),          // as_gain_back, likewise
    (16.0, 0.0, 65_535.0),        // as_swap
    (32.0, 0.0, 65_535.0),        // luma_change
    (2048.0, -32_768.0, 32_767.0), // slope
    (16.0, -32_768.0, 32_767.0),  // pivot_change
    (32.0, 0.0, 65_535.0),        // luma_left
    (2.0, 0.0, 255.0),            // saturation
    (65_535.0, 0.0, 65_535.0),    // outside_share
    (255.0, 0.0, 255.0),          // as_flat, a share of as_is
    (255.0, 0.0, 255.0),          // as_flat_back, likewise
    (8192.0, -32_768.0, 32_767.0), // turn
    (64.0, 0.0, 255.0),           // turn_gain
    (255.0, 0.0, 255.0),          // as_turn, a share of as_is
    (255.0, 0.0, 255.0),          // as_tint, likewise
    (32.0, -32_768.0, 32_767.0),  // lift
];
const NEUTRAL: [f64; 13] = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// Means of the tiles that hold colour: luma, U and V less grey, in codes.
type Planes = [Vec<f64>; 3];

pub struct Colors {
    luma_codes: [f64; TILES],
    color_codes: [f64; TILES],
    /// Tiles in which there are samples of colour, or all where there is none.
    kept: Vec<usize>,
    has_color: bool,
    full_range: bool,
    last: Option<Planes>,
}

impl Colors {
    pub fn new(luma_codes: [f64; TILES], color: [f64; TILES], scale: f64, full: bool) -> Colors {
        let has_color = color.iter().any(|&count| count > 0.0);
        Colors {
            luma_codes,
            color_codes: color.map(|count| count.max(1.0) * scale),
            kept: (0..TILES).filter(|&tile| !has_color || color[tile] > 0.0).collect(),
            has_color,
            full_range: full,
            last: None,
        }
    }

    pub fn reset(&mut self) {
        self.last = None;
    }

    pub fn push(&mut self, start_s: f64, input: &[u32], table: &mut Table) {
        let now = self.planes(input);
        let mut row = [0.0; KEPT.len()];
        match &self.last {
            Some(before) => step(before, &now, &mut row),
            None => row[..NEUTRAL.len()].copy_from_slice(&NEUTRAL), // and 0 for the rest
        }
        let strengths = now[1].iter().zip(&now[2]).map(|(u, v)| u.abs().max(v.abs()));
        row[13] = strengths.sum::<f64>() / now[1].len() as f64;
        row[14] = self.outside(&input[at::HISTOGRAM..at::HISTOGRAM + 256]);
        for (value, (steps, low, high)) in row.iter_mut().zip(KEPT) {
            *value = saturate(*value * steps, low, high);
        }
        table.add(start_s, &row);
        self.last = Some(now);
    }

    fn planes(&self, input: &[u32]) -> Planes {
        let means = |first: usize, codes: &[f64; TILES], grey: f64| {
            self.kept.iter().map(|&tile| f64::from(input[first + tile]) / codes[tile] - grey).collect()
        };
        let color = |first: usize| {
            if self.has_color { means(first, &self.color_codes, 128.0) } else { vec![0.0; self.kept.len()] }
        };
        [means(at::TILE_LUMA, &self.luma_codes, 0.0), color(at::TILE_U), color(at::TILE_V)]
    }

    /// Returns the share of luma outside tolerance; a full-range stream has no such codes.
    fn outside(&self, histogram: &[u32]) -> f64 {
        let sum = |bins: &[u32]| bins.iter().map(|&count| f64::from(count)).sum::<f64>();
        let outside = sum(&histogram[..LEGAL_CODES.0]) + sum(&histogram[LEGAL_CODES.1 + 1..]);
        if self.full_range { 0.0 } else { outside / sum(histogram).max(1.0) }
    }
}

/// Writes how a frame's tiles differ from those of the frame before.
fn step(before: &Planes, now: &Planes, row: &mut [f64; KEPT.len()]) {
    let (u0, v0, u1, v1) = (&before[1], &before[2], &now[1], &now[2]);
    let minus = |a: &[f64], b: &[f64], share: f64| -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| a - share * b).collect()
    };
    let product = |a: &[f64], b: &[f64]| {
        a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / a.len() as f64
    };
    let size = |values: &[f64]| values.iter().map(|value| value.abs()).sum::<f64>() / values.len() as f64;
    let left = |u: &[f64], v: &[f64]| (size(u) + size(v)) / 2.0;
    let (du, dv) = (minus(u1, u0, 1.0), minus(v1, v0, 1.0));
    let (cast_u, cast_v) = (median(&du), median(&dv));
    let common = product(u0, u1) + product(v0, v1);
    let gain = |energy: f64| {
        if energy > LEAST_ENERGY { common / energy.max(LEAST_ENERGY) } else { 1.0 }
    };
    let there = gain(product(u0, u0) + product(v0, v0));
    let back = gain(product(u1, u1) + product(v1, v1));
    let off = |values: &[f64], cast: f64| -> Vec<f64> { values.iter().map(|v| v - cast).collect() };
    let as_is = left(&du, &dv);
    let whole = as_is.max(1e-9);
    row[..5].copy_from_slice(&[cast_u, cast_v, there, back, as_is]);
    row[5] = left(&off(&du, cast_u), &off(&dv, cast_v)) / whole;
    row[6] = left(&minus(u1, u0, there), &minus(v1, v0, there)) / whole;
    row[7] = left(&minus(u0, u1, back), &minus(v0, v1, back)) / whole;
    row[8] = left(&minus(u1, v0, 1.0), &minus(v1, u0, 1.0));

    let (y0, y1) = (off(&before[0], PIVOT_CODE), off(&now[0], PIVOT_CODE));
    let (mean0, mean1) = (mean(&y0), mean(&y1));
    let (d0, d1) = (off(&y0, mean0), off(&y1, mean1));
    let spread = product(&d0, &d0);
    let slope = if spread > LEAST_SPREAD { product(&d0, &d1) / spread } else { 1.0 };
    row[9] = size(&minus(&y1, &y0, 1.0));
    row[10] = slope;
    row[11] = mean1 - slope * mean0;
    row[12] = size(&minus(&d1, &d0, slope));

    // One plane of colour becomes one value everywhere, and the other stays.
    let flat = |u: &[f64], v: &[f64]| {
        left(&off(u, median(u)), &dv).min(left(&off(v, median(v)), &du))
    };
    row[15] = flat(u1, v1) / whole;
    row[16] = flat(u0, v0) / whole;
    let energy = (product(u0, u0) + product(v0, v0)).max(LEAST_ENERGY);
    let along = common / energy;
    let across = (product(u0, v1) - product(v0, u1)) / energy;
    let turned = |own: &[f64], was: &[f64], other: &[f64], sign: f64| -> Vec<f64> {
        let (was, other) = (was.iter(), other.iter());
        own.iter().zip(was.zip(other)).map(|(a, (b, c))| a - along * b + sign * across * c).collect()
    };
    row[17] = across.atan2(along);
    row[18] = along.hypot(across);
    row[19] = left(&turned(u1, u0, v0, 1.0), &turned(v1, v0, u0, -1.0)) / whole;
    let light = off(&before[0], BLACK_CODE);
    let lit = product(&light, &light).max(LEAST_ENERGY);
    let tint = |change: &[f64]| minus(change, &light, product(&light, change) / lit);
    row[20] = left(&tint(&du), &tint(&dv)) / whole;
    row[21] = mean1 - mean0;
}
