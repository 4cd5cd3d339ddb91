//! An event-hook under test: the real binary, run as Lambda runs it, between stand-ins for Okta, Twilio and AWS.

#![allow(dead_code, unused_imports, clippy::allow_attributes, reason = "each test program uses a part of it")]

mod events;

use std::{fmt::Display, sync::Mutex, time::Duration};

use sandbox::{
    Operation, Options, Status,
    deployment::{AUTH_SECRET, Deployment, HttpAnswer},
    dynamodb::{self, DynamoDb},
    events::PRIVATE_VALUES,
    lambda::{Builder, Function, GatewayEvent, Outcome},
    sqs::Sqs,
};
use serde_json::{Value, json};

pub(crate) use sandbox::deployment::OKTA_SECRET_ID;

pub(crate) use self::events::{ago, delivery, enrollment, millis_ago, sign_in};

/// The sends table, without an Okta source.
pub(crate) const TABLE_ONLY: [(&str, &str); 3] =
    [("SENDS_TABLE", dynamodb::TABLE), ("OKTA_ORG_URL", ""), ("OKTA_SECRET_ID", "")];

/// The code of every message.
const CODE: &str = "867530";

/// A running function. When it is dropped, its output is searched for every private value that it received.
pub(crate) struct Hook {
    pub(crate) deployment: Deployment,
    pub(crate) sqs: Sqs,
    /// The sends table. The function uses it only if its variables say so.
    pub(crate) sends: DynamoDb,
    pub(crate) function: Function,
    private_values: Mutex<Vec<String>>,
}

impl Hook {
    /// Starts it without a queue.
    pub(crate) fn start() -> Self {
        Self::with_variables(&[])
    }

    /// Starts it without a queue, with these additional variables.
    pub(crate) fn with_variables(variables: &[(&str, &str)]) -> Self {
        let options = Options::default();
        let secret = json!({"okta_api_token": options.okta.api_token});
        Self::with(options, &secret, variables)
    }

    /// Starts it with these settings of Twilio and Okta, this Okta secret, and these variables.
    pub(crate) fn with(options: Options, okta_secret: &Value, variables: &[(&str, &str)]) -> Self {
        Self::launch(options, okta_secret, |builder, _| builder.envs(variables.iter().copied()))
    }

    /// Starts it with a queue.
    pub(crate) fn with_queue() -> Self {
        Self::with_queue_and(Options::default())
    }

    /// Starts it with a queue and these settings of Twilio and Okta.
    pub(crate) fn with_queue_and(options: Options) -> Self {
        let secret = json!({"okta_api_token": options.okta.api_token});
        Self::launch(options, &secret, |builder, sqs| builder.env("FEEDBACK_QUEUE_URL", sqs.queue_url()))
    }

    /// Starts it with the sends table, without an Okta source or a queue.
    pub(crate) fn with_table() -> Self {
        Self::with_variables(&TABLE_ONLY)
    }

    /// Starts it with the sends table and a queue, without an Okta source.
    pub(crate) fn with_table_and_queue() -> Self {
        Self::launch(Options::default(), &json!({}), |builder, sqs| {
            builder.envs(TABLE_ONLY).env("FEEDBACK_QUEUE_URL", sqs.queue_url())
        })
    }

    /// Starts it without a queue, in a deployment that `prepare` has set up.
    pub(crate) fn start_in(prepare: impl Fn(&Deployment)) -> Self {
        let options = Options::default();
        let secret = json!({"okta_api_token": options.okta.api_token});
        Self::launch_in(options, &secret, prepare, |builder, _| builder)
    }

    fn launch(options: Options, okta_secret: &Value, adapt: impl Fn(Builder, &Sqs) -> Builder) -> Self {
        Self::launch_in(options, okta_secret, |_| {}, adapt)
    }

    fn launch_in(
        options: Options,
        okta_secret: &Value,
        prepare: impl Fn(&Deployment),
        adapt: impl Fn(Builder, &Sqs) -> Builder,
    ) -> Self {
        let okta_api_token = options.okta.api_token.clone();
        let deployment = Deployment::start(options);
        deployment.secrets.put(OKTA_SECRET_ID, okta_secret);
        prepare(&deployment);
        let (sqs, sends) = (Sqs::start(), DynamoDb::start());
        let builder = variables(&deployment, &sqs).env("AWS_ENDPOINT_URL_DYNAMODB", sends.url());
        let function = adapt(builder, &sqs).spawn();
        function.wait_until_ready(Duration::from_secs(10)).expect("the function starts");
        let mut private_values = deployment.private_values();
        private_values.extend(PRIVATE_VALUES.map(str::to_owned));
        private_values.push(CODE.to_owned());
        private_values.push(okta_api_token);
        private_values.extend(okta_secret["okta_private_key"].as_str().map(str::to_owned));
        private_values.extend(okta_secret.pointer("/okta_private_key/d").and_then(Value::as_str).map(str::to_owned));
        // Every access token of the stand-in starts with this.
        private_values.push("sandbox-access-token".to_owned());
        Self { deployment, sqs, sends, function, private_values: Mutex::new(private_values) }
    }

