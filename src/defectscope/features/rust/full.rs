//! The measures that look at every sample of the luma plane.

use crate::grid::{vectors, Plane, TileSums, TILES};
use crate::lanes::{counts, ones, total, zero, Lanes};
use crate::record::Cursor;
use core::arch::wasm32::*;

/// Codes (8-bit-equivalent) at or below which a sample counts as dark.
const DARK: [u32; 2] = [20, 32];
/// Change (8-bit-equivalent) from which a sample counts as changed.
const CHANGED: u32 = 8;

/// Level and extremes, of the plane, of each row and of each tile.
pub struct Luma<L: Lanes> {
    lanes: L,
    plane: Plane,
    bright: [v128; 2],
    sum: *mut u64,
    lowest: *mut u32,
    highest: *mut u32,
    dark_counts: *mut u32,
    tiles: TileSums,
    row_sum: *mut u32,
    row_least: *mut u32,
    row_greatest: *mut u32,
}

impl<L: Lanes> Luma<L> {
    pub fn new(lanes: L, plane: Plane, shift: u32, out: &mut Cursor) -> Self {
        Luma {
            lanes,
            plane,
            bright: DARK.map(|code| lanes.splat((code + 1) << shift)),
            sum: out.take(1),
            lowest: out.take(1),
            highest: out.take(1),
            dark_counts: out.take(2),
            tiles: TileSums::new(out.take(TILES)),
            row_sum: out.take(plane.height),
            row_least: out.take(plane.height),
            row_greatest: out.take(plane.height),
        }
    }

    #[inline(never)]
    pub unsafe fn row(&mut self, r: usize, y: *const u8) {
        let l = self.lanes;
        let tiles = &mut self.tiles;
        let bright = self.bright;
        let (mut least, mut greatest) = (ones(), zero());
        let (mut row, mut brighter) = (zero(), [zero(); 2]);
        self.plane.runs(l, self.plane.width, |tile, from, to| {
            let (mut sum, mut first, mut second) = (zero(), zero(), zero());
            vectors(l, from, to, |x, keep| {
                let v = l.load(y.add(x * L::BYTES));
                let kept = v128_and(v, keep);
                sum = l.gather(sum, kept);
                greatest = l.greatest(greatest, kept);
                least = l.least(least, v128_or(v, v128_not(keep)));
                first = l.count(first, l.at_least(kept, bright[0]));
                second = l.count(second, l.at_least(kept, bright[1]));
            });
            let sum = l.sums(sum);
            tiles.add(tile, sum);
            row = i32x4_add(row, sum);
            brighter[0] = l.tally(brighter[0], first);
            brighter[1] = l.tally(brighter[1], second);
        });
        let row = total(row);
        let (least, greatest) = (l.minimum(least), l.maximum(greatest));
        *self.sum += row;
        *self.row_sum.add(r) = row as u32;
        *self.row_least.add(r) = least;
        *self.row_greatest.add(r) = greatest;
        *self.lowest = if r == 0 { least } else { least.min(*self.lowest) };
        *self.highest = greatest.max(*self.highest);
        for i in 0..2 {
            let dark = self.plane.width as u32 - total(counts(brighter[i])) as u32;
            *self.dark_counts.add(i) += dark;
        }
        if let Some(tile_row) = self.plane.closes(r) {
            self.tiles.close(tile_row);
        }
    }
}

/// What changed since the frame before.
pub struct Temporal<L: Lanes> {
    lanes: L,
    plane: Plane,
    changed: v128,
    sad: *mut u64,
    changed_count: *mut u32,
    tiles: TileSums,
    row_sad: *mut u32,
}

impl<L: Lanes> Temporal<L> {
    pub fn new(lanes: L, plane: Plane, shift: u32, has_previous: bool, out: &mut Cursor) -> Self {
        let flag = out.take::<u32>(1);
        unsafe { *flag = has_previous as u32 };
        Temporal {
            lanes,
            plane,
            changed: lanes.splat(CHANGED << shift),
            sad: out.take(1),
            changed_count: out.take(1),
            tiles: TileSums::new(out.take(TILES)),
            row_sad: out.take(plane.height),
        }
    }

    #[inline(never)]
    pub unsafe fn row(&mut self, r: usize, y: *const u8, previous: *const u8) {
        let l = self.lanes;
        let tiles = &mut self.tiles;
        let threshold = self.changed;
        let (mut row, mut changed) = (zero(), zero());
        self.plane.runs(l, self.plane.width, |tile, from, to| {
            let (mut sum, mut count) = (zero(), zero());
            vectors(l, from, to, |x, keep| {
                let x = x * L::BYTES;
                let d = v128_and(l.distance(l.load(y.add(x)), l.load(previous.add(x))), keep);
                sum = l.gather(sum, d);
                count = l.count(count, l.at_least(d, threshold));
            });
            let sum = l.sums(sum);
            tiles.add(tile, sum);
            row = i32x4_add(row, sum);
            changed = l.tally(changed, count);
        });
        let row = total(row);
        *self.sad += row;
        *self.row_sad.add(r) = row as u32;
        *self.changed_count += total(counts(changed)) as u32;
        if let Some(tile_row) = self.plane.closes(r) {
            self.tiles.close(tile_row);
        }
    }
}

/// Differences from row to row, and those of them that stand out from both neighbours.
pub struct Rows<L: Lanes> {
    lanes: L,
    plane: Plane,
    /// The differences of the last two rows, by the parity of their row.
    lines: [*mut u8; 2],
    row_difference: *mut u32,
    row_step: *mut u32,
}

impl<L: Lanes> Rows<L> {
    pub fn new(lanes: L, plane: Plane, out: &mut Cursor, scratch: &mut Cursor) -> Self {
        let bytes = plane.width * L::BYTES + 16;
        Rows {
            lanes,
            plane,
            lines: [scratch.take(bytes), scratch.take(bytes)],
            row_difference: out.take(plane.height),
            row_step: out.take(plane.height),
        }
    }

    /// Takes row r >= 1 and the one above it; gives the difference of r and the step of r - 1.
    #[inline(never)]
    pub unsafe fn row(&mut self, r: usize, y: *const u8, above: *const u8) {
        let l = self.lanes;
        let before = self.lines[(r + 1) & 1];
        // Holds the differences of row r - 2 until those of row r take their place.
        let line = self.lines[r & 1];
        let (mut difference, mut step) = (zero(), zero());
        self.plane.blocks(l, |x, keep| {
            let x = x * L::BYTES;
            let d = v128_and(l.distance(l.load(y.add(x)), l.load(above.add(x))), keep);
            let at = line.add(x) as *mut v128;
            let around = l.greatest(d, v128_load(at));
            let middle = v128_load(before.add(x) as *const v128);
            v128_store(at, d);
            difference = l.gather(difference, d);
            step = l.gather(step, l.excess(middle, around));
        });
        *self.row_difference.add(r) = total(l.sums(difference)) as u32;
        // Rows 1 and the last have a neighbour on one side only.
        if r >= 3 {
            *self.row_step.add(r - 1) = total(l.sums(step)) as u32;
        }
    }
}
