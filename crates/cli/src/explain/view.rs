//! Prints explanations: for people, the first line says who and what, and the last line gives the answer.

use okta_twilio_story::{Answer, Entry, Hook, Sources as Readable};
use serde::Serialize;

use super::{
    join::CodeStory,
    sources::{Missing, Name, Sources},
};
use crate::{failure::Failure, terminal::Terminal};

/// Prints the stories, oldest first, so that the last line is about the newest.
///
/// # Errors
/// Fails if standard output cannot be written.
pub(crate) fn print(
    stories: &[CodeStory],
    nothing: Option<&Answer>,
    sources: &Sources<'_>,
    terminal: Terminal,
) -> Result<(), Failure> {
    if terminal.is_json() {
        return terminal.print_json(&Document::new(stories, nothing, sources));
    }
    let missing = missing(sources);
    for story in stories {
        terminal.print(&Terminal::heading(&story.heading()))?;
        for Entry { at, who, what } in story.timeline() {
            terminal.print(&format!("  {}  {who:<7} {what}", at.time_of_day()))?;
        }
        if let Some(missing) = &missing {
            terminal.print(&format!("  Not read: {missing}."))?;
        }
        print_answer(&story.answer(sources.readable()), terminal)?;
    }
    if let Some(nothing) = nothing {
        if let Some(missing) = &missing {
            terminal.print(&format!("Not read: {missing}."))?;
        }
        print_answer(nothing, terminal)?;
    }
    Ok(())
}

fn print_answer(answer: &Answer, terminal: Terminal) -> Result<(), Failure> {
    terminal.print(&format!("{}: {answer}", Terminal::heading("Answer")))
}

fn missing(sources: &Sources<'_>) -> Option<String> {
    let missing = sources.missing();
    let missing: Vec<_> =
        missing.iter().filter_map(|(name, why)| Some(format!("{} ({})", name.text(), why.as_ref()?))).collect();
    (!missing.is_empty()).then(|| missing.join("; "))
}

#[derive(Serialize)]
struct Document<'a> {
    stories: Vec<Row<'a>>,
    /// If there are no stories.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing_found: Option<&'a Answer>,
    sources: Vec<Reading>,
}

#[derive(Serialize)]
struct Reading {
    source: Name,
    is_read: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    at: String,
    hook: Hook,
    heading: String,
    user_id: Option<&'a str>,
    /// Country and last two digits.
    phone: Option<&'a str>,
    channel: Option<&'a str>,
    request_type: Option<&'a str>,
    reason: Option<&'a str>,
    twilio_code: Option<u64>,
    verification_sid: Option<&'a str>,
    okta_event_id: Option<&'a str>,
    function_request_ids: &'a [String],
    steps: Vec<Entry>,
    #[serde(flatten)]
    answer: Answer,
}

impl<'a> Document<'a> {
    fn new(stories: &'a [CodeStory], nothing: Option<&'a Answer>, sources: &Sources<'_>) -> Self {
        let readable = sources.readable();
        let source = |(name, why): (Name, Option<&Missing>)| Reading {
            source: name,
            is_read: why.is_none(),
            why_not: why.map(ToString::to_string),
        };
        Self {
            stories: stories.iter().map(|story| Row::new(story, readable)).collect(),
            nothing_found: nothing,
            sources: sources.missing().into_iter().map(source).collect(),
        }
    }
}

impl<'a> Row<'a> {
    fn new(story: &'a CodeStory, readable: Readable) -> Self {
        let decided = story.decided.as_ref();
        Self {
            at: story.at.to_rfc3339_millis(),
            hook: story.hook,
            heading: story.heading(),
            user_id: story.asked.user_id.as_deref(),
            phone: story.asked.number.as_deref(),
            channel: story.asked.channel.as_deref(),
            request_type: story.asked.flow.as_deref(),
            reason: decided.map(|decided| decided.reason.as_str()),
            twilio_code: decided.and_then(|decided| decided.twilio_code),
            verification_sid: story.verification_sid.as_deref(),
            okta_event_id: story.asked.okta_event_id.as_deref(),
            function_request_ids: &story.invocations,
            steps: story.timeline(),
            answer: story.answer(readable),
        }
    }
}
