//! Output for a person: aligned rows, with colours on a terminal only.

use std::{
    fmt::Display,
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

use sandbox::Message;
use serde_json::Value;

use crate::error::Error;

/// The maximum and minimum line width, whatever the width of the terminal.
const WIDTH: (usize, usize) = (40, 99);

/// The column at which the text of a row begins.
const MARGIN: usize = 16;

/// Fields that do not describe a single decision, are shown elsewhere, or are ids.
const LEFT_OUT: &[&str] = &["timestamp", "level", "message", "service", "duration_ms", "verify_ms"];

/// The interval at which the output threads check for the end.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// The time to wait for a log line after the response. A function writes the line before it responds.
pub(crate) const LOG_LIMIT: Duration = Duration::from_secs(2);

/// Standard output: its width, and whether it has colours.
#[derive(Clone, Copy)]
pub(crate) struct Terminal {
    colours: bool,
    width: usize,
}

impl Terminal {
    /// Examines this process's standard output. `NO_COLOR`: <https://no-color.org>.
    #[expect(clippy::disallowed_methods, reason = "asked of the terminal, which is no configuration of the functions")]
    pub(crate) fn of_stdout() -> Self {
        let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(0, |size| usize::from(size.ws_col));
        let set = std::env::var("COLUMNS").ok();
        Self { colours, width: width(set.as_deref(), columns) }
    }

    /// Writes one or more lines.
    #[expect(
        clippy::unused_self,
        clippy::disallowed_methods,
        reason = "the one place that writes; a terminal to write to"
    )]
    pub(crate) fn say(self, text: impl Display) -> Result<(), Error> {
        // `println!` would panic if the reader has closed the output.
        writeln!(io::stdout().lock(), "{text}").map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Error::NobodyReads,
            _ => Error::Write(error),
        })
    }

    pub(crate) fn title(self, text: impl Display) -> String {
        self.lines("1", 0, "", &text.to_string())
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.lines("32", 0, "", &text.to_string())
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.lines("31", 0, "", &text.to_string())
    }

    pub(crate) fn quiet(self, text: impl Display) -> String {
        self.lines("2", 0, "", &text.to_string())
    }

    /// One row: a label and a text.
    pub(crate) fn row(self, label: &str, text: impl Display) -> String {
        self.lines("", MARGIN, &format!("  {label}"), &text.to_string())
    }

    /// One row with a style: `1` is bold, `2` is dim, `32` is green, `31` is red.
    pub(crate) fn coloured_row(self, code: &str, label: &str, text: impl Display) -> String {
        self.lines(code, MARGIN, &format!("  {label}"), &text.to_string())
    }

    /// A title and a command. The command stays on one line, so that it can be copied.
    pub(crate) fn command(self, what: &str, command: &str) -> String {
        format!("  {}\n    {command}", self.paint("2", what))
    }

    /// A row of a table, on two lines if one is too narrow.
    pub(crate) fn table_row(self, name: &str, name_width: usize, text: &str) -> String {
        let padded = format!("  {name:<name_width$}  {text}");
        if padded.chars().count() <= self.width { padded } else { format!("  {name}\n      {text}") }
    }

    /// Wraps the text between words. The lines are aligned after the label.
    fn lines(self, code: &str, margin: usize, label: &str, text: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for paragraph in text.split('\n') {
            let mut line = String::new();
            for word in paragraph.split(' ') {
                let is_first = line.is_empty();
                if !is_first && margin + line.chars().count() + 1 + word.chars().count() > self.width {
                    lines.push(std::mem::take(&mut line));
                } else if !is_first {
                    line.push(' ');
                }
                line.push_str(word);
            }
            lines.push(line);
        }
        let painted: Vec<String> = lines.iter().map(|line| self.paint(code, line)).collect();
        let label = if label.is_empty() { String::new() } else { self.paint("2", format!("{label:<margin$}")) };
        format!("{label}{}", painted.join(&format!("\n{:margin$}", "")))
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.colours && !code.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// The width of lines. `COLUMNS` comes before the terminal's own width. A pipe has no width, and some terminals say 0.
fn width(set: Option<&str>, columns: usize) -> usize {
    let (narrowest, widest) = WIDTH;
    match set.and_then(|set| set.parse().ok()).unwrap_or(columns) {
        0 => widest,
        columns => columns.clamp(narrowest, widest),
    }
}

/// Parses a log line of a function. Returns `None` for any other output, including metrics (`_aws`).
pub(crate) fn log_line(line: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line.get("message").is_some() && line.get("_aws").is_none()).then_some(line)
}

