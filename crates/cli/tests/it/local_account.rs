//! `make account` and the tool with `LOCAL=1`: what a newcomer types.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(30);

/// The running stand-ins.
struct Account {
    child: Child,
    keyboard: ChildStdin,
    screen: Receiver<String>,
    folder: tempfile::TempDir,
}

impl Account {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("target")).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_okta-twilio")).with_file_name("local-stack");
        assert!(program.exists(), "{} is missing: run `cargo build --workspace` first", program.display());
        let mut command = Command::new(program);
        command.arg("account").current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (keyboard, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (lines, screen) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
        });
        let account = Self { child, keyboard, screen, folder };
        account.read_until("Press Enter");
        account
    }

    /// Everything up to a line with this text.
    fn read_until(&self, text: &str) -> String {
        let mut all = String::new();
        while !all.contains(text) {
            let line = self.screen.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{text:?} never came: {all}"));
            all.push_str(&line);
        }
        all
    }

    fn press_enter(&mut self) {
        self.keyboard.write_all(b"\n").unwrap();
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("target/local-account.env")
    }

    /// Runs the tool with nothing but the variables of the file.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let file = fs::read_to_string(self.file()).unwrap();
        let variables = file.lines().map(|line| line.split_once('=').unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-twilio"));
        let output = command.args(arguments).env_clear().envs(variables).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.code().unwrap(), text)
    }
}

#[test]
fn one_command_makes_hooks_that_send_a_code_and_approve_it() {
    let mut account = Account::start();
    account.press_enter();
    account.read_until("make setup LOCAL=1");
    let (status, text) = account.run(&["setup", "--brand", "Example", "--yes"]);
    assert_eq!(status, 0, "{text}");
    account.press_enter();
    let sign_in = account.read_until("approved");
    assert!(sign_in.contains("phone shows"), "{sign_in}");
    let (status, text) = account.run(&["setup", "--json"]);
    assert!(status == 0 && !text.contains("create") && !text.contains("change"), "{text}");
    let (status, text) = account.run(&["doctor", "--strict"]);
    assert_eq!(status, 0, "{text}");
    let (status, text) = account.run(&["teardown", "--yes"]);
    assert_eq!(status, 0, "{text}");
    assert!(Command::new("kill").args(["-s", "INT", &account.child.id().to_string()]).status().unwrap().success());
    account.child.wait().unwrap();
    assert!(!account.file().exists(), "the file with the variables is gone");
}
