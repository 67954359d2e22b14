//! Joins disturbances of motion that follow each other in one rhythm.

use crate::series::{least, mean, median};
use crate::stutter::Event;

const REGULAR_SHARE: f64 = 0.8;
const LEAST_EVENTS: usize = 3;
/// Events in a row that a cut or a still moment may hide.
const MOST_HIDDEN: f64 = 3.0;
const SLACK: f64 = 0.04;
const LOOSE_FRAMES: f64 = 10.0;
const LONGEST_PERIOD_S: f64 = 3.0;

/// Joins groups of events: one frame repeated every second is one disturbance, all along.
pub fn join_regular(groups: Vec<Vec<Event>>, nominal_s: f64) -> Vec<Vec<Event>> {
    let mut joined: Vec<Vec<Event>> = Vec::new();
    let mut next = 0;
    while next < groups.len() {
        let mut group = groups[next].clone();
        next += 1;
        while next < groups.len() {
            let mut both = group.clone();
            both.extend_from_slice(&groups[next]);
            let mut more = both.clone();
            if both.len() < LEAST_EVENTS && next + 1 < groups.len() {
                more.extend_from_slice(&groups[next + 1]);
            }
            if !period_frames(&more).map_or(false, |p| p <= LONGEST_PERIOD_S / nominal_s) {
                break;
            }
            group = both;
            next += 1;
        }
        joined.push(group);
    }
    joined
}

/// Returns at which distance events of one kind follow each other.
fn period_frames(events: &[Event]) -> Option<f64> {
    if events.len() < LEAST_EVENTS || events.iter().any(|event| event.kind != events[0].kind) {
        return None;
    }
    let apart: Vec<f64> =
        events.windows(2).map(|two| two[1].rows.0 as f64 - two[0].rows.0 as f64).collect();
    // Where some are hidden, the usual distance is a multiple of the least.
    for period in [median(&apart), least(&apart)] {
        if period < 2.0 {
            continue;
        }
        let times = |apart: f64| rounded(apart / period);
        // A frame more or less is no rhythm where few lie between.
        let slack = f64::from(u8::from(period >= LOOSE_FRAMES)).max(SLACK * period);
        let fits = |&apart: &f64| {
            let times = times(apart);
            (1.0..=MOST_HIDDEN + 1.0).contains(&times)
                && (apart - times * period).abs() <= slack * times
        };
        let flags: Vec<f64> = apart.iter().map(|each| f64::from(u8::from(fits(each)))).collect();
        if mean(&flags) >= REGULAR_SHARE {
            let fitting = || apart.iter().filter(|each| fits(each));
            let total: f64 = fitting().map(|&each| times(each)).sum();
            return Some(rounded(fitting().sum::<f64>() / total));
        }
    }
    None
}

/// Returns the nearest whole number, the even one of two.
fn rounded(value: f64) -> f64 {
    let floor = value.floor();
    let part = value - floor;
    let up = part > 0.5 || (part == 0.5 && floor % 2.0 == 1.0);
    floor + f64::from(u8::from(up))
}
