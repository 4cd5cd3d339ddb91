//! AWS Secrets Manager.

use axum::response::Response;
use serde_json::json;

use super::{
    Account,
    protocol::{self, Call, Refusal},
};

pub(super) fn value(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let id = call
        .body
        .get("SecretId")
        .and_then(serde_json::Value::as_str)
        .ok_or(Refusal::new(400, "InvalidParameterException"))?;
    let value = account.secrets.get(id).and_then(Option::as_ref);
    let value = value.ok_or(Refusal::new(400, "ResourceNotFoundException"))?;
    Ok(protocol::json_body(&json!({"ARN": id, "SecretString": value})))
}
