//! Instructions and allocations, counted by valgrind: the same on a busy machine as on an idle one.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    functions::{Surroundings, Variant},
    run::ask,
};

/// Warm requests of the two processes whose difference is counted.
const FEW: usize = 5;
const MANY: usize = 25;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    instructions_until_first_answer: u64,
    pub(crate) instructions_per_warm_request: u64,
    pub(crate) allocations_per_warm_request: u64,
    bytes_allocated_per_warm_request: u64,
}

/// Prints the counts of each function, if valgrind is there.
pub(crate) fn print(surroundings: &Surroundings) {
    if !has_valgrind() {
        println!("left out: instructions and allocations, as valgrind is not installed");
        return;
    }
    println!("{:<34}{:>22}{:>22}{:>20}", "", "until first answer", "per warm request", "per warm request");
    println!("{:<34}{:>22}{:>22}{:>20}{:>14}", "", "instructions", "instructions", "allocations", "bytes");
    // Node compiles as it runs, which valgrind does not follow.
    for variant in Variant::all(surroundings).iter().filter(|variant| !variant.name.contains("Node")) {
        // Some fifty times slower, a function on a busy machine can miss its own time limits. Then nothing is counted.
        let Some(counts) = count(variant, surroundings) else {
            println!("{:<34}{:>22}", variant.name, "too slow to count");
            continue;
        };
        println!(
            "{:<34}{:>22}{:>22}{:>20}{:>14}",
            variant.name,
            counts.instructions_until_first_answer,
            counts.instructions_per_warm_request,
            counts.allocations_per_warm_request,
            counts.bytes_allocated_per_warm_request
        );
    }
}

pub(crate) fn has_valgrind() -> bool {
    let version = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// `None` if the function misses its own time limits, because the machine is too busy.
pub(crate) fn count(variant: &Variant, surroundings: &Surroundings) -> Option<Counts> {
    let instructions = |requests| callgrind(variant, surroundings, requests);
    let (first, few, many) = (instructions(1)?, instructions(FEW)?, instructions(MANY)?);
    let (few_heap, many_heap) = (heap(variant, surroundings, FEW)?, heap(variant, surroundings, MANY)?);
    let each = |few: u64, many: u64| many.saturating_sub(few) / (MANY - FEW) as u64;
    Some(Counts {
        instructions_until_first_answer: first,
        instructions_per_warm_request: each(few, many),
        allocations_per_warm_request: each(few_heap.0, many_heap.0),
        bytes_allocated_per_warm_request: each(few_heap.1, many_heap.1),
    })
}

/// The instructions of a process that answers this many requests.
fn callgrind(variant: &Variant, surroundings: &Surroundings, requests: usize) -> Option<u64> {
    let folder = tempfile::tempdir().expect("a folder");
    let counts = folder.path().join("counts");
    let options = format!("--tool=callgrind --callgrind-out-file={}", counts.display());
    under_valgrind(&options, variant, surroundings, requests)?;
    let counts = fs::read_to_string(counts).expect("callgrind's file");
    let totals = counts.lines().find_map(|line| line.strip_prefix("totals: "));
    Some(totals.and_then(|totals| totals.trim().parse().ok()).expect("callgrind's totals"))
}

/// The allocations of such a process, and their bytes.
fn heap(variant: &Variant, surroundings: &Surroundings, requests: usize) -> Option<(u64, u64)> {
    let options = "--tool=dhat --dhat-out-file=/dev/null";
    let output = under_valgrind(options, variant, surroundings, requests)?;
    let total = output.lines().find_map(|line| line.split_once("Total:")).expect("dhat's total").1.replace(',', "");
    let mut words = total.split_whitespace();
    let mut number = |at| words.nth(at).and_then(|word| word.parse().ok()).expect("dhat's numbers");
    // `Total: 123 bytes in 45 blocks`
    let bytes = number(0);
    Some((number(2), bytes))
}

fn under_valgrind(options: &str, variant: &Variant, surroundings: &Surroundings, requests: usize) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("bootstrap");
    let text = format!("#!/bin/sh\nexec valgrind {options} '{}'\n", variant.program.display());
    fs::write(&script, text).expect("to write the script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("to make it executable");
    let function = variant.builder(surroundings, Some(&script)).spawn();
    function.wait_until_ready(Duration::from_mins(2)).ok()?;
    for _ in 0..requests {
        ask(variant, surroundings, &function).ok()?;
    }
    let pid = function.pid().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)).expect("a process");
    // valgrind writes its counts when the process ends.
    kill_process(pid, Signal::TERM).expect("to end the process");
    let until = Instant::now() + Duration::from_secs(60);
    while function.pid().is_some() {
        assert!(Instant::now() < until, "{} does not end", variant.name);
        std::thread::sleep(Duration::from_millis(5));
    }
    Some(function.output())
}
