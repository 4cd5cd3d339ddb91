//! AWS Security Token Service.

use super::{Aws, AwsError, Message, Service};

const STS: Service = Service { host: "sts", signing_name: "sts", endpoint_variable: "AWS_ENDPOINT_URL_STS" };

/// The account of the credentials, twelve digits.
///
/// # Errors
/// Fails if the credentials are refused.
pub(crate) async fn account(aws: &Aws) -> Result<String, AwsError> {
    let action = "sts:GetCallerIdentity";
    let message = Message::Query { version: "2011-06-15", operation: "GetCallerIdentity", form: &[] };
    let response = aws.send(STS, action, message).await?;
    let account = std::str::from_utf8(&response.body).ok().and_then(|text| {
        let document = roxmltree::Document::parse(text).ok()?;
        let account = document.descendants().find(|node| node.tag_name().name() == "Account")?.text()?;
        (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then(|| account.to_owned())
    });
    account.ok_or(AwsError::NotUnderstood { action })
}
