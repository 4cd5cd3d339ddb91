//! Feedback from Okta's delivery to Twilio's approval, with everything in between: the real binary, an SQS emulator
//! from another project, and Lambda's event source mapping. `behaviour.rs` tests the parts. This file tests that
//! nothing is lost between them, and nothing is approved twice or wrongly.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "clippy knows tests, but not what they share; events are as old as the function's own clock says"
)]

use std::{
    collections::BTreeSet,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use sandbox::{
    AwsEmulator, Fault, OktaOptions, OktaUser, Operation, Options, Status, Times,
    aws_emulator::QueuePair,
    deployment::{AUTH_SECRET, Deployment, HttpAnswer, OKTA_SECRET_ID},
    events::{Delivery, Engine, Event, Okta, SMS, Shape},
    lambda::{Builder, Function, GatewayEvent},
    queue::{EventSourceMapping, OnDemandFunction},
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(120);

/// Longer than a batch takes here, so that no batch is delivered twice at the same time.
const VISIBILITY: Duration = Duration::from_secs(5);

/// The function on both sides of the queue, with its environment.
struct Bench {
    deployment: Deployment,
    emulator: AwsEmulator,
    queues: QueuePair,
    /// Receives Okta's deliveries.
    receiving: Function,
    /// Processes the queue's batches.
    working: Arc<OnDemandFunction>,
    okta: Okta,
}

impl Bench {
    fn start() -> Self {
        // This test is not about the org's rate limit.
        let okta = OktaOptions { rate_limit: 100_000, ..OktaOptions::default() };
        let options = Options { okta, ..Options::default() };
        let deployment = Deployment::start(options);
        let okta_secret = json!({ "okta_api_token": OktaOptions::default().api_token });
        deployment.secrets.put(OKTA_SECRET_ID, &okta_secret);
        let emulator = AwsEmulator::start();
        let queues = emulator.create_fifo_queue_with_dead_letter("feedback", VISIBILITY, 5).expect("queues");
        let builder = builder(&deployment, &emulator, &queues);
        let receiving = builder.clone().spawn();
        receiving.wait_until_ready(PATIENCE).expect("the function starts");
        Self {
            okta: Okta::new(4, SystemTime::now()),
            working: Arc::new(OnDemandFunction::new(builder)),
            deployment,
            emulator,
            queues,
            receiving,
        }
    }

    fn start_mapping(&self) -> EventSourceMapping {
        EventSourceMapping::start(self.queues.queue.clone(), Arc::clone(&self.working) as _)
    }

    /// A user with one phone and a code on its way to it.
    fn user_with_code(&self, number: usize) -> User {
        let user = User { id: format!("00usandbox{number:010}"), phone: format!("+1202555{number:04}") };
        self.deployment.twilio.put_okta_user(OktaUser::new(&user.id).sms(&user.phone));
        self.deployment.twilio.send_code(&user.phone, "867530");
        user
    }

    fn sign_in(&mut self, user: &User) -> Event {
        self.okta.authentication(Engine::Identity, SMS, &user.id)
    }

    /// Makes one request as Okta, and returns its status.
    fn post(&self, delivery: &Delivery) -> u16 {
        let request = GatewayEvent::new("POST", "/events").header("auth_secret", AUTH_SECRET).body(delivery.body());
        HttpAnswer::of(self.receiving.invoke(&request.build())).status
    }

    /// Delivers like Okta: once more after a 5xx.
    fn deliver(&self, delivery: &Delivery) {
        let stored = self.post(delivery) == 200 || self.post(delivery) == 200;
        assert!(stored, "a delivery of {} events is lost", delivery.len());
    }

    fn phones(&self, status: Status) -> BTreeSet<String> {
        let verifications = self.deployment.twilio.verifications().into_iter();
        verifications.filter(|verification| verification.status == status).map(|verification| verification.to).collect()
    }

    /// How many updates found a pending verification and approved it.
    fn approvals(&self) -> usize {
        let updates = self.deployment.twilio.requests_for(Operation::VerifyUpdate);
        updates.iter().filter(|update| update.response.is_some_and(|response| response.status == 200)).count()
    }

    /// Waits until every message was processed and none was given up.
    fn wait_until_done(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.queues.queue.depth().expect("the depth").total() > 0 {
            assert!(Instant::now() < deadline, "still running after {PATIENCE:?}");
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.queues.dead_letters.depth().expect("the depth").total(), 0);
    }

    /// Exactly these users' verifications were approved, each once.
    fn expect_approved_once(&self, users: &[User]) {
        let expected: BTreeSet<_> = users.iter().map(|user| user.phone.clone()).collect();
        let approved = self.phones(Status::Approved);
        assert_eq!(expected.difference(&approved).collect::<Vec<_>>(), Vec::<&String>::new(), "lost");
        assert_eq!(approved.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new(), "approved wrongly");
        assert_eq!(self.approvals(), expected.len());
    }
}

struct User {
    id: String,
    phone: String,
}

fn builder(deployment: &Deployment, emulator: &AwsEmulator, queues: &QueuePair) -> Builder {
    deployment.function(env!("CARGO_BIN_EXE_event-hook")).envs([
        ("OKTA_ORG_URL", "https://example.okta.com"),
        ("OKTA_API_URL", &deployment.twilio.https_url()),
        ("OKTA_SECRET_ID", OKTA_SECRET_ID),
        ("AWS_ENDPOINT_URL_SQS", &emulator.url()),
        ("FEEDBACK_QUEUE_URL", queues.queue.url()),
    ])
}

#[test]
fn a_burst_of_two_thousand_events_loses_and_doubles_nothing() {
    let mut bench = Bench::start();
    let users: Vec<_> = (0..1_000).map(|number| bench.user_with_code(number)).collect();
    // These codes were wrong or never typed.
    let others: Vec<_> = (1_000..1_100).map(|number| bench.user_with_code(number)).collect();
    let mut events = Vec::new();
    for (place, user) in users.iter().enumerate() {
        let success = match place % 10 {
            0..5 => bench.okta.authentication(Engine::Identity, SMS, &user.id),
            5..8 => bench.okta.authentication(Engine::Classic, SMS, &user.id),
            _ => bench.okta.enrollment(SMS, &user.id),
        };
        events.push(match Shape::ALL.get(place % 12) {
            Some(shape) => success.shaped(*shape),
            None => success,
        });
        events.push(bench.okta.noise(&others[place % others.len()].id));
    }
    assert_eq!(events.len(), 2_000);
    bench.okta.shuffle(&mut events);
    let mut deliveries = bench.okta.deliveries(events);
    // Okta may deliver each of them twice, at any time.
    deliveries.extend_from_within(..);
    bench.okta.shuffle(&mut deliveries);
    let mapping = bench.start_mapping();
    for delivery in &deliveries {
        bench.deliver(delivery);
    }
    bench.wait_until_done();
    drop(mapping);
    bench.expect_approved_once(&users);
    assert_eq!(bench.phones(Status::Pending), others.into_iter().map(|other| other.phone).collect());
}

#[test]
fn a_function_killed_in_the_middle_of_a_batch_loses_nothing() {
    let mut bench = Bench::start();
    let users: Vec<_> = (0..10).map(|number| bench.user_with_code(number)).collect();
    let events: Vec<_> = users.iter().map(|user| bench.sign_in(user)).collect();
    let delivery = bench.okta.delivery(events);
    bench.deliver(&delivery);
    // Twilio receives all updates but responds to some of them only after the function has ended.
    let twilio = &bench.deployment.twilio;
    twilio.fault(Operation::VerifyUpdate, Fault::Delay(Duration::ZERO), Times::Next(2));
    twilio.fault(Operation::VerifyUpdate, Fault::Delay(Duration::from_secs(60)), Times::Next(3));
    let mapping = bench.start_mapping();
    assert!(twilio.wait_until(PATIENCE, |twilio| twilio.requests_for(Operation::VerifyUpdate).len() >= 5));
    bench.working.environments()[0].kill();
    bench.wait_until_done();
    drop(mapping);
    assert_eq!(bench.working.environments().len(), 2, "a new one after the kill");
    bench.expect_approved_once(&users);
}

#[test]
fn okta_and_twilio_may_be_unavailable_for_longer_than_the_visibility_timeout() {
    let mut bench = Bench::start();
    let user = bench.user_with_code(1);
    let twilio = &bench.deployment.twilio;
    twilio.fault(Operation::OktaFactors, Fault::Status(503), Times::Next(1));
    twilio.fault(Operation::VerifyUpdate, Fault::Status(503), Times::Next(1));
    let _mapping = bench.start_mapping();
    let event = bench.sign_in(&user);
    let delivery = bench.okta.delivery([event]);
    let started = Instant::now();
    bench.deliver(&delivery);
    bench.wait_until_done();
    assert!(started.elapsed() > VISIBILITY);
    bench.expect_approved_once(&[user]);
}

#[test]
fn an_unavailable_queue_makes_okta_redeliver() {
    let mut bench = Bench::start();
    let users: Vec<_> = (0..30).map(|number| bench.user_with_code(number)).collect();
    let events: Vec<_> = users.iter().map(|user| bench.sign_in(user)).collect();
    let delivery = bench.okta.delivery(events);
    let _mapping = bench.start_mapping();
    bench.emulator.pause();
    assert_eq!(bench.post(&delivery), 503);
    bench.emulator.resume();
    assert_eq!(bench.post(&delivery), 200);
    bench.wait_until_done();
    bench.expect_approved_once(&users);
}
