//! The recorded invocations of the folder `events/`, and what has to come of each.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a harness: what goes wrong here fails the test that uses it"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value};

/// An entry of `events/expected.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedEvent {
    /// Name of its file, without the ending.
    pub name: String,
    /// The function that it is for.
    pub function: String,
    /// What it shows, in one sentence.
    pub shows: String,
    /// Whether there is a file; one that would be too big is made when it is needed.
    pub kept: bool,
    /// What the function needs besides the variables that every function has.
    pub variables: BTreeMap<String, String>,
    /// Status of the answer.
    pub status: u16,
    /// Whether Okta is told that the code is on its way.
    pub successful: bool,
    /// The reason code that the answer tells.
    pub reason: String,
    /// The field that the answer tells.
    pub location: Option<String>,
    /// Twilio's error code that the answer tells.
    pub twilio_code: Option<u32>,
    /// How many requests reach Lookup.
    pub lookup_requests: usize,
    /// How many requests to send a code reach Verify.
    pub verify_requests: usize,
    /// What reaches phones: of each message, some of the fields of [`Message`](crate::Message).
    pub messages: Vec<Map<String, Value>>,
}

/// The folder `events/`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

/// The program that writes the folder's files.
pub fn generator() -> Command {
    let mut command = Command::new("python3");
    // It shall leave nothing beside its source.
    command.arg("-B").arg(folder().join("generate.py"));
    command
}

/// Every recorded event of a function, in the order of the story that they tell.
pub fn of_function(function: &str) -> Vec<RecordedEvent> {
    let index = fs::read(folder().join("expected.json")).expect("events/expected.json");
    let mut events: Vec<RecordedEvent> = serde_json::from_slice(&index).expect("events/expected.json as it is written");
    events.retain(|event| event.function == function);
    events
}

impl RecordedEvent {
    /// The invocation.
    pub fn event(&self) -> Value {
        let text = if self.kept {
            fs::read(folder().join(format!("{}.json", self.name))).expect("the event's file")
        } else {
            generator().args(["--print", &self.name]).output().expect("Python 3").stdout
        };
        serde_json::from_slice(&text).expect("an event in JSON")
    }

    /// What of it no output may show, each with what it is.
    pub fn private_values(&self) -> Vec<PrivateValue> {
        let event = self.event();
        let mut values = Vec::new();
        let body = event["body"].as_str().unwrap_or_default();
        let body = if event["isBase64Encoded"] == true {
            // Enough of it to be sure, wherever a line would have been cut.
            let pieces = body.as_bytes().chunks_exact(24).map(|piece| String::from_utf8_lossy(piece).into_owned());
            values.extend(pieces.map(|piece| PrivateValue::Text("encoded body", piece)));
            String::from_utf8(BASE64_STANDARD.decode(body).expect("base64")).expect("UTF-8")
        } else {
            body.to_owned()
        };
        for header in ["auth_secret", "auth-secret", "authorization"] {
            let value = event["headers"][header].as_str().map(str::to_owned);
            values.extend(value.map(|value| PrivateValue::Text("secret", value)));
        }
        // Also of a body that is cut in the middle.
        for (field, name) in [("firstName", "first name"), ("lastName", "last name"), ("login", "login")] {
            values.extend(field_of(&body, field).map(|value| PrivateValue::Text(name, value)));
        }
        values.extend(field_of(&body, "ipAddress").map(|value| PrivateValue::Text("address", value)));
        values.extend(field_of(&body, "otpCode").map(PrivateValue::Code));
        values.extend(field_of(&body, "phoneNumber").map(|number| PrivateValue::Number(only_digits(&number))));
        values.retain(PrivateValue::can_be_found);
        values
    }
}

/// Something that no output may show.
#[derive(Clone, Debug)]
pub enum PrivateValue {
    /// A text, and what it is.
    Text(&'static str, String),
    /// A one-time code.
    Code(String),
    /// The digits of a phone number.
    Number(String),
}

impl PrivateValue {
    /// What it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(kind, _) => kind,
            Self::Code(_) => "code",
            Self::Number(_) => "phone number",
        }
    }

    /// Whether it can be seen in an output.
    pub fn is_in(&self, output: &str) -> bool {
        match self {
            Self::Text(_, text) => output.contains(text.as_str()),
            // Within a longer word, six digits are part of some id or time.
            Self::Code(code) => {
                output.split(|character: char| !character.is_ascii_alphanumeric()).any(|word| word == code)
            }
            Self::Number(digits) => {
                // In any notation, and without its country or its last digits.
                let plain: String = output.chars().filter(|character| !" -.()/".contains(*character)).collect();
                let length = digits.len().min(9);
                digits.as_bytes().windows(length).any(|part| plain.contains(&*String::from_utf8_lossy(part)))
            }
        }
    }

    /// An empty or very short one would be found anywhere.
    fn can_be_found(&self) -> bool {
        let (Self::Text(_, value) | Self::Code(value) | Self::Number(value)) = self;
        value.len() >= 4
    }
}

/// The value of a field, a text or a number, of JSON that need not be whole.
fn field_of(json: &str, field: &str) -> Option<String> {
    let rest = json.split_once(&format!("\"{field}\":"))?.1;
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    rest.get(..end).map(|value| value.trim_matches('"').to_owned())
}

fn only_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_seen_in_any_notation() {
        let number = PrivateValue::Number("12025550123".to_owned());
        for output in ["+12025550123", "(202) 555-0123", "to=%2B12025550123&", "202.555.0123", "+1202555012…"] {
            assert!(number.is_in(output), "{output}");
        }
        for output in ["US…23", "+13015550199", "5550123"] {
            assert!(!number.is_in(output), "{output}");
        }
    }

    #[test]
    fn a_code_is_seen_as_a_word() {
        let code = PrivateValue::Code("867530".to_owned());
        assert!(code.is_in("Your code is 867530."));
        assert!(!code.is_in("VE1867530a"));
    }

    #[test]
    fn a_field_is_read_from_a_body_that_ends_in_the_middle() {
        let json = r#"{"otpCode":"867530","phoneNumber":12025550123,"login":"a@example"#;
        assert_eq!(field_of(json, "otpCode").as_deref(), Some("867530"));
        assert_eq!(field_of(json, "phoneNumber").as_deref(), Some("12025550123"));
        assert_eq!(field_of(json, "login").as_deref(), Some("a@example"));
        assert_eq!(field_of(json, "locale"), None);
    }
}
