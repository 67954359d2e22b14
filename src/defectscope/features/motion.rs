//! Block matching from coarse to fine, in integers: where each part of a frame was in another one.
//!
//! No imports, no state, no allocation: the host lays out the memory, writes planes and a `Task`,
//! and calls `search`. Samples are 16-bit integers of at most 2040: nine differences fit 16 bits.
//! tests/motion_reference.py computes the same with NumPy.

#![no_std]

use core::arch::wasm32::*;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// Farthest motion searched where the frame is reduced by 8.
const REACH: isize = 4;
/// A longer motion has to fit better by so much a sample.
const LENGTH_COST: i16 = 4;
const MOVES: usize = 81;
const STEPS: usize = 9;
/// The other frame is continued by its border: the farthest motion, 2 * (2 * 4 + 1) + 1, a step
/// more, and what a vector reads beyond the last sample.
const PAD_X: usize = 32;
const PAD_Y: usize = 24;
const LANES: usize = 8;
/// Samples that a line of scratch holds beyond those of the frame.
const SLACK: usize = 4 * LANES;

#[repr(C)]
pub struct Task {
    /// Samples of a row, and rows, where the frame is reduced by 2: whole fours.
    width: u32,
    height: u32,
    /// Planes reduced by 2, by 4 and by 8, one after the other.
    now: u32,
    other: u32,
    scratch: u32,
    /// Results: places (i32) where the frame is reduced by 2, and motion (i16) where by 8.
    index: u32,
    down: u32,
    across: u32,
}

type Samples = *mut i16;

/// Bytes of scratch memory that frames of this size need.
#[no_mangle]
pub extern "C" fn scratch_bytes(width: u32, height: u32) -> u32 {
    let (w, h) = (width as usize, height as usize);
    let padded = (w + 2 * PAD_X) * (h + 2 * PAD_Y);
    let lines = (3 * STEPS + 2) * (w + SLACK);
    // Motion and steps of the two finer searches.
    (2 * (padded + lines + 3 * w * h) + 64) as u32
}

/// Fills the results of a task. Gives 1, or 0 for a frame that it refuses.
///
/// # Safety
/// The addresses must lead to planes, results and scratch of the sizes that the task implies, with
/// 64 readable bytes after each frame's planes.
#[no_mangle]
pub unsafe extern "C" fn search(task: *const Task) -> u32 {
    let task = &*task;
    let (w, h) = (task.width as usize, task.height as usize);
    if w < 8 || h < 8 || w % 4 != 0 || h % 4 != 0 {
        return 0;
    }
    let (now, other) = (task.now as Samples, task.other as Samples);
    let (quarter, eighth) = (w * h, w * h + w * h / 4);
    let scratch = task.scratch as Samples;
    let room = (w + 2 * PAD_X) * (h + 2 * PAD_Y) + (3 * STEPS + 2) * (w + SLACK);
    let (down, across) = (task.down as Samples, task.across as Samples);
    let (finer_down, finer_across) = (scratch.add(room), scratch.add(room + w * h / 4));
    let steps = scratch.add(room + 2 * (w * h / 4)) as *mut u8;
    exhaustive(now.add(eighth), other.add(eighth), w / 4, h / 4, scratch, down, across);
    let size = (w / 2, h / 2);
    refined(now.add(quarter), other.add(quarter), size, (down, across), scratch, steps);
    for y in 0..h / 2 {
        for x in 0..w / 2 {
            let at = y * (w / 2) + x;
            let (dy, dx) = moved((down, across), w / 2, y, x, *steps.add(at));
            *finer_down.add(at) = dy as i16;
            *finer_across.add(at) = dx as i16;
        }
    }
    refined(now, other, (w, h), (finer_down, finer_across), scratch, steps);
    let index = task.index as *mut i32;
    for y in 0..h {
        for x in 0..w {
            let at = y * w + x;
            let (dy, dx) = moved((finer_down, finer_across), w, y, x, *steps.add(at));
            let row = (y as i32 + dy).max(0).min(h as i32 - 1);
            let column = (x as i32 + dx).max(0).min(w as i32 - 1);
            *index.add(at) = row * w as i32 + column;
        }
    }
    1
}

