//! The measures of fine structure, on sampled rows: activity, sharpness, noise, banding.

use crate::grid::{vectors, Plane, TileSquares, TileSums, TILES};
use crate::lanes::{counts, leading, total, zero, Lanes, FLUSH};
use crate::record::Cursor;
use core::arch::wasm32::*;

/// Gradients (8-bit-equivalent) from which the activity counters count.
const GRADIENTS: [u32; LEVELS] = [1, 2, 3, 4, 8, 16, 32, 64];
const LEVELS: usize = 8;
/// How many sizes of step the banding counters tell apart.
const STEPS: usize = 6;

/// Level, spread and gradients.
pub struct Activity<L: Lanes> {
    lanes: L,
    plane: Plane,
    limits: [v128; LEVELS],
    counts: *mut u32,
    gradient: TileSums,
    luma: TileSums,
    squares: TileSquares,
}

impl<L: Lanes> Activity<L> {
    pub fn new(lanes: L, plane: Plane, shift: u32, out: &mut Cursor) -> Self {
        Activity {
            lanes,
            plane,
            limits: GRADIENTS.map(|code| lanes.splat((code << shift) - 1)),
            counts: out.take(LEVELS),
            gradient: TileSums::new(out.take(TILES)),
            luma: TileSums::new(out.take(TILES)),
            squares: TileSquares::new(out.take(TILES)),
        }
    }

    #[inline(never)]
    pub unsafe fn row(&mut self, y: *const u8, below: Option<*const u8>) {
        let l = self.lanes;
        let (luma, squares) = (&mut self.luma, &mut self.squares);
        self.plane.runs(l, self.plane.width, |tile, from, to| {
            let (mut sum, mut square) = (zero(), zero());
            vectors(l, from, to, |x, keep| {
                let v = v128_and(l.load(y.add(x * L::BYTES)), keep);
                sum = l.gather(sum, v);
                square = l.gather_squares(square, v);
            });
            luma.add(tile, l.sums(sum));
            squares.add(tile, square);
        });
        let below = match below {
            Some(below) => below,
            None => return,
        };
        let gradient = &mut self.gradient;
        let limits = &self.limits;
        let mut tallies = [zero(); LEVELS];
        self.plane.runs(l, self.plane.width - 1, |tile, from, to| {
            let mut sum = zero();
            let mut counters = [zero(); LEVELS];
            vectors(l, from, to, |x, keep| {
                let x = x * L::BYTES;
                let v = l.load(y.add(x));
                let across = l.distance(v, l.load(y.add(x + L::BYTES)));
                let down = l.distance(v, l.load(below.add(x)));
                let g = v128_and(l.add(across, down), keep);
                sum = l.gather(sum, g);
                for i in 0..LEVELS {
                    counters[i] = l.count(counters[i], l.over(g, limits[i]));
                }
            });
            gradient.add(tile, l.sums(sum));
            for i in 0..LEVELS {
                tallies[i] = l.tally(tallies[i], counters[i]);
            }
        });
        for (i, tally) in tallies.iter().enumerate() {
            *self.counts.add(i) += total(counts(*tally)) as u32;
        }
    }

    pub fn close(&mut self, tile_row: usize) {
        self.gradient.close(tile_row);
        self.luma.close(tile_row);
        self.squares.close(tile_row);
    }
}

/// Squared differences at 1, 2 and 4 samples: the softer a picture, the faster they fall from 4 to 1.
pub struct Sharpness<L: Lanes> {
    lanes: L,
    plane: Plane,
    across: [TileSquares; 3],
    down: *mut u64,
}

impl<L: Lanes> Sharpness<L> {
    pub fn new(lanes: L, plane: Plane, out: &mut Cursor) -> Self {
        Sharpness {
            lanes,
            plane,
            across: [
                TileSquares::new(out.take(TILES)),
                TileSquares::new(out.take(TILES)),
                TileSquares::new(out.take(TILES)),
            ],
            down: out.take(3),
        }
    }

