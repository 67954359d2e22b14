//! The per-frame measures of defectscope, fused into one walk over the picture.
//!
//! No imports, no state, no allocation: the host lays out the memory, writes planes and a `Frame`,
//! and calls `measure_8` or `measure_16`; the integers are in the record when it returns. The host
//! keeps the luma of the frame before by giving the next frame another address.
//! docs/kernel.md describes every measure; reference.py computes the same ones with NumPy.
//!
//! The walk goes row by row, each group over a row while it is in the first cache.

#![no_std]

#[path = "rust/chroma.rs"]
mod chroma;
#[path = "rust/full.rs"]
mod full;
#[path = "rust/grid.rs"]
mod grid;
#[path = "rust/lanes.rs"]
mod lanes;
#[path = "rust/layout.rs"]
mod layout;
#[path = "rust/profile.rs"]
mod profile;
#[path = "rust/record.rs"]
mod record;
#[path = "rust/texture.rs"]
mod texture;

use grid::Plane;
use lanes::{Lanes, Narrow, Wide};
use record::{Cursor, Frame};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}

/// Measures a frame of 8-bit samples. Gives the bytes of its record, 0 for a frame it refuses.
///
/// # Safety
/// The addresses in the frame must lead to planes, record and scratch of the sizes it implies,
/// with 64 readable bytes after the last row of each plane.
#[no_mangle]
pub unsafe extern "C" fn measure_8(frame: *const Frame) -> u32 {
    measure(&*frame, Narrow::new())
}

/// Measures a frame of 16-bit little-endian samples with 9 to 12 bits used, as `measure_8`.
///
/// # Safety
/// As for `measure_8`; planes are aligned to 2 bytes.
#[no_mangle]
pub unsafe extern "C" fn measure_16(frame: *const Frame) -> u32 {
    measure(&*frame, Wide::new((*frame).bit_depth))
}

/// Bytes of scratch memory that frames of this width need, whatever the groups and the depth.
#[no_mangle]
pub extern "C" fn scratch_bytes(width: u32) -> u32 {
    // Two lines of differences, three column sums, one column maximum, one line of noise, tables.
    (width + 64) * (2 * 2 + 3 * 4 + 2 + 2) + 3 * 256 * 4
}

/// Where the text lies that says what a record holds; `layout_bytes` gives its length.
#[no_mangle]
pub extern "C" fn layout() -> *const u8 {
    layout::CATALOGUE.as_ptr()
}

#[no_mangle]
pub extern "C" fn layout_bytes() -> u32 {
    layout::CATALOGUE.len() as u32
}

macro_rules! only {
    ($frame:expr, $group:ident, $make:expr) => {
        if $frame.groups & record::$group != 0 {
            Some($make)
        } else {
            None
        }
    };
}

unsafe fn measure<L: Lanes>(frame: &Frame, lanes: L) -> u32 {
    if !frame.is_measurable(L::BYTES as u32) {
        return 0;
    }
    let mut out = Cursor::new(frame.record as usize);
    measure_luma(frame, lanes, &mut out);
    measure_chroma(frame, lanes, &mut out);
    (out.at() - frame.record as usize) as u32
}

