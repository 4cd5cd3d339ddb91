//! Logs one JSON object per line on standard output.
//!
//! [`Log::emit`] creates a `tracing` event under one target. The subscriber prints only that target and drops every
//! event of a dependency, at any level: `lambda_runtime` would print whole invocations at TRACE, and it would print a
//! handler's error in full. A line is serialized only after `tracing` has checked its level.
//!
//! [`super::catalogue`] is the closed list of what a line can hold. See also `docs/logging.md`.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
};

use serde::{Serializer as _, ser::SerializeMap as _};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit, display},
    level_filters::LevelFilter,
    span,
};

use super::{
    catalogue::LogEvent,
    metrics::{Metric, Metrics, StackName},
    safe::{LogFields, SourceFile, write_field},
};
use crate::{id::SafeId, time::clock::Clock};

/// Target of log events. They are printed from the configured level up.
const EVENTS: &str = "okta_twilio::event";

/// Target of metrics. They are printed at any level, because CloudWatch reads its metrics from them.
const METRICS: &str = "okta_twilio::metrics";

/// The keys that every line of one invocation has.
#[derive(Clone, Debug)]
pub struct Log {
    service: &'static str,
    stack: StackName,
    function_request_id: Option<SafeId>,
    cold_start: bool,
    clock: Clock,
}

impl Log {
    /// A log for everything outside invocations.
    pub fn outside_invocations(service: &'static str, clock: Clock) -> Self {
        Self { service, stack: StackName::default(), function_request_id: None, cold_start: true, clock }
    }

    /// The same log with another value of the metric dimension `Stack`.
    #[must_use]
    pub fn of_stack(self, stack: StackName) -> Self {
        Self { stack, ..self }
    }

    /// The log of one invocation.
    #[must_use]
    pub fn of_invocation(&self, function_request_id: &str, cold_start: bool) -> Self {
        Self { function_request_id: SafeId::parse(function_request_id), cold_start, ..self.clone() }
    }

    /// The name of the function. It is also the `Hook` dimension of metrics.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// Lambda's id of the invocation.
    pub fn function_request_id(&self) -> Option<&SafeId> {
        self.function_request_id.as_ref()
    }

    /// The clock for the timestamps.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Prints an event if its level is enabled, and counts it if it has a metric.
    pub fn emit(&self, event: &LogEvent) {
        let line = |level| display(LogLine { log: self, level, message: event.name(), fields: event });
        // The macro needs a constant level.
        match event.level() {
            Level::ERROR => tracing::event!(target: EVENTS, Level::ERROR, line = line(Level::ERROR)),
            Level::WARN => tracing::event!(target: EVENTS, Level::WARN, line = line(Level::WARN)),
            Level::INFO => tracing::event!(target: EVENTS, Level::INFO, line = line(Level::INFO)),
            _ => tracing::event!(target: EVENTS, Level::DEBUG, line = line(Level::DEBUG)),
        }
        if let Some(metrics) = Metrics::of_event(event, || self.further_metrics()) {
            self.emit_metrics(&metrics);
        }
    }

    /// Metrics of this invocation. [`emit_metrics`](Self::emit_metrics) prints them.
    pub fn metrics(&self) -> Metrics {
        let mut metrics = self.further_metrics();
        if self.cold_start {
            metrics.count(Metric::ColdStart, 1);
        }
        metrics
    }

    /// Another metrics line of the same invocation, for a dimension that has several values in it.
    pub fn further_metrics(&self) -> Metrics {
        Metrics::new(&self.stack, self.service, self.clock.now())
    }

    /// Prints a metrics line, unless it is empty.
    pub fn emit_metrics(&self, metrics: &Metrics) {
        if !metrics.is_empty() {
            let line = LogLine { log: self, level: Level::INFO, message: "metrics", fields: metrics };
            tracing::event!(target: METRICS, Level::INFO, line = display(line));
        }
    }
}

/// A line. Displaying it serializes it.
struct LogLine<'a, F: LogFields> {
    log: &'a Log,
    level: Level,
    message: &'static str,
    fields: &'a F,
}

impl<F: LogFields> LogLine<'_, F> {
    fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = Vec::with_capacity(1_024);
        let mut serializer = serde_json::Serializer::new(&mut json);
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &self.log.clock.now())?;
        line.serialize_entry("level", self.level.as_str())?;
        line.serialize_entry("message", self.message)?;
        write_field(&mut line, "service", &self.log.service)?;
        write_field(&mut line, "function_request_id", &self.log.function_request_id)?;
        write_field(&mut line, "cold_start", &self.log.cold_start)?;
        self.fields.write(&mut line)?;
        line.end()?;
        Ok(json)
    }
}

impl<F: LogFields> fmt::Display for LogLine<'_, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Text keys and plain values always serialize.
        let json = self.to_json().unwrap_or_default();
        formatter.write_str(str::from_utf8(&json).unwrap_or_default())
    }
}

/// Installs the subscriber and the panic hook. `main` calls it first.
pub fn install(level: Level, log: &Log) {
    // A second call (tests in one process) keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(Printer { level });
    let log = log.clone();
    std::panic::set_hook(Box::new(move |panic| {
        // The panic's text is not printed, because it could quote the input.
        if let Some(location) = panic.location() {
            log.emit(&LogEvent::Panicked { file: SourceFile::of(location), line: location.line() });
        }
    }));
}

/// Prints the lines of [`Log`] and drops every other event.
struct Printer {
    level: Level,
}

impl Subscriber for Printer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        match metadata.target() {
            METRICS => true,
            EVENTS => *metadata.level() <= self.level,
            _ => false,
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // Metrics have the level INFO.
        Some(LevelFilter::from_level(self.level.max(Level::INFO)))
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut LinePrinter);
    }

    // Nothing enables spans.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct LinePrinter;

impl Visit for LinePrinter {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let mut line = String::with_capacity(1_024);
        // Writing to a string cannot fail. If standard output is gone, there is no place to report it.
        let _ = writeln!(line, "{value:?}");
        #[expect(clippy::disallowed_methods, reason = "the one place that writes to standard output")]
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Reason;

    #[test]
    fn a_line_has_the_common_keys() {
        let clock = Clock::fixed(std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_800_000_000_123));
        let log = Log::outside_invocations("telephony-hook", clock).of_invocation("req-1", false);
        let event = LogEvent::RequestRejected { status: 401, reason: Reason::NotAuthenticated, location: None };
        let line = LogLine { log: &log, level: event.level(), message: event.name(), fields: &event };
        assert_eq!(
            line.to_string(),
            r#"{"timestamp":"2027-01-15T08:00:00.123Z","level":"WARN","message":"request_rejected","service":"telephony-hook","function_request_id":"req-1","cold_start":false,"status":401,"reason":"not_authenticated"}"#
        );
    }
}
