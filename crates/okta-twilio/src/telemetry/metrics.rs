//! Metrics in CloudWatch's embedded metric format: one JSON line on standard output per request, without an API call.
//!
//! Alarms can neither search nor sum over dimensions. So each metric has only the dimension sets that a plain alarm
//! needs, because every combination of values is a billed metric. A value with many variants (the country, ids) is a
//! plain property of the same line, and Logs Insights can group by it.
//! Format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::{sync::Arc, time::Duration};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use super::{
    catalogue::LogEvent,
    safe::{LogFields, SafeToLog, safe_to_log},
};
use crate::time::clock::Timestamp;

/// Namespace of every metric.
pub const NAMESPACE: &str = "OktaTwilio";

/// Sets of dimensions, in the form of the format.
type DimensionSets = &'static [&'static [&'static str]];

/// The list of all metrics: name, unit and dimension sets. Tests compare `infra/tests` and `docs/logging.md` with it.
macro_rules! metrics {
    ($( $(#[$meta:meta])* $name:ident $unit:ident $dimensions:tt, )*) => {
        /// A metric of the functions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric { $( $(#[$meta])* $name, )* }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in CloudWatch.
            pub fn name(self) -> &'static str {
                match self { $( Self::$name => stringify!($name), )* }
            }

            /// The unit in CloudWatch.
            pub fn unit(self) -> &'static str {
                match self { $( Self::$name => stringify!($unit), )* }
            }

            /// The sets of dimensions.
            pub fn dimensions(self) -> DimensionSets {
                match self { $( Self::$name => { const SETS: DimensionSets = &$dimensions; SETS } )* }
            }
        }
    };
}

metrics! {
    /// Requests to send a code. Outcome: `sent`, `failed`, `refused` or `swallowed`.
    Sends Count [&["Stack", "Hook", "Outcome"], &["Stack", "Hook", "Reason"]],
    /// 0 for a sent code, 1 for a failure with a cause other than the user's own. An alarm can watch its average, which
    /// is the failure rate. A ratio of two counts would have no value if one of them were missing.
    SendErrors Count [&["Stack", "Hook"]],
    /// Feedback to Twilio. Outcome: `queued`, `approved`, `not_needed` or `failed`.
    Feedback Count [&["Stack", "Hook", "Outcome"], &["Stack", "Hook", "Reason"]],
    /// Rejected requests.
    Rejected Count [&["Stack", "Hook", "Reason"]],
    /// From the invocation to the response.
    HookLatency Milliseconds [&["Stack", "Hook"]],
    /// The duration of all requests to Verify for one code.
    VerifyLatency Milliseconds [&["Stack", "Hook"]],
    /// The duration of the request to Lookup for one code.
    LookupLatency Milliseconds [&["Stack", "Hook"]],
    /// From Okta's event to Twilio's approval.
    FeedbackDelay Milliseconds [&["Stack", "Hook"]],
    /// First invocations of an execution environment.
    ColdStart Count [&["Stack", "Hook"]],
    /// Packages requested from Lookup. `basic` is free.
    Lookups Count [&["Stack", "Hook"], &["Stack", "Hook", "Package"]],
    /// Codes that were sent or refused without data from Lookup.
    LookupFailures Count [&["Stack", "Hook"]],
    /// Secrets that could not be read or used.
    SecretRefreshFailures Count [&["Stack", "Hook"]],
    /// Failed requests to the sends table.
    TableFailures Count [&["Stack", "Hook"]],
    /// Codes that `POLICY_MODE=enforce` would have refused.
    WouldRefuse Count [&["Stack", "Hook"], &["Stack", "Hook", "Reason"]],
}

/// Value of the dimension `Stack`. It keeps the metrics of two stacks in one account apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackName(Arc<str>);

impl StackName {
    /// Parses `METRICS_STACK`: 1 to 128 letters, digits, `-`, `_`, `.` or `/`. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let usable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
        ((1..=128).contains(&text.len()) && text.bytes().all(usable)).then(|| Self(text.into()))
    }
}

impl Default for StackName {
    fn default() -> Self {
        Self("okta-twilio".into())
    }
}

impl Serialize for StackName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

safe_to_log!(StackName);

/// The metrics of one request.
#[derive(Debug)]
pub struct Metrics {
    timestamp_ms: i64,
    /// Dimensions, plain properties and values, by name.
    properties: Vec<(&'static str, Value)>,
    directives: Vec<Directive>,
}

/// Metrics with the same dimensions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: DimensionSets,
    metrics: Vec<Definition>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: i64,
    cloud_watch_metrics: &'a [Directive],
}

impl Metrics {
    /// Empty metrics with the common dimensions.
    pub(super) fn new(stack: &StackName, hook: &'static str, timestamp: Timestamp) -> Self {
        let properties = Vec::with_capacity(16);
        let mut metrics = Self { timestamp_ms: timestamp.as_millis(), properties, directives: Vec::new() };
        metrics.set("Stack", stack).set("Hook", &hook);
        metrics
    }

