//! The requests that the page can send to the functions. The responses appear in the stories, so no handler here waits
//! for one.

use super::{JSON, failure, list};
use crate::deployment::AUTH_SECRET;
use crate::events::{self, Engine, Okta};
use crate::lambda::gateway_event;
use crate::okta::users::OktaUser;
use crate::random;
use crate::recorded_events::{self, RecordedEvent};
use crate::server::{Reply, Request};
use crate::site::Site;
use crate::story::{Hook, Story};
use crate::twilio::records::Channel;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    event: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    story: u64,
}

/// The recorded events that can be sent. Batches from the queue do not arrive by HTTP, and some events are too large
/// for a file.
pub(super) fn recorded_events() -> Reply {
    list(&sendable().into_iter().map(|event| event.entry).collect::<Vec<_>>())
}

/// Sends a recorded event again.
pub(super) fn send_recorded(site: &Site, request: &Request) -> Reply {
    let wanted: Recorded = match read(request) {
        Ok(wanted) => wanted,
        Err(refused) => return refused,
    };
    match sendable().into_iter().find(|event| event.name == wanted.event) {
        Some(found) => send(site, found.function, (found.event)(), Some(&found.name)),
        None => failure(StatusCode::NOT_FOUND, "there is no such recorded event"),
    }
}

/// Acts as the user of a story who types the received code: Okta reports that it was right.
pub(super) fn type_code(site: &Site, request: &Request) -> Reply {
    let typed: Typed = match read(request) {
        Ok(typed) => typed,
        Err(refused) => return refused,
    };
    let Some(story) = site.stories.find(typed.story) else {
        return failure(StatusCode::NOT_FOUND, "there is no such story");
    };
    let (Some(user), Some(message)) = (&story.asked.user_id, story.phone.last()) else {
        return failure(StatusCode::CONFLICT, "no user has received a code in this story");
    };
    // The sandbox does not check who owns a number. From now on Okta knows it as the user's phone.
    site.okta.put_user(OktaUser::new(user).sms(&message.to).call(&message.to));
    send(site, "event-hook", report(&story, user), None)
}

/// Okta's delivery of the event that the user's code was right.
#[expect(clippy::disallowed_methods, reason = "Okta's clock: the function compares it with its own")]
fn report(story: &Story, user: &str) -> Value {
    let was_called = story.phone.last().is_some_and(|message| message.channel == Channel::Call);
    let factor = if was_called { events::CALL } else { events::SMS };
    let mut okta = Okta::new(random::number(), std::time::SystemTime::now());
    let event = okta.authentication(Engine::Identity, factor, user);
    let headers = [("content-type", "application/json"), ("auth_secret", AUTH_SECRET)];
    gateway_event("POST", "/events", &headers, &okta.delivery([event]).body())
}

fn send(site: &Site, function: &'static str, event: Value, recorded: Option<&str>) -> Reply {
    let (Some(door), Some(hook)) = (site.door.get(), Hook::of_function(function)) else {
        return failure(StatusCode::CONFLICT, "no functions run here: `make dev` runs them");
    };
    let id = site.stories.asked(hook, &event, recorded);
    let (door, stories) = (Arc::clone(door), Arc::clone(&site.stories));
    thread::spawn(move || {
        let started = Instant::now();
        let answer = door.send(function, &event);
        stories.answered(id, answer, started.elapsed());
    });
    Reply::new(StatusCode::ACCEPTED, JSON, json!({ "story": id }).to_string())
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, Reply> {
    serde_json::from_slice(&request.body).map_err(|error| failure(StatusCode::BAD_REQUEST, &error.to_string()))
}

/// A recorded event of either hook.
struct Sendable {
    name: String,
    function: &'static str,
    entry: Value,
    event: Box<dyn Fn() -> Value>,
}

fn sendable() -> Vec<Sendable> {
    if !recorded_events::folder().is_dir() {
        return Vec::new();
    }
    let telephony =
        recorded_events::of_telephony_hook().into_iter().filter_map(|event| sendable_event("telephony-hook", event));
    let events = recorded_events::of_event_hook().into_iter().filter_map(|event| sendable_event("event-hook", event));
    telephony.chain(events).collect()
}

fn sendable_event<Expected: 'static>(function: &'static str, event: RecordedEvent<Expected>) -> Option<Sendable> {
    if !event.kept || event.name.starts_with("sqs-") {
        return None;
    }
    let entry = json!({
        "name": event.name, "function": function, "shows": event.shows, "variables": event.variables,
    });
    Some(Sendable { name: event.name.clone(), function, entry, event: Box::new(move || event.event()) })
}
