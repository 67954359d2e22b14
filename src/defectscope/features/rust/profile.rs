//! The luma measures of sampled rows: histogram, column profiles, fields.

use crate::grid::{vectors, Plane, TileSums, TILES};
use crate::lanes::{counts, total, zero, Lanes, COLUMN_BYTES};
use crate::record::Cursor;
use core::arch::wasm32::*;

/// Depth (8-bit-equivalent) from which a sample counts as combed.
const COMBED: u32 = 10;

/// Luma of the sampled rows in 256 bins, on every second column.
pub struct Histogram<L: Lanes> {
    lanes: L,
    plane: Plane,
    bins: *mut u32,
    /// Three more tables, so that runs of equal samples need not wait for each other.
    spare: *mut u32,
}

impl<L: Lanes> Histogram<L> {
    pub fn new(lanes: L, plane: Plane, out: &mut Cursor, spare: &mut Cursor) -> Self {
        Histogram {
            lanes,
            plane,
            bins: out.take(256),
            spare: spare.take(3 * 256),
        }
    }

    #[inline(never)]
    pub unsafe fn row(&mut self, y: *const u8) {
        // In locals: a store to a bin might change a field behind `self`.
        let (lanes, bins, spare, width) = (self.lanes, self.bins, self.spare, self.plane.width);
        let bump = |table: *mut u32, x: usize| {
            *table.add(lanes.code(y.add(x * L::BYTES)) as usize) += 1;
        };
        let mut x = 0;
        while x + 8 <= width {
            bump(bins, x);
            bump(spare, x + 2);
            bump(spare.add(256), x + 4);
            bump(spare.add(512), x + 6);
            x += 8;
        }
        while x < width {
            bump(bins, x);
            x += 2;
        }
    }

    pub unsafe fn finish(&mut self) {
        for i in 0..256 {
            *self.bins.add(i) +=
                *self.spare.add(i) + *self.spare.add(256 + i) + *self.spare.add(512 + i);
        }
    }
}

/// A line of per-column sums in scratch memory, and where it goes in the record.
struct ColumnSums {
    line: *mut u8,
    out: *mut u32,
}

impl ColumnSums {
    fn new(plane: Plane, out: &mut Cursor, scratch: &mut Cursor) -> ColumnSums {
        let bytes = (plane.width + 16) * COLUMN_BYTES;
        ColumnSums {
            line: scratch.take(bytes),
            out: out.take(plane.width),
        }
    }

    /// Writes `count` sums to the record, the first at column `first`.
    unsafe fn write<L: Lanes>(&self, lanes: L, first: usize, count: usize) {
        for x in 0..count {
            *self.out.add(first + x) = lanes.column(self.line, x);
        }
    }
}

/// Sum and greatest luma of each column.
pub struct Columns<L: Lanes> {
    lanes: L,
    plane: Plane,
    sums: ColumnSums,
    greatest: *mut u8,
    column_greatest: *mut u32,
}

impl<L: Lanes> Columns<L> {
    pub fn new(lanes: L, plane: Plane, out: &mut Cursor, scratch: &mut Cursor) -> Self {
        Columns {
            lanes,
            plane,
            sums: ColumnSums::new(plane, out, scratch),
            greatest: scratch.take((plane.width + 16) * 2),
            column_greatest: out.take(plane.width),
        }
    }

    #[inline(never)]
    pub unsafe fn row(&mut self, y: *const u8) {
        let l = self.lanes;
        vectors(l, 0, self.plane.width, |x, keep| {
            let v = v128_and(l.load(y.add(x * L::BYTES)), keep);
            l.add_to_columns(self.sums.line, x, v);
            let at = self.greatest.add(x * L::BYTES) as *mut v128;
            v128_store(at, l.greatest(v128_load(at), v));
        });
    }

    pub unsafe fn finish(&mut self) {
        self.sums.write(self.lanes, 0, self.plane.width);
        for x in 0..self.plane.width {
            *self.column_greatest.add(x) = self.lanes.sample(self.greatest.add(x * L::BYTES));
        }
    }
}

/// Differences from column to column, and those that stand out from both neighbours.
pub struct Grid<L: Lanes> {
    lanes: L,
    plane: Plane,
    difference: ColumnSums,
    step: ColumnSums,
}

