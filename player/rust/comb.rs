//! Finds a block grid of any phase and several scales in profiles of steps.

use crate::series::median;
use std::f64::consts::PI;

/// Blocks of 8 and of 16 coded at full size, 3/4, 2/3 and 1/2 of it, and blocks of 8 at 1/4.
pub const PERIODS_PX: [f64; 7] = [8.0, 32.0 / 3.0, 12.0, 16.0, 64.0 / 3.0, 24.0, 32.0];
const MAX_HARMONICS: usize = 4;
const SURROUND: usize = 17;
const MAX_RELATIVE: f64 = 4.0;
const FLOOR: f64 = 1.5;

/// Returns, per period, how strong a comb is and how far it stands out; the plan is that of the
/// profile's length.
pub fn comb(profile: &[f64], plan: &Plan) -> [(f64, f64); 7] {
    let length = profile.len();
    let mut out = [(0.0, 0.0); 7];
    if length < 4 * SURROUND || profile.iter().all(|&step| step == 0.0) {
        return out;
    }
    let local = uniform_filter(profile, SURROUND);
    let mut relative: Vec<f64> = profile
        .iter()
        .zip(&local)
        .map(|(step, around)| (step / around.max(1e-9) - 1.0).clamp(-1.0, MAX_RELATIVE))
        .collect();
    let mean = relative.iter().sum::<f64>() / length as f64;
    let weight: f64 = plan.window.iter().sum();
    for (value, share) in relative.iter_mut().zip(&plan.window) {
        *value = (*value - mean) * share / weight;
    }
    let spectrum = plan.amplitudes(&relative);
    let every_bin: Vec<f64> = (1..=length / 2).map(|bin| spectrum[2 * bin]).collect();
    let typical = median(&every_bin).max(1e-9);
    for (period, into) in PERIODS_PX.iter().zip(&mut out) {
        let count = MAX_HARMONICS.min((period / 2.0).ceil() as usize - 1);
        let mut logs = 0.0;
        for harmonic in 1..=count {
            let bin = crate::table::saturate(harmonic as f64 / period * 2.0 * length as f64, 0.0, 1e9);
            let near = (bin as usize).saturating_sub(1)..=(bin as usize + 1).min(length);
            let line = near.map(|at| spectrum[at]).fold(0.0, f64::max);
            logs += line.max(1e-9).ln();
        }
        let amplitude = (logs / count as f64).exp();
        *into = ((amplitude - FLOOR * typical).max(0.0) * period, amplitude / typical);
    }
    out
}

/// Returns the running mean; the ends repeat.
fn uniform_filter(values: &[f64], size: usize) -> Vec<f64> {
    let (reach, last) = ((size / 2) as isize, values.len() as isize - 1);
    let at = |index: isize| values[index.clamp(0, last) as usize];
    let mut sum: f64 = (-reach..=reach).map(at).sum();
    let mut out = Vec::with_capacity(values.len());
    for row in 0..=last {
        out.push(sum / size as f64);
        sum += at(row + reach + 1) - at(row - reach);
    }
    out
}

/// A complex number.
type Pair = (f64, f64);

fn times(one: Pair, other: Pair) -> Pair {
    (one.0 * other.0 - one.1 * other.1, one.0 * other.1 + one.1 * other.0)
}

/// A window, and the Fourier transform of what it cuts out, followed by as many zeros.
pub struct Plan {
    samples: usize,
    window: Vec<f64>,
    turns: Vec<Pair>,
}

impl Plan {
    /// Makes ready for profiles of so many samples.
    pub fn new(samples: usize) -> Plan {
        let last = samples.max(2) as f64 - 1.0;
        let hann = |i: usize| 0.5 - 0.5 * (2.0 * PI * i as f64 / last).cos();
        let turn = |i: usize| {
            let angle = -PI * i as f64 / samples as f64;
            (angle.cos(), angle.sin())
        };
        Plan {
            samples,
            window: (0..samples).map(hann).collect(),
            turns: (0..2 * samples).map(turn).collect(),
        }
    }

    /// Returns the amplitudes up to half the sampling frequency, two for each cycle in the window.
    ///
    /// Even and odd samples are the real and imaginary parts of one transform of half the length.
    fn amplitudes(&self, values: &[f64]) -> Vec<f64> {
        let count = self.samples;
        let value = |at: usize| values.get(at).copied().unwrap_or(0.0);
        let pairs: Vec<Pair> = (0..count).map(|i| (value(2 * i), value(2 * i + 1))).collect();
        let mut out = vec![(0.0, 0.0); count];
        let mut spare = out.clone();
        self.transform(&pairs, 0, 1, &mut out, &mut spare);
        let amplitude = |k: usize| {
            let ((a, b), (c, d)) = (out[k % count], out[(count - k) % count]);
            let (even, odd) = ((a + c, b - d), (b + d, c - a));
            let (re, im) = times(odd, self.turns[k]);
            ((even.0 + re).powi(2) + (even.1 + im).powi(2)).sqrt() / 2.0
        };
        (0..=count).map(amplitude).collect()
    }

    /// Transforms every `stride`-th value from `first` on into `out`.
    fn transform(
        &self,
        values: &[Pair],
        first: usize,
        stride: usize,
        out: &mut [Pair],
        spare: &mut [Pair],
    ) {
        let count = out.len();
        if count == 1 {
            out[0] = values[first];
            return;
        }
        let factor = (2..).find(|f| count % f == 0 || f * f > count).unwrap();
        let factor = if count % factor == 0 { factor } else { count };
        let part = count / factor;
        for i in 0..factor {
            let range = i * part..(i + 1) * part;
            let (into, rest) = (&mut out[range.clone()], &mut spare[range]);
            self.transform(values, first + i * stride, stride * factor, into, rest);
        }
        for (k, into) in spare.iter_mut().enumerate() {
            let turn = self.turns[2 * k * stride];
            let (mut sum, mut turned) = ((0.0, 0.0), (1.0, 0.0));
            for &value in out[k % part..].iter().step_by(part) {
                let (re, im) = times(value, turned);
                sum = (sum.0 + re, sum.1 + im);
                turned = times(turned, turn);
            }
            *into = sum;
        }
        out.copy_from_slice(spare);
    }
}
