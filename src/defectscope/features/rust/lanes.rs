//! The vector arithmetic of 8-bit and 16-bit samples behind one trait.
//!
//! Every measure is written once, over `Lanes`; the compiler makes the two versions of it.
//! Sums gather in lanes twice as wide as the samples, counters in lanes as wide as the samples:
//! both must be emptied (`sums`, `tally`) at least every `FLUSH` vectors, before they can wrap.

use core::arch::wasm32::*;

/// Vectors that may be gathered before an accumulator is emptied.
///
/// 8-bit sums grow by at most 510 a lane and vector and are emptied as signed (32,767 / 510 = 64),
/// counters by 1 (255), squares of 12-bit samples by 2 x 4095^2 (2^32 / that = 128).
pub const FLUSH: usize = 64;

#[repr(align(16))]
struct Mask([u8; 32]);

// A load at 16 - n gives n bytes of ones followed by zeros.
static MASK: Mask = Mask([
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

/// Ones in the first `bytes` bytes (0 to 16), zeros in the rest.
#[inline(always)]
pub fn leading(bytes: usize) -> v128 {
    unsafe { v128_load(MASK.0.as_ptr().add(16 - bytes) as *const v128) }
}

#[inline(always)]
pub fn ones() -> v128 {
    u8x16_splat(255)
}

#[inline(always)]
pub fn zero() -> v128 {
    u8x16_splat(0)
}

/// Adds up the four 32-bit lanes.
#[inline(always)]
pub fn total(v: v128) -> u64 {
    u32x4_extract_lane::<0>(v) as u64
        + u32x4_extract_lane::<1>(v) as u64
        + u32x4_extract_lane::<2>(v) as u64
        + u32x4_extract_lane::<3>(v) as u64
}

/// The 32-bit lanes of a tally.
#[inline(always)]
pub fn counts(tally: v128) -> v128 {
    u32x4_extadd_pairwise_u16x8(tally)
}

pub trait Lanes: Copy {
    /// Samples in a vector.
    const COUNT: usize;
    /// Bytes of a sample.
    const BYTES: usize;

    /// Sixteen bytes of samples, held to the highest code of the bit depth.
    unsafe fn load(self, at: *const u8) -> v128;
    /// Eight samples as 16-bit integers of at most 10 bits: deeper ones lose their lowest bits.
    unsafe fn load_ten_bit(self, at: *const u8) -> v128;
    /// One sample, held to the highest code.
    unsafe fn sample(self, at: *const u8) -> u32;
    /// One sample as an 8-bit-equivalent code.
    unsafe fn code(self, at: *const u8) -> u32;
    /// From 16-bit integers in the scale of `load_ten_bit` to 8-bit-equivalent ones.
    fn from_ten_bit(self, v: v128) -> v128;
    fn splat(self, code: u32) -> v128;
    fn least(self, a: v128, b: v128) -> v128;
    fn greatest(self, a: v128, b: v128) -> v128;
    /// a - b, or 0 where b is greater.
    fn excess(self, a: v128, b: v128) -> v128;
    /// a + b, held to the highest code.
    fn add(self, a: v128, b: v128) -> v128;
    /// 1 where a sample is above the limit, else 0.
    fn over(self, samples: v128, limit: v128) -> v128;
    /// All bits of the lanes where a is at most b.
    fn at_most(self, a: v128, b: v128) -> v128;
    /// Adds lanes of 0 and 1 to a counter.
    fn count(self, counter: v128, ones: v128) -> v128;
    /// Adds a counter to a tally in 16-bit lanes, which lasts for a row.
    fn tally(self, tally: v128, counter: v128) -> v128;
    fn gather(self, sum: v128, samples: v128) -> v128;
    fn sums(self, sum: v128) -> v128;
    /// Adds the squares of samples to a sum in 32-bit lanes.
    fn gather_squares(self, sum: v128, samples: v128) -> v128;
    /// Adds the products of two vectors of samples to a sum in 32-bit lanes.
    fn gather_products(self, sum: v128, a: v128, b: v128) -> v128;
    fn minimum(self, v: v128) -> u32;
    fn maximum(self, v: v128) -> u32;
    /// Adds samples to a line of per-column sums of `COLUMN_BYTES` each.
    unsafe fn add_to_columns(self, line: *mut u8, x: usize, samples: v128);
    unsafe fn column(self, line: *const u8, x: usize) -> u32;

    #[inline(always)]
    fn distance(self, a: v128, b: v128) -> v128 {
        v128_or(self.excess(a, b), self.excess(b, a))
    }
}

/// Bytes of a column's sum in a scratch line, whatever the sample.
pub const COLUMN_BYTES: usize = 4;

static ONE: u8 = 1;

// A 1 that the compiler cannot see through: it would turn a minimum with it, one instruction, into
// a comparison, an inversion and a mask.
fn one() -> u8 {
    unsafe { core::ptr::read_volatile(&ONE) }
}

/// Samples of one byte.
#[derive(Clone, Copy)]
pub struct Narrow {
    one: v128,
}

impl Narrow {
    pub fn new() -> Narrow {
        Narrow {
            one: u8x16_splat(one()),
        }
    }
}

impl Lanes for Narrow {
    const COUNT: usize = 16;
    const BYTES: usize = 1;

    #[inline(always)]
    unsafe fn load(self, at: *const u8) -> v128 {
        v128_load(at as *const v128)
    }
    #[inline(always)]
    unsafe fn load_ten_bit(self, at: *const u8) -> v128 {
        u16x8_load_extend_u8x8(at)
    }
    #[inline(always)]
    unsafe fn sample(self, at: *const u8) -> u32 {
        *at as u32
    }
    #[inline(always)]
    unsafe fn code(self, at: *const u8) -> u32 {
        *at as u32
    }
    #[inline(always)]
    fn from_ten_bit(self, v: v128) -> v128 {
        v
    }
    #[inline(always)]
    fn splat(self, code: u32) -> v128 {
        u8x16_splat(code as u8)
    }
    #[inline(always)]
    fn least(self, a: v128, b: v128) -> v128 {
        u8x16_min(a, b)
    }
    #[inline(always)]
    fn greatest(self, a: v128, b: v128) -> v128 {
        u8x16_max(a, b)
    }
    #[inline(always)]
    fn excess(self, a: v128, b: v128) -> v128 {
        u8x16_sub_sat(a, b)
    }
    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        u8x16_add_sat(a, b)
    }
    #[inline(always)]
    fn over(self, samples: v128, limit: v128) -> v128 {
        u8x16_min(u8x16_sub_sat(samples, limit), self.one)
    }
    #[inline(always)]
    fn at_most(self, a: v128, b: v128) -> v128 {
        i8x16_eq(u8x16_min(a, b), a)
    }
    #[inline(always)]
    fn count(self, counter: v128, ones: v128) -> v128 {
        i8x16_add(counter, ones)
    }
    #[inline(always)]
    fn tally(self, tally: v128, counter: v128) -> v128 {
        i16x8_add(tally, u16x8_extadd_pairwise_u8x16(counter))
    }
    #[inline(always)]
    fn gather(self, sum: v128, samples: v128) -> v128 {
        i16x8_add(sum, u16x8_extadd_pairwise_u8x16(samples))
    }
    #[inline(always)]
    fn sums(self, sum: v128) -> v128 {
        i32x4_extadd_pairwise_i16x8(sum)
    }
    #[inline(always)]
    fn gather_squares(self, sum: v128, samples: v128) -> v128 {
        self.gather_products(sum, samples, samples)
    }
    #[inline(always)]
    fn gather_products(self, sum: v128, a: v128, b: v128) -> v128 {
        let low = i32x4_dot_i16x8(u16x8_extend_low_u8x16(a), u16x8_extend_low_u8x16(b));
        let high = i32x4_dot_i16x8(u16x8_extend_high_u8x16(a), u16x8_extend_high_u8x16(b));
        i32x4_add(sum, i32x4_add(low, high))
    }
    #[inline(always)]
    fn minimum(self, v: v128) -> u32 {
        let v = u8x16_min(v, i64x2_shuffle::<1, 0>(v, v));
        let v = u8x16_min(v, i32x4_shuffle::<1, 0, 3, 2>(v, v));
        let v = u8x16_min(v, u32x4_shr(v, 16));
        (u8x16_extract_lane::<0>(v) as u32).min(u8x16_extract_lane::<1>(v) as u32)
    }
    #[inline(always)]
    fn maximum(self, v: v128) -> u32 {
        let v = u8x16_max(v, i64x2_shuffle::<1, 0>(v, v));
        let v = u8x16_max(v, i32x4_shuffle::<1, 0, 3, 2>(v, v));
        let v = u8x16_max(v, u32x4_shr(v, 16));
        (u8x16_extract_lane::<0>(v) as u32).max(u8x16_extract_lane::<1>(v) as u32)
    }
    // At most 256 rows are sampled: 256 x 255 fits 16 bits.
    #[inline(always)]
    unsafe fn add_to_columns(self, line: *mut u8, x: usize, samples: v128) {
        let at = line.add(2 * x) as *mut v128;
        v128_store(at, i16x8_add(v128_load(at), u16x8_extend_low_u8x16(samples)));
        let at = at.add(1);
        v128_store(at, i16x8_add(v128_load(at), u16x8_extend_high_u8x16(samples)));
    }
    #[inline(always)]
    unsafe fn column(self, line: *const u8, x: usize) -> u32 {
        *(line.add(2 * x) as *const u16) as u32
    }
}

/// Samples of two bytes, 9 to 12 bits of them used.
#[derive(Clone, Copy)]
pub struct Wide {
    one: v128,
    ceiling: v128,
    highest: u32,
    shift: u32,
    to_ten_bit: Halvings,
    from_ten_bit: Halvings,
}

/// A shift to the right by 0, 1 or 2 bits, chosen by masks: rustc 1.63 takes vector shifts by a
/// number that it does not know apart into single lanes.
#[derive(Clone, Copy)]
struct Halvings {
    once: v128,
    twice: v128,
}

impl Halvings {
    fn new(bits: u32) -> Halvings {
        Halvings {
            once: u16x8_splat(if bits == 1 { 65_535 } else { 0 }),
            twice: u16x8_splat(if bits == 2 { 65_535 } else { 0 }),
        }
    }

    #[inline(always)]
    fn shift(self, v: v128) -> v128 {
        let v = v128_bitselect(u16x8_shr(v, 1), v, self.once);
        v128_bitselect(u16x8_shr(v, 2), v, self.twice)
    }
}

impl Wide {
    pub fn new(depth: u32) -> Wide {
        let highest = (1 << depth) - 1;
        Wide {
            one: u16x8_splat(one() as u16),
            ceiling: u16x8_splat(highest as u16),
            highest,
            shift: depth - 8,
            to_ten_bit: Halvings::new(depth.saturating_sub(10)),
            from_ten_bit: Halvings::new((depth - 8).min(2)),
        }
    }
}

impl Lanes for Wide {
    const COUNT: usize = 8;
    const BYTES: usize = 2;

    #[inline(always)]
    unsafe fn load(self, at: *const u8) -> v128 {
        u16x8_min(v128_load(at as *const v128), self.ceiling)
    }
    #[inline(always)]
    unsafe fn load_ten_bit(self, at: *const u8) -> v128 {
        self.to_ten_bit.shift(self.load(at))
    }
    #[inline(always)]
    unsafe fn sample(self, at: *const u8) -> u32 {
        (*(at as *const u16) as u32).min(self.highest)
    }
    #[inline(always)]
    unsafe fn code(self, at: *const u8) -> u32 {
        self.sample(at) >> self.shift
    }
    #[inline(always)]
    fn from_ten_bit(self, v: v128) -> v128 {
        self.from_ten_bit.shift(v)
    }
    #[inline(always)]
    fn splat(self, code: u32) -> v128 {
        u16x8_splat(code as u16)
    }
    #[inline(always)]
    fn least(self, a: v128, b: v128) -> v128 {
        u16x8_min(a, b)
    }
    #[inline(always)]
    fn greatest(self, a: v128, b: v128) -> v128 {
        u16x8_max(a, b)
    }
    #[inline(always)]
    fn excess(self, a: v128, b: v128) -> v128 {
        u16x8_sub_sat(a, b)
    }
    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        u16x8_min(u16x8_add_sat(a, b), self.ceiling)
    }
    #[inline(always)]
    fn over(self, samples: v128, limit: v128) -> v128 {
        u16x8_min(u16x8_sub_sat(samples, limit), self.one)
    }
    #[inline(always)]
    fn at_most(self, a: v128, b: v128) -> v128 {
        i16x8_eq(u16x8_min(a, b), a)
    }
    #[inline(always)]
    fn count(self, counter: v128, ones: v128) -> v128 {
        i16x8_add(counter, ones)
    }
    #[inline(always)]
    fn tally(self, tally: v128, counter: v128) -> v128 {
        i16x8_add(tally, counter)
    }
    #[inline(always)]
    fn gather(self, sum: v128, samples: v128) -> v128 {
        i32x4_add(sum, u32x4_extadd_pairwise_u16x8(samples))
    }
    #[inline(always)]
    fn sums(self, sum: v128) -> v128 {
        sum
    }
    #[inline(always)]
    fn gather_squares(self, sum: v128, samples: v128) -> v128 {
        self.gather_products(sum, samples, samples)
    }
    #[inline(always)]
    fn gather_products(self, sum: v128, a: v128, b: v128) -> v128 {
        i32x4_add(sum, i32x4_dot_i16x8(a, b))
    }
    #[inline(always)]
    fn minimum(self, v: v128) -> u32 {
        let v = u16x8_min(v, i64x2_shuffle::<1, 0>(v, v));
        let v = u16x8_min(v, i32x4_shuffle::<1, 0, 3, 2>(v, v));
        (u16x8_extract_lane::<0>(v) as u32).min(u16x8_extract_lane::<1>(v) as u32)
    }
    #[inline(always)]
    fn maximum(self, v: v128) -> u32 {
        let v = u16x8_max(v, i64x2_shuffle::<1, 0>(v, v));
        let v = u16x8_max(v, i32x4_shuffle::<1, 0, 3, 2>(v, v));
        (u16x8_extract_lane::<0>(v) as u32).max(u16x8_extract_lane::<1>(v) as u32)
    }
    #[inline(always)]
    unsafe fn add_to_columns(self, line: *mut u8, x: usize, samples: v128) {
        let at = line.add(4 * x) as *mut v128;
        v128_store(at, i32x4_add(v128_load(at), u32x4_extend_low_u16x8(samples)));
        let at = at.add(1);
        v128_store(at, i32x4_add(v128_load(at), u32x4_extend_high_u16x8(samples)));
    }
    #[inline(always)]
    unsafe fn column(self, line: *const u8, x: usize) -> u32 {
        *(line.add(4 * x) as *const u32)
    }
}
