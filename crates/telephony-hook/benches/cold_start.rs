//! The cost of a cold and a warm request, compared with a function that does nothing, and the cost of the sends table.
//!
//! All are release binaries that run in turns in one measurement, with Twilio and AWS on the loopback interface. The
//! ratios show what this project adds, not what a network or Lambda adds. `make bench` runs it.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and ends where it cannot measure")]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sandbox::{
    Operation, Options,
    deployment::{Deployment, TelephonyRequest},
    dynamodb::{DynamoDb, TABLE},
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
    let nothing = sibling_binary(hook, "examples/lambda_function");
    let deployment = Deployment::start(Options::default());
    let table = DynamoDb::start();
    let mut runs = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..COLD_STARTS {
        println!("cold start {} of {COLD_STARTS}", round + 1);
        let ask = |number: usize| {
            // Verify allows five messages to one number.
            deployment.twilio.reset();
            let number = format!("+1202555{:04}", 100 + (round * WARM_REQUESTS + number) % 100);
            TelephonyRequest::sms(&number, "867530").event().build().to_string()
        };
        let with_table = [("SENDS_TABLE", TABLE.to_owned()), ("AWS_ENDPOINT_URL_DYNAMODB", table.url())];
        let [nothing_runs, hook_runs, table_runs] = &mut runs;
        nothing_runs.push(measure(&Function::builder(&nothing).spawn(), |_| "{}".to_owned()));
        hook_runs.push(measure(&deployment.function(hook).spawn(), ask));
        table_runs.push(measure(&deployment.function(hook).envs(with_table).spawn(), ask));
    }
    deployment.twilio.requests_for(Operation::VerifyCreate).first().expect("the last request was sent");
    assert_eq!(table.requests().len(), COLD_STARTS * (WARM_REQUESTS + 1), "one call of the table for each code");
    println!(
        "\nmedian of {COLD_STARTS} processes; telephony-hook calls Secrets Manager and Verify, with the sends table \
         DynamoDB too; the first one calls nothing\n"
    );
    println!(
        "{:<30}{:>14}{:>16}{:>8}{:>16}{:>8}",
        "", "does nothing", "telephony-hook", "ratio", "and the table", "ratio"
    );
    row("start until ready, ms", &runs, |run| millis(run.init));
    row("start until first response, ms", &runs, |run| millis(run.init + run.first));
    row("first response, ms", &runs, |run| millis(run.first));
    row("warm response, ms", &runs, |run| millis(run.warm));
    #[expect(clippy::cast_precision_loss, reason = "kibibytes of one process")]
    row("peak memory, MiB", &runs, |run| run.peak_memory_kib as f64 / 1024.0);
}

/// Another binary of the same build.
fn sibling_binary(program: &Path, name: &str) -> PathBuf {
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

/// A line of medians: the function that does nothing, the hook, and the hook with the table, each with its ratio to the
/// one before it.
fn row(name: &str, runs: &[Vec<Run>; 3], value: impl Fn(&Run) -> f64) {
    let [nothing, hook, table] = runs.each_ref().map(|runs| median(runs.iter().map(&value).collect()));
    let (to_nothing, to_hook) = (hook / nothing, table / hook);
    println!("{name:<30}{nothing:>14.2}{hook:>16.2}{to_nothing:>8.1}{table:>16.2}{to_hook:>8.2}");
}

fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).expect("comparable"));
    *values.get(values.len() / 2).expect("values")
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
