//! The tables.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    Effort,
    functions::{Program, Variant},
    run::Run,
};

/// What a column shows of a run, in its unit.
type Column = (&'static str, fn(&Run) -> f64);

const COLUMNS: [Column; 7] = [
    ("ready ms", |run| millis(run.ready)),
    ("first ms", |run| millis(run.first)),
    ("both ms", |run| millis(run.ready + run.first)),
    ("warm ms", |run| median(run.warm.iter().copied().map(millis).collect())),
    ("cold CPU ms", |run| millis(run.cold_cpu)),
    ("warm CPU ms", |run| millis(run.warm_cpu)),
    ("peak MiB", |run| f64::from(u32::try_from(run.peak_memory_kib).unwrap_or(u32::MAX)) / 1_024.0),
];

/// The medians of each function, then the ratios of pairs.
pub(crate) fn times(effort: &Effort, variants: &[Variant], runs: &[Vec<Run>]) {
    let Effort { round_trip_ms, rounds, warm_requests } = effort;
    println!(
        "\nRound trip {round_trip_ms} ms: medians of {rounds} processes with {warm_requests} warm requests each\n"
    );
    print!("{:<34}", "");
    for (name, _) in COLUMNS {
        print!("{name:>13}");
    }
    println!("{:>13}", "warm p99 ms");
    for (variant, runs) in variants.iter().zip(runs) {
        print!("{:<34}", variant.name);
        for (_, value) in COLUMNS {
            print!("{:>13.2}", median(runs.iter().map(value).collect()));
        }
        let warm: Vec<_> = runs.iter().flat_map(|run| &run.warm).copied().map(millis).collect();
        println!("{:>13.2}", quantile(warm, 0.99));
    }
    println!("\nRatios of the same turns: median (quartiles)\n");
    print!("{:<62}", "");
    println!("{:>20}{:>20}{:>20}", "ready plus first", "warm", "cold CPU");
    for (variant, own) in variants.iter().zip(runs) {
        let Some(reference) = variant.reference else { continue };
        let Some(other) = variants.iter().position(|other| other.name == reference).and_then(|at| runs.get(at)) else {
            continue;
        };
        print!("{:<62}", format!("{} / {reference}", variant.name));
        for (_, value) in [COLUMNS[2], COLUMNS[3], COLUMNS[4]] {
            let ratios: Vec<_> = own.iter().zip(other).map(|(own, other)| value(own) / value(other)).collect();
            let (low, high) = (quantile(ratios.clone(), 0.25), quantile(ratios.clone(), 0.75));
            print!("{:>20}", format!("{:.2} ({low:.2}-{high:.2})", median(ratios)));
        }
        println!();
    }
    println!();
}

/// The size of each binary, plain and compressed as in a zip.
pub(crate) fn sizes() {
    println!("{:<34}{:>16}{:>20}", "this machine's own architecture", "binary, bytes", "compressed, bytes");
    for program in Program::ALL.into_iter().filter(|program| *program != Program::Node) {
        let Ok(path) = program.path() else { continue };
        let bytes = fs::metadata(&path).map(|file| file.len()).unwrap_or_default();
        println!("{:<34}{bytes:>16}{:>20}", format!("{program:?}").to_lowercase(), compressed(&path));
    }
    println!();
}

/// The size of a file as in a zip.
pub(crate) fn compressed(path: &Path) -> usize {
    let gzip = Command::new("gzip").args(["--best", "--stdout"]).arg(path).stdin(Stdio::null()).output();
    gzip.map(|gzip| gzip.stdout.len()).unwrap_or_default()
}

pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

pub(crate) fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the index is within a short list"
)]
pub(crate) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = ((values.len().saturating_sub(1)) as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}
