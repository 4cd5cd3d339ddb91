//! The cost of a cold and a warm request, compared with a function that does nothing.
//!
//! Both are release binaries. One process measures them in turns, with Twilio and Secrets Manager on the loopback
//! interface. The ratios show what this project adds, and not what a network or Lambda adds. `make bench` runs it.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and ends where it cannot measure")]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sandbox::{
    Operation, Options,
    deployment::{Deployment, TelephonyRequest},
    lambda::{Function, Outcome},
};

const COLD_STARTS: usize = 30;
const WARM_REQUESTS: usize = 200;

/// The measurements of one process.
struct Run {
    /// From its start until it asked for its first invocation.
    init: Duration,
    /// The duration of the first response.
    first: Duration,
    /// The median of the following ones.
    warm: Duration,
    peak_memory_kib: u64,
}

fn main() {
    let hook = Path::new(env!("CARGO_BIN_EXE_telephony-hook"));
    let nothing = neighbour(hook, "examples/lambda_function");
    let deployment = Deployment::start(Options::default());
    let (mut hook_runs, mut nothing_runs) = (Vec::new(), Vec::new());
    for round in 0..COLD_STARTS {
        println!("cold start {} of {COLD_STARTS}", round + 1);
        nothing_runs.push(measure(&Function::builder(&nothing).spawn(), |_| "{}".to_owned()));
        let request = |number: usize| {
            let number = format!("+1202555{:04}", 100 + (round * WARM_REQUESTS + number) % 100);
            TelephonyRequest::sms(&number, "867530").event().build().to_string()
        };
        hook_runs.push(measure(&deployment.function(hook).spawn(), |number| {
            // Verify allows five messages to one number.
            deployment.twilio.reset();
            request(number)
        }));
    }
    deployment.twilio.requests_for(Operation::VerifyCreate).first().expect("the last request was sent");
    println!(
        "\nmedian of {COLD_STARTS} processes; telephony-hook calls Secrets Manager and Verify, the other one nobody\n"
    );
    println!("{:<34}{:>16}{:>16}{:>10}", "", "telephony-hook", "does nothing", "ratio");
    row("start until ready, ms", &hook_runs, &nothing_runs, |run| millis(run.init));
    row("start until first answer, ms", &hook_runs, &nothing_runs, |run| millis(run.init + run.first));
    row("first answer, ms", &hook_runs, &nothing_runs, |run| millis(run.first));
    row("warm answer, ms", &hook_runs, &nothing_runs, |run| millis(run.warm));
    #[expect(clippy::cast_precision_loss, reason = "kibibytes of one process")]
    row("peak memory, MiB", &hook_runs, &nothing_runs, |run| run.peak_memory_kib as f64 / 1024.0);
}

/// Another binary of the same build.
fn neighbour(program: &Path, name: &str) -> PathBuf {
    let path = program.parent().expect("a folder").join(name);
    assert!(path.exists(), "{} is missing: `make bench` builds it", path.display());
    path
}

fn measure(function: &Function, event: impl Fn(usize) -> String) -> Run {
    let init = function.wait_until_ready(Duration::from_secs(10)).expect("the function starts");
    let answer = |number| {
        let invocation = function.invoke(&event(number));
        assert!(matches!(invocation.outcome, Outcome::Response(_)), "no answer");
        invocation.duration
    };
    let first = answer(0);
    let warm = median((1..=WARM_REQUESTS).map(answer).collect());
    Run { init, first, warm, peak_memory_kib: function.peak_memory_kib().unwrap_or_default() }
}

fn row(name: &str, hook: &[Run], nothing: &[Run], value: impl Fn(&Run) -> f64) {
    let median = |runs: &[Run]| median(runs.iter().map(&value).collect());
    let (hook, nothing) = (median(hook), median(nothing));
    println!("{name:<34}{hook:>16.2}{nothing:>16.2}{:>10.1}", hook / nothing);
}

fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).expect("comparable"));
    *values.get(values.len() / 2).expect("values")
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
