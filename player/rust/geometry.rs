//! The grid of tiles and the sampled rows, as the kernel has them.

pub const TILES_X: usize = 12;
pub const TILES_Y: usize = 8;
pub const TILES: usize = TILES_X * TILES_Y;
const BLOCK: usize = 16;
const SAMPLED_AREA: usize = 65_536;
const SAMPLED_BLOCKS: usize = 20;

pub fn sampled_rows(width: usize, height: usize) -> Vec<usize> {
    let up = |a: usize, b: usize| (a + b - 1) / b;
    let by_area = up(width * height, SAMPLED_AREA) | 1;
    let by_rows = ((height / 36).max(2) - 1) | 1;
    let at_least = up(height, 256) | 1;
    let step = by_area.min(by_rows).max(at_least);
    (step / 2..height).step_by(step).collect()
}

pub fn sampled_columns(width: usize) -> usize {
    let blocks = (width + BLOCK - 1) / BLOCK;
    let step = (blocks / SAMPLED_BLOCKS).max(1);
    (0..width).filter(|column| column / BLOCK % step == step / 2).count()
}

/// Returns how many samples each tile's sum is made of.
pub fn tile_samples(width: usize, height: usize, rows: &[usize]) -> [f64; TILES] {
    let blocks = (width + BLOCK - 1) / BLOCK;
    let edge = |i: usize| (i * blocks / TILES_X * BLOCK).min(width);
    let mut samples = [0.0; TILES];
    for j in 0..TILES_Y {
        let (top, bottom) = (j * height / TILES_Y, (j + 1) * height / TILES_Y);
        let down = rows.iter().filter(|&&row| row >= top && row < bottom).count();
        for i in 0..TILES_X {
            samples[j * TILES_X + i] = (down * (edge(i + 1) - edge(i))) as f64;
        }
    }
    samples
}
