//! The measures that look at every sample of the luma plane.

use crate::grid::{vectors, Plane, TileSums, TILES};
use crate::lanes::{counts, ones, total, zero, Lanes};
use crate::record::Cursor;
use core::arch::wasm32::*;

/// Code (8-bit-equivalent) up to which a sample counts as dark.
const DARK: u32 = 20;
/// Change (8-bit-equivalent) from which a sample counts as changed.
const CHANGED: u32 = 8;

/// Level and extremes, of the plane, of each row and of each tile.
struct Luma {
    dark: v128,
    sum: *mut u64,
    lowest: *mut u32,
    highest: *mut u32,
    dark_counts: *mut u32,
    tiles: TileSums,
    row_sum: *mut u32,
    row_least: *mut u32,
    row_greatest: *mut u32,
}

/// What changed since the frame before.
struct Temporal {
    unchanged: v128,
    sad: *mut u64,
    changed_count: *mut u32,
    tiles: TileSums,
    row_sad: *mut u32,
}

/// Levels and changes, which share a walk because nearly everyone wants both.
pub struct Full<L: Lanes> {
    lanes: L,
    plane: Plane,
    luma: Option<Luma>,
    temporal: Option<Temporal>,
}

impl<L: Lanes> Full<L> {
    pub fn new(lanes: L, plane: Plane) -> Self {
        Full {
            lanes,
            plane,
            luma: None,
            temporal: None,
        }
    }

    pub fn with_luma(&mut self, shift: u32, out: &mut Cursor) {
        let lanes = self.lanes;
        let height = self.plane.height;
        self.luma = Some(Luma {
            dark: lanes.splat(((DARK + 1) << shift) - 1),
            sum: out.take(1),
            lowest: out.take(1),
            highest: out.take(1),
            dark_counts: out.take(1),
            tiles: TileSums::new(out.take(TILES)),
            row_sum: out.take(height),
            row_least: out.take(height),
            row_greatest: out.take(height),
        });
    }

    pub fn with_temporal(&mut self, shift: u32, has_previous: bool, out: &mut Cursor) {
        let flag = out.take::<u32>(1);
        unsafe { *flag = has_previous as u32 };
        let temporal = Temporal {
            unchanged: self.lanes.splat((CHANGED << shift) - 1),
            sad: out.take(1),
            changed_count: out.take(1),
            tiles: TileSums::new(out.take(TILES)),
            row_sad: out.take(self.plane.height),
        };
        if has_previous {
            self.temporal = Some(temporal);
        }
    }

    pub unsafe fn row(&mut self, r: usize, y: *const u8, previous: *const u8) {
        match (self.luma.is_some(), self.temporal.is_some()) {
            (true, true) => self.walk::<true, true>(r, y, previous),
            (true, false) => self.walk::<true, false>(r, y, previous),
            (false, true) => self.walk::<false, true>(r, y, previous),
            (false, false) => {}
        }
    }

    #[inline(never)]
    unsafe fn walk<const LUMA: bool, const TEMPORAL: bool>(
        &mut self,
        r: usize,
        y: *const u8,
        previous: *const u8,
    ) {
        let l = self.lanes;
        let (mut luma, mut temporal) = (self.luma.as_mut(), self.temporal.as_mut());
        let dark = luma.as_ref().map_or(zero(), |luma| luma.dark);
        let unchanged = temporal.as_ref().map_or(zero(), |temporal| temporal.unchanged);
        let (mut least, mut greatest) = (ones(), zero());
        let (mut level, mut brighter) = (zero(), zero());
        let (mut change, mut changed) = (zero(), zero());
        self.plane.runs(l, self.plane.width, |tile, from, to| {
            let (mut sum, mut over, mut sad, mut count) = (zero(), zero(), zero(), zero());
            vectors(l, from, to, |x, keep| {
                let at = x * L::BYTES;
                let v = l.load(y.add(at));
                if LUMA {
                    let kept = v128_and(v, keep);
                    sum = l.gather(sum, kept);
                    greatest = l.greatest(greatest, kept);
                    least = l.least(least, v128_or(v, v128_not(keep)));
                    over = l.count(over, l.over(kept, dark));
                }
                if TEMPORAL {
                    let d = v128_and(l.distance(v, l.load(previous.add(at))), keep);
                    sad = l.gather(sad, d);
                    count = l.count(count, l.over(d, unchanged));
                }
            });
            if LUMA {
                let sum = l.sums(sum);
                luma.as_mut().unwrap_unchecked().tiles.add(tile, sum);
                level = i32x4_add(level, sum);
                brighter = l.tally(brighter, over);
            }
            if TEMPORAL {
                let sad = l.sums(sad);
                temporal.as_mut().unwrap_unchecked().tiles.add(tile, sad);
                change = i32x4_add(change, sad);
                changed = l.tally(changed, count);
            }
        });
        let closed = self.plane.closes(r);
        if let Some(luma) = luma {
            let (sum, least, greatest) = (total(level), l.minimum(least), l.maximum(greatest));
            *luma.sum += sum;
            *luma.row_sum.add(r) = sum as u32;
            *luma.row_least.add(r) = least;
            *luma.row_greatest.add(r) = greatest;
            *luma.lowest = if r == 0 { least } else { least.min(*luma.lowest) };
            *luma.highest = greatest.max(*luma.highest);
            *luma.dark_counts += self.plane.width as u32 - total(counts(brighter)) as u32;
            if let Some(tile_row) = closed {
                luma.tiles.close(tile_row);
            }
        }
        if let Some(temporal) = temporal {
            let sad = total(change);
            *temporal.sad += sad;
            *temporal.row_sad.add(r) = sad as u32;
            *temporal.changed_count += total(counts(changed)) as u32;
            if let Some(tile_row) = closed {
                temporal.tiles.close(tile_row);
            }
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