/// The name of a log line's event.
pub(crate) fn message(line: &Value) -> &str {
    line.get("message").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a line is a metric for a request that this function rejected. Metrics are printed at every `LOG_LEVEL`.
pub(crate) fn is_refusal(line: &str, function: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap_or_default();
    line.get("Rejected").is_some() && line.get("Hook").and_then(Value::as_str) == Some(function)
}

/// A short form of a log line: the event's name and its particular fields.
pub(crate) fn in_short(line: &Value) -> String {
    let fields = line.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, value)| {
        let is_id = name.ends_with("_id") || name.ends_with("_sid") || name.ends_with("_uuid");
        // Recorded events have dates at the end of the century.
        let is_in_the_future = value.as_i64().is_some_and(|number| number < 0);
        !is_id && !is_in_the_future && !LEFT_OUT.contains(&name.as_str()) && **value != Value::Bool(false)
    });
    let fields: Vec<String> = fields
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        })
        .collect();
    let took =
        milliseconds(line, "duration_ms").map_or_else(String::new, |took| format!(" in {} ms", took.as_millis()));
    format!("{}{took}  {}", message(line), fields.join(" "))
}

/// The message that a phone received.
pub(crate) fn phone(terminal: Terminal, message: &Message) -> String {
    terminal.coloured_row("1", "phone shows", message)
}

/// A number of milliseconds in a log line.
pub(crate) fn milliseconds(line: &Value, field: &str) -> Option<Duration> {
    line.get(field).and_then(Value::as_u64).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrow() -> Terminal {
        Terminal { colours: false, width: 40 }
    }

    #[test]
    fn a_row_is_broken_between_words_and_goes_on_below_its_text() {
        let row = narrow().row("Okta asks", "for a code by SMS to +12025550123 (sign-in)");
        assert_eq!(row, "  Okta asks     for a code by SMS to\n                +12025550123 (sign-in)");
    }

    #[test]
    fn the_width_is_the_one_that_is_set_or_the_terminals() {
        assert_eq!([width(None, 60), width(Some("60"), 80), width(Some("60"), 0)], [60; 3]);
        assert_eq!([width(None, 0), width(Some("wide"), 0), width(Some("0"), 80), width(None, 300)], [99; 4]);
        assert_eq!(width(None, 10), 40);
    }

    #[test]
    fn a_word_is_never_broken() {
        let word = "x".repeat(60);
        assert_eq!(narrow().title(format!("a {word} b")), format!("a\n{word}\nb"));
    }

    #[test]
    fn colours_stand_around_each_line_of_the_text() {
        let terminal = Terminal { colours: true, width: 40 };
        let row = terminal.coloured_row("1", "phone shows", "Your Example verification code is: 314159");
        let lines: Vec<_> = row.split('\n').collect();
        assert_eq!(
            lines,
            [
                "\x1b[2m  phone shows   \x1b[0m\x1b[1mYour Example\x1b[0m",
                "                \x1b[1mverification code is:\x1b[0m",
                "                \x1b[1m314159\x1b[0m",
            ]
        );
    }

    #[test]
    fn an_age_before_the_event_is_not_shown() {
        let line =
            serde_json::json!({"message": "feedback_approved", "age_seconds": -2_306_873_443_i64, "source": "sends"});
        assert_eq!(in_short(&line), "feedback_approved  source=sends");
    }
}
