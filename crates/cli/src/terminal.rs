//! What people and programs read. Results go to standard output; progress and failures go to standard error.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use anstyle::{AnsiColor, Style};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::{arguments::Output, failure::Failure};

/// Exit status of a command that could not run.
const COULD_NOT_RUN: u8 = 2;

/// The result of one check. It is a word as well as a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// All is well.
    Ok,
    /// It could not be checked.
    Skip,
    /// It works, but deserves a change.
    Warn,
    /// It does not work.
    Fail,
}

impl Status {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Skip => "-",
            Self::Warn => "!",
            Self::Fail => "✗",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Ok => AnsiColor::Green.on_default(),
            Self::Skip => AnsiColor::BrightBlack.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Fail => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// The two output streams. Colour is left out where `NO_COLOR` is set or no terminal is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    is_json: bool,
    is_plain: bool,
}

impl Terminal {
    pub(crate) fn new(output: &Output) -> Self {
        Self { is_json: output.json, is_plain: output.plain }
    }

    pub(crate) fn is_json(self) -> bool {
        self.is_json
    }

    /// A status as it stands at the begin of a line.
    pub(crate) fn status(self, status: Status) -> String {
        let (style, word) = (status.style(), status.word());
        if self.is_plain { format!("{word:<4}") } else { format!("{style}{} {word:<4}{style:#}", status.symbol()) }
    }

    /// A heading.
    pub(crate) fn heading(text: &str) -> String {
        let bold = Style::new().bold();
        format!("{bold}{text}{bold:#}")
    }

    /// Prints one line of a result.
    ///
    /// # Errors
    /// Fails if standard output cannot be written. A reader that has seen enough, such as `head`, is no error.
    pub(crate) fn print(self, line: &str) -> Result<(), Failure> {
        let plain = self.is_plain.then(|| anstream::adapter::strip_str(line).to_string());
        match writeln!(anstream::stdout(), "{}", plain.as_deref().unwrap_or(line)) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Output),
            _ => Ok(()),
        }
    }

    /// Prints a result as JSON.
    ///
    /// # Errors
    /// As [`Terminal::print`].
    pub(crate) fn print_json(self, value: &impl Serialize) -> Result<(), Failure> {
        self.print(&serde_json::to_string_pretty(value).map_err(|_unserialisable| Failure::Output)?)
    }

    /// Says on standard error what the command does now. A program that reads JSON is not interested.
    pub(crate) fn progress(self, what: &str) {
        if !self.is_json {
            // A missing reader is no reason to stop.
            let _ = writeln!(anstream::stderr(), "{what} …");
        }
    }

    /// Says on standard error what is wrong with a result.
    pub(crate) fn warn(warning: &str) {
        // As in `progress`.
        let _ = writeln!(anstream::stderr(), "okta-twilio: {warning}");
    }

    /// Asks for a secret. `None` without a terminal, or if nothing was entered.
    pub(crate) fn ask_secret(self, question: &str) -> Option<SecretString> {
        if self.is_json || !io::stdin().is_terminal() || !dialoguer::console::user_attended_stderr() {
            return None;
        }
        let answer = dialoguer::Password::new().with_prompt(question).allow_empty_password(true).interact().ok()?;
        Some(SecretString::from(answer.trim().to_owned())).filter(|answer| !answer.expose_secret().is_empty())
    }

    /// Asks for a text. `None` without a terminal, or if nothing was entered.
    pub(crate) fn ask_text(self, question: &str) -> Option<String> {
        if self.is_json || !io::stdin().is_terminal() || !dialoguer::console::user_attended_stderr() {
            return None;
        }
        let answer = dialoguer::Input::<String>::new().with_prompt(question).allow_empty(true).interact_text().ok()?;
        Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty())
    }

    /// Asks a question. The answer is no unless the person says yes. `None` without a terminal.
    pub(crate) fn confirm(self, question: &str) -> Option<bool> {
        if self.is_json || !io::stdin().is_terminal() || !dialoguer::console::user_attended_stderr() {
            return None;
        }
        dialoguer::Confirm::new().with_prompt(question).default(false).interact().ok()
    }

    /// Asks on standard error, and reads one line of standard input, which need not be a terminal. Blanks around the
    /// answer are dropped. `None` at the end of the input.
    pub(crate) fn ask(question: &str) -> Option<String> {
        let _ = write!(anstream::stderr(), "{question}: ");
        let mut line = String::new();
        match io::stdin().read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_length) => Some(line.trim().to_owned()),
        }
    }

    /// Says why the command could not run.
    pub(crate) fn failed(failure: &Failure) -> ExitCode {
        let _ = writeln!(anstream::stderr(), "okta-twilio: {failure}");
        ExitCode::from(COULD_NOT_RUN)
    }
}
