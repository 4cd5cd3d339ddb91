//! AWS Lambda: the configuration of the stack's functions.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::json;

use super::{
    Account,
    protocol::{self, Call, Refusal},
};

/// A function behind its alias `live`.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its physical name.
    pub name: String,
    /// Its environment.
    pub variables: BTreeMap<String, String>,
    /// In seconds.
    pub timeout: u64,
    /// In MB.
    pub memory_size: u64,
    /// `arm64` or `x86_64`.
    pub architecture: String,
    /// Where its lines go.
    pub log_group: String,
    /// The least level of lines that Lambda keeps.
    pub application_log_level: Option<String>,
}

pub(super) fn configuration(account: &Account, call: &Call) -> Result<Response, Refusal> {
    const NOT_FOUND: Refusal = Refusal::new(404, "ResourceNotFoundException");
    let [_version, functions, name, _configuration] = &call.path[..] else { return Err(NOT_FOUND) };
    if functions != "functions" || call.form.get("Qualifier").map(String::as_str) != Some("live") {
        return Err(NOT_FOUND);
    }
    let stack = account.stack.as_ref().ok_or(NOT_FOUND)?;
    let function = stack.functions.values().find(|function| function.name == *name).ok_or(NOT_FOUND)?;
    Ok(protocol::json_body(&json!({
        "FunctionName": function.name,
        "Environment": {"Variables": function.variables},
        "Timeout": function.timeout,
        "MemorySize": function.memory_size,
        "Architectures": [function.architecture],
        "LoggingConfig": {
            "LogFormat": "JSON",
            "LogGroup": function.log_group,
            "ApplicationLogLevel": function.application_log_level,
        },
    })))
}
