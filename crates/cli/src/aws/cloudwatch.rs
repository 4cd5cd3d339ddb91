//! Amazon CloudWatch: alarms.

use super::{Aws, AwsError, Message, Service, xml};

const CLOUDWATCH: Service =
    Service { host: "monitoring", signing_name: "monitoring", endpoint_variable: "AWS_ENDPOINT_URL_CLOUDWATCH" };
const VERSION: &str = "2010-08-01";

/// Names in one request, which is the maximum of CloudWatch.
const MAX_NAMES: usize = 100;

/// An alarm.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub(crate) state: String,
    /// Whether somebody is told.
    pub(crate) has_action: bool,
}

/// Describes these alarms. Those that do not exist are left out.
///
/// # Errors
/// Fails if CloudWatch cannot be asked.
pub(crate) async fn alarms(aws: &Aws, names: &[&str]) -> Result<Vec<Alarm>, AwsError> {
    let action = "cloudwatch:DescribeAlarms";
    let mut alarms = Vec::new();
    for names in names.chunks(MAX_NAMES) {
        let keys: Vec<_> = (1..=names.len()).map(|number| format!("AlarmNames.member.{number}")).collect();
        let mut form: Vec<(&str, &str)> = keys.iter().map(String::as_str).zip(names.iter().copied()).collect();
        // By default, composite alarms are left out.
        form.extend([("AlarmTypes.member.1", "MetricAlarm"), ("AlarmTypes.member.2", "CompositeAlarm")]);
        form.push(("MaxRecords", "100"));
        let message = Message::Query { version: VERSION, operation: "DescribeAlarms", form: &form };
        let response = aws.send(CLOUDWATCH, action, message).await?;
        let found = xml::document(&response.body, |document| {
            let root = document.root_element();
            let lists = ["MetricAlarms", "CompositeAlarms"].into_iter().filter_map(|name| xml::find(root, name));
            let members = lists.flat_map(|list| list.children().filter(roxmltree::Node::is_element));
            members
                .map(|member| {
                    let is_enabled = xml::text(member, "ActionsEnabled")? == "true";
                    let actions = xml::find(member, "AlarmActions");
                    let has_action = actions.is_some_and(|list| list.children().any(|child| child.is_element()));
                    Some(Alarm { state: xml::text(member, "StateValue")?, has_action: is_enabled && has_action })
                })
                .collect::<Option<Vec<_>>>()
        });
        alarms.extend(found.ok_or(AwsError::NotUnderstood { action })?);
    }
    Ok(alarms)
}
