//! What the functions may cost: recorded figures, which `make check-limits` compares with a release build.
//!
//! No time is measured, so a busy machine does not matter. valgrind makes a function some fifty times slower, so on a very
//! busy machine it can miss its own time limits: then the counts are left out, and a line says so.

use std::{collections::BTreeMap, env::consts::ARCH, process::ExitCode, time::Duration};

use serde::Deserialize;

use crate::{
    counts::{self, Counts},
    functions::{Program, Surroundings, Variant},
    table,
};

/// How far above its recorded figure a count or a size may be, in percent.
const TOLERANCE: u64 = 5;

/// How often a function is counted whose counts are too high. What disturbs a count only adds to it.
const TRIES: usize = 3;

/// The recorded figures of one architecture.
#[derive(Deserialize)]
struct Limits {
    compressed_bytes: BTreeMap<String, u64>,
    warm_request: BTreeMap<String, WarmRequest>,
}

#[derive(Deserialize)]
struct WarmRequest {
    instructions: u64,
    allocations: u64,
}

/// Prints each figure next to the recorded one. Fails if one is more than five percent above it.
pub(crate) fn check() -> ExitCode {
    let recorded = include_str!("limits.json");
    let recorded: BTreeMap<String, Limits> = serde_json::from_str(recorded).expect("limits.json in its form");
    let Some(limits) = recorded.get(ARCH) else {
        println!("left out: no figures are recorded for {ARCH}");
        return ExitCode::SUCCESS;
    };
    let mut is_within = true;
    for (name, limit) in &limits.compressed_bytes {
        let program = if name == "event-hook" { Program::Event } else { Program::Telephony };
        let path = program.path().expect("a release build");
        is_within &= compare(&format!("{name}, compressed bytes"), table::compressed(&path) as u64, *limit);
    }
    if !counts::has_valgrind() {
        println!("left out: instructions and allocations, as valgrind is not installed");
        return status(is_within);
    }
    let surroundings = Surroundings::start(Duration::ZERO);
    for variant in Variant::all(&surroundings) {
        let Some(limit) = limits.warm_request.get(variant.name) else { continue };
        println!("counting {}", variant.name);
        let Some(found) = count(&variant, &surroundings, limit) else {
            println!("left out: {}, which is too slow to count while this machine is so busy", variant.name);
            continue;
        };
        let name = variant.name;
        is_within &= compare(&format!("{name}, instructions"), found.instructions_per_warm_request, limit.instructions);
        is_within &= compare(&format!("{name}, allocations"), found.allocations_per_warm_request, limit.allocations);
    }
    status(is_within)
}

/// The first counts that are within the limit, or the last ones. `None` if nothing could be counted.
fn count(variant: &Variant, surroundings: &Surroundings, limit: &WarmRequest) -> Option<Counts> {
    let mut found = None;
    for _ in 0..TRIES {
        let Some(counts) = counts::count(variant, surroundings) else { continue };
        found = Some(counts);
        if is_below(counts.instructions_per_warm_request, limit.instructions)
            && is_below(counts.allocations_per_warm_request, limit.allocations)
        {
            break;
        }
    }
    found
}

fn is_below(found: u64, limit: u64) -> bool {
    found * 100 <= limit * (100 + TOLERANCE)
}

fn compare(what: &str, found: u64, limit: u64) -> bool {
    let is_below = is_below(found, limit);
    let verdict = match (is_below, found * 100 < limit * (100 - TOLERANCE)) {
        (false, _) => "TOO MUCH",
        (true, true) => "less: record it in limits.json",
        (true, false) => "as recorded",
    };
    println!("{what:<50}{found:>12}{limit:>12}  {verdict}");
    is_below
}

fn status(is_within: bool) -> ExitCode {
    if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
