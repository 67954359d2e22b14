//! What detectors measure, row by row, and what they find in it.

/// Rows of measures as Python keeps them: the anchor in seconds, the rest in integer steps.
#[derive(Default)]
pub struct Table {
    pub starts_s: Vec<f64>,
    pub columns: Vec<Vec<f64>>,
}

impl Table {
    pub fn new(columns: usize) -> Table {
        Table {
            starts_s: Vec::new(),
            columns: vec![Vec::new(); columns],
        }
    }

    pub fn len(&self) -> usize {
        self.starts_s.len()
    }

    pub fn add(&mut self, start_s: f64, values: &[f64]) {
        self.starts_s.push(start_s);
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(*value);
        }
    }

    /// Forgets the rows before an instant.
    pub fn trim(&mut self, before_s: f64) {
        let count = self.starts_s.partition_point(|&start| start < before_s);
        self.starts_s.drain(..count);
        for column in &mut self.columns {
            column.drain(..count);
        }
    }

    pub fn clear(&mut self) {
        self.starts_s.clear();
        self.columns.iter_mut().for_each(Vec::clear);
    }

    /// Returns a column divided by the steps of its unit.
    pub fn column(&self, index: usize, steps: f64) -> Vec<f64> {
        self.columns[index].iter().map(|value| value / steps).collect()
    }
}

/// Values of evidence that a finding may carry.
pub const VALUES: usize = 10;

/// One finding as the host reads it: sixteen 64-bit floats.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Finding {
    pub start_s: f64,
    pub end_s: f64,
    pub confidence: f64,
    pub first_row: f64,
    pub last_row: f64,
    /// Index into the detector's kinds, as `describe` lists them.
    pub kind: f64,
    /// Evidence in the order in which `describe` names it.
    pub values: [f64; VALUES],
}

impl Finding {
    pub fn new(rows: (usize, usize), span_s: (f64, f64), confidence: f64, values: &[f64]) -> Finding {
        let mut kept = [0.0; VALUES];
        kept[..values.len()].copy_from_slice(values);
        Finding {
            start_s: span_s.0,
            end_s: span_s.1,
            confidence,
            first_row: rows.0 as f64,
            last_row: rows.1 as f64,
            kind: 0.0,
            values: kept,
        }
    }
}

/// Rounds half to even and holds to a range, as NumPy's `rint` and `clip` do.
pub fn saturate(value: f64, low: f64, high: f64) -> f64 {
    let floor = value.floor();
    let rest = value - floor;
    let even = floor % 2.0 == 0.0;
    let rounded = if rest > 0.5 || (rest == 0.5 && !even) { floor + 1.0 } else { floor };
    rounded.clamp(low, high)
}