/// Motion at a level: twice that of the coarser one, and a step.
#[inline(always)]
unsafe fn moved(
    coarse: (Samples, Samples),
    w: usize,
    y: usize,
    x: usize,
    step: u8,
) -> (i32, i32) {
    let at = (y / 2) * (w / 2) + x / 2;
    let (dy, dx) = step_of(step as usize);
    (2 * *coarse.0.add(at) as i32 + dy, 2 * *coarse.1.add(at) as i32 + dx)
}

/// Steps in the order of preference: none first, then row by row.
static DOWN: [i8; STEPS] = [0, -1, -1, -1, 0, 0, 1, 1, 1];
static ACROSS: [i8; STEPS] = [0, -1, 0, 1, -1, 1, -1, 0, 1];

#[inline(always)]
unsafe fn step_of(k: usize) -> (i32, i32) {
    (*DOWN.get_unchecked(k) as i32, *ACROSS.get_unchecked(k) as i32)
}

/// Copies a plane with its border repeated; gives the first sample of the plane in the copy.
unsafe fn padded(from: Samples, w: usize, h: usize, to: Samples) -> (Samples, usize) {
    let stride = w + 2 * PAD_X;
    for y in 0..h + 2 * PAD_Y {
        let row = y.max(PAD_Y) - PAD_Y;
        let row = from.add(row.min(h - 1) * w);
        let line = to.add(y * stride);
        core::ptr::copy_nonoverlapping(row, line.add(PAD_X), w);
        for x in 0..PAD_X {
            *line.add(x) = *row;
            *line.add(PAD_X + w + x) = *row.add(w - 1);
        }
    }
    (to.add(PAD_Y * stride + PAD_X), stride)
}

#[inline(always)]
unsafe fn load(at: Samples) -> v128 {
    v128_load(at as *const v128)
}

#[inline(always)]
unsafe fn store(at: Samples, v: v128) {
    v128_store(at as *mut v128, v)
}

#[inline(always)]
unsafe fn apart(a: Samples, b: Samples) -> v128 {
    i16x8_abs(i16x8_sub(load(a), load(b)))
}

/// Finds the best whole-sample motion of each sample within reach.
unsafe fn exhaustive(
    now: Samples,
    other: Samples,
    w: usize,
    h: usize,
    scratch: Samples,
    down: Samples,
    across: Samples,
) {
    let (theirs, stride) = padded(other, w, h, scratch);
    // Of the frame itself only the row and column beside it are looked at.
    let mine_stride = w + 2 * LANES;
    let mine = scratch.add((w + 2 * PAD_X) * (h + 2 * PAD_Y));
    let lines = mine.add(mine_stride * (h + 3));
    for y in 0..h + 2 {
        let row = now.add((y.max(1) - 1).min(h - 1) * w);
        let line = mine.add(y * mine_stride);
        core::ptr::copy_nonoverlapping(row, line.add(1), w);
        *line = *row;
        for x in w + 1..mine_stride {
            *line.add(x) = *row.add(w - 1);
        }
    }
    // Shortest first, then row by row: the first of several that fit as well wins.
    let mut moves = [(0isize, 0isize); MOVES];
    let mut count = 0;
    for length in 0..=2 * REACH {
        for dy in -REACH..=REACH {
            for dx in -REACH..=REACH {
                if dy.abs() + dx.abs() == length {
                    moves[count] = (dy, dx);
                    count += 1;
                }
            }
        }
    }
    let (sums, best) = (lines, lines.add(w + SLACK));
    let ranks = best.add(w + SLACK);
    for y in 0..h {
        for x in (0..w).step_by(LANES) {
            store(best.add(x), i16x8_splat(i16::MAX));
        }
        for (rank, &(dy, dx)) in moves.iter().enumerate() {
            let own = mine.add(y * mine_stride);
            let away = theirs.offset((y as isize + dy - 1) * stride as isize + dx - 1);
            for x in (0..w + 2).step_by(LANES) {
                let mut sum = apart(own.add(x), away.add(x));
                sum = i16x8_add(sum, apart(own.add(mine_stride + x), away.add(stride + x)));
                sum = i16x8_add(sum, apart(own.add(2 * mine_stride + x), away.add(2 * stride + x)));
                store(sums.add(x), sum);
            }
            let length = i16x8_splat((dy.abs() + dx.abs()) as i16 * LENGTH_COST);
            let rank = i16x8_splat(rank as i16);
            for x in (0..w).step_by(LANES) {
                let cost = i16x8_add(box_of(sums.add(x + 1)), length);
                let known = load(best.add(x));
                let better = i16x8_lt(cost, known);
                store(best.add(x), i16x8_min(cost, known));
                store(ranks.add(x), v128_bitselect(rank, load(ranks.add(x)), better));
            }
        }
        for x in 0..w {
            let (dy, dx) = moves[*ranks.add(x) as usize];
            *down.add(y * w + x) = dy as i16;
            *across.add(y * w + x) = dx as i16;
        }
    }
}

