//! What a host hands in for one frame, and where the measures go.

/// One frame, as the host describes it. All addresses are byte offsets into the memory.
#[repr(C)]
pub struct Frame {
    pub width: u32,
    pub height: u32,
    pub stride: u32,
    pub bit_depth: u32,
    pub chroma_width: u32,
    pub chroma_height: u32,
    pub chroma_stride: u32,
    pub groups: u32,
    pub luma: u32,
    /// The luma of the frame before, of the same size, stride and depth; 0 where there is none.
    pub previous: u32,
    pub u: u32,
    pub v: u32,
    pub record: u32,
    pub scratch: u32,
}

pub const LUMA: u32 = 1 << 0;
pub const TEMPORAL: u32 = 1 << 1;
pub const ROWS: u32 = 1 << 2;
pub const HISTOGRAM: u32 = 1 << 3;
pub const COLUMNS: u32 = 1 << 4;
pub const GRID: u32 = 1 << 5;
pub const FIELDS: u32 = 1 << 6;
pub const ACTIVITY: u32 = 1 << 7;
pub const SHARPNESS: u32 = 1 << 8;
pub const NOISE: u32 = 1 << 9;
pub const BANDING: u32 = 1 << 10;
pub const CHROMA: u32 = 1 << 11;
pub const CHROMA_HISTOGRAM: u32 = 1 << 12;
const KNOWN: u32 = (1 << 13) - 1;

/// Largest width and height, and most samples of a plane: beyond, 32-bit tile sums could wrap.
const MAX_SIDE: u32 = 65_536;
const MAX_AREA: u64 = 1 << 26;

impl Frame {
    /// Whether width, height, depth and groups are within what the measures are exact for.
    pub fn is_measurable(&self, bytes: u32) -> bool {
        let fits = |width: u32, height: u32| {
            width <= MAX_SIDE && height <= MAX_SIDE && width as u64 * height as u64 <= MAX_AREA
        };
        let depth_fits = if bytes == 1 {
            self.bit_depth == 8
        } else {
            (9..=12).contains(&self.bit_depth)
        };
        self.width > 0
            && self.height > 0
            && fits(self.width, self.height)
            && fits(self.chroma_width, self.chroma_height)
            && (self.chroma_width == 0) == (self.chroma_height == 0)
            && depth_fits
            && self.stride as u64 >= self.width as u64 * bytes as u64
            && self.chroma_stride as u64 >= self.chroma_width as u64 * bytes as u64
            && self.groups & !KNOWN == 0
    }
}

/// Gives out consecutive places, each aligned to 8 bytes and filled with zeros.
pub struct Cursor {
    at: usize,
}

impl Cursor {
    pub fn new(at: usize) -> Cursor {
        Cursor { at }
    }

    pub fn take<T>(&mut self, count: usize) -> *mut T {
        let here = self.at;
        self.at += (count * core::mem::size_of::<T>() + 7) & !7;
        for i in 0..(self.at - here) / 8 {
            unsafe { *(here as *mut u64).add(i) = 0 };
        }
        here as *mut T
    }

    pub fn at(&self) -> usize {
        self.at
    }
}
