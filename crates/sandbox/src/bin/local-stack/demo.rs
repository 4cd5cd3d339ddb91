//! `make demo`: six stories, then every other recorded event over HTTP, counted by group, and a summary.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use sandbox::{
    Options,
    deployment::AUTH_SECRET,
    loopback::HeldPort,
    recorded_events::{self, PrivateValue, RecordedEvent},
};

use crate::{
    error::Error,
    events::{Events, Waiter},
    feedback,
    functions::{EVENT_HOOK, Function, Functions, Mode, TELEPHONY_HOOK, Variables},
    outside::Outside,
    request::Request,
    scene::Scene,
    sending, stories,
    tally::Tally,
    terminal::Terminal,
};

/// The groups of recorded events: the prefix of the name and the title. The first match applies.
const GROUPS: &[(&str, &str)] = &[
    ("telephony-sms-", "A code by SMS"),
    ("telephony-call-", "A code by voice call"),
    ("telephony-whatsapp-", "A code by WhatsApp"),
    ("telephony-preview-", "Previews of Okta's Admin Console"),
    ("telephony-rejected-", "Rejected requests"),
    ("telephony-unfit-", "Unusable numbers and codes"),
    ("telephony-policy-", "The policy decides"),
    ("telephony-rules-", "Rules by country"),
    ("telephony-twilio-", "Twilio refuses, fails or hangs"),
    ("event-verification", "Okta verifies its event hook"),
    ("event-factor-", "Sign-ins without a phone"),
    ("event-rejected-", "Rejected deliveries"),
    ("event-", "Deliveries about codes"),
];

/// The width of the longest title above, and of the longest name.
const TITLE_WIDTH: usize = 32;
const NAME_WIDTH: usize = 46;

/// After this time without output, a line shows the progress.
const SILENCE: Duration = Duration::from_secs(5);

/// The parameters of a demo run.
struct Stage<'a> {
    outside: &'a Outside,
    events: &'a Events,
    waiter: &'a Waiter,
    terminal: Terminal,
    port: HeldPort,
}

/// Sends all requests. Returns the number of unexpected results.
pub(crate) fn run(
    outside: &Outside,
    events: &Events,
    waiter: &Waiter,
    terminal: Terminal,
    shows_all: bool,
) -> Result<usize, Error> {
    let mut stage = Stage { outside, events, waiter, terminal, port: Functions::hold_port()? };
    let mut tally = Tally::default();
    tally.must_not_show(secrets());
    let variables = stories::variables();
    let scene = stage.scene(&Mode::Deployed(&variables), &[&TELEPHONY_HOOK, &EVENT_HOOK])?;
    stories::run(&scene, &mut tally)?;
    tally.search(&scene.functions.output);
    drop(scene);

    let (sendings, deliveries) =
        (by_variables(recorded_events::of_telephony_hook()), by_variables(recorded_events::of_event_hook()));
    let mut table = Table::new(terminal, shows_all, names(&sendings).chain(names(&deliveries)));
    terminal.say(format!("\n{}", terminal.title("The other recorded events")))?;
    for (variables, events) in &sendings {
        let scene = stage.scene(&Mode::Sendings(variables), &[&TELEPHONY_HOOK])?;
        for event in events {
            outside.sandbox.reset();
            tally.must_not_show(event.private_values());
            let observed = sending::observe(&scene, Request::of(&event.event()))?;
            tally.decided(observed.decided());
            tally.answered(&event.name, observed.took);
            let is_as_expected = observed.is_as_expected(&event.expected);
            tally.add(is_as_expected);
            table.add(&event.name, observed.took, &observed.outcome(), is_as_expected)?;
        }
        tally.search(&scene.functions.output);
    }
    // The steps above had no access to Okta's API.
    outside.create_okta_secret()?;
    for (variables, events) in &deliveries {
        let scene = stage.scene(&Mode::Deliveries(variables), &[&EVENT_HOOK])?;
        for event in events {
            tally.must_not_show(event.private_values());
            let delivered = feedback::observe(&scene, event)?;
            tally.answered(&event.name, delivered.took);
            tally.add(delivered.is_as_expected);
            table.add(&event.name, delivered.took, &delivered.outcome, delivered.is_as_expected)?;
        }
        tally.search(&scene.functions.output);
    }
    tally.close(terminal, shows_all)?;
    Ok(tally.faults() + usize::from(tally.is_too_slow()))
}

