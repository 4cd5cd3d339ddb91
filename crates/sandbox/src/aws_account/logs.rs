//! CloudWatch Logs: log groups, and Insights queries of the form
//! `fields @timestamp, @message [| filter a = "x" or b = "y"] | sort @timestamp desc | limit N`.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::{
    Account,
    protocol::{self, Call, Refusal},
};

const MALFORMED: Refusal = Refusal::new(400, "MalformedQueryException");
const INVALID: Refusal = Refusal::new(400, "InvalidParameterException");
const NOT_FOUND: Refusal = Refusal::new(400, "ResourceNotFoundException");

/// A log group.
#[derive(Debug, Clone, Default)]
pub struct LogGroup {
    /// Lines as the functions wrote them. Those with a `timestamp` of RFC 3339 can be found.
    pub lines: Vec<String>,
    /// `None`: lines are kept for ever.
    pub retention_days: Option<u64>,
}

/// A query and what it found.
#[derive(Debug)]
pub(super) struct Query {
    results: Vec<Value>,
    /// The first question for the result comes too early.
    is_complete: bool,
}

pub(super) fn describe_groups(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let prefix = text(call, "logGroupNamePrefix")?;
    let groups = account.log_groups.iter().filter(|(name, _)| name.starts_with(prefix));
    let groups: Vec<_> = groups
        .map(|(name, group)| match group.retention_days {
            Some(days) => json!({"logGroupName": name, "retentionInDays": days}),
            None => json!({"logGroupName": name}),
        })
        .collect();
    Ok(protocol::json_body(&json!({"logGroups": groups})))
}

pub(super) fn start_query(account: &mut Account, call: &Call) -> Result<Response, Refusal> {
    let groups = call.body.get("logGroupNames").and_then(Value::as_array).ok_or(INVALID)?;
    let seconds = |name: &str| call.body.get(name).and_then(Value::as_i64).ok_or(INVALID);
    let (from, to) = (seconds("startTime")?, seconds("endTime")?);
    let (conditions, limit) = parse(text(call, "queryString")?).ok_or(MALFORMED)?;
    if from > to || groups.is_empty() {
        return Err(MALFORMED);
    }
    let mut found = Vec::new();
    for name in groups {
        let group = account.log_groups.get(name.as_str().unwrap_or_default()).ok_or(NOT_FOUND)?;
        found.extend(group.lines.iter().filter_map(|line| {
            let members: BTreeMap<String, Value> = serde_json::from_str(line).ok()?;
            let timestamp = members.get("timestamp")?.as_str()?;
            let seconds = unix_seconds(timestamp)?;
            let fits = |(name, value): &(String, String)| match members.get(name) {
                Some(Value::String(text)) => text == value,
                Some(other) => serde_json::from_str::<Value>(value).is_ok_and(|value| value == *other),
                None => false,
            };
            let is_selected = conditions.is_empty() || conditions.iter().any(fits);
            (is_selected && (from..=to).contains(&seconds)).then(|| (timestamp.to_owned(), line.clone()))
        }));
    }
    found.sort();
    let row = |(timestamp, line): (String, String)| {
        json!([
            {"field": "@timestamp", "value": timestamp.replace('T', " ").replace('Z', "")},
            {"field": "@message", "value": line},
            {"field": "@ptr", "value": "CmEK"},
        ])
    };
    let results = found.into_iter().rev().take(limit).map(row).collect();
    let id = format!("00000000-0000-4000-8000-{:012}", account.queries.len());
    account.queries.insert(id.clone(), Query { results, is_complete: false });
    Ok(protocol::json_body(&json!({"queryId": id})))
}

pub(super) fn query_results(account: &mut Account, call: &Call) -> Result<Response, Refusal> {
    let query = account.queries.get_mut(text(call, "queryId")?).ok_or(NOT_FOUND)?;
    let is_complete = std::mem::replace(&mut query.is_complete, true);
    let (status, results) = if is_complete { ("Complete", query.results.clone()) } else { ("Running", vec![]) };
    Ok(protocol::json_body(&json!({"status": status, "results": results, "statistics": {}})))
}

fn text<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    call.body.get(name).and_then(Value::as_str).ok_or(INVALID)
}

/// The conditions and the limit of a query; `None` for one of another form.
fn parse(query: &str) -> Option<(Vec<(String, String)>, usize)> {
    let mut parts = query.split(" | ");
    if parts.next()? != "fields @timestamp, @message" {
        return None;
    }
    let rest: Vec<_> = parts.collect();
    let (filter, limit) = match rest[..] {
        [filter, "sort @timestamp desc", limit] => (Some(filter.strip_prefix("filter ")?), limit),
        ["sort @timestamp desc", limit] => (None, limit),
        _ => return None,
    };
    let condition = |text: &str| {
        let (name, value) = text.split_once(" = ")?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        (is_name && !value.contains('"')).then(|| (name.to_owned(), value.to_owned()))
    };
    let conditions = filter.map_or(Some(vec![]), |filter| filter.split(" or ").map(condition).collect())?;
    Some((conditions, limit.strip_prefix("limit ")?.parse().ok().filter(|limit| (1..=10_000).contains(limit))?))
}

fn unix_seconds(timestamp: &str) -> Option<i64> {
    let time = time::OffsetDateTime::parse(timestamp, &time::format_description::well_known::Rfc3339).ok()?;
    Some(time.unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_form_of_query_is_understood() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let query = "fields @timestamp, @message | filter user_id = \"00u1\" or reason = \"paused\" | sort @timestamp desc | limit 10";
        assert_eq!(parse(query), Some((vec![pair("user_id", "00u1"), pair("reason", "paused")], 10)));
        assert_eq!(parse("fields @timestamp, @message | sort @timestamp desc | limit 5"), Some((vec![], 5)));
        for wrong in [
            "fields @message | sort @timestamp desc | limit 5",
            "fields @timestamp, @message | filter user_id = 1 | sort @timestamp desc | limit 5",
            "fields @timestamp, @message | filter user_id = \"a\" and x = \"b\" | sort @timestamp desc | limit 5",
            "fields @timestamp, @message | sort @timestamp desc | limit 0",
            "fields @timestamp, @message | sort @timestamp desc",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
