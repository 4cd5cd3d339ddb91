//! The local stack as `make dev` runs it.

use rustix::process::{Pid, Signal};
use sandbox::guard::Guard;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) struct Stack {
    program: Child,
    _guard: Guard,
    /// The URL of the page.
    pub(crate) page: String,
    /// The base URL of the functions.
    pub(crate) functions: String,
}

impl Stack {
    /// Starts the stack with these variables of the functions, and waits until it prints the URL of the page.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_local-stack"))
            .arg("dev")
            .envs(variables.iter().copied())
            .current_dir(top_folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        // The stack ends with this process, however it ends.
        let guard = Guard::start(program.id()).unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines().map_while(Result::ok);
        let seen = Arc::new(Mutex::new(String::new()));
        let mut word_with = |part: &str| {
            let found = lines.by_ref().find_map(|line| {
                seen.lock().unwrap().extend([line.as_str(), "\n"]);
                line.split([' ', '\'']).find(|word| word.starts_with("http") && word.contains(part)).map(str::to_owned)
            });
            found.unwrap_or_else(|| panic!("no address with {part}: {}", seen.lock().unwrap()))
        };
        let page = word_with("/_sandbox/");
        let functions = word_with("/lambda-url/");
        // Keep reading, so that the stack never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { program, _guard: guard, page, functions }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(Pid::from_child(&self.program), Signal::TERM);
        let _ = self.program.wait();
    }
}

pub(crate) fn top_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