    /// Another instance of the function, with a queue and this timeout.
    pub(crate) fn with_timeout(&self, timeout: Duration) -> Function {
        let builder = variables(&self.deployment, &self.sqs).env("FEEDBACK_QUEUE_URL", self.sqs.queue_url());
        builder.timeout(timeout).spawn()
    }

    /// Delivers these events as Okta.
    pub(crate) fn deliver(&self, events: &[Value]) -> HttpAnswer {
        self.post(&delivery(events).to_string())
    }

    /// Posts this body as Okta.
    pub(crate) fn post(&self, body: &str) -> HttpAnswer {
        self.ask(GatewayEvent::new("POST", "/events").header("auth_secret", AUTH_SECRET).body(body))
    }

    /// Sends this request.
    pub(crate) fn ask(&self, request: GatewayEvent) -> HttpAnswer {
        HttpAnswer::of(self.function.invoke(&request.build()))
    }

    /// Delivers this batch as Lambda, and returns the response.
    pub(crate) fn hand_over(&self, batch: &(impl Display + ?Sized)) -> Value {
        match self.function.invoke(batch).outcome {
            Outcome::Response(response) => response,
            outcome => panic!("no response: {outcome:?}"),
        }
    }

    /// Processes one batch of the queue. Returns `false` if no message was due.
    pub(crate) fn work_off_a_batch(&self) -> bool {
        let Some(batch) = self.sqs.receive() else { return false };
        self.sqs.settle(&batch, &self.hand_over(&batch));
        true
    }

    /// Processes the queue until no message is due.
    pub(crate) fn work_off(&self) {
        while self.work_off_a_batch() {}
    }

    /// Sends a code to a number, as the telephony hook does.
    pub(crate) fn send_code(&self, number: &str) {
        self.private_values.lock().expect("the list").push(number.trim_start_matches('+').to_owned());
        self.deployment.twilio.send_code(number, CODE);
    }

    /// Like [`send_code`](Self::send_code), but telephony-hook has also stored it in the table. Returns the sid.
    pub(crate) fn send_and_remember(&self, user_id: &str, number: &str, delivery: &str, age: Duration) -> String {
        self.send_code(number);
        let mut verifications = self.deployment.twilio.verifications().into_iter();
        let pending = verifications.find(|it| it.to == number && it.status == Status::Pending);
        let sid = pending.expect("a pending verification").sid;
        self.sends.put(&sent(user_id, &sid, delivery, age));
        sid
    }

    /// The sids of the approved verifications, sorted.
    pub(crate) fn approved_sids(&self) -> Vec<String> {
        let verifications = self.deployment.twilio.verifications().into_iter();
        let approved = verifications.filter(|verification| verification.status == Status::Approved);
        let mut sids: Vec<_> = approved.map(|verification| verification.sid).collect();
        sids.sort();
        sids
    }

    /// The numbers of the approved verifications, in order.
    pub(crate) fn approved(&self) -> Vec<String> {
        self.deployment.twilio.approved()
    }

    /// The number of updates at Twilio, whatever their response.
    pub(crate) fn updates(&self) -> usize {
        self.deployment.twilio.requests_for(Operation::VerifyUpdate).len()
    }

    /// The status of each response to an update.
    pub(crate) fn update_statuses(&self) -> Vec<Option<u16>> {
        let updates = self.deployment.twilio.requests_for(Operation::VerifyUpdate).into_iter();
        updates.map(|request| request.response.map(|response| response.status)).collect()
    }

    /// The log lines of these events.
    pub(crate) fn logged(&self, message: &str) -> Vec<Value> {
        self.function.log_lines().into_iter().filter(|line| line["message"] == message).collect()
    }

    /// The only log line of this event.
    pub(crate) fn logged_once(&self, message: &str) -> Value {
        let [line] = &self.logged(message)[..] else { panic!("not one {message} in {}", self.function.output()) };
        line.clone()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let output = self.function.output();
        for value in self.private_values.get_mut().expect("the list") {
            // The value itself is not printed, because test output is output too.
            let is_shown = sandbox::recorded_events::PrivateValue::of(value).is_in(&output);
            assert!(!is_shown, "a private value of {} characters is in the output", value.len());
        }
    }
}

/// The item of a verification whose only message has this age.
pub(crate) fn sent(user_id: &str, sid: &str, delivery: &str, age: Duration) -> Value {
    let sent_at = millis_ago(age);
    json!({
        "user_id": {"S": user_id}, "verification_sid": {"S": sid}, "delivery": {"S": delivery}, "channel": {"S": delivery},
        "request_type": {"S": "mfa-verification"}, "first_sent_at": {"N": sent_at.to_string()},
        "sent_at": {"N": sent_at.to_string()}, "sends": {"N": "1"},
        "expires_at": {"N": (sent_at / 1_000 + 900).to_string()},
    })
}

/// The variables of every function in these tests.
pub(crate) fn variables(deployment: &Deployment, sqs: &Sqs) -> Builder {
    deployment.function(env!("CARGO_BIN_EXE_event-hook")).envs([
        ("OKTA_ORG_URL", "https://example.okta.com"),
        ("OKTA_API_URL", &deployment.twilio.https_url()),
        ("OKTA_SECRET_ID", OKTA_SECRET_ID),
        ("AWS_ENDPOINT_URL_SQS", &sqs.url()),
    ])
}
