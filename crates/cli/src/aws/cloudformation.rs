//! AWS CloudFormation: what the stack is, and what is in it.

use std::collections::HashMap;

use super::{
    Aws, AwsError, Message, Service,
    xml::{document, find, text},
};

const CLOUDFORMATION: Service = Service {
    host: "cloudformation",
    signing_name: "cloudformation",
    endpoint_variable: "AWS_ENDPOINT_URL_CLOUDFORMATION",
};
const VERSION: &str = "2010-05-15";

/// A stack as `DescribeStacks` shows it.
#[derive(Debug)]
pub(crate) struct Description {
    /// Such as `UPDATE_COMPLETE`.
    pub(crate) status: String,
    pub(crate) outputs: HashMap<String, String>,
}

/// A resource of a stack.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) logical_id: String,
    pub(crate) physical_id: String,
    /// Such as `AWS::Lambda::Function`.
    pub(crate) kind: String,
}

/// Describes a stack. `None` if there is none of this name.
///
/// # Errors
/// Fails if CloudFormation cannot be asked.
pub(crate) async fn describe(aws: &Aws, name: &str) -> Result<Option<Description>, AwsError> {
    let action = "cloudformation:DescribeStacks";
    let form = [("StackName", name)];
    let message = Message::Query { version: VERSION, operation: "DescribeStacks", form: &form };
    let response = match aws.send(CLOUDFORMATION, action, message).await {
        // CloudFormation's way to say that there is none.
        Err(error) if error.is_code("ValidationError") => return Ok(None),
        response => response?,
    };
    let description = document(&response.body, |document| {
        let stack = find(document.root_element(), "Stacks")?.children().find(roxmltree::Node::is_element)?;
        Some(Description {
            status: text(stack, "StackStatus")?,
            outputs: pairs(stack, "Outputs", "OutputKey", "OutputValue"),
        })
    });
    description.map(Some).ok_or(AwsError::NotUnderstood { action })
}

/// All resources of a stack.
///
/// # Errors
/// Fails if CloudFormation cannot be asked.
pub(crate) async fn resources(aws: &Aws, name: &str) -> Result<Vec<Resource>, AwsError> {
    let action = "cloudformation:ListStackResources";
    let (mut resources, mut next) = (Vec::new(), None::<String>);
    loop {
        let mut form = vec![("StackName", name)];
        form.extend(next.as_deref().map(|token| ("NextToken", token)));
        let message = Message::Query { version: VERSION, operation: "ListStackResources", form: &form };
        let response = aws.send(CLOUDFORMATION, action, message).await?;
        let page = document(&response.body, |document| {
            let root = document.root_element();
            let list = find(root, "StackResourceSummaries")?;
            let found = list.children().filter(roxmltree::Node::is_element).filter_map(|member| {
                Some(Resource {
                    logical_id: text(member, "LogicalResourceId")?,
                    physical_id: text(member, "PhysicalResourceId")?,
                    kind: text(member, "ResourceType")?,
                })
            });
            Some((found.collect::<Vec<_>>(), find(root, "NextToken").and_then(|node| node.text().map(str::to_owned))))
        });
        let (found, token) = page.ok_or(AwsError::NotUnderstood { action })?;
        resources.extend(found);
        next = token.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(resources);
        }
    }
}

fn pairs(node: roxmltree::Node<'_, '_>, list: &str, key: &str, value: &str) -> HashMap<String, String> {
    let Some(list) = node.children().find(|child| child.tag_name().name() == list) else { return HashMap::new() };
    let members = list.children().filter(roxmltree::Node::is_element);
    members.filter_map(|member| Some((text(member, key)?, text(member, value).unwrap_or_default()))).collect()
}
