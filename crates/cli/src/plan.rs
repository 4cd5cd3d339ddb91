//! What `setup`, `teardown` or `rotate` will do, or has done.

use std::{collections::BTreeMap, process::ExitCode};

use clap::Args;
use okta_twilio::id::SafeId;
use serde::Serialize;

use crate::{failure::Failure, terminal::Terminal};

/// What a person has decided before the plan is known.
#[derive(Debug, Args)]
pub(crate) struct Decision {
    /// Print the plan, and change nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// Do not ask before the plan is applied
    #[arg(long)]
    yes: bool,
}

/// What becomes of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is applied.
    Yes,
    /// The person does not want it.
    No,
    /// It was printed, and nothing has to be applied.
    Printed,
}

impl Answer {
    /// The status of a command that applies nothing.
    pub(crate) fn exit_code(self) -> ExitCode {
        if self == Self::No { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// How far a plan has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was done yet.
    Planned,
    /// Each step was done, and something is not as it should be.
    Unfinished,
    /// All is as it should be.
    Applied,
}

/// One thing that has to be there, or has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
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
    CallerSecret,
    Pause,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Keep,
    Create,
    Wait,
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
            Self::Wait => ("wait", "waited"),
            Self::Change => ("change", "changed"),
            Self::Activate => ("activate", "activated"),
            Self::Deactivate => ("deactivate", "deactivated"),
            Self::Delete => ("delete", "deleted"),
        }
    }
}

/// One line of the plan.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    step: Step,
    action: Action,
    /// In words, without names and secrets.
    what: String,
}

/// What a command says at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing {
    /// Nothing has to be changed.
    pub(crate) nothing: &'static str,
    /// Everything was changed.
    pub(crate) applied: &'static str,
}

/// All lines, in the order in which they are applied.
#[derive(Debug)]
pub(crate) struct Plan {
    lines: Vec<Line>,
    /// What did not go as well as planned, and what to do.
    warnings: Vec<&'static str>,
    closing: Closing,
}

impl Plan {
    pub(crate) fn new(closing: Closing) -> Self {
        Self { lines: Vec::new(), warnings: Vec::new(), closing }
    }

    pub(crate) fn warn(&mut self, warning: &'static str) {
        self.warnings.push(warning);
    }

    pub(crate) fn add(&mut self, step: Step, action: Action, what: impl Into<String>) {
        self.lines.push(Line { step, action, what: what.into() });
    }

    /// Drops the lines of a step that was not done.
    pub(crate) fn remove(&mut self, step: Step) {
        self.lines.retain(|line| line.step != step);
    }

    pub(crate) fn has(&self, step: Step, action: Action) -> bool {
        self.lines.iter().any(|line| line.step == step && line.action == action)
    }

    /// Whether nothing has to be changed.
    pub(crate) fn is_done(&self) -> bool {
        self.lines.iter().all(|line| line.action == Action::Keep)
    }

    /// Prints the plan, and asks whether to apply it.
    ///
    /// # Errors
    /// Fails without a terminal to ask at, unless the person has decided before.
    pub(crate) fn confirm(
        &self,
        decision: &Decision,
        question: &str,
        made: &BTreeMap<&str, &SafeId>,
        terminal: Terminal,
    ) -> Result<Answer, Failure> {
        if decision.yes && !decision.plan && !self.is_done() {
            return Ok(Answer::Yes);
        }
        self.print(terminal, Stage::Planned, made)?;
        if decision.plan || self.is_done() {
            return Ok(Answer::Printed);
        }
        match terminal.confirm(question) {
            Some(true) => Ok(Answer::Yes),
            Some(false) => Ok(Answer::No),
            None => Err(Failure::NotConfirmed),
        }
    }

    /// Prints the plan, or what was done, and the ids of what was made.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub(crate) fn print(
        &self,
        terminal: Terminal,
        stage: Stage,
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
            #[serde(skip_serializing_if = "Option::is_none")]
            next: Option<&'static str>,
        }
        let is_applied = stage != Stage::Planned;
        let next = match stage {
            Stage::Planned | Stage::Applied if self.is_done() => Some(self.closing.nothing),
            Stage::Applied => Some(self.closing.applied),
            Stage::Planned | Stage::Unfinished => None,
        };
        if terminal.is_json() {
            let (lines, warnings) = (&self.lines, &self.warnings);
            return terminal.print_json(&Document { applied: is_applied, lines, made, warnings, next });
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
        next.map_or(Ok(()), |next| terminal.print(next))
    }
}
