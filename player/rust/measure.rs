//! From the integers of a frame to the rows that detectors decide on.

use crate::blockiness::Buckets;
use crate::color_steps::Colors;
use crate::geometry::{sampled_rows, tile_samples, TILES};
use crate::series::put_in_order;
use crate::table::{saturate, Table};
use crate::{black, freeze, stutter};

/// Where a frame's integers lie in the input, in 32-bit words; 64-bit ones have their low word first.
pub mod at {
    use crate::geometry::TILES;
    pub const LUMA_SUM: usize = 0;
    pub const SAD: usize = 2;
    pub const DARK_COUNT: usize = 4;
    pub const TILE_SAD: usize = 8;
    pub const TILE_LUMA: usize = TILE_SAD + TILES;
    pub const TILE_U: usize = TILE_LUMA + TILES;
    pub const TILE_V: usize = TILE_U + TILES;
    pub const HISTOGRAM: usize = TILE_V + TILES;
    pub const COLUMN_STEP: usize = HISTOGRAM + 256;
    // The steps between rows follow those between columns, then the highest code of each row.
}

const WORD: f64 = 65_535.0;
const STEPS_PER_APART: f64 = 160.0;
// So many of the tiles may go on while a frame stands.
const FREE_TILES: usize = 15;

pub struct Measure {
    width: usize,
    height: usize,
    scale: f64,
    tile_samples: [f64; TILES],
    input: Vec<u32>,
    last_tiles: Option<[f64; TILES]>,
    colors: Colors,
    buckets: Buckets,
}

impl Measure {
    pub fn new(sizes: [usize; 4], bit_depth: u32, full_range: bool) -> Measure {
        let [width, height, chroma_width, chroma_height] = sizes;
        let every: Vec<usize> = (0..height).collect();
        let scale = f64::from(1 << (bit_depth - 8));
        let tiles = tile_samples(width, height, &every).map(|count| count.max(1.0));
        let color_rows = sampled_rows(chroma_width, chroma_height);
        let color = tile_samples(chroma_width, chroma_height, &color_rows);
        Measure {
            width,
            height,
            scale,
            tile_samples: tiles,
            input: vec![0; at::COLUMN_STEP + width + 2 * height],
            last_tiles: None,
            colors: Colors::new(tiles.map(|n| n * scale), color, scale, full_range),
            buckets: Buckets::new(width, height, scale),
        }
    }

    pub fn input(&mut self) -> *mut u32 {
        self.input.as_mut_ptr()
    }

    pub fn reset(&mut self) {
        self.last_tiles = None;
        self.colors.reset();
        self.buckets.reset();
    }

    pub fn finish(&mut self, tables: &mut [Table]) {
        self.buckets.close(&mut tables[3]);
    }

    pub fn push(&mut self, start_s: f64, tables: &mut [Table]) {
        let word = |index: usize| f64::from(self.input[index]);
        let wide = |index: usize| word(index) + word(index + 1) * 4_294_967_296.0;
        let samples = (self.width * self.height) as f64;
        let luma = wide(at::LUMA_SUM) / samples / self.scale;
        let dark = word(at::DARK_COUNT) / samples;
        let row_max = at::COLUMN_STEP + self.width + self.height;
        let lit = black::lit_share(&self.input[row_max..row_max + self.height], self.scale);
        tables[0].add(
            start_s,
            &[
                saturate(luma * black::STEPS_PER_CODE, 0.0, WORD),
                saturate(dark * black::STEPS_PER_SHARE, 0.0, WORD),
                saturate(lit * black::STEPS_PER_SHARE, 0.0, WORD),
            ],
        );
        let sad = wide(at::SAD);
        let mean = saturate(sad / samples / self.scale * freeze::STEPS_PER_DIFFERENCE, 0.0, WORD);
        let mut peak: f64 = 0.0;
        for tile in 0..TILES {
            peak = peak.max(word(at::TILE_SAD + tile) / self.tile_samples[tile]);
        }
        let peak = saturate(peak / self.scale * freeze::STEPS_PER_DIFFERENCE, 0.0, WORD);
        let level = saturate(luma * freeze::STEPS_PER_LUMA, 0.0, WORD);
        let mut tiles = [0.0; TILES];
        for (tile, mean) in tiles.iter_mut().enumerate() {
            *mean = word(at::TILE_LUMA + tile) / (self.tile_samples[tile] * self.scale);
        }
        let before = self.last_tiles.unwrap_or(tiles);
        let mut steps = tiles;
        for (step, before) in steps.iter_mut().zip(&before) {
            *step = (*step - before).abs();
        }
        let moved: f64 = steps.iter().sum();
        // How far the tile moved that moved most, but for those that may go on by themselves.
        put_in_order(&mut steps, |a, b| a < b);
        let drift = steps[TILES - 1 - FREE_TILES] * stutter::STEPS_PER_MOVED_CODE;
        let drift = saturate(drift, 0.0, WORD);
        tables[1].add(start_s, &[mean, peak, level, drift]);
        let histogram = &self.input[at::HISTOGRAM..at::HISTOGRAM + 256];
        let apart = sad / (samples * self.scale) / strangeness(histogram).max(1.0);
        let moved = saturate(moved / TILES as f64 * stutter::STEPS_PER_MOVED_CODE, 0.0, WORD);
        let apart = saturate(apart * STEPS_PER_APART, 0.0, 255.0);
        tables[2].add(start_s, &[mean, peak, level, moved, drift, apart]);
        self.last_tiles = Some(tiles);

        self.buckets.push(start_s, &self.input, &mut tables[3]);
        self.colors.push(start_s, &self.input, &mut tables[4]);
    }
}

/// Returns how far two samples of a frame are apart on average, codes: Gini's mean difference.
fn strangeness(histogram: &[u32]) -> f64 {
    let total: f64 = histogram.iter().map(|&count| f64::from(count)).sum();
    let mut below = 0.0;
    let mut sum = 0.0;
    for &count in histogram {
        below += f64::from(count);
        let share = below / total.max(1.0);
        sum += share * (1.0 - share);
    }
    2.0 * sum
}
