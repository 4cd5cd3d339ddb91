//! How things are written for a person: colours on a terminal only, everything aligned.

use std::{fmt::Display, io::IsTerminal as _, time::Duration};

use sandbox::Message;
use serde_json::Value;

/// Fields that say nothing about a single decision, are shown elsewhere or are mere ids.
const LEFT_OUT: &[&str] = &["timestamp", "level", "message", "service", "duration_ms", "verify_ms"];

/// A function writes its log line before it answers; the line only has to come through the pipes.
pub(crate) const LOG_LIMIT: Duration = Duration::from_secs(2);

/// Writes with colours, or without.
#[derive(Clone, Copy)]
pub(crate) struct Terminal {
    colours: bool,
}

impl Terminal {
    /// Of this process's standard output. `NO_COLOR`: <https://no-color.org>.
    #[expect(clippy::disallowed_methods, reason = "asked of the terminal, which is no configuration of the functions")]
    pub(crate) fn of_stdout() -> Self {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colours }
    }

    pub(crate) fn title(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.paint("31", text)
    }

    pub(crate) fn quiet(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// Whether a story ended as expected.
    pub(crate) fn verdict(self, is_as_expected: bool) -> String {
        if is_as_expected { self.good("as expected") } else { self.bad("NOT as expected") }
    }

    /// A story in one row.
    pub(crate) fn outcome(self, name: &str, took: Duration, outcome: &str, is_as_expected: bool) -> String {
        let took = took.as_millis();
        let verdict = if is_as_expected { String::new() } else { format!(", {}", self.verdict(false)) };
        format!("   {name:<44} {took:>6} ms  {outcome}{verdict}")
    }

    /// One row: who, how long it took, and what.
    pub(crate) fn row(self, label: &str, took: Option<Duration>, text: impl Display) -> String {
        let took = took.map_or_else(String::new, |took| format!("{} ms", took.as_millis()));
        format!("   {}  {took:>8}  {text}", self.quiet(format!("{label:<12}")))
    }
}

/// A log line of a function; `None` for anything else that is written, metrics (`_aws`) among it.
pub(crate) fn log_line(line: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line.get("message").is_some() && line.get("_aws").is_none()).then_some(line)
}

/// The name of a log line's event.
pub(crate) fn message(line: &Value) -> &str {
    line.get("message").and_then(Value::as_str).unwrap_or_default()
}

/// A log line in short: the event's name and what is particular about it.
pub(crate) fn in_short(line: &Value) -> String {
    let fields = line.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, value)| {
        let is_id = name.ends_with("_id") || name.ends_with("_sid");
        !is_id && !LEFT_OUT.contains(&name.as_str()) && **value != Value::Bool(false)
    });
    let fields: Vec<String> = fields
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        })
        .collect();
    format!("{}  {}", message(line), fields.join(" "))
}

/// What a phone got.
pub(crate) fn phone(terminal: Terminal, message: &Message) -> String {
    let text = format!("{} to {}: {}", message.channel.name(), message.to, terminal.title(&message.text));
    terminal.row("phone shows", None, text)
}

/// A number of milliseconds in a log line.
pub(crate) fn milliseconds(line: &Value, field: &str) -> Option<Duration> {
    line.get(field).and_then(Value::as_u64).map(Duration::from_millis)
}
