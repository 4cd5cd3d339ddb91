//! AWS CloudFormation: one stack.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::response::Response;

use super::{
    Account,
    function::Function,
    protocol::{self, Call, Refusal, escaped},
};

const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
/// Entries of a page of resources. AWS's is 100: a small one makes every reader follow the pages.
const PAGE: usize = 3;

/// A deployed stack, with the logical ids of the templates.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Such as `UPDATE_COMPLETE`.
    pub status: String,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// The functions, by logical id.
    pub functions: BTreeMap<String, Function>,
    /// Other resources: logical id, type, physical id.
    pub resources: Vec<(String, String, String)>,
}

pub(super) fn describe(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let stack = find(account, call)?;
    let mut outputs = String::new();
    for (key, value) in &stack.outputs {
        let value = escaped(value);
        let _ = write!(outputs, "<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>");
    }
    let result = format!(
        "<Stacks><member><StackName>{}</StackName><StackStatus>{}</StackStatus><Outputs>{outputs}</Outputs></member></Stacks>",
        stack.name, stack.status
    );
    Ok(protocol::xml("DescribeStacks", NAMESPACE, &result))
}

pub(super) fn resources(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let stack = find(account, call)?;
    let functions =
        stack.functions.iter().map(|(id, function)| (id.as_str(), "AWS::Lambda::Function", function.name.as_str()));
    let others = stack.resources.iter().map(|(id, kind, physical)| (id.as_str(), kind.as_str(), physical.as_str()));
    let all: Vec<_> = functions.chain(others).collect();
    let from = call.form.get("NextToken").and_then(|token| token.parse::<usize>().ok()).unwrap_or_default();
    let mut result = "<StackResourceSummaries>".to_owned();
    for (id, kind, physical) in all.iter().skip(from).take(PAGE) {
        let physical = escaped(physical);
        let _ = write!(
            result,
            "<member><LogicalResourceId>{id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType></member>"
        );
    }
    result.push_str("</StackResourceSummaries>");
    if from + PAGE < all.len() {
        let _ = write!(result, "<NextToken>{}</NextToken>", from + PAGE);
    }
    Ok(protocol::xml("ListStackResources", NAMESPACE, &result))
}

fn find<'a>(account: &'a Account, call: &Call) -> Result<&'a Stack, Refusal> {
    let name = call.form.get("StackName").ok_or(Refusal::new(400, "ValidationError"))?;
    account.stack.as_ref().filter(|stack| stack.name == *name).ok_or(Refusal::new(400, "ValidationError"))
}