unsafe fn measure_luma<L: Lanes>(frame: &Frame, l: L, out: &mut Cursor) {
    let plane = Plane::new(frame.width as usize, frame.height as usize);
    let shift = frame.bit_depth - 8;
    let stride = frame.stride as usize;
    let height = plane.height;
    let has_previous = frame.previous != 0;
    let mut spare = Cursor::new(frame.scratch as usize);
    let spare = &mut spare;

    let mut full = full::Full::new(l, plane);
    if frame.groups & record::LUMA != 0 {
        full.with_luma(shift, out);
    }
    if frame.groups & record::TEMPORAL != 0 {
        full.with_temporal(shift, has_previous, out);
    }
    let mut rows = only!(frame, ROWS, full::Rows::new(l, plane, out, spare));
    let mut histogram = only!(
        frame,
        HISTOGRAM,
        profile::Histogram::new(l, plane, out, spare)
    );
    let mut columns = only!(frame, COLUMNS, profile::Columns::new(l, plane, out, spare));
    let mut grid = only!(frame, GRID, profile::Grid::new(l, plane, out, spare));
    let mut fields = only!(frame, FIELDS, profile::Fields::new(l, plane, shift, out));
    let mut activity = only!(frame, ACTIVITY, texture::Activity::new(l, plane, shift, out));
    let mut sharpness = only!(frame, SHARPNESS, texture::Sharpness::new(l, plane, out));
    let mut noise = only!(frame, NOISE, texture::Noise::new(l, plane, out, spare));
    let mut banding = only!(frame, BANDING, texture::Banding::new(l, plane, shift, out));

    for r in 0..height {
        let y = (frame.luma as usize + r * stride) as *const u8;
        let previous = if has_previous {
            (frame.previous as usize + r * stride) as *const u8
        } else {
            core::ptr::null()
        };
        full.row(r, y, previous);
        if let (Some(rows), true) = (&mut rows, r > 0) {
            rows.row(r, y, y.sub(stride));
        }
        if plane.is_sampled(r) {
            let below = height - 1 - r;
            if let Some(histogram) = &mut histogram {
                histogram.row(y);
            }
            if let Some(columns) = &mut columns {
                columns.row(y);
            }
            if let Some(grid) = &mut grid {
                grid.row(y);
            }
            if let (Some(fields), true) = (&mut fields, r >= 2 && below >= 2) {
                fields.row(r, y, previous, stride);
            }
            if let Some(activity) = &mut activity {
                activity.row(y, if below > 0 { Some(y.add(stride)) } else { None });
            }
            if let (Some(sharpness), true) = (&mut sharpness, below >= 4) {
                sharpness.row(y, stride);
            }
            if let (Some(noise), true) = (&mut noise, r >= 1 && below >= 1) {
                noise.row(y, stride);
            }
            if let Some(banding) = &mut banding {
                banding.across(y);
                if r >= 4 && below >= 5 {
                    banding.down(y.sub(4 * stride), stride);
                }
            }
        }
        if let Some(tile_row) = plane.closes(r) {
            fields.iter_mut().for_each(|group| group.close(tile_row));
            activity.iter_mut().for_each(|group| group.close(tile_row));
            sharpness.iter_mut().for_each(|group| group.close(tile_row));
            noise.iter_mut().for_each(|group| group.close(tile_row));
            banding.iter_mut().for_each(|group| group.close(tile_row));
        }
    }
    histogram.iter_mut().for_each(|group| group.finish());
    columns.iter_mut().for_each(|group| group.finish());
    grid.iter_mut().for_each(|group| group.finish());
}

unsafe fn measure_chroma<L: Lanes>(frame: &Frame, l: L, out: &mut Cursor) {
    let plane = Plane::new(frame.chroma_width as usize, frame.chroma_height as usize);
    let shift = frame.bit_depth - 8;
    let mut chroma = only!(frame, CHROMA, chroma::Chroma::new(l, plane, shift, out));
    let mut histogram = only!(
        frame,
        CHROMA_HISTOGRAM,
        chroma::ChromaHistogram::new(l, plane, out)
    );
    for r in 0..plane.height {
        let offset = r * frame.chroma_stride as usize;
        let u = (frame.u as usize + offset) as *const u8;
        let v = (frame.v as usize + offset) as *const u8;
        if plane.is_sampled(r) {
            if let Some(chroma) = &mut chroma {
                chroma.row(u, v);
            }
            if let Some(histogram) = &mut histogram {
                histogram.row(u, v);
            }
        }
        if let (Some(chroma), Some(tile_row)) = (&mut chroma, plane.closes(r)) {
            chroma.close(tile_row);
        }
    }
    if let (Some(chroma), true) = (&mut chroma, plane.height > 0) {
        chroma.finish();
    }
}
