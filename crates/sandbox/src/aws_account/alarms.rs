//! Amazon CloudWatch: alarms.

use std::fmt::Write as _;

use axum::response::Response;

use super::{
    Account,
    protocol::{self, Call, Refusal, escaped},
};

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

/// An alarm.
#[derive(Debug, Clone)]
pub struct Alarm {
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state: &'static str,
    /// ARNs of what is told of an alarm.
    pub actions: Vec<String>,
    /// Whether the actions are on.
    pub is_enabled: bool,
}

impl Default for Alarm {
    fn default() -> Self {
        let actions = vec!["arn:aws:sns:us-east-1:123456789012:alarms".to_owned()];
        Self { state: "OK", actions, is_enabled: true }
    }
}

pub(super) fn describe(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let names: Vec<_> =
        (1..).map_while(|number| call.form.get(&format!("AlarmNames.member.{number}"))).map(String::as_str).collect();
    if names.len() > 100 {
        return Err(Refusal::new(400, "ValidationError"));
    }
    let mut members = String::new();
    // Without names, CloudWatch describes all alarms.
    let selected = account.alarms.iter().filter(|(name, _)| names.is_empty() || names.contains(&name.as_str()));
    for (name, alarm) in selected {
        let actions: Vec<_> = alarm.actions.iter().map(|arn| format!("<member>{}</member>", escaped(arn))).collect();
        let _ = write!(
            members,
            "<member><AlarmName>{}</AlarmName><AlarmActions>{}</AlarmActions><ActionsEnabled>{}</ActionsEnabled>\
             <StateValue>{}</StateValue></member>",
            escaped(name),
            actions.concat(),
            alarm.is_enabled,
            alarm.state
        );
    }
    let result = format!("<MetricAlarms>{members}</MetricAlarms><CompositeAlarms/>");
    Ok(protocol::xml("DescribeAlarms", NAMESPACE, &result))
}
