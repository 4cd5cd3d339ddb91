//! Tags of secrets, with the limits that AWS documents.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Account,
    protocol::{self, Call, Refusal},
};

const INVALID: Refusal = Refusal::new(400, "InvalidParameterException");
const NOT_FOUND: Refusal = Refusal::new(400, "ResourceNotFoundException");

/// Tags of a secret at most. Those of AWS itself do not count.
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// What AWS reserves for itself.
const RESERVED: &str = "aws:";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// Adds tags, or changes their values: all or none.
pub(super) fn tag(account: &mut Account, call: &Call) -> Result<Response, Refusal> {
    let secret = secret(account, call, "Tags")?;
    let new = call.body.get("Tags").cloned().ok_or(INVALID)?;
    let new: Vec<Tag> = serde_json::from_value(new).map_err(|_other_form| INVALID)?;
    let is_valid = |tag: &Tag| is_usable(&tag.key, 1..=MAX_KEY) && is_usable(&tag.value, 0..=MAX_VALUE);
    if new.is_empty() || !new.iter().all(is_valid) {
        return Err(INVALID);
    }
    let mut tags = account.tags.get(&secret).cloned().unwrap_or_default();
    tags.extend(new.into_iter().map(|tag| (tag.key, tag.value)));
    if tags.keys().filter(|key| !key.starts_with(RESERVED)).count() > MAX_TAGS {
        return Err(INVALID);
    }
    account.tags.insert(secret, tags);
    Ok(protocol::empty())
}

/// Removes tags. One that the secret does not have is no error.
pub(super) fn untag(account: &mut Account, call: &Call) -> Result<Response, Refusal> {
    let secret = secret(account, call, "TagKeys")?;
    let keys = call.body.get("TagKeys").cloned().ok_or(INVALID)?;
    let keys: Vec<String> = serde_json::from_value(keys).map_err(|_other_form| INVALID)?;
    if keys.is_empty() || !keys.iter().all(|key| is_usable(key, 1..=MAX_KEY)) {
        return Err(INVALID);
    }
    if let Some(tags) = account.tags.get_mut(&secret) {
        tags.retain(|key, _| !keys.contains(key));
    }
    Ok(protocol::empty())
}

/// The tags as `DescribeSecret` lists them.
pub(super) fn describe(account: &Account, secret: &str) -> Vec<Value> {
    let tags = account.tags.get(secret).into_iter().flatten();
    tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The secret of a request that has this parameter, and no other.
fn secret(account: &Account, call: &Call, parameter: &str) -> Result<String, Refusal> {
    let fields = call.body.as_object().ok_or(INVALID)?;
    if fields.keys().any(|name| name != "SecretId" && name != parameter) {
        return Err(INVALID);
    }
    let secret = fields.get("SecretId").and_then(Value::as_str).ok_or(INVALID)?;
    if account.secrets.contains_key(secret) { Ok(secret.to_owned()) } else { Err(NOT_FOUND) }
}

/// Whether a key or a value has a valid length and the characters that every service of AWS accepts.
fn is_usable(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    let is_allowed = |character: char| character.is_alphanumeric() || " +-=._:/@".contains(character);
    length.contains(&text.chars().count())
        && text.chars().all(is_allowed)
        && !text.to_ascii_lowercase().starts_with(RESERVED)
}
