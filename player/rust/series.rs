//! Statistics of series, computed as NumPy and SciPy compute them.

/// Row ranges [first, last).
pub type Rows = (usize, usize);

/// Returns the maximal runs of true rows.
pub fn runs(flags: &[bool]) -> Vec<Rows> {
    let mut found = Vec::new();
    let mut row = 0;
    while row < flags.len() {
        if flags[row] {
            let first = row;
            while row < flags.len() && flags[row] {
                row += 1;
            }
            found.push((first, row));
        } else {
            row += 1;
        }
    }
    found
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

pub fn greatest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut copy = values.to_vec();
    put_in_order(&mut copy, |a, b| a < b);
    copy
}

/// Sorts in place; a tenth of the code of the standard library's sorts. Source: D. Shell, 1959,
/// with the gaps of M. Ciura, 2001.
pub fn put_in_order<T: Copy>(values: &mut [T], before: impl Fn(&T, &T) -> bool) {
    for gap in [1750, 701, 301, 132, 57, 23, 10, 4, 1] {
        for end in gap..values.len() {
            let value = values[end];
            let mut at = end;
            while at >= gap && before(&value, &values[at - gap]) {
                values[at] = values[at - gap];
                at -= gap;
            }
            values[at] = value;
        }
    }
}

pub fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.is_empty() {
        0.0
    } else if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

/// Returns the quantile with linear interpolation between neighbours.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let sorted = sorted(values);
    let at = share * (sorted.len() - 1) as f64;
    let below = at as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    let part = at - below as f64;
    if part < 0.5 {
        low + (high - low) * part
    } else {
        high - (high - low) * (1.0 - part)
    }
}

/// Returns the running median of an odd number of rows; the ends repeat.
pub fn median_filter(values: &[f64], size: usize) -> Vec<f64> {
    let reach = (size / 2) as isize;
    let last = values.len() as isize - 1;
    (0..=last)
        .map(|row| {
            let window: Vec<f64> = (row - reach..=row + reach)
                .map(|at| values[at.clamp(0, last) as usize])
                .collect();
            sorted(&window)[reach as usize]
        })
        .collect()
}

/// Returns the index that a value would be inserted at, before equal ones.
pub fn insertion(sorted: &[f64], value: f64) -> usize {
    sorted.partition_point(|&other| other < value)
}

/// Returns when each row's frame leaves the screen: when the next one comes.
pub fn row_ends(starts_s: &[f64], nominal_s: f64) -> Vec<f64> {
    let mut ends: Vec<f64> = starts_s.iter().skip(1).copied().collect();
    if let Some(last) = starts_s.last() {
        ends.push(last + nominal_s);
    }
    ends
}

/// Returns runs of scores that stay at or above `leave` and reach `enter` somewhere.
pub fn hysteresis(scores: &[f64], enter: f64, leave: f64) -> Vec<Rows> {
    let flags: Vec<bool> = scores.iter().map(|&score| score >= leave).collect();
    runs(&flags)
        .into_iter()
        .filter(|&(first, last)| greatest(&scores[first..last]) >= enter)
        .collect()
}

/// Joins spans that are at most `gap` apart.
pub fn bridge(spans: Vec<Rows>, starts: &[f64], ends: &[f64], gap: f64) -> Vec<Rows> {
    let mut joined: Vec<Rows> = Vec::new();
    for (first, last) in spans {
        match joined.last_mut() {
            Some(before) if starts[first] - ends[before.1 - 1] <= gap => before.1 = last,
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// Returns an index mirrored at the ends, with the end rows repeated (NumPy's `symmetric`).
pub fn mirrored(index: isize, count: usize) -> usize {
    let period = 2 * count as isize;
    let wrapped = index.rem_euclid(period);
    (if wrapped < count as isize { wrapped } else { period - 1 - wrapped }) as usize
}
