//! The recorded invocations of the folder `events/`, each with its expected result.

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
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// An entry of `events/expected.json`. The expected result is [`Sending`] or [`Feedback`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedEvent<Expected = Sending> {
    /// The name of its file, without the extension.
    pub name: String,
    /// The function that it invokes.
    pub function: String,
    /// A description in one sentence.
    pub shows: String,
    /// Whether it is stored as a file. Large events are generated on demand.
    pub kept: bool,
    /// The variables of the function, in addition to those that every function has.
    pub variables: BTreeMap<String, String>,
    /// The expected result.
    pub expected: Expected,
}

/// The expected result of a request to send a code.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sending {
    /// Status of the response.
    pub status: u16,
    /// Whether the response says that the code was sent.
    pub successful: bool,
    /// The reason code in the response.
    pub reason: String,
    /// The field that the response names.
    pub location: Option<String>,
    /// Twilio's error code in the response.
    pub twilio_code: Option<u32>,
    /// The number of requests to Lookup.
    pub lookup_requests: usize,
    /// The number of requests to Verify that send a code.
    pub verify_requests: usize,
    /// The messages that reach phones. Each entry holds some of the fields of [`Message`](crate::Message).
    pub messages: Vec<Map<String, Value>>,
}

/// The expected result of a delivery of Okta's event hook, or of a batch from the queue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feedback {
    /// Status of the response; `None` for a batch.
    pub status: Option<u16>,
    /// The reason code in the response, if it has one.
    pub reason: Option<String>,
    /// The field that the response names.
    pub location: Option<String>,
    /// Numbers with a pending verification before the event.
    pub pending: Vec<String>,
    /// The result for each event about a phone, as `outcome` or `outcome: reason`, sorted.
    pub feedback: Vec<String>,
    /// Numbers with an approved verification after the event, sorted.
    pub approved: Vec<String>,
    /// The messages of a batch that stay in the queue; `None` for a delivery.
    pub batch_failures: Option<Vec<String>>,
}

/// The folder `events/`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

/// The program that writes the folder's files.
pub fn generator() -> Command {
    let mut command = Command::new("python3");
    // It must not leave files next to its source.
    command.arg("-B").arg(folder().join("generate.py"));
    command
}

/// Every recorded event of the telephony hook, in the order of `events/README.md`.
pub fn of_telephony_hook() -> Vec<RecordedEvent<Sending>> {
    of_function("telephony-hook")
}

/// Every recorded event of the event hook, in the order of `events/README.md`.
pub fn of_event_hook() -> Vec<RecordedEvent<Feedback>> {
    of_function("event-hook")
}

fn of_function<Expected: DeserializeOwned>(function: &str) -> Vec<RecordedEvent<Expected>> {
    let index = fs::read(folder().join("expected.json")).expect("events/expected.json");
    let mut entries: Vec<Value> = serde_json::from_slice(&index).expect("a list");
    entries.retain(|entry| entry["function"] == function);
    serde_json::from_value(entries.into()).expect("entries as the generator writes them")
}

impl<Expected> RecordedEvent<Expected> {
    /// The invocation.
    pub fn event(&self) -> Value {
        let text = if self.kept {
            fs::read(folder().join(format!("{}.json", self.name))).expect("the event's file")
        } else {
            generator().args(["--print", &self.name]).output().expect("Python 3").stdout
        };
        serde_json::from_slice(&text).expect("an event in JSON")
    }

    /// The private values of the event, which no output may show.
    pub fn private_values(&self) -> Vec<PrivateValue> {
        let event = self.event();
        let mut values = Vec::new();
        let body = event["body"].as_str().unwrap_or_default();
        let body = if event["isBase64Encoded"] == true {
            // A prefix is enough, because a long line can be cut.
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
        // This also works on a body that is cut in the middle.
        let all = |field| fields_of(&body, field).into_iter();
        let logins = all("login").chain(all("alternateId")).filter(|login| login.contains('@'));
        for login in logins {
            values.extend(names_in(&login).map(|name| PrivateValue::Text("name", name)));
            values.push(PrivateValue::Text("login", login));
        }
        values.extend(all("ipAddress").map(|address| PrivateValue::Text("address", address)));
        values.extend(all("otpCode").map(PrivateValue::Code));
        values.extend(all("phoneNumber").map(|number| PrivateValue::Number(only_digits(&number))));
        values.retain(PrivateValue::can_be_found);
        values
    }
}

/// A value that no output may show.
#[derive(Clone, Debug)]
pub enum PrivateValue {
    /// A kind of value, and the text.
    Text(&'static str, String),
    /// A one-time code.
    Code(String),
    /// The digits of a phone number.
    Number(String),
}

impl PrivateValue {
    /// A value whose kind is not given. A few digits are a code. The functions print thousands of random ids in a run of
    /// all tests, and one of them can hold these digits by chance.
    pub fn of(value: &str) -> Self {
        let is_code = value.len() <= 8 && value.bytes().all(|byte| byte.is_ascii_digit());
        if is_code { Self::Code(value.to_owned()) } else { Self::Text("value", value.to_owned()) }
    }

    /// The kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(kind, _) => kind,
            Self::Code(_) => "code",
            Self::Number(_) => "phone number",
        }
    }

    /// Whether an output contains it.
    pub fn is_in(&self, output: &str) -> bool {
        match self {
            Self::Text(_, text) => output.contains(text.as_str()),
            // Six digits within a longer word belong to an id or a time.
            Self::Code(code) => {
                output.split(|character: char| !character.is_ascii_alphanumeric()).any(|word| word == code)
            }
            Self::Number(digits) => {
                // In any notation, also without its country code or its last digits.
                let plain: String = output.chars().filter(|character| !" -.()/".contains(*character)).collect();
                let length = digits.len().min(9);
                digits.as_bytes().windows(length).any(|part| plain.contains(&*String::from_utf8_lossy(part)))
            }
        }
    }

    /// An empty or very short value would match anywhere.
    fn can_be_found(&self) -> bool {
        let (Self::Text(_, value) | Self::Code(value) | Self::Number(value)) = self;
        value.len() >= 4
    }
}

/// The values of a field, strings or numbers, anywhere in JSON that may be incomplete.
fn fields_of(json: &str, field: &str) -> Vec<String> {
    let value = |rest: &str| {
        let end = rest.find([',', '}']).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().trim_matches('"').to_owned()
    };
    json.split(&format!("\"{field}\":")).skip(1).map(value).collect()
}

/// The names of the person. All logins here consist of names.
fn names_in(login: &str) -> impl Iterator<Item = String> {
    let person = login.split_once('@').map_or("", |(person, _domain)| person);
    let names: Vec<_> = if person.contains('.') { person.split('.').collect() } else { Vec::new() };
    names.into_iter().map(|name| {
        let (initial, rest) = name.split_at(1);
        initial.to_uppercase() + rest
    })
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
    fn fields_are_read_from_a_body_that_ends_in_the_middle() {
        let json = r#"{"otpCode":"867530","phoneNumber":12025550123,"login":"a.b@example","login":"c@exa"#;
        assert_eq!(fields_of(json, "otpCode"), ["867530"]);
        assert_eq!(fields_of(json, "phoneNumber"), ["12025550123"]);
        assert_eq!(fields_of(json, "login"), ["a.b@example", "c@exa"]);
        assert!(fields_of(json, "locale").is_empty());
    }

    #[test]
    fn a_login_tells_names() {
        assert_eq!(names_in("jane.doe@example.com").collect::<Vec<_>>(), ["Jane", "Doe"]);
        assert_eq!(names_in("admin@example.com").count(), 0);
    }
}
