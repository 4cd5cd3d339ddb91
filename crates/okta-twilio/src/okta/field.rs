//! Looking fields up in what Okta sends, by path. An odd type in one field does not lose the others.

use serde_json::Value;

/// The field at a path of names, as a text; also a number, which Okta's own examples have. Nothing if missing, blank or
/// of another type.
pub(super) fn text(value: &Value, path: &str) -> Option<String> {
    as_text(at(value, path)?)
}

/// A value as a text, as [`text`] reads it.
pub(super) fn as_text(value: &Value) -> Option<String> {
    as_untrimmed_text(value).map(|text| text.trim().to_owned())
}

/// The field at a path of names, as [`text`] reads it, but with the blanks around it: a line break there refuses a
/// phone number.
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

/// The field at a path of names.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

/// The items of the array at a path; none if it is missing, `null` or no array.
pub(super) fn items<'a>(value: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    at(value, path).and_then(Value::as_array).into_iter().flatten()
}