/// Adds up each sample and those to its left and right.
#[inline(always)]
unsafe fn box_of(sums: Samples) -> v128 {
    i16x8_add(i16x8_add(load(sums.sub(1)), load(sums)), load(sums.add(1)))
}

/// Finds the step by which each sample's motion is better, at a level twice as fine.
unsafe fn refined(
    now: Samples,
    other: Samples,
    (w, h): (usize, usize),
    coarse: (Samples, Samples),
    scratch: Samples,
    steps: *mut u8,
) {
    let (theirs, stride) = padded(other, w, h, scratch);
    let line = w + SLACK;
    let rings = scratch.add((w + 2 * PAD_X) * (h + 2 * PAD_Y));
    let (sums, best) = (rings.add(3 * STEPS * line), rings.add((3 * STEPS + 1) * line));
    for y in 0..h {
        apart_by_steps(now.add(y * w), (w, y), (theirs, stride), coarse, rings.add(y % 3 * STEPS * line), line);
        if y < 2 {
            continue;
        }
        for x in (0..w).step_by(LANES) {
            store(best.add(x), i16x8_splat(-1));
        }
        for k in 0..STEPS {
            let first = rings.add(k * line);
            let (second, third) = (first.add(STEPS * line), first.add(2 * STEPS * line));
            for x in (0..w).step_by(LANES) {
                let two = i16x8_add(load(first.add(x)), load(second.add(x)));
                store(sums.add(x + LANES), i16x8_add(two, load(third.add(x))));
            }
            let number = i16x8_splat(k as i16);
            for x in (0..w).step_by(LANES) {
                // A ninth of a code is enough to choose by; the step stands in the lowest bits.
                let cost = i16x8_shr(box_of(sums.add(x + LANES)), 3);
                let keyed = v128_or(i16x8_shl(cost, 4), number);
                store(best.add(x), u16x8_min(load(best.add(x)), keyed));
            }
        }
        let row = steps.add((y - 1) * w);
        for x in 1..w - 1 {
            *row.add(x) = (*best.add(x) & 15) as u8;
        }
        *row = *row.add(1);
        *row.add(w - 1) = *row.add(w - 2);
    }
    core::ptr::copy_nonoverlapping(steps.add(w), steps, w);
    core::ptr::copy_nonoverlapping(steps.add((h - 2) * w), steps.add((h - 1) * w), w);
}

/// Writes how far a row's samples are from those that each step leads to, a line for each step.
///
/// Two samples of a row have one motion: pairs of them are fetched at once.
#[inline(always)]
unsafe fn apart_by_steps(
    now: Samples,
    (w, y): (usize, usize),
    (theirs, stride): (Samples, usize),
    coarse: (Samples, Samples),
    lines: Samples,
    line: usize,
) {
    let row = (y / 2) * (w / 2);
    let mut offsets = [0isize; STEPS];
    for (k, offset) in offsets.iter_mut().enumerate() {
        let (dy, dx) = step_of(k);
        *offset = dy as isize * stride as isize + dx as isize;
    }
    for x in (0..w).step_by(LANES) {
        let mut at = [theirs; 4];
        for (q, place) in at.iter_mut().enumerate() {
            let pair = row + (x / 2 + q).min(w / 2 - 1);
            let (dy, dx) = (2 * *coarse.0.add(pair) as isize, 2 * *coarse.1.add(pair) as isize);
            *place = theirs.offset((y as isize + dy) * stride as isize + (x + 2 * q) as isize + dx);
        }
        let mine = load(now.add(x));
        for (k, &offset) in offsets.iter().enumerate() {
            let mut found = v128_load32_zero(at[0].offset(offset) as *const u32);
            found = v128_load32_lane::<1>(found, at[1].offset(offset) as *const u32);
            found = v128_load32_lane::<2>(found, at[2].offset(offset) as *const u32);
            found = v128_load32_lane::<3>(found, at[3].offset(offset) as *const u32);
            store(lines.add(k * line + x), i16x8_abs(i16x8_sub(found, mine)));
        }
    }
}
