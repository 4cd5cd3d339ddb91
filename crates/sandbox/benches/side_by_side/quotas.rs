//! The same functions with the share of a processor that Lambda gives for a memory size, where this machine allows quotas.
//!
//! Source of the share: AWS, "Configure Lambda function memory" (1,769 MB have one virtual processor). Lambda gives a
//! whole processor during INIT, so `ready` is not Lambda's; the answers are.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use crate::{
    functions::{Surroundings, Variant},
    run,
    table::{median, millis, quantile},
};

/// Memory sizes, in MB.
const SIZES: [u64; 5] = [128, 256, 512, 1_024, 1_769];

/// The memory size that has one processor.
const WHOLE: u64 = 1_769;

/// The time in which a share is counted, in microseconds.
const PERIOD: u64 = 20_000;

const ROUNDS: usize = 7;
const WARM_REQUESTS: usize = 20;

const FUNCTIONS: [&str; 3] = ["telephony-hook", "telephony-hook, table", "event-hook, 200 successes"];

/// A control group with a share of one processor. It goes with the value.
struct Quota(PathBuf);

impl Quota {
    /// `None` if this machine does not let this user make one.
    fn of(megabytes: u64) -> Option<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (is_v2, parent) =
            if root.join("cgroup.controllers").exists() { (true, root.to_owned()) } else { (false, root.join("cpu")) };
        let folder = parent.join(format!("okta-twilio-bench-{}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        let quota = Self(folder);
        let share = (PERIOD * megabytes / WHOLE).max(1_000);
        let written = if is_v2 {
            fs::write(quota.0.join("cpu.max"), format!("{share} {PERIOD}"))
        } else {
            let period = fs::write(quota.0.join("cpu.cfs_period_us"), PERIOD.to_string());
            period.and_then(|()| fs::write(quota.0.join("cpu.cfs_quota_us"), share.to_string()))
        };
        written.is_ok().then_some(quota)
    }

    /// A script that puts itself into the group and becomes the program.
    fn script(&self, program: &Path, folder: &Path) -> PathBuf {
        let script = folder.join("bootstrap");
        let text =
            format!("#!/bin/sh\necho $$ >'{}'\nexec '{}'\n", self.0.join("cgroup.procs").display(), program.display());
        fs::write(&script, text).expect("to write the script");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).expect("to make it executable");
        script
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // The kernel takes a moment until the last process is gone.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Prints the times of each memory size.
pub(crate) fn print(surroundings: &Surroundings) {
    if Quota::of(WHOLE).is_none() {
        println!("left out: quotas of the processor, as this user may not make control groups here");
        return;
    }
    println!(
        "Shares of a processor as of Lambda's memory sizes: medians of {ROUNDS} processes with {WARM_REQUESTS} warm requests each\n"
    );
    println!("{:<34}{:>10}{:>13}{:>13}{:>13}", "", "MB", "first ms", "warm ms", "warm p99 ms");
    for variant in Variant::all(surroundings).iter().filter(|variant| FUNCTIONS.contains(&variant.name)) {
        for megabytes in SIZES {
            let folder = tempfile::tempdir().expect("a folder");
            let runs: Vec<_> = (0..ROUNDS)
                .filter_map(|_| {
                    let quota = Quota::of(megabytes)?;
                    let script = quota.script(&variant.program, folder.path());
                    Some(run::measure_program(variant, surroundings, Some(&script), WARM_REQUESTS))
                })
                .collect();
            let first = median(runs.iter().map(|run| millis(run.first)).collect());
            let warm: Vec<_> = runs.iter().flat_map(|run| &run.warm).copied().map(millis).collect();
            let (middle, late) = (median(warm.clone()), quantile(warm, 0.99));
            println!("{:<34}{megabytes:>10}{first:>13.2}{middle:>13.2}{late:>13.2}", variant.name);
        }
    }
    println!();
}