impl<L: Lanes> Grid<L> {
    pub fn new(lanes: L, plane: Plane, out: &mut Cursor, scratch: &mut Cursor) -> Self {
        Grid {
            lanes,
            plane,
            difference: ColumnSums::new(plane, out, scratch),
            step: ColumnSums::new(plane, out, scratch),
        }
    }

    #[inline(never)]
    pub unsafe fn row(&mut self, y: *const u8) {
        let l = self.lanes;
        let at = |x: usize| l.load(y.add(x * L::BYTES));
        vectors(l, 0, self.plane.width - 1, |x, keep| {
            let d = v128_and(l.distance(at(x), at(x + 1)), keep);
            l.add_to_columns(self.difference.line, x, d);
        });
        vectors(l, 0, self.plane.width.saturating_sub(3), |x, keep| {
            let (b, c) = (at(x + 1), at(x + 2));
            let around = l.greatest(l.distance(at(x), b), l.distance(c, at(x + 3)));
            let step = l.excess(l.distance(b, c), around);
            l.add_to_columns(self.step.line, x, v128_and(step, keep));
        });
    }

    pub unsafe fn finish(&mut self) {
        let width = self.plane.width;
        self.difference.write(self.lanes, 1, width - 1);
        self.step.write(self.lanes, 2, width.saturating_sub(3));
    }
}

/// How far rows stand out from the rows above and below, within a frame and across two.
pub struct Fields<L: Lanes> {
    lanes: L,
    plane: Plane,
    uncombed: v128,
    sums: *mut u64,
    counts: *mut u32,
    tiles: TileSums,
}

impl<L: Lanes> Fields<L> {
    pub fn new(lanes: L, plane: Plane, shift: u32, out: &mut Cursor) -> Self {
        Fields {
            lanes,
            plane,
            uncombed: lanes.splat((COMBED << shift) - 1),
            sums: out.take(8),
            counts: out.take(8),
            tiles: TileSums::new(out.take(TILES)),
        }
    }

    /// Takes a row with two more on either side; `previous` is the same row one frame earlier.
    #[inline(never)]
    pub unsafe fn row(&mut self, r: usize, y: *const u8, previous: *const u8, stride: usize) {
        self.weave(r, 0, y, y.sub(stride), y.add(stride), true);
        if !previous.is_null() {
            self.weave(r, 1, previous, y.sub(stride), y.add(stride), false);
            let (above, below) = (previous.sub(stride), previous.add(stride));
            self.weave(r, 2, y, above, below, false);
        }
        self.weave(r, 3, y, y.sub(2 * stride), y.add(2 * stride), false);
    }

    #[inline(always)]
    unsafe fn weave(
        &mut self,
        r: usize,
        kind: usize,
        row: *const u8,
        above: *const u8,
        below: *const u8,
        by_tile: bool,
    ) {
        let l = self.lanes;
        let uncombed = self.uncombed;
        let tiles = &mut self.tiles;
        let (mut depth, mut count) = (zero(), zero());
        self.plane.runs(l, self.plane.width, |tile, from, to| {
            let (mut sum, mut counter) = (zero(), zero());
            vectors(l, from, to, |x, keep| {
                let x = x * L::BYTES;
                let (a, b) = (l.load(above.add(x)), l.load(below.add(x)));
                let c = v128_and(l.load(row.add(x)), keep);
                let (a, b) = (v128_and(a, keep), v128_and(b, keep));
                let over = l.least(l.excess(c, a), l.excess(c, b));
                let under = l.least(l.excess(a, c), l.excess(b, c));
                let d = v128_or(over, under);
                sum = l.gather(sum, d);
                counter = l.count(counter, l.over(d, uncombed));
            });
            depth = i32x4_add(depth, l.sums(sum));
            count = l.tally(count, counter);
            if by_tile {
                tiles.add(tile, counts(l.tally(zero(), counter)));
            }
        });
        let at = (r & 1) * 4 + kind;
        *self.sums.add(at) += total(depth);
        *self.counts.add(at) += total(counts(count)) as u32;
    }

    pub fn close(&mut self, tile_row: usize) {
        self.tiles.close(tile_row);
    }
}
