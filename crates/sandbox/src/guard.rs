//! Ends a child process when this process ends without doing it, also by SIGKILL: `sh`, blocked on a pipe that only this
//! process holds, reads its end then.

#![expect(clippy::expect_used, reason = "a harness: what goes wrong here fails the test that uses it")]

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Watches over one process. To be dropped before that process is reaped, so that its id cannot be a stranger's.
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn start(pid: u32) -> Self {
        let guard = Command::new("sh")
            .args(["-c", r#"read -r _; kill -KILL "$1""#, "sandbox-guard", &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of the terminal's Ctrl-C, which ends this process.
            .process_group(0)
            .spawn()
            .expect("sh");
        Self(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
