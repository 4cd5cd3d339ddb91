//! CloudWatch Logs Insights: the functions' log lines of a time range.

use std::time::Duration;

use okta_twilio::time::clock::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Aws, AwsError, Message, Service};

const LOGS: Service = Service { host: "logs", signing_name: "logs", endpoint_variable: "AWS_ENDPOINT_URL_LOGS" };
const VERSION: &str = "1.1";

/// Maximum number of lines of one query. More are not needed for one story, and Insights returns at most 10,000.
pub(crate) const MAX_LINES: usize = 1_000;

/// Pause between two questions for the result. A query over a few hours takes about a second.
const PAUSE: Duration = Duration::from_millis(250);

/// A query is given up after so many questions: half a minute.
const MAX_QUESTIONS: usize = 120;

/// One line of a function: the members of its JSON object.
pub(crate) type Line = Map<String, Value>;

/// Which lines: all of a time range, or those of which a member has one of the values.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// Member and value. A line is selected if at least one pair fits. Empty selects all lines.
    pub(crate) any_of: Vec<(&'static str, String)>,
}

impl Query {
    /// The query in the language of Insights, newest lines first.
    ///
    /// A value comes from our own parsers of ids, or from a list of words, so no value holds a quote.
    fn text(&self) -> String {
        let condition = |(member, value): &(&str, String)| {
            let value: String = value.chars().filter(|character| !matches!(character, '"' | '\\')).collect();
            format!("{member} = \"{value}\"")
        };
        let conditions: Vec<_> = self.any_of.iter().map(condition).collect();
        let filter =
            if conditions.is_empty() { String::new() } else { format!(" | filter {}", conditions.join(" or ")) };
        format!("fields @timestamp, @message{filter} | sort @timestamp desc | limit {MAX_LINES}")
    }
}

/// The lines that a query selects in these log groups, oldest first. Lines that are not the functions' own are left out.
///
/// # Errors
/// Fails if a log group does not exist, or the query fails or takes too long.
pub(crate) async fn lines(aws: &Aws, groups: &[String], query: &Query) -> Result<Vec<Line>, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Started {
        query_id: String,
    }
    let body = json!({
        "logGroupNames": groups,
        "startTime": query.from.as_secs(),
        "endTime": query.to.as_secs() + 1,
        "queryString": query.text(),
    });
    let message = Message::Json { version: VERSION, target: "Logs_20140328.StartQuery", body: &body };
    let started: Started = aws.json(LOGS, "logs:StartQuery", message).await?;
    let mut lines = result(aws, &started.query_id).await?;
    lines.reverse();
    Ok(lines)
}

/// How many days a log group keeps its lines. `Ok(Some(None))` means for ever, and `Ok(None)` that there is no such group.
///
/// # Errors
/// Fails if CloudWatch Logs cannot be asked.
pub(crate) async fn retention_days(aws: &Aws, group: &str) -> Result<Option<Option<u64>>, AwsError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Groups {
        #[serde(default)]
        log_groups: Vec<Group>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Group {
        log_group_name: String,
        retention_in_days: Option<u64>,
    }
    // The name itself sorts before all longer names with the same beginning, so it is on the first page.
    let body = json!({"logGroupNamePrefix": group});
    let message = Message::Json { version: VERSION, target: "Logs_20140328.DescribeLogGroups", body: &body };
    let groups: Groups = aws.json(LOGS, "logs:DescribeLogGroups", message).await?;
    let found = groups.log_groups.into_iter().find(|found| found.log_group_name == group);
    Ok(found.map(|found| found.retention_in_days))
}

async fn result(aws: &Aws, query_id: &str) -> Result<Vec<Line>, AwsError> {
    #[derive(Deserialize)]
    struct Column {
        field: Option<String>,
        value: Option<String>,
    }
    #[derive(Deserialize)]
    struct Results {
        status: String,
        #[serde(default)]
        results: Vec<Vec<Column>>,
    }
    let action = "logs:GetQueryResults";
    let body = json!({"queryId": query_id});
    for _ in 0..MAX_QUESTIONS {
        let message = Message::Json { version: VERSION, target: "Logs_20140328.GetQueryResults", body: &body };
        let results: Results = aws.json(LOGS, action, message).await?;
        match results.status.as_str() {
            "Complete" => {
                let message = |row: Vec<Column>| {
                    let column = row.into_iter().find(|column| column.field.as_deref() == Some("@message"))?;
                    serde_json::from_str(&column.value?).ok()
                };
                return Ok(results.results.into_iter().filter_map(message).collect());
            }
            "Scheduled" | "Running" => tokio::time::sleep(PAUSE).await,
            _ => return Err(AwsError::Refused { action, code: None, status: 200 }),
        }
    }
    Err(AwsError::NoResponse { action, error: okta_twilio::http_client::CallError::TimedOut })
}
