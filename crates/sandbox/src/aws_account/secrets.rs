//! AWS Secrets Manager: the current version of each secret, and versions that wait to become current.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use axum::response::Response;
use serde_json::{Value, json};

use super::{
    Account,
    protocol::{self, Call, Refusal},
    tags,
};
use crate::clock::unix_time;

const INVALID: Refusal = Refusal::new(400, "InvalidParameterException");
const NOT_FOUND: Refusal = Refusal::new(400, "ResourceNotFoundException");

/// A version with a label of its own.
#[derive(Debug)]
pub(super) struct StagedVersion {
    secret: String,
    id: String,
    label: String,
    text: String,
}

pub(super) fn value(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let (id, text) = current(account, call)?;
    Ok(protocol::json_body(&json!({"ARN": id, "SecretString": text, "VersionId": version_id(text)})))
}

pub(super) fn describe(account: &Account, call: &Call) -> Result<Response, Refusal> {
    let (id, _text) = current(account, call)?;
    let before = unix_time().as_secs_f64() - f64::from(account.secret_age_days) * 86_400.0;
    let changed = account.changed.get(&id).map_or(before, Duration::as_secs_f64);
    let tags = tags::describe(account, &id);
    Ok(protocol::json_body(&json!({"ARN": id, "LastChangedDate": changed, "Tags": tags})))
}

/// Stores a version. Only one that has its own label is expected: the tool must not write the current one directly. The
/// first version of a secret without a value has no label, and is current at once.
pub(super) fn put(account: &mut Account, call: &Call) -> Result<Response, Refusal> {
    let (secret, value) = (text(call, "SecretId")?.to_owned(), text(call, "SecretString")?.to_owned());
    let token_is_valid = (32..=64).contains(&text(call, "ClientRequestToken")?.len());
    let labels = call.body.get("VersionStages").and_then(Value::as_array).map(Vec::as_slice);
    if let (None, true, Some(None)) = (labels, token_is_valid, account.secrets.get(&secret)) {
        let id = version_id(&value);
        account.secrets.insert(secret, Some(value));
        return Ok(protocol::json_body(&json!({"VersionId": id, "VersionStages": ["AWSCURRENT"]})));
    }
    let Some([Value::String(label)]) = labels else { return Err(INVALID) };
    if label == "AWSCURRENT" || !token_is_valid {
        return Err(INVALID);
    }
    if !account.secrets.contains_key(&secret) {
        return Err(NOT_FOUND);
    }
    let id = version_id(&value);
    // A repeated request stores nothing new.
    account.staged.retain(|version| version.secret != secret || version.id != id);
    account.staged.push(StagedVersion { secret: secret.clone(), id: id.clone(), label: label.clone(), text: value });
    // Another writer, between the two steps of this one.
    if let Some(other) = account.other_writer.take() {
        account.secrets.insert(secret, Some(other));
    }
    Ok(protocol::json_body(&json!({"VersionId": id, "VersionStages": [label]})))
}

/// Moves a label.
pub(super) fn update_stage(account: &mut Account, call: &Call) -> Result<Response, Refusal> {
    let (secret, stage) = (text(call, "SecretId")?, text(call, "VersionStage")?);
    let from = text(call, "RemoveFromVersionId")?;
    if stage == "AWSCURRENT" {
        let to = text(call, "MoveToVersionId")?;
        let (_, now) = current(account, call)?;
        if version_id(now) != from {
            return Err(INVALID);
        }
        let staged = account.staged.iter().find(|version| version.secret == secret && version.id == to);
        let text = staged.ok_or(NOT_FOUND)?.text.clone();
        account.secrets.insert(secret.to_owned(), Some(text));
        account.changed.insert(secret.to_owned(), unix_time());
    } else {
        let labelled = account.staged.iter().position(|version| version.id == from && version.label == stage);
        account.staged.remove(labelled.ok_or(INVALID)?);
    }
    Ok(protocol::json_body(&json!({"ARN": secret})))
}

impl Account {
    /// The number of versions that wait to become current.
    pub fn staged_versions(&self) -> usize {
        self.staged.len()
    }
}

fn current<'a>(account: &'a Account, call: &Call) -> Result<(String, &'a str), Refusal> {
    let id = text(call, "SecretId")?;
    let value = account.secrets.get(id).and_then(Option::as_ref).ok_or(NOT_FOUND)?;
    Ok((id.to_owned(), value))
}

fn text<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    call.body.get(name).and_then(Value::as_str).ok_or(INVALID)
}

/// Another text has another version.
fn version_id(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("00000000-0000-4000-{:04x}-{:012x}", hasher.finish() >> 48, hasher.finish() & 0xffff_ffff_ffff)
}
