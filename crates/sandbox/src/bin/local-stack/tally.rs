//! The demo's counters and its summary.

use std::time::Duration;

use sandbox::{OKTA_TIMEOUT, Outcome, recorded_events::PrivateValue};

use crate::{error::Error, output::Output, terminal::Terminal};

/// The content of the summary.
#[derive(Default)]
pub(crate) struct Tally {
    all: usize,
    unexpected: usize,
    sent: usize,
    refused: usize,
    failed: usize,
    rejected: usize,
    slowest: (Duration, String),
    /// The private values that the functions receive in this run. They must not appear in the output.
    private: Vec<PrivateValue>,
    searched_lines: usize,
    /// The kinds of private values that were found.
    leaks: Vec<&'static str>,
}

impl Tally {
    /// Counts one story or event.
    pub(crate) fn add(&mut self, is_as_expected: bool) {
        self.all += 1;
        self.unexpected += usize::from(!is_as_expected);
    }

    /// Counts the result of a request to send a code.
    pub(crate) fn decided(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Sent => self.sent += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Rejected | Outcome::Reported | Outcome::Waiting => self.rejected += 1,
        }
    }

    /// Records the time that Okta waited.
    pub(crate) fn answered(&mut self, what: &str, took: Duration) {
        if took > self.slowest.0 {
            self.slowest = (took, what.to_owned());
        }
    }

    /// Adds values that the functions receive from now on.
    pub(crate) fn must_not_show(&mut self, values: Vec<PrivateValue>) {
        self.private.extend(values);
    }

    /// The number of unexpected results, plus the number of private values found.
    pub(crate) fn faults(&self) -> usize {
        self.unexpected + self.leaks.len()
    }

    /// Whether Okta would have given up.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.slowest.0 > OKTA_TIMEOUT
    }

    /// Searches the functions' output for all these values.
    pub(crate) fn search(&mut self, output: &Output) {
        let lines = output.all();
        let lines: Vec<&String> = lines.iter().filter(|line| line.starts_with('{')).collect();
        self.searched_lines += lines.len();
        let found = self.private.iter().filter(|value| lines.iter().any(|line| value.is_in(line)));
        self.leaks.extend(found.map(PrivateValue::kind));
    }

    pub(crate) fn close(&self, terminal: Terminal, shows_all: bool) -> Result<(), Error> {
        let Self { sent, refused, failed, rejected, .. } = self;
        terminal.say(format!("\n{}", terminal.title("Summary")))?;
        let codes =
            format!("{sent} sent, {refused} refused by the policy, {failed} failed; {rejected} requests rejected");
        terminal.say(terminal.row("codes", codes))?;
        let (took, what) = &self.slowest;
        let (took_ms, limit_ms) = (took.as_millis(), OKTA_TIMEOUT.as_millis());
        let slowest = format!("{took_ms} ms of the {limit_ms} ms that Okta waits ({what})");
        terminal.say(terminal.row("slowest", slowest))?;
        let lines = self.searched_lines;
        let private = match self.leaks.as_slice() {
            [] => format!("no private value, in {lines} lines"),
            leaks => format!("PRIVATE VALUES: {}", leaks.join(", ")),
        };
        terminal.say(terminal.row("in the logs", private))?;
        let conclusion = match self.unexpected {
            0 => terminal.good(format!("All {} stories and events ended as expected.", self.all)),
            unexpected => {
                terminal.bad(format!("{unexpected} of {} stories and events did not end as expected.", self.all))
            }
        };
        terminal.say(format!("\n{conclusion}"))?;
        if !shows_all {
            terminal.say(terminal.quiet("`make demo ALL=1` shows each event. `make dev` keeps everything running."))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_value_in_a_log_line_is_found_and_named_by_its_kind_only() {
        let output = Output::default();
        output.push(r#"{"message":"otp_sent","phone":"US…23"}"#.to_owned());
        let mut tally = Tally::default();
        tally.must_not_show(vec![PrivateValue::Number("12025550123".to_owned())]);
        tally.search(&output);
        assert!(tally.leaks.is_empty() && tally.searched_lines == 1);
        output.push(r#"{"message":"otp_sent","phone":"+12025550123"}"#.to_owned());
        tally.search(&output);
        assert_eq!(tally.leaks, ["phone number"]);
    }
}
