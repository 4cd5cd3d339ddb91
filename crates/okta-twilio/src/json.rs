//! A JSON reader for untrusted input. An odd value in an unused field does not make the used fields unreadable.
//!
//! RFC 8259 allows half a surrogate pair in a string (`"\ud83d"`, the rest of an emoji that was cut in two) and numbers
//! of any size (`1e999`). Neither has a Rust value, so `serde_json` rejects the whole text. This reader replaces half a
//! pair with U+FFFD and the number with the largest value of the same sign. Neither replacement can pass for a phone
//! number, a code or an id. Everything else is as strict as in `serde_json`: one well-formed value, in UTF-8, without a
//! byte order mark.

use std::borrow::Cow;

use memchr::memchr2;
use serde::de::DeserializeOwned;

/// Maximum nesting depth of arrays and objects. A deeper text is rejected, because reading it could overflow the stack.
const MAX_DEPTH: usize = 128;

/// Replaces half a surrogate pair.
const REPLACEMENT: &str = r"\ufffd";

/// Reads one JSON value. Returns `None` if the bytes are not JSON or not of the expected type.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    let text = readable(std::str::from_utf8(text).ok()?)?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    // `readable` has checked the depth.
    reader.disable_recursion_limit();
    let value = T::deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// Returns the same text with every string and number readable, for readers that borrow from it. Returns `None` if the
/// text is nested too deeply. Does not repair a text that is not JSON.
pub fn readable(text: &str) -> Option<Cow<'_, str>> {
    let bytes = text.as_bytes();
    let mut changed = String::new();
    // `changed` holds the text up to this position.
    let mut kept = 0;
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => at = end_of_string(text, at, &mut changed, &mut kept),
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return None;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                at += bytes.get(at..)?.iter().take_while(|byte| is_part(byte)).count();
                let largest = match text.get(start..at)?.parse::<f64>() {
                    Ok(number) if number.is_infinite() => f64::MAX.copysign(number),
                    _ => continue,
                };
                changed.extend([text.get(kept..start)?, &format!("{largest:e}")]);
                kept = at;
            }
            _ => {}
        }
    }
    Some(if kept == 0 {
        Cow::Borrowed(text)
    } else {
        changed.push_str(text.get(kept..)?);
        Cow::Owned(changed)
    })
}

/// Skips to the end of the string that begins at `at`, and replaces half pairs in it.
fn end_of_string(text: &str, mut at: usize, changed: &mut String, kept: &mut usize) -> usize {
    let bytes = text.as_bytes();
    while let Some(skipped) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += skipped;
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'"'), _) => return at + 1,
            (_, Some(b'u')) => match (unit(text, at), unit(text, at + 6)) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 12,
                (Some(0xd800..=0xdfff), _) => {
                    changed.push_str(text.get(*kept..at).unwrap_or_default());
                    changed.push_str(REPLACEMENT);
                    at += 6;
                    *kept = at;
                }
                _ => at += 2,
            },
            // The escaped character could be a quote.
            _ => at += 2,
        }
    }
    bytes.len()
}

/// The UTF-16 unit of the escape `\uXXXX` at this position.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    let all_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    all_digits.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn value(text: &str) -> Option<Value> {
        read(text.as_bytes())
    }

    #[test]
    fn half_a_pair_becomes_a_replacement() {
        for (text, expected) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\udE00x""#, "\u{fffd}x"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ud83d\\ude00""#, "\u{fffd}\\ude00"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""M\u00fc\ud83d\"""#, "Mü\u{fffd}\""),
            // This is not an escape.
            (r#""\\ud83d""#, r"\ud83d"),
            (r#""\ud83d\ude00 Mü 😀""#, "😀 Mü 😀"),
        ] {
            assert_eq!(value(text), Some(json!(expected)), "{text}");
        }
        assert_eq!(value(r#"{"a\ud83d":{"b":1},"c":2}"#).unwrap()["c"], 2, "in a name");
    }

    #[test]
    fn a_number_too_large_becomes_the_largest() {
        for (text, expected) in [
            ("1e999".to_owned(), json!(f64::MAX)),
            ("-1E+999".to_owned(), json!(f64::MIN)),
            ("1".repeat(400), json!(f64::MAX)),
            ("1e-999".to_owned(), json!(0.0)),
            ("12345678901234567890123".to_owned(), json!(12_345_678_901_234_567_890_123_f64)),
            ("867530".to_owned(), json!(867_530)),
            (r#""1e999""#.to_owned(), json!("1e999")),
        ] {
            assert_eq!(value(&text), Some(expected), "{text}");
            assert_eq!(value(&format!("[{text},7]")).unwrap()[1], 7, "{text}");
        }
    }

    #[test]
    fn invalid_json_stays_invalid() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "1e",
            "01",
            "nul",
            "{} {}",
            "'a'",
            "\"\\ud83\"",
            "\"\\x\"",
            "\"\n\"",
            "\"\\",
            "\u{feff}{}",
            "1e999e9",
            "-",
            "\"\\ud83d",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        assert_eq!(read::<Value>(b"\"\xff\""), None, "not UTF-8");
    }

    #[test]
    fn the_depth_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(value(&nested(128)).is_some());
        assert!(value(&nested(129)).is_none());
        let in_a_string = format!("[\"{}\"]", "[".repeat(500));
        assert!(value(&in_a_string).is_some());
        let side_by_side = format!("[{}[]]", "[],".repeat(500));
        assert!(value(&side_by_side).is_some());
    }

    #[test]
    fn a_text_that_is_readable_is_not_copied() {
        for text in [r#"{"a":"\ud83d\ude00","b":[1,2e3]}"#, "", "nonsense"] {
            assert!(matches!(readable(text), Some(Cow::Borrowed(same)) if same == text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*", pieces in prop::collection::vec(
            prop::sample::select(&["\"", "\\", "\\u", "\\ud83d", "\\ude00", "é", "1e999", "-", "[", "]", "{", "}", ":", ","][..]), 0..20,
        )) {
            let _ = value(&text);
            let _ = value(&pieces.concat());
        }

        #[test]
        fn whatever_serde_json_reads_is_read_the_same(text in any_json()) {
            prop_assert_eq!(value(&text), serde_json::from_str(&text).ok());
        }
    }

    fn any_json() -> impl Strategy<Value = String> {
        let leaf =
            prop_oneof![any::<f64>().prop_map(|number| json!(number)), any::<String>().prop_map(|text| json!(text))];
        let tree = leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        tree.prop_map(|tree| tree.to_string())
    }
}