    /// The metrics of a log event, if it has any.
    pub(super) fn of_event(event: &LogEvent, new: impl FnOnce() -> Self) -> Option<Self> {
        let measure = |fill: &dyn Fn(&mut Self)| {
            let mut metrics = new();
            fill(&mut metrics);
            Some(metrics)
        };
        match event {
            LogEvent::SecretRefreshFailed { secret, reason, .. } => measure(&|metrics| {
                metrics.set("Secret", secret).set("Reason", reason).count(Metric::SecretRefreshFailures, 1);
            }),
            LogEvent::LookupFailed(failure) if failure.package.is_none() => measure(&|metrics| {
                metrics.set("Reason", &failure.reason).count(Metric::LookupFailures, 1);
            }),
            LogEvent::WouldRefuse { reason, country, .. } => measure(&|metrics| {
                if let Some(country) = country {
                    metrics.set("Country", country);
                }
                metrics.set("Reason", reason).count(Metric::WouldRefuse, 1);
            }),
            LogEvent::SendNotRemembered { reason, .. } if reason.is_table_failure() => measure(&|metrics| {
                metrics.set("Reason", reason).count(Metric::TableFailures, 1);
            }),
            LogEvent::OtpSent(record) | LogEvent::OtpRefused(record) | LogEvent::OtpFailed(record)
                if record.table_failure.is_some() =>
            {
                measure(&|metrics| {
                    metrics.set("Reason", &record.table_failure).count(Metric::TableFailures, 1);
                })
            }
            LogEvent::FeedbackApproved(record)
            | LogEvent::FeedbackNotNeeded(record)
            | LogEvent::FeedbackFailed(record)
                if record.delay_ms.is_some() || record.table_failure.is_some() =>
            {
                measure(&|metrics| {
                    if let Some(delay) = record.delay_ms {
                        metrics.duration(Metric::FeedbackDelay, Duration::from_millis(delay));
                    }
                    if let Some(reason) = &record.table_failure {
                        metrics.set("Reason", reason).count(Metric::TableFailures, 1);
                    }
                })
            }
            _ => None,
        }
    }

    /// Sets a dimension or a plain property.
    pub fn set(&mut self, name: &'static str, value: &impl SafeToLog) -> &mut Self {
        // A type that is safe to log always serializes.
        self.put(name, serde_json::to_value(value).unwrap_or_default())
    }

    /// Adds a count. The caller [`set`](Self::set)s its dimensions.
    pub fn count(&mut self, metric: Metric, count: u64) -> &mut Self {
        self.add(metric, count.into())
    }

    /// Adds a duration in milliseconds.
    pub fn duration(&mut self, metric: Metric, duration: Duration) -> &mut Self {
        // Three decimals, because a warm request on the loopback interface takes less than one millisecond.
        let milliseconds = (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0;
        self.add(metric, milliseconds.into())
    }

    fn add(&mut self, metric: Metric, value: Value) -> &mut Self {
        let (definition, dimensions) = (Definition { name: metric.name(), unit: metric.unit() }, metric.dimensions());
        let same = |directive: &&mut Directive| directive.dimensions == dimensions;
        if let Some(directive) = self.directives.iter_mut().find(same) {
            directive.metrics.push(definition);
        } else {
            self.directives.push(Directive { namespace: NAMESPACE, dimensions, metrics: vec![definition] });
        }
        self.put(metric.name(), value)
    }

    fn put(&mut self, name: &'static str, value: Value) -> &mut Self {
        match self.properties.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.properties.push((name, value)),
        }
        self
    }

    /// Whether there is nothing to print.
    pub(super) fn is_empty(&self) -> bool {
        self.directives.is_empty()
    }
}

impl LogFields for Metrics {
    fn write<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
        let metadata = Metadata { timestamp: self.timestamp_ms, cloud_watch_metrics: &self.directives };
        line.serialize_entry("_aws", &metadata)?;
        self.properties.iter().try_for_each(|(name, value)| line.serialize_entry(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(metrics: &Metrics) -> Value {
        let mut json = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut json);
        let mut map = serializer.serialize_map(None).unwrap();
        metrics.write(&mut map).unwrap();
        map.end().unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn the_document_is_the_embedded_metric_format() {
        let mut metrics = Metrics::new(&StackName::default(), "telephony-hook", Timestamp::from_millis(1_000));
        metrics.count(Metric::ColdStart, 1);
        metrics.set("Outcome", &"sent").set("Reason", &"accepted").set("Country", &"GB").count(Metric::Sends, 1);
        metrics.duration(Metric::HookLatency, Duration::from_micros(12_345));
        insta::assert_json_snapshot!(document(&metrics));
    }

    #[test]
    fn the_metrics_in_the_docs_are_those_in_the_code() {
        let docs = include_str!("../../../../docs/logging.md");
        let rows = docs.split_once("## Metrics").unwrap().1.split_once("\n## ").unwrap().0.lines();
        let documented: Vec<_> = rows.filter_map(|row| Some(row.strip_prefix("| `")?.split_once('`')?.0)).collect();
        let metrics: Vec<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(documented, metrics);
    }
}
