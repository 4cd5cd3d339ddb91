//! `make invoke`: sends a recorded event to the functions that `make dev` runs, and prints the response.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use ureq::http::{HeaderMap, Method};

use crate::{
    error::Error,
    functions::{self, EVENT_HOOK, TELEPHONY_HOOK},
    http,
    terminal::Terminal,
};

/// The file in which `make dev` stores the address of its functions, relative to the top folder.
const RUNNING: &str = "target/local-stack.json";

/// Longer than any function takes; a build can take longer.
const LIMIT: Duration = Duration::from_secs(15);

/// The parsed arguments.
pub(crate) struct Invocation<'a> {
    file: &'a str,
    function: Option<&'a str>,
    port: Option<u16>,
}

impl<'a> Invocation<'a> {
    /// Parses `FILE [--function NAME] [--port PORT]`.
    pub(crate) fn parse(arguments: &[&'a str]) -> Option<Self> {
        let (file, mut options) = arguments.split_first()?;
        let mut invocation = Self { file, function: None, port: None };
        while let [name, value, rest @ ..] = options {
            match *name {
                "--function" => invocation.function = Some(value),
                "--port" => invocation.port = Some(value.parse().ok()?),
                _ => return None,
            }
            options = rest;
        }
        options.is_empty().then_some(invocation)
    }

    /// Sends the event and prints the response: first a short form, then the whole.
    pub(crate) fn run(&self, terminal: Terminal) -> Result<(), Error> {
        let event = self.event()?;
        let base_url = match self.port {
            Some(port) => functions::base_url(port),
            None => running("functions")?,
        };
        let is_telephony =
            || Path::new(self.file).file_name().is_some_and(|name| name.to_string_lossy().contains("telephony"));
        let by_name = || if is_telephony() { TELEPHONY_HOOK.name } else { EVENT_HOOK.name };
        let url = format!("{base_url}/2015-03-31/functions/{}/invocations", self.function.unwrap_or_else(by_name));
        let answer = http::send(&Method::POST, &url, &HeaderMap::new(), &event, LIMIT)
            .map_err(|error| Error::NoResponse { base_url: base_url.clone(), why: why(&error) })?;
        let Some((short, whole)) = read(&answer.body) else {
            return Err(Error::NoResponse { base_url, why: "the program on that port is not the local stack" });
        };
        terminal.say(terminal.title(short))?;
        terminal.say(format!("{whole:#}"))
    }

    fn event(&self) -> Result<String, Error> {
        let failed = |problem: &str| Error::Event { file: self.file.to_owned(), problem: problem.to_owned() };
        let event = fs::read_to_string(self.file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => failed("there is no such file"),
            _ => failed(&error.to_string()),
        })?;
        serde_json::from_str::<Value>(&event).map_err(|error| failed(&format!("not JSON: {error}")))?;
        Ok(event)
    }
}

/// The response in short, and as JSON whose body is parsed. `None` if it is not a function's response.
fn read(answer: &str) -> Option<(String, Value)> {
    let mut answer: Value = serde_json::from_str(answer).ok()?;
    if let Some(failures) = answer.get("batchItemFailures").and_then(Value::as_array) {
        let short = if failures.is_empty() {
            "the whole batch is done".to_owned()
        } else {
            format!("{} messages stay", failures.len())
        };
        return Some((short, answer));
    }
    if let Some(error) = answer.get("errorType").and_then(Value::as_str) {
        return Some((format!("the function failed: {error}"), answer));
    }
    let status = answer.get("statusCode")?.as_u64()?;
    let body = answer.get_mut("body")?;
    *body = body.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(body.take());
    let reason =
        ["/error/errorCauses/0/reason", "/debugContext/reason"].iter().find_map(|path| body.pointer(path)?.as_str());
    let short = reason.map_or_else(|| status.to_string(), |reason| format!("{status} {reason}"));
    Some((short, answer))
}

fn why(error: &Error) -> &'static str {
    match error {
        Error::Http { source, .. } => match **source {
            ureq::Error::Timeout(_) => {
                "no response within 15 s. See the terminal of `make dev`: perhaps the source does not compile"
            }
            ureq::Error::ConnectionFailed => "no program listens there: start `make dev`",
            ureq::Error::Io(ref error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                "no program listens there: start `make dev`"
            }
            _ => "the program on that port is not the local stack",
        },
        _ => "no answer",
    }
}

/// Stores the address of the functions until it is dropped.
pub(crate) struct Announcement {
    text: String,
}

impl Announcement {
    /// `make invoke` uses the stack that was started last.
    pub(crate) fn make(port: u16, aws: &str) -> Result<Self, Error> {
        let text = json!({ "functions": functions::base_url(port), "aws": aws, "pid": std::process::id() }).to_string();
        let write = || {
            fs::create_dir_all(Path::new(RUNNING).parent().unwrap_or(Path::new(".")))?;
            fs::write(RUNNING, &text)
        };
        write().map_err(|source| Error::File { path: PathBuf::from(RUNNING), source })?;
        Ok(Self { text })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if fs::read_to_string(RUNNING).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(RUNNING);
        }
    }
}

/// The address of a part of the stack that `make dev` runs.
pub(crate) fn running(part: &str) -> Result<String, Error> {
    let text = fs::read_to_string(RUNNING).map_err(|_not_there| Error::NotRunning)?;
    let running: Value = serde_json::from_str(&text).map_err(|_not_there| Error::NotRunning)?;
    running.get(part).and_then(Value::as_str).map(str::to_owned).ok_or(Error::NotRunning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_begins_with_status_and_reason_and_has_no_json_in_texts() {
        let body = json!({ "error": { "errorCauses": [{ "reason": "country_not_allowed" }] } });
        let answer = json!({ "statusCode": 200, "headers": {}, "body": body.to_string() }).to_string();
        let (short, whole) = read(&answer).unwrap();
        assert_eq!((short.as_str(), &whole["body"]), ("200 country_not_allowed", &body));
    }

    #[test]
    fn an_empty_body_and_a_batch_are_answers_and_anything_else_is_none() {
        assert_eq!(read(r#"{"statusCode":200,"body":""}"#).unwrap().0, "200");
        assert_eq!(read(r#"{"batchItemFailures":[]}"#).unwrap().0, "the whole batch is done");
        assert_eq!(read(r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#).unwrap().0, "1 messages stay");
        assert!(read("<html>").is_none() && read("{}").is_none());
    }

    #[test]
    fn options_follow_the_file() {
        let parse = |arguments: &[&'static str]| {
            Invocation::parse(arguments).map(|invocation| (invocation.file, invocation.function, invocation.port))
        };
        assert_eq!(parse(&["a.json"]), Some(("a.json", None, None)));
        assert_eq!(
            parse(&["a.json", "--port", "9001", "--function", "event-hook"]),
            Some(("a.json", Some("event-hook"), Some(9001)))
        );
        for wrong in [&[][..], &["a.json", "--port"], &["a.json", "--port", "x"], &["a.json", "b.json"]] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
