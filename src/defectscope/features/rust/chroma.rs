//! The measures of the two chroma planes, on their sampled rows.

use crate::grid::{vectors, Plane, TileSums, TILES};
use crate::lanes::{counts, ones, total, zero, Lanes};
use crate::record::Cursor;
use core::arch::wasm32::*;

/// Distances from grey (8-bit-equivalent) from which samples count as coloured.
const SATURATIONS: [u32; 4] = [4, 16, 64, 112];
/// The nominal range of chroma (8-bit-equivalent). Source: ITU-R BT.709-6, table 4.
const NOMINAL: [u32; 2] = [16, 240];

const U: usize = 0;
const V: usize = 1;

/// Level, spread, extremes and saturation.
pub struct Chroma<L: Lanes> {
    lanes: L,
    plane: Plane,
    grey: v128,
    saturations: [v128; 4],
    nominal: [v128; 2],
    sums: *mut u64,
    squares: *mut u64,
    product: *mut u64,
    extremes: *mut u32,
    illegal: *mut u32,
    saturated: *mut u32,
    tiles: [TileSums; 2],
    saturation: TileSums,
    least: [v128; 2],
    greatest: [v128; 2],
}

impl<L: Lanes> Chroma<L> {
    pub fn new(lanes: L, plane: Plane, shift: u32, out: &mut Cursor) -> Self {
        Chroma {
            lanes,
            plane,
            grey: lanes.splat(128 << shift),
            saturations: SATURATIONS.map(|code| lanes.splat((code << shift) - 1)),
            nominal: [
                lanes.splat(NOMINAL[0] << shift),
                lanes.splat(NOMINAL[1] << shift),
            ],
            sums: out.take(2),
            squares: out.take(2),
            product: out.take(1),
            extremes: out.take(4),
            illegal: out.take(4),
            saturated: out.take(4),
            tiles: [
                TileSums::new(out.take(TILES)),
                TileSums::new(out.take(TILES)),
            ],
            saturation: TileSums::new(out.take(TILES)),
            least: [ones(); 2],
            greatest: [zero(); 2],
        }
    }

    #[inline(never)]
    pub unsafe fn row(&mut self, u: *const u8, v: *const u8) {
        let l = self.lanes;
        let mut sums = [zero(); 2];
        let (mut illegal, mut saturated) = ([zero(); 4], [zero(); 4]);
        let (mut squares, mut product) = ([0u64; 2], 0u64);
        let (least, greatest) = (&mut self.least, &mut self.greatest);
        let (tiles, saturation) = (&mut self.tiles, &mut self.saturation);
        let (grey, nominal, levels) = (self.grey, self.nominal, self.saturations);
        self.plane.runs(l, self.plane.width, |tile, from, to| {
            let (mut sum, mut square, mut cross) = ([zero(); 2], [zero(); 2], zero());
            let (mut strength, mut outside, mut strong) = (zero(), [zero(); 4], [zero(); 4]);
            vectors(l, from, to, |x, keep| {
                let x = x * L::BYTES;
                let raw = [l.load(u.add(x)), l.load(v.add(x))];
                let kept = raw.map(|samples| v128_and(samples, keep));
                for i in 0..2 {
                    sum[i] = l.gather(sum[i], kept[i]);
                    square[i] = l.gather_squares(square[i], kept[i]);
                    greatest[i] = l.greatest(greatest[i], kept[i]);
                    least[i] = l.least(least[i], v128_or(raw[i], v128_not(keep)));
                    let below = v128_and(l.over(nominal[0], raw[i]), keep);
                    outside[2 * i] = l.count(outside[2 * i], below);
                    let above = l.over(kept[i], nominal[1]);
                    outside[2 * i + 1] = l.count(outside[2 * i + 1], above);
                }
                cross = l.gather_products(cross, kept[U], kept[V]);
                let far = l.greatest(l.distance(raw[U], grey), l.distance(raw[V], grey));
                let far = v128_and(far, keep);
                strength = l.gather(strength, far);
                for i in 0..4 {
                    strong[i] = l.count(strong[i], l.over(far, levels[i]));
                }
            });
            for i in 0..2 {
                let sum = l.sums(sum[i]);
                tiles[i].add(tile, sum);
                sums[i] = i32x4_add(sums[i], sum);
                squares[i] += total(square[i]);
            }
            product += total(cross);
            saturation.add(tile, l.sums(strength));
            for i in 0..4 {
                illegal[i] = l.tally(illegal[i], outside[i]);
                saturated[i] = l.tally(saturated[i], strong[i]);
            }
        });
        for i in 0..2 {
            *self.sums.add(i) += total(sums[i]);
            *self.squares.add(i) += squares[i];
        }
        *self.product += product;
        for i in 0..4 {
            *self.illegal.add(i) += total(counts(illegal[i])) as u32;
            *self.saturated.add(i) += total(counts(saturated[i])) as u32;
        }
    }

    pub fn close(&mut self, tile_row: usize) {
        self.tiles[U].close(tile_row);
        self.tiles[V].close(tile_row);
        self.saturation.close(tile_row);
    }

    pub unsafe fn finish(&mut self) {
        for i in 0..2 {
            *self.extremes.add(i) = self.lanes.minimum(self.least[i]);
            *self.extremes.add(2 + i) = self.lanes.maximum(self.greatest[i]);
        }
    }
}

/// U against V in 32 x 32 bins, on every fourth column.
pub struct ChromaHistogram<L: Lanes> {
    lanes: L,
    plane: Plane,
    bins: *mut u32,
}

impl<L: Lanes> ChromaHistogram<L> {
    pub fn new(lanes: L, plane: Plane, out: &mut Cursor) -> Self {
        ChromaHistogram {
            lanes,
            plane,
            bins: out.take(32 * 32),
        }
    }

    #[inline(never)]
    pub unsafe fn row(&mut self, u: *const u8, v: *const u8) {
        // In locals: a store to a bin might change a field behind `self`.
        let (lanes, bins, width) = (self.lanes, self.bins, self.plane.width);
        let mut x = 0;
        while x < width {
            let u = lanes.code(u.add(x * L::BYTES)) >> 3;
            let v = lanes.code(v.add(x * L::BYTES)) >> 3;
            *bins.add((u * 32 + v) as usize) += 1;
            x += 4;
        }
    }
}
