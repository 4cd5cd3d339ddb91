//! Metrics in CloudWatch's embedded metric format: one JSON line on standard output for each request, no API call.
//!
//! Dimensions stay few and bounded, since every combination is a billed metric; what would cost (the country, ids) is
//! a plain property of the same line, which Logs Insights can group by.
//! Format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::Value;

use crate::telemetry::log::Log;

/// Namespace of every metric.
pub const NAMESPACE: &str = "OktaTwilio";

/// The measurements of one request.
#[derive(Debug)]
pub struct Metrics {
    properties: BTreeMap<&'static str, Value>,
    directives: Vec<Directive>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: Vec<Vec<&'static str>>,
    metrics: Vec<Definition>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: &'static str,
    unit: &'static str,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "_aws")]
    aws: Metadata<'a>,
    message: &'static str,
    #[serde(flatten)]
    properties: &'a BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    timestamp: i64,
    cloud_watch_metrics: &'a [Directive],
}

impl Metrics {
    /// Measurements of one request to the function that `log` belongs to.
    pub fn new(log: &Log) -> Self {
        let mut metrics = Self::beside(log);
        if log.cold_start() {
            metrics.count("ColdStart", 1, &["Hook"]);
        }
        metrics
    }

    /// A further line of the same request, for a dimension that has more than one value in it.
    pub fn beside(log: &Log) -> Self {
        let mut metrics = Self { properties: BTreeMap::new(), directives: Vec::new() };
        metrics.set("Hook", log.service());
        metrics
    }

    /// Sets a dimension or a plain property.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.properties.insert(name, value.into());
        self
    }

    /// Adds a count, by dimensions that [`set`](Self::set) has given.
    pub fn count(&mut self, name: &'static str, count: u64, dimensions: &[&'static str]) -> &mut Self {
        self.add(name, "Count", count.into(), dimensions)
    }

    /// Adds a duration in milliseconds.
    pub fn duration(&mut self, name: &'static str, duration: Duration, dimensions: &[&'static str]) -> &mut Self {
        // Three decimals: a warm request on a loopback takes less than one millisecond.
        let milliseconds = (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0;
        self.add(name, "Milliseconds", milliseconds.into(), dimensions)
    }

    fn add(&mut self, name: &'static str, unit: &'static str, value: Value, dimensions: &[&'static str]) -> &mut Self {
        self.properties.insert(name, value);
        self.directives.push(Directive {
            namespace: NAMESPACE,
            dimensions: vec![dimensions.to_vec()],
            metrics: vec![Definition { name, unit }],
        });
        self
    }

    /// Prints the line, if there is anything to print.
    pub fn emit(&self, log: &Log) {
        if !self.directives.is_empty() {
            let aws = Metadata { timestamp: log.clock().now().as_millis(), cloud_watch_metrics: &self.directives };
            log.emit_metrics(&Document { aws, message: "metrics", properties: &self.properties });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::clock::Clock;

    #[test]
    fn the_document_is_the_embedded_metric_format() {
        let log = Log::outside_invocations("telephony-hook", Clock::fixed(std::time::UNIX_EPOCH));
        let mut metrics = Metrics::new(&log);
        metrics.set("Outcome", "sent").set("Country", "GB").count("Sends", 1, &["Hook", "Outcome"]);
        metrics.duration("HookLatency", Duration::from_micros(12_345), &["Hook"]);
        let aws = Metadata { timestamp: 0, cloud_watch_metrics: &metrics.directives };
        let document = Document { aws, message: "metrics", properties: &metrics.properties };
        insta::assert_json_snapshot!(document, @r#"
        {
          "_aws": {
            "Timestamp": 0,
            "CloudWatchMetrics": [
              {
                "Namespace": "OktaTwilio",
                "Dimensions": [
                  [
                    "Hook"
                  ]
                ],
                "Metrics": [
                  {
                    "Name": "ColdStart",
                    "Unit": "Count"
                  }
                ]
              },
              {
                "Namespace": "OktaTwilio",
                "Dimensions": [
                  [
                    "Hook",
                    "Outcome"
                  ]
                ],
                "Metrics": [
                  {
                    "Name": "Sends",
                    "Unit": "Count"
                  }
                ]
              },
              {
                "Namespace": "OktaTwilio",
                "Dimensions": [
                  [
                    "Hook"
                  ]
                ],
                "Metrics": [
                  {
                    "Name": "HookLatency",
                    "Unit": "Milliseconds"
                  }
                ]
              }
            ]
          },
          "message": "metrics",
          "ColdStart": 1,
          "Country": "GB",
          "Hook": "telephony-hook",
          "HookLatency": 12.345,
          "Outcome": "sent",
          "Sends": 1
        }
        "#);
    }
}
