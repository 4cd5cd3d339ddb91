//! `make demo`: sends the recorded events through the front door, and tells the story of some and the outcome of all.

use std::collections::BTreeMap;

use sandbox::recorded_events::{self, Feedback, RecordedEvent, Sending};

use crate::{
    error::Error,
    events::{Events, Waiter},
    feedback,
    functions::{EVENT_HOOK, Function, Functions, Mode, TELEPHONY_HOOK},
    outside::Outside,
    scene::Scene,
    sending,
    terminal::{self, Terminal},
};

/// The events whose story is told; of the others the outcome only.
const STORIES: &[&str] = &[
    "telephony-sms-mfa-verification",
    "telephony-call-voice-call",
    "telephony-sms-locale-portuguese",
    "telephony-twilio-60205-landline",
    "telephony-twilio-60410-fraud-guard",
    "telephony-twilio-timeout",
    "telephony-rejected-secret-wrong",
    "telephony-whatsapp-mfa-verification",
    "telephony-policy-country-blocked",
    "telephony-policy-number-national",
    "telephony-policy-line-landline",
    "telephony-policy-line-premium",
    "telephony-policy-pumping-high",
    "telephony-policy-pumping-swallowed",
    "telephony-policy-sim-swapped",
];

/// Variables of the functions, by name.
type Variables = BTreeMap<String, String>;

/// The events that need the same variables.
#[derive(Default)]
struct Group {
    sendings: Vec<RecordedEvent<Sending>>,
    feedbacks: Vec<RecordedEvent<Feedback>>,
}

/// How many stories were told, and how many did not end as expected.
#[derive(Default)]
struct Tally {
    told: usize,
    unexpected: usize,
}

/// Sends all, and returns how many had another outcome than expected.
pub(crate) fn run(outside: &Outside, events: &Events, waiter: &Waiter, terminal: Terminal) -> Result<usize, Error> {
    let (groups, left_out) = by_variables(recorded_events::of_telephony_hook(), recorded_events::of_event_hook());
    let mut tally = Tally::default();
    for (variables, group) in groups {
        let mode = Mode::Recorded(&variables);
        let functions = Functions::start(&mode, group.functions(), outside, events, waiter)?;
        let scene = Scene { functions, outside, waiter, terminal };
        scene.introduce(&variables);
        scene.tell(&group, &mut tally)?;
    }
    let hooks = [&TELEPHONY_HOOK, &EVENT_HOOK];
    let functions = Functions::start(&Mode::EndToEnd, &hooks, outside, events, waiter)?;
    let scene = Scene { functions, outside, waiter, terminal };
    tally.add(feedback::tell_round_trip(&scene)?);

    let Tally { told, unexpected } = tally;
    let conclusion = match unexpected {
        0 => terminal.good(format!("All {told} stories ended as expected.")),
        _ => terminal.bad(format!("{unexpected} of {told} stories did not end as expected.")),
    };
    println!("\n{conclusion}");
    println!("{}", terminal.quiet(format!("{left_out} more cannot go through this door; `make test` sends them.")));
    Ok(unexpected)
}

/// Not through the front door: what has no file because of its size, what an authorizer adds to a request, what another
/// gateway makes of it, and what comes from the queue.
fn can_be_sent<Expected>(event: &RecordedEvent<Expected>) -> bool {
    let is_of_another_gateway = event.name == "telephony-rejected-payload-format";
    let needs_authorizer = event.variables.contains_key("AUTH_MODE");
    event.kept && !needs_authorizer && !is_of_another_gateway && !event.name.starts_with("sqs-")
}

/// The events in groups that need the same variables of the function, the group without any first; and how many are in none.
fn by_variables(
    sendings: Vec<RecordedEvent<Sending>>,
    feedbacks: Vec<RecordedEvent<Feedback>>,
) -> (BTreeMap<Variables, Group>, usize) {
    let mut groups: BTreeMap<Variables, Group> = BTreeMap::new();
    let all = sendings.len() + feedbacks.len();
    for event in sendings.into_iter().filter(can_be_sent) {
        groups.entry(event.variables.clone()).or_default().sendings.push(event);
    }
    for event in feedbacks.into_iter().filter(can_be_sent) {
        groups.entry(event.variables.clone()).or_default().feedbacks.push(event);
    }
    let sent: usize = groups.values().map(|group| group.sendings.len() + group.feedbacks.len()).sum();
    (groups, all - sent)
}

impl Group {
    /// What has to run.
    fn functions(&self) -> &'static [&'static Function] {
        match (self.sendings.is_empty(), self.feedbacks.is_empty()) {
            (_, true) => &[&TELEPHONY_HOOK],
            (true, false) => &[&EVENT_HOOK],
            (false, false) => &[&TELEPHONY_HOOK, &EVENT_HOOK],
        }
    }
}

impl Tally {
    fn add(&mut self, is_as_expected: bool) {
        self.told += 1;
        self.unexpected += usize::from(!is_as_expected);
    }
}

impl Scene<'_> {
    /// What the functions run with, and how their cold start went, as they log it.
    fn introduce(&self, variables: &Variables) {
        let terminal = self.terminal;
        if !variables.is_empty() {
            let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
            println!("\n{}", terminal.title(format!("With {}", variables.join(" "))));
        }
        for line in self.functions.start_lines(terminal::LOG_LIMIT) {
            let took = terminal::milliseconds(&line, "duration_ms");
            println!("{}", terminal.row("cold start", took, terminal::in_short(&line)));
        }
    }

    fn tell(&self, group: &Group, tally: &mut Tally) -> Result<(), Error> {
        let (stories, others): (Vec<_>, Vec<_>) =
            group.sendings.iter().partition(|event| STORIES.contains(&event.name.as_str()));
        for event in stories {
            tally.add(sending::tell_story(self, event)?);
        }
        if !others.is_empty() {
            println!("\n{}", self.terminal.title("Further requests to send a code"));
        }
        for event in others {
            tally.add(sending::tell_outcome(self, event)?);
        }
        if !group.feedbacks.is_empty() {
            println!("\n{}", self.terminal.title("Deliveries of Okta's event hook"));
        }
        for event in &group.feedbacks {
            tally.add(feedback::tell_outcome(self, event)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stories_are_recorded_events_that_the_demo_can_send() {
        let events = recorded_events::of_telephony_hook();
        for story in STORIES {
            let event = events.iter().find(|event| event.name == *story);
            assert!(event.is_some_and(can_be_sent), "{story}");
        }
    }
}
