//! What `setup` will do, or has done.

use std::collections::BTreeMap;

use okta_twilio::id::SafeId;
use serde::Serialize;

use crate::{failure::Failure, terminal::Terminal};

/// One thing that has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Memory,
    VerifyService,
    CustomCodes,
    RateLimit,
    OrphanKey,
    Key,
    Connection,
    OtherTelephonyHook,
    TelephonyHook,
    EventHook,
    Verification,
    SecretFields,
    ServiceApp,
    ServiceKey,
    OrphanServiceKey,
    Scope,
    Role,
    ResourceSet,
    PhoneAuthenticator,
    OktaToken,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Keep,
    Create,
    Change,
    Activate,
    Deactivate,
    Delete,
}

impl Action {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Keep => ("keep", "kept"),
            Self::Create => ("create", "created"),
            Self::Change => ("change", "changed"),
            Self::Activate => ("activate", "activated"),
            Self::Deactivate => ("deactivate", "deactivated"),
            Self::Delete => ("delete", "deleted"),
        }
    }
}

/// One line of the plan.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    step: Step,
    action: Action,
    /// In words, without names and secrets.
    what: String,
}

/// What a command says at the end.
pub(super) struct Closing {
    /// Nothing has to be changed.
    pub(super) nothing: &'static str,
    /// Everything was changed and read again.
    pub(super) applied: &'static str,
}

/// All lines, in the order in which they are applied.
#[derive(Debug, Default)]
pub(super) struct Plan {
    lines: Vec<Line>,
    /// What did not go as well as planned, and what to do.
    warnings: Vec<&'static str>,
}

impl Plan {
    pub(super) fn warn(&mut self, warning: &'static str) {
        self.warnings.push(warning);
    }

    pub(super) fn add(&mut self, step: Step, action: Action, what: impl Into<String>) {
        self.lines.push(Line { step, action, what: what.into() });
    }

    pub(super) fn has(&self, step: Step, action: Action) -> bool {
        self.lines.iter().any(|line| line.step == step && line.action == action)
    }

    /// Whether nothing has to be changed.
    pub(super) fn is_done(&self) -> bool {
        self.lines.iter().all(|line| line.action == Action::Keep)
    }

    /// Prints the plan, or what was done, and the ids of what was made.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub(super) fn print(
        &self,
        terminal: Terminal,
        is_applied: bool,
        closing: &Closing,
        made: &BTreeMap<&str, &SafeId>,
    ) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Document<'a> {
            applied: bool,
            lines: &'a [Line],
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            made: &'a BTreeMap<&'a str, &'a SafeId>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            warnings: &'a [&'static str],
        }
        if terminal.is_json() {
            let (lines, warnings) = (&self.lines, &self.warnings);
            return terminal.print_json(&Document { applied: is_applied, lines, made, warnings });
        }
        for line in &self.lines {
            let (before, after) = line.action.words();
            terminal.print(&format!("  {:<11}  {}", if is_applied { after } else { before }, line.what))?;
        }
        for (tag, id) in made {
            terminal.print(&format!("  {tag:<29} {id}"))?;
        }
        for warning in &self.warnings {
            terminal.print(&format!("Warning: {warning}"))?;
        }
        if self.is_done() {
            terminal.print(closing.nothing)
        } else if is_applied {
            terminal.print(closing.applied)
        } else {
            Ok(())
        }
    }
}
