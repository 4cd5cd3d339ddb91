//! Kills a process group if this process ends without having done so, even by SIGKILL. A `sh` reads from a pipe that
//! only this process holds, and sees the end of file when this process ends.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Guards one process group. Drop it before the group's leader is reaped, because the system can reuse the id
/// afterwards.
pub struct Guard(Child);

impl Guard {
    /// Starts the guard for the group that this process leads.
    ///
    /// # Errors
    /// `sh` cannot be started.
    pub fn start(group: u32) -> io::Result<Self> {
        let script = r#"read -r _; kill -s TERM -- "-$1"; sleep 1; kill -s KILL -- "-$1""#;
        let mut guard = Command::new("sh");
        guard.args(["-c", script, "sandbox-guard", &group.to_string()]);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // In a group of its own, so that the terminal's Ctrl-C does not reach it.
        guard.process_group(0).spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
