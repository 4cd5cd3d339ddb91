//! One process: its start, its first answer, and warm ones.

use std::{fs, path::Path, time::Duration};

use sandbox::lambda::{Function, Outcome};

use crate::functions::{Question, Surroundings, Variant};

/// The measurements of one process.
pub(crate) struct Run {
    /// From its start until it asked for its first invocation.
    pub(crate) ready: Duration,
    /// The duration of the first answer.
    pub(crate) first: Duration,
    /// The durations of the warm answers.
    pub(crate) warm: Vec<Duration>,
    /// The processor's time from the start to the first answer.
    pub(crate) cold_cpu: Duration,
    /// The processor's time of one warm request.
    pub(crate) warm_cpu: Duration,
    pub(crate) peak_memory_kib: u64,
}

pub(crate) fn measure(variant: &Variant, surroundings: &Surroundings, warm_requests: usize) -> Run {
    measure_program(variant, surroundings, None, warm_requests)
}

/// The same, with a program that stands for the function's own.
pub(crate) fn measure_program(
    variant: &Variant,
    surroundings: &Surroundings,
    program: Option<&Path>,
    warm_requests: usize,
) -> Run {
    let function = variant.builder(surroundings, program).spawn();
    let ready = function.wait_until_ready(Duration::from_secs(20)).expect("the function starts");
    let answer = || ask(variant, surroundings, &function).unwrap_or_else(|problem| panic!("{problem}"));
    let first = answer();
    let cold_cpu = cpu_time(&function);
    let warm: Vec<_> = (0..warm_requests).map(|_| answer()).collect();
    let warm_cpu = cpu_time(&function).saturating_sub(cold_cpu) / u32::try_from(warm_requests).expect("few requests");
    Run { ready, first, warm, cold_cpu, warm_cpu, peak_memory_kib: function.peak_memory_kib().unwrap_or_default() }
}

/// Asks once. The error is an answer that is not that of a function which did its work.
pub(crate) fn ask(variant: &Variant, surroundings: &Surroundings, function: &Function) -> Result<Duration, String> {
    let event = variant.event(surroundings, function);
    let invocation = function.invoke(&event);
    let Outcome::Response(answer) = &invocation.outcome else {
        return Err(format!("{}: {:?}\n{}", variant.name, invocation.outcome, function.output()));
    };
    let body = answer["body"].as_str().unwrap_or_default();
    let did_its_work = match variant.question {
        Question::Code => body.contains("SUCCESSFUL") || body == "Hello",
        Question::OneEvent => answer["statusCode"] == 200 && surroundings.are_approved(),
        Question::Delivery { .. } => answer["statusCode"] == 200,
        Question::Batch => answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty),
    };
    if did_its_work {
        Ok(invocation.duration)
    } else {
        Err(format!("{}: {answer}\n{}", variant.name, function.output()))
    }
}

/// The processor's time of all threads so far, to the nanosecond.
fn cpu_time(function: &Function) -> Duration {
    let threads = fs::read_dir(format!("/proc/{}/task", function.pid().expect("a process"))).expect("its threads");
    let of_thread = |thread: fs::DirEntry| {
        let times = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        times.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(threads.filter_map(|thread| of_thread(thread.ok()?)).sum())
}
