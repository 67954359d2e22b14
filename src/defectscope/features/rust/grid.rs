//! How a plane is walked: the grid of tiles, the sampled rows, vectors along a row.

use crate::lanes::{leading, ones, zero, Lanes, FLUSH};
use core::arch::wasm32::*;

pub const TILES_X: usize = 12;
pub const TILES_Y: usize = 8;
pub const TILES: usize = TILES_X * TILES_Y;

/// About how many samples the sampled rows hold.
const SAMPLED_AREA: usize = 65_536;
/// About how many blocks of a row the row profiles look at.
const SAMPLED_BLOCKS: usize = 20;

/// Tiles begin at multiples of this many samples.
const BLOCK: usize = 16;

/// The size of a plane and what follows from it.
#[derive(Clone, Copy)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    tile_starts: [usize; TILES_X + 1],
    row_step: usize,
    block_step: usize,
}

/// The distance between sampled rows, odd so that both fields and every phase of a block grid are
/// met: about `SAMPLED_AREA` samples, but 36 rows at least where there are as many, 256 at most.
fn row_step(width: usize, height: usize) -> usize {
    let by_area = (width * height + SAMPLED_AREA - 1) / SAMPLED_AREA | 1;
    let by_rows = (height / 36).max(2) - 1 | 1;
    let at_least = (height + 255) / 256 | 1;
    by_area.min(by_rows).max(at_least)
}

impl Plane {
    pub fn new(width: usize, height: usize) -> Plane {
        let blocks = (width + BLOCK - 1) / BLOCK;
        let mut tile_starts = [0; TILES_X + 1];
        for (i, start) in tile_starts.iter_mut().enumerate() {
            *start = BLOCK * (i * blocks / TILES_X);
        }
        Plane {
            width,
            height,
            tile_starts,
            row_step: row_step(width, height),
            block_step: (blocks / SAMPLED_BLOCKS).max(1),
        }
    }

    /// Whether the measures that look at some rows only look at this one.
    pub fn is_sampled(&self, row: usize) -> bool {
        row % self.row_step == self.row_step / 2
    }

    /// Calls `step(x, keep)` for the vectors of a row's sampled blocks: at most 64 of 8-bit samples,
    /// so that sums need not be emptied in between.
    #[inline(always)]
    pub fn blocks<L: Lanes>(&self, lanes: L, mut step: impl FnMut(usize, v128)) {
        let mut from = self.block_step / 2 * BLOCK;
        while from + BLOCK <= self.width {
            for i in 0..BLOCK / L::COUNT {
                step(from + i * L::COUNT, ones());
            }
            from += self.block_step * BLOCK;
        }
        if from < self.width {
            vectors(lanes, from, self.width, step);
        }
    }

    /// Whether the row is the last of its row of tiles, and of which.
    pub fn closes(&self, row: usize) -> Option<usize> {
        let tile = self.tile_row(row);
        if row + 1 == self.height || self.tile_row(row + 1) != tile {
            Some(tile)
        } else {
            None
        }
    }

    // The greatest j with j * height / TILES_Y (rounded down) <= row.
    fn tile_row(&self, row: usize) -> usize {
        ((row + 1) * TILES_Y - 1) / self.height
    }

    /// Calls `run(tile, from, to)` for the first `count` samples of a row, in stretches that stay
    /// in one tile and are short enough for the accumulators.
    #[inline(always)]
    pub fn runs<L: Lanes>(&self, _: L, count: usize, mut run: impl FnMut(usize, usize, usize)) {
        for tile in 0..TILES_X {
            let end = self.tile_starts[tile + 1].min(count);
            let mut from = self.tile_starts[tile];
            while from < end {
                let to = (from + FLUSH * L::COUNT).min(end);
                run(tile, from, to);
                from = to;
            }
        }
    }
}

/// Calls `step(x, keep)` for each vector that begins at x; `keep` has ones in the lanes before `to`.
#[inline(always)]
pub fn vectors<L: Lanes>(_: L, from: usize, to: usize, mut step: impl FnMut(usize, v128)) {
    let mut x = from;
    while x + 2 * L::COUNT <= to {
        step(x, ones());
        step(x + L::COUNT, ones());
        x += 2 * L::COUNT;
    }
    if x + L::COUNT <= to {
        step(x, ones());
        x += L::COUNT;
    }
    if x < to {
        step(x, leading((to - x) * L::BYTES));
    }
}

/// One 32-bit sum per tile.
pub struct TileSums {
    row: [v128; TILES_X],
    out: *mut u32,
}

impl TileSums {
    pub fn new(out: *mut u32) -> TileSums {
        TileSums {
            row: [zero(); TILES_X],
            out,
        }
    }

    /// Adds four 32-bit lanes to a tile of the current row of tiles.
    #[inline(always)]
    pub fn add(&mut self, tile: usize, lanes: v128) {
        unsafe {
            let sum = self.row.get_unchecked_mut(tile);
            *sum = i32x4_add(*sum, lanes);
        }
    }

    /// Writes a row of tiles and starts the next.
    pub fn close(&mut self, tile_row: usize) {
        for (tile, lanes) in self.row.iter_mut().enumerate() {
            unsafe {
                *self.out.add(tile_row * TILES_X + tile) = crate::lanes::total(*lanes) as u32;
            }
            *lanes = zero();
        }
    }
}

/// One 64-bit sum per tile, for squares.
pub struct TileSquares {
    row: [v128; TILES_X],
    out: *mut u64,
}

impl TileSquares {
    pub fn new(out: *mut u64) -> TileSquares {
        TileSquares {
            row: [zero(); TILES_X],
            out,
        }
    }

    /// Adds four 32-bit lanes to a tile of the current row of tiles.
    #[inline(always)]
    pub fn add(&mut self, tile: usize, lanes: v128) {
        unsafe {
            let sum = self.row.get_unchecked_mut(tile);
            let pairs = i64x2_add(
                u64x2_extend_low_u32x4(lanes),
                u64x2_extend_high_u32x4(lanes),
            );
            *sum = i64x2_add(*sum, pairs);
        }
    }

    /// Writes a row of tiles and starts the next.
    pub fn close(&mut self, tile_row: usize) {
        for (tile, lanes) in self.row.iter_mut().enumerate() {
            unsafe {
                *self.out.add(tile_row * TILES_X + tile) =
                    u64x2_extract_lane::<0>(*lanes) + u64x2_extract_lane::<1>(*lanes);
            }
            *lanes = zero();
        }
    }
}