impl<'a> Stage<'a> {
    fn scene(&mut self, mode: &Mode<'_>, wanted: &[&'static Function]) -> Result<Scene<'a>, Error> {
        let functions = Functions::start(mode, wanted, &mut self.port, self.outside, self.events, self.waiter)?;
        Ok(Scene { functions, outside: self.outside, waiter: self.waiter, terminal: self.terminal })
    }
}

/// Whether an event can be sent over HTTP. Events without a file because of their size, with data from an authorizer,
/// from another kind of gateway, or from the queue cannot.
pub(crate) fn can_be_sent<Expected>(event: &RecordedEvent<Expected>) -> bool {
    let is_of_another_gateway = event.name == "telephony-rejected-payload-format";
    let needs_authorizer = event.variables.contains_key("AUTH_MODE");
    event.kept && !needs_authorizer && !is_of_another_gateway && !event.name.starts_with("sqs-")
}

/// Groups events by the variables that they need. Events without variables come first.
type ByVariables<Expected> = BTreeMap<Variables, Vec<RecordedEvent<Expected>>>;

fn by_variables<Expected>(events: Vec<RecordedEvent<Expected>>) -> ByVariables<Expected> {
    let mut result = ByVariables::new();
    for event in events.into_iter().filter(|event| can_be_sent(event) && !stories::SHOWN.contains(&event.name.as_str()))
    {
        result.entry(event.variables.clone()).or_default().push(event);
    }
    result
}

fn names<Expected>(events: &ByVariables<Expected>) -> impl Iterator<Item = &str> {
    events.values().flatten().map(|event| event.name.as_str())
}

fn group(name: &str) -> &'static str {
    GROUPS.iter().find(|(beginning, _title)| name.starts_with(beginning)).map_or("Others", |(_beginning, title)| title)
}

/// Values that the functions know and must never show.
fn secrets() -> Vec<PrivateValue> {
    let options = Options::default();
    let secrets = [AUTH_SECRET.to_owned(), options.api_key_secret, options.okta.api_token];
    secrets.into_iter().map(|secret| PrivateValue::Text("secret", secret)).collect()
}

/// One row for each group, after its last event. With `ALL=1`, one row for each event.
struct Table {
    terminal: Terminal,
    shows_all: bool,
    groups: BTreeMap<&'static str, Group>,
    done: usize,
    all: usize,
    last_line: Instant,
}

#[derive(Default)]
struct Group {
    all: usize,
    done: usize,
    as_expected: usize,
}

impl Table {
    fn new<'a>(terminal: Terminal, shows_all: bool, names: impl Iterator<Item = &'a str>) -> Self {
        let mut groups = BTreeMap::<_, Group>::new();
        let mut all = 0;
        for name in names {
            groups.entry(group(name)).or_default().all += 1;
            all += 1;
        }
        Self { terminal, shows_all, groups, done: 0, all, last_line: Instant::now() }
    }

    fn add(&mut self, name: &str, took: Duration, outcome: &str, is_as_expected: bool) -> Result<(), Error> {
        self.done += 1;
        if self.shows_all || !is_as_expected {
            let verdict = if is_as_expected { "" } else { ", NOT as expected" };
            let text = format!("{:>5} ms  {outcome}{verdict}", took.as_millis());
            self.say(&self.terminal.table_row(name, NAME_WIDTH, &text))?;
        }
        let title = group(name);
        let group = self.groups.entry(title).or_default();
        group.done += 1;
        group.as_expected += usize::from(is_as_expected);
        if group.done == group.all && !self.shows_all {
            let Group { all, as_expected, .. } = group;
            let text = format!("{:>7} as expected", format!("{as_expected} of {all}"));
            let text = if as_expected == all { text } else { self.terminal.bad(text) };
            return self.say(&self.terminal.table_row(title, TITLE_WIDTH, &text));
        }
        if self.last_line.elapsed() > SILENCE {
            let progress = self.terminal.coloured_row("2", "...", format!("{} of {} sent", self.done, self.all));
            return self.say(&progress);
        }
        Ok(())
    }

    fn say(&mut self, line: &str) -> Result<(), Error> {
        self.last_line = Instant::now();
        self.terminal.say(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_event_has_a_group_whose_title_fits() {
        let names = recorded_events::of_telephony_hook().into_iter().filter(can_be_sent).map(|event| event.name);
        let names =
            names.chain(recorded_events::of_event_hook().into_iter().filter(can_be_sent).map(|event| event.name));
        for name in names {
            assert_ne!(group(&name), "Others", "{name}");
            assert!(group(&name).len() <= TITLE_WIDTH && name.len() <= NAME_WIDTH, "{name}");
        }
    }
}