    /// Takes a row that has four more below it.
    #[inline(never)]
    pub unsafe fn row(&mut self, y: *const u8, stride: usize) {
        let l = self.lanes;
        let across = &mut self.across;
        let mut down = [0; 3];
        let count = self.plane.width.saturating_sub(4);
        self.plane.runs(l, count, |tile, from, to| {
            let mut horizontal = [zero(); 3];
            let mut vertical = [zero(); 3];
            vectors(l, from, to, |x, keep| {
                let at = y.add(x * L::BYTES);
                let v = l.load(at);
                for i in 0..3 {
                    let right = l.load(at.add(L::BYTES << i));
                    let d = v128_and(l.distance(v, right), keep);
                    horizontal[i] = l.gather_squares(horizontal[i], d);
                    let d = v128_and(l.distance(v, l.load(at.add(stride << i))), keep);
                    vertical[i] = l.gather_squares(vertical[i], d);
                }
            });
            for i in 0..3 {
                across[i].add(tile, horizontal[i]);
                down[i] += total(vertical[i]);
            }
        });
        for (i, sum) in down.iter().enumerate() {
            *self.down.add(i) += sum;
        }
    }

    pub fn close(&mut self, tile_row: usize) {
        for tiles in self.across.iter_mut() {
            tiles.close(tile_row);
        }
    }
}

/// Second differences: what noise is made of, and what blur takes first.
pub struct Noise<L: Lanes> {
    lanes: L,
    plane: Plane,
    line: *mut u8,
    noise: TileSums,
    laplacian: TileSquares,
}

impl<L: Lanes> Noise<L> {
    pub fn new(lanes: L, plane: Plane, out: &mut Cursor, spare: &mut Cursor) -> Self {
        Noise {
            lanes,
            plane,
            line: spare.take(plane.width * 2 + 32),
            noise: TileSums::new(out.take(TILES)),
            laplacian: TileSquares::new(out.take(TILES)),
        }
    }

    /// Takes a row that has one above and one below it.
    #[inline(never)]
    pub unsafe fn row(&mut self, y: *const u8, stride: usize) {
        let l = self.lanes;
        let line = self.line;
        let sample = |row: *const u8, x: usize| l.load_ten_bit(row.add(x * L::BYTES));
        let (above, below) = (y.sub(stride), y.add(stride));
        let mut x = 0;
        while x < self.plane.width {
            let twice = i16x8_shl(sample(y, x), 1);
            let second = i16x8_sub(i16x8_add(sample(above, x), sample(below, x)), twice);
            v128_store(line.add(2 * x) as *mut v128, second);
            x += 8;
        }
        let vertical = |x: usize| v128_load(line.add(2 * x) as *const v128);
        let (noise, laplacian) = (&mut self.noise, &mut self.laplacian);
        let count = self.plane.width.saturating_sub(2);
        self.plane.runs(l, count, |tile, from, to| {
            let (mut sum, mut square) = (zero(), zero());
            let mut step = |x: usize, keep: v128| {
                let middle = vertical(x + 1);
                let outer = i16x8_add(vertical(x), vertical(x + 2));
                let n = i16x8_abs(i16x8_sub(outer, i16x8_shl(middle, 1)));
                sum = i32x4_add(sum, u32x4_extadd_pairwise_u16x8(v128_and(n, keep)));
                let twice = i16x8_shl(sample(y, x + 1), 1);
                let across = i16x8_sub(i16x8_add(sample(y, x), sample(y, x + 2)), twice);
                let both = i16x8_abs(i16x8_add(across, middle));
                let code = v128_and(l.from_ten_bit(both), keep);
                square = i32x4_add(square, i32x4_dot_i16x8(code, code));
            };
            let mut x = from;
            while x + 8 <= to {
                step(x, crate::lanes::ones());
                x += 8;
            }
            if x < to {
                step(x, leading((to - x) * 2));
            }
            noise.add(tile, sum);
            laplacian.add(tile, square);
        });
    }

