//! Decisions of the player: integers of the kernel in, measurements by row, findings out.
//!
//! One module watches one stream. The host writes the integers of a frame to `input`, calls `push`,
//! and asks each detector to `decide` over the rows that are held. The rules are those of the Python
//! package on the same measurements; docs/player.md says which parts of them are here.

mod black;
mod blockiness;
mod color;
mod color_pairs;
mod color_steps;
mod comb;
mod freeze;
mod geometry;
mod measure;
mod regular;
mod rhythm;
mod series;
mod stutter;
mod table;

use measure::Measure;
use table::{Finding, Table};

type Decide = fn(&Table, &[f64], f64) -> Vec<Finding>;

/// Name, columns, thresholds, kinds and evidence of a detector, and how it decides.
struct Detector {
    description: &'static str,
    columns: usize,
    decide: Decide,
}

const DETECTORS: [Detector; 5] = [
    Detector { description: black::DESCRIPTION, columns: black::COLUMNS, decide: black::decide },
    Detector { description: freeze::DESCRIPTION, columns: freeze::COLUMNS, decide: freeze::decide },
    Detector { description: stutter::DESCRIPTION, columns: stutter::COLUMNS, decide: stutter::decide },
    Detector {
        description: blockiness::DESCRIPTION,
        columns: blockiness::COLUMNS,
        decide: blockiness::decide,
    },
    Detector { description: color::DESCRIPTION, columns: color::COLUMNS, decide: color::decide },
];
const MOST_THRESHOLDS: usize = 48;
const MOST_COLUMNS: usize = 32;

struct State {
    measure: Option<Measure>,
    tables: Vec<Table>,
    thresholds: [[f64; MOST_THRESHOLDS]; DETECTORS.len()],
    row: [f64; MOST_COLUMNS],
    findings: Vec<Finding>,
    text: String,
}

static mut STATE: Option<State> = None;

// The module has one thread, and no call of the host's runs inside another.
fn state() -> &'static mut State {
    unsafe {
        (*core::ptr::addr_of_mut!(STATE)).get_or_insert_with(|| State {
            measure: None,
            tables: DETECTORS.iter().map(|each| Table::new(each.columns)).collect(),
            thresholds: [[0.0; MOST_THRESHOLDS]; DETECTORS.len()],
            row: [0.0; MOST_COLUMNS],
            findings: Vec::new(),
            text: String::new(),
        })
    }
}

/// Returns where the text lies that names detectors, columns, thresholds, kinds and evidence: one
/// line a detector, fields divided by `|`, names by spaces. `describe_bytes` gives its length.
#[no_mangle]
pub extern "C" fn describe() -> *const u8 {
    let state = state();
    state.text = DETECTORS.map(|each| each.description).join("\n");
    state.text.as_ptr()
}

#[no_mangle]
pub extern "C" fn describe_bytes() -> u32 {
    state().text.len() as u32
}

#[no_mangle]
pub extern "C" fn set_threshold(detector: u32, index: u32, value: f64) {
    state().thresholds[detector as usize][index as usize] = value;
}

/// Begins a stream of frames of this geometry and returns where its integers are awaited.
#[no_mangle]
pub extern "C" fn open(
    width: u32,
    height: u32,
    chroma_width: u32,
    chroma_height: u32,
    bit_depth: u32,
    full_range: u32,
) -> *mut u32 {
    let state = state();
    reset();
    let sizes = [width, height, chroma_width, chroma_height].map(|size| size as usize);
    state.measure = Some(Measure::new(sizes, bit_depth, full_range != 0));
    state.measure.as_mut().unwrap().input()
}

/// Measures the frame whose integers lie in the input; `start_s` is its time in the programme.
#[no_mangle]
pub extern "C" fn push(start_s: f64) {
    let state = state();
    if let Some(measure) = &mut state.measure {
        measure.push(start_s, &mut state.tables);
    }
}

/// Forgets all rows and the frame before: what comes does not follow what was.
#[no_mangle]
pub extern "C" fn reset() {
    let state = state();
    state.tables.iter_mut().for_each(Table::clear);
    if let Some(measure) = &mut state.measure {
        measure.reset();
    }
}

/// Forgets rows that begin before an instant.
#[no_mangle]
pub extern "C" fn trim(before_s: f64) {
    state().tables.iter_mut().for_each(|table| table.trim(before_s));
}

/// Measures what waits for its stretch to be over: the stream, or its part without a break, ended.
#[no_mangle]
pub extern "C" fn finish() {
    let state = state();
    if let Some(measure) = &mut state.measure {
        measure.finish(&mut state.tables);
    }
}

/// Returns how many rows a detector holds.
#[no_mangle]
pub extern "C" fn rows(detector: u32) -> u32 {
    state().tables[detector as usize].len() as u32
}

/// Returns where the host writes a row of measures for `add_row`, or reads one after `read_row`.
#[no_mangle]
pub extern "C" fn row() -> *mut f64 {
    state().row.as_mut_ptr()
}

/// Adds a row of measures as Python exchanges them, in integer steps.
#[no_mangle]
pub extern "C" fn add_row(detector: u32, start_s: f64) {
    let state = state();
    state.tables[detector as usize].add(start_s, &state.row);
}

/// Reads a row of measures into `row` and returns when it begins.
#[no_mangle]
pub extern "C" fn read_row(detector: u32, index: u32) -> f64 {
    let state = state();
    let table = &state.tables[detector as usize];
    for (into, column) in state.row.iter_mut().zip(&table.columns) {
        *into = column[index as usize];
    }
    table.starts_s[index as usize]
}

/// Decides over the rows held and returns how many findings lie at `findings`.
#[no_mangle]
pub extern "C" fn decide(detector: u32, nominal_s: f64) -> u32 {
    let state = state();
    let index = detector as usize;
    let table = &state.tables[index];
    state.findings = (DETECTORS[index].decide)(table, &state.thresholds[index], nominal_s);
    state.findings.len() as u32
}

#[no_mangle]
pub extern "C" fn findings() -> *const Finding {
    state().findings.as_ptr()
}
