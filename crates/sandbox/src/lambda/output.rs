//! The output of a function.

use std::{fs::File, os::unix::fs::FileExt as _};

/// stdout and stderr of a function, as files without a name. Unlike a pipe, a file holds everything that the function
/// wrote before its response as soon as the response arrives.
pub(super) struct Output {
    pub(super) stdout: File,
    pub(super) stderr: File,
}

impl Output {
    pub(super) fn new() -> Self {
        let file = || tempfile::tempfile().expect("a temporary file");
        Self { stdout: file(), stderr: file() }
    }

    pub(super) fn stdout(&self) -> String {
        read_all(&self.stdout)
    }

    pub(super) fn stderr(&self) -> String {
        read_all(&self.stderr)
    }
}

/// Reads the file without moving the position, which is shared with the function's process.
fn read_all(file: &File) -> String {
    let length = file.metadata().expect("the output's length").len();
    let mut content = vec![0; usize::try_from(length).expect("an output that fits into memory")];
    file.read_exact_at(&mut content, 0).expect("the output");
    String::from_utf8_lossy(&content).into_owned()
}
