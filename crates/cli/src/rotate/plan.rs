//! What `rotate` will do, or has done.

use serde::Serialize;

use crate::{failure::Failure, terminal::Terminal};

/// What happens to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Keep,
    Create,
    Wait,
    Change,
    Delete,
}

impl Action {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Keep => ("keep", "kept"),
            Self::Create => ("create", "created"),
            Self::Wait => ("wait", "waited"),
            Self::Change => ("change", "changed"),
            Self::Delete => ("delete", "deleted"),
        }
    }
}

/// One line of the plan.
#[derive(Debug, Serialize)]
struct Line {
    action: Action,
    /// In words, without secrets.
    what: String,
}

/// All lines, in the order in which they are applied.
#[derive(Debug)]
pub(super) struct Plan {
    lines: Vec<Line>,
    /// What to do afterwards.
    next: &'static str,
}

impl Plan {
    pub(super) fn new(next: &'static str) -> Self {
        Self { lines: Vec::new(), next }
    }

    pub(super) fn add(&mut self, action: Action, what: impl Into<String>) {
        self.lines.push(Line { action, what: what.into() });
    }

    /// Whether nothing has to be changed.
    pub(super) fn is_done(&self) -> bool {
        self.lines.iter().all(|line| line.action == Action::Keep)
    }

    /// Prints the plan, or what was done.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub(super) fn print(&self, terminal: Terminal, is_applied: bool) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Document<'a> {
            applied: bool,
            lines: &'a [Line],
            next: &'static str,
        }
        if terminal.is_json() {
            return terminal.print_json(&Document { applied: is_applied, lines: &self.lines, next: self.next });
        }
        for line in &self.lines {
            let (before, after) = line.action.words();
            terminal.print(&format!("  {:<7}  {}", if is_applied { after } else { before }, line.what))?;
        }
        if is_applied || self.is_done() { terminal.print(self.next) } else { Ok(()) }
    }
}
