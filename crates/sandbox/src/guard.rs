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
        // The system can reuse the id of a group that has ended, so the guard does not kill that group.
        let script = r#"
            read -r _
            kill -s TERM -- "-$1"
            for _ in 1 2 3 4 5 6 7 8 9 10; do
                sleep 0.1
                kill -s 0 -- "-$1" || exit
            done
            kill -s KILL -- "-$1"
        "#;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    /// What ends a group whose guard's owner has gone, and the guard's own status.
    fn end(script: &str) -> (Option<i32>, ExitStatus) {
        let mut leader = Command::new("sh");
        leader.args(["-c", script]).stdout(Stdio::piped()).process_group(0);
        let mut leader = leader.spawn().unwrap();
        let mut guard = Guard::start(leader.id()).unwrap();
        BufReader::new(leader.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        drop(guard.0.stdin.take());
        let signal = leader.wait().unwrap().signal();
        (signal, guard.0.wait().unwrap())
    }

    #[test]
    fn the_group_is_asked_to_end_and_a_group_that_has_ended_is_not_killed() {
        let (signal, guard) = end("echo started; exec sleep 600");
        assert_eq!(signal, Some(15));
        assert!(!guard.success(), "the guard has seen that there is no such group");
    }

    #[test]
    fn a_group_that_does_not_end_is_killed() {
        let (signal, guard) = end("trap '' TERM; echo started; while :; do sleep 0.1; done");
        assert_eq!(signal, Some(9));
        assert!(guard.success(), "the last signal reached the group");
    }
}
