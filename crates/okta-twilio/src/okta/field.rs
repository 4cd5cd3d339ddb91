//! Field access by path in Okta's JSON. An odd type in one field does not affect the others.

use serde_json::Value;

/// The text at a path. Accepts a number too, as in Okta's own examples. `None` if it is missing, blank or of another
/// type.
pub(super) fn text(value: &Value, path: &str) -> Option<String> {
    as_text(at(value, path)?)
}

/// A value as a text, in the same way as [`text`].
pub(super) fn as_text(value: &Value) -> Option<String> {
    as_untrimmed_text(value).map(|text| text.trim().to_owned())
}

/// Like [`text`], but keeps the blanks around the value, because a line break there makes a phone number invalid.
pub(super) fn untrimmed_text(value: &Value, path: &str) -> Option<String> {
    as_untrimmed_text(at(value, path)?)
}

fn as_untrimmed_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_u64() => number.to_string(),
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

/// The value at a path.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

/// The items of the array at a path. Empty if it is missing, `null` or not an array.
pub(super) fn items<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}
