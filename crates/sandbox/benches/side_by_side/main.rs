//! What a cold and a warm request of each function cost, side by side with other ways to write the same. `make bench`
//! runs it; `--quick` takes fewer rounds. `--limits` compares counts and sizes with the recorded ones instead,
//! and `--quotas` measures with the processor's share of Lambda's memory sizes only.
//!
//! Everything is a release binary between stand-ins on the loopback interface, behind TLS. The functions run in turns,
//! and a ratio is the median of the ratios of one turn, so a machine that is busy for a while slows both sides of it.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and ends where it cannot measure"
)]

mod counts;
mod functions;
mod limits;
mod quotas;
mod run;
mod table;

use std::{env, process::ExitCode, time::Duration};

use functions::{Surroundings, Variant};
use run::Run;

/// How often each function is started, and how many warm requests follow each start.
struct Effort {
    round_trip_ms: u64,
    rounds: usize,
    warm_requests: usize,
}

const THOROUGH: [Effort; 3] = [
    Effort { round_trip_ms: 0, rounds: 21, warm_requests: 40 },
    Effort { round_trip_ms: 40, rounds: 7, warm_requests: 10 },
    Effort { round_trip_ms: 200, rounds: 5, warm_requests: 3 },
];

const QUICK: [Effort; 2] = [
    Effort { round_trip_ms: 0, rounds: 5, warm_requests: 20 },
    Effort { round_trip_ms: 40, rounds: 3, warm_requests: 5 },
];

fn main() -> ExitCode {
    let has = |switch: &str| env::args().any(|argument| argument == switch);
    if has("--limits") {
        return limits::check();
    }
    if has("--quotas") {
        quotas::print(&Surroundings::start(Duration::ZERO));
        return ExitCode::SUCCESS;
    }
    for line in functions::missing() {
        println!("left out: {line}");
    }
    table::sizes();
    let efforts: &[Effort] = if has("--quick") { &QUICK } else { &THOROUGH };
    for effort in efforts {
        let surroundings = Surroundings::start(Duration::from_millis(effort.round_trip_ms));
        let variants = Variant::all(&surroundings);
        let mut runs: Vec<Vec<Run>> = variants.iter().map(|_| Vec::new()).collect();
        for round in 0..effort.rounds {
            println!("round trip {} ms: turn {} of {}", effort.round_trip_ms, round + 1, effort.rounds);
            for (variant, runs) in variants.iter().zip(&mut runs) {
                runs.push(run::measure(variant, &surroundings, effort.warm_requests));
            }
        }
        table::times(effort, &variants, &runs);
    }
    quotas::print(&Surroundings::start(Duration::ZERO));
    counts::print(&Surroundings::start(Duration::ZERO));
    ExitCode::SUCCESS
}