    pub fn close(&mut self, tile_row: usize) {
        self.noise.close(tile_row);
        self.laplacian.close(tile_row);
    }
}

/// Small steps between flat flanks, across and down.
pub struct Banding<L: Lanes> {
    lanes: L,
    plane: Plane,
    tolerance: v128,
    limits: [v128; STEPS],
    counts: *mut u32,
    steps: TileSums,
    flats: TileSums,
}

impl<L: Lanes> Banding<L> {
    pub fn new(lanes: L, plane: Plane, shift: u32, out: &mut Cursor) -> Self {
        let tolerance = (1 << shift) >> 1;
        let codes = |count: u32| lanes.splat(count << shift);
        Banding {
            lanes,
            plane,
            tolerance: lanes.splat(tolerance),
            limits: [
                lanes.splat(tolerance),
                codes(1),
                codes(2),
                codes(3),
                codes(4),
                codes(8),
            ],
            counts: out.take(2 * STEPS),
            steps: TileSums::new(out.take(TILES)),
            flats: TileSums::new(out.take(TILES)),
        }
    }

    #[inline(never)]
    pub unsafe fn across(&mut self, y: *const u8) {
        self.measure(0, y, L::BYTES, self.plane.width.saturating_sub(9));
    }

    /// Takes the topmost of ten rows, the step lying between the fifth and the sixth.
    #[inline(never)]
    pub unsafe fn down(&mut self, y: *const u8, stride: usize) {
        self.measure(1, y, stride, self.plane.width);
    }

    #[inline(always)]
    unsafe fn measure(&mut self, direction: usize, y: *const u8, pitch: usize, count: usize) {
        let l = self.lanes;
        let (tolerance, limits) = (self.tolerance, &self.limits);
        let (steps, flats) = (&mut self.steps, &mut self.flats);
        let mut tallies = [zero(); STEPS];
        self.plane.runs(l, count, |tile, from, to| {
            let mut counters = [zero(); STEPS];
            let mut flat = zero();
            vectors(l, from, to, |x, keep| {
                let at = |i: usize| l.load(y.add(x * L::BYTES + i * pitch));
                let (a, b) = (at(4), at(5));
                let left = l.greatest(l.distance(a, at(0)), l.distance(a, at(2)));
                let right = l.greatest(l.distance(b, at(7)), l.distance(b, at(9)));
                let still = l.at_most(l.greatest(left, right), tolerance);
                let flanked = v128_and(still, keep);
                // Outside flat flanks the step reads as none.
                let step = v128_and(l.distance(a, b), flanked);
                flat = l.count(flat, v128_and(flanked, l.splat(1)));
                if v128_any_true(step) {
                    for i in 0..STEPS {
                        counters[i] = l.count(counters[i], l.over(step, limits[i]));
                    }
                }
            });
            for i in 0..STEPS {
                tallies[i] = l.tally(tallies[i], counters[i]);
            }
            let count = |counter: v128| counts(l.tally(zero(), counter));
            steps.add(tile, i32x4_sub(count(counters[0]), count(counters[4])));
            flats.add(tile, i32x4_sub(count(flat), count(counters[0])));
        });
        for (i, tally) in tallies.iter().enumerate() {
            *self.counts.add(direction * STEPS + i) += total(counts(*tally)) as u32;
        }
    }

    pub fn close(&mut self, tile_row: usize) {
        self.steps.close(tile_row);
        self.flats.close(tile_row);
    }
}

// Second differences are gathered eight at a time: twice as many additions for 8-bit samples.
// 2 x FLUSH x 2 x (4 x 1023 / 4)^2 is still below 2^32.
const _: () = assert!((2 * FLUSH as u64) * 2 * 1023 * 1023 < 1 << 32);
