//! What the checks found.

use serde::Serialize;

use crate::{
    doctor::check::{Check, Group},
    failure::Failure,
    terminal::{Status, Terminal},
};

/// The result of one check. No text holds a number, a name, a secret, or what another system wrote.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) check: Check,
    pub(crate) status: Status,
    /// What was read.
    pub(crate) read: String,
    /// What it means. Empty if all is well.
    pub(crate) means: String,
    /// What to do. Empty if all is well.
    pub(crate) fix: String,
}

/// The findings so far, in the order of [`Check::ALL`].
pub(crate) struct Report<'a> {
    includes: Box<dyn Fn(Check) -> bool + 'a>,
    findings: Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(includes: impl Fn(Check) -> bool + 'a) -> Self {
        Self { includes: Box::new(includes), findings: Vec::new() }
    }

    /// Whether the check was selected. Costly checks ask before they begin.
    pub(crate) fn includes(&self, check: Check) -> bool {
        (self.includes)(check)
    }

    pub(crate) fn ok(&mut self, check: Check, read: impl Into<String>) {
        self.add(check, Status::Ok, read, "", "");
    }

    /// The check could not be made: `why`.
    pub(crate) fn skip(&mut self, check: Check, why: impl Into<String>) {
        self.add(check, Status::Skip, why, "", "");
    }

    pub(crate) fn warn(
        &mut self,
        check: Check,
        read: impl Into<String>,
        means: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Status::Warn, read, means, fix);
    }

    pub(crate) fn fail(
        &mut self,
        check: Check,
        read: impl Into<String>,
        means: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(check, Status::Fail, read, means, fix);
    }

    fn add(
        &mut self,
        check: Check,
        status: Status,
        read: impl Into<String>,
        means: impl Into<String>,
        fix: impl Into<String>,
    ) {
        if self.includes(check) {
            let (read, means, fix) = (read.into(), means.into(), fix.into());
            let position = self.findings.partition_point(|finding| finding.check <= check);
            self.findings.insert(position, Finding { check, status, read, means, fix });
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_well(&self, is_strict: bool) -> bool {
        let limit = if is_strict { Status::Warn } else { Status::Fail };
        self.findings.iter().all(|finding| finding.status < limit)
    }

    fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    /// Prints all findings.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub(crate) fn print(&self, terminal: Terminal) -> Result<(), Failure> {
        if terminal.is_json() {
            return terminal.print_json(&self.document());
        }
        for group in Group::ALL {
            let mut findings = self.findings.iter().filter(|finding| finding.check.group() == *group).peekable();
            if findings.peek().is_none() {
                continue;
            }
            terminal.print(&Terminal::heading(group.heading()))?;
            for finding in findings {
                let (id, title) = (finding.check.id(), finding.check.title());
                terminal.print(&format!("  {} {id:<3} {title}: {}", terminal.status(finding.status), finding.read))?;
                for text in [&finding.means, &finding.fix].into_iter().filter(|text| !text.is_empty()) {
                    terminal.print(&format!("             {text}"))?;
                }
            }
        }
        let [ok, warn, fail, skip] =
            [Status::Ok, Status::Warn, Status::Fail, Status::Skip].map(|status| self.count(status));
        terminal.print(&format!("{ok} ok, {warn} warnings, {fail} failed, {skip} skipped"))
    }

    fn document(&self) -> Document<'_> {
        let rows = self.findings.iter().map(|finding| Row {
            id: finding.check.id(),
            group: finding.check.group().name(),
            title: finding.check.title(),
            status: finding.status,
            read: &finding.read,
            means: &finding.means,
            fix: &finding.fix,
        });
        let [ok, warn, fail, skip] =
            [Status::Ok, Status::Warn, Status::Fail, Status::Skip].map(|status| self.count(status));
        Document { checks: rows.collect(), summary: Summary { ok, warn, fail, skip } }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    checks: Vec<Row<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'static str,
    group: &'static str,
    title: &'static str,
    status: Status,
    read: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    means: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    fix: &'a str,
}

#[derive(Serialize)]
struct Summary {
    ok: usize,
    warn: usize,
    fail: usize,
    skip: usize,
}
