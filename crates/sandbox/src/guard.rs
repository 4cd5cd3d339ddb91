//! Ends a process group when this process ends without doing it, also by SIGKILL: `sh`, blocked on a pipe that only this
//! process holds, reads its end then.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// Watches over one group. To be dropped before the group's leader is reaped, so that its id cannot be a stranger's.
pub struct Guard(Child);

impl Guard {
    /// Starts with the process that leads the group.
    ///
    /// # Errors
    /// If there is no `sh`.
    pub fn start(group: u32) -> io::Result<Self> {
        let script = r#"read -r _; kill -s TERM -- "-$1"; sleep 1; kill -s KILL -- "-$1""#;
        let mut guard = Command::new("sh");
        guard.args(["-c", script, "sandbox-guard", &group.to_string()]);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Out of reach of the terminal's Ctrl-C, which ends this process.
        guard.process_group(0).spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
