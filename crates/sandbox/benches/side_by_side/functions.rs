//! The functions that are compared, and what surrounds them.

use std::{
    cell::Cell,
    env,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sandbox::{
    Options, Status,
    deployment::{AUTH_SECRET, Deployment, TelephonyRequest},
    dynamodb::{DynamoDb, TABLE},
    events::{self, Engine, Okta, PASSWORD, SMS},
    lambda::{Builder, Function, GatewayEvent, Outcome},
    link::Links,
    sqs::{Sqs, VISIBILITY},
};
use serde_json::{Value, json};

/// The folder of the sample of Twilio's for Node, with its `node_modules`. Whoever has none leaves this unset.
const NODE_SAMPLE: &str = "NODE_SAMPLE";

const BATCH: usize = 10;

/// The stand-ins, and the links to them.
pub(crate) struct Surroundings {
    deployment: Deployment,
    table: DynamoDb,
    queue: Sqs,
    links: Links,
    variables: Vec<(&'static str, String)>,
    count: Cell<usize>,
}

impl Surroundings {
    pub(crate) fn start(round_trip: Duration) -> Self {
        let (deployment, table, queue) = (Deployment::start(Options::default()), DynamoDb::start(), Sqs::start());
        let links = Links::start(round_trip);
        let twilio = links.to(&deployment.twilio.http_url());
        let ca_file = links.ca_file().to_string_lossy().into_owned();
        let variables = vec![
            ("TWILIO_VERIFY_URL", twilio.clone()),
            ("TWILIO_LOOKUP_URL", twilio),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", links.to(&deployment.secrets.url())),
            ("AWS_ENDPOINT_URL_DYNAMODB", links.to(&table.url())),
            ("EXTRA_CA_FILE", ca_file.clone()),
            // For those that do not know the project's variable.
            ("SSL_CERT_FILE", ca_file.clone()),
            ("NODE_EXTRA_CA_CERTS", ca_file),
            ("LOG_LEVEL", "info".to_owned()),
        ];
        Self { deployment, table, queue, links, variables, count: Cell::new(0) }
    }

    fn function(&self, program: &Path) -> Builder {
        self.deployment.function(program).envs(self.variables.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// The queue's URL beyond a link.
    fn queue_variables(&self) -> [(&'static str, String); 2] {
        let near = self.links.to(&self.queue.url());
        let path = self.queue.queue_url().replacen(&self.queue.url(), &near, 1);
        [("AWS_ENDPOINT_URL_SQS", near), ("FEEDBACK_QUEUE_URL", path)]
    }

    fn next(&self) -> usize {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    /// A user's request for a code. Verify allows five messages to one number, so it forgets the earlier ones.
    fn telephony(&self) -> String {
        self.deployment.twilio.reset();
        let request = self.next();
        let number = format!("+1202555{:04}", 100 + request % 100);
        // A user of its own: `RESEND_CHANNELS` reads all of a user's items, and would find more each time.
        let request =
            TelephonyRequest::sms(&number, "867530").with("/data/userProfile/userId", format!("00u{request:017}"));
        request.event().build().to_string()
    }

    fn delivery(&self, factor: events::Factor, count: usize) -> String {
        let mut okta = Okta::new(self.next() as u64, SystemTime::now());
        let events: Vec<Value> = (0..count)
            .map(|user| okta.authentication(Engine::Identity, factor, &format!("00u{user:017}")).into_json())
            .collect();
        let body = events::envelope("b5a188b9-5ec5-4636-8c5e-7eeadf2ba5e2", &events, SystemTime::now()).to_string();
        GatewayEvent::new("POST", "/events").header("auth_secret", AUTH_SECRET).body(body).build().to_string()
    }

    /// The event of one right code, whose verification the table knows and Twilio has pending.
    fn one_event(&self) -> String {
        self.pending(1);
        self.delivery(SMS, 1)
    }

    /// A batch of the queue, about such verifications.
    fn batch(&self, deliver: &Function) -> String {
        self.pending(BATCH);
        self.empty_queue();
        let delivered = deliver.invoke(&self.delivery(SMS, BATCH));
        assert!(matches!(delivered.outcome, Outcome::Response(_)), "the delivery was not taken");
        self.queue.receive().expect("a batch").to_string()
    }

    /// Lets so many users have a code.
    fn pending(&self, users: usize) {
        self.deployment.twilio.reset();
        for user in 0..users {
            self.deployment.twilio.send_code(&format!("+1202555{:04}", 100 + user), "867530");
        }
        let sent_at = SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_millis() - 5_000;
        for (user, verification) in self.deployment.twilio.verifications().iter().enumerate() {
            self.table.put(&json!({
                "user_id": {"S": format!("00u{user:017}")}, "verification_sid": {"S": verification.sid},
                "delivery": {"S": "sms"}, "channel": {"S": "sms"}, "request_type": {"S": "mfa-verification"},
                "first_sent_at": {"N": sent_at.to_string()}, "sent_at": {"N": sent_at.to_string()}, "sends": {"N": "1"},
                "expires_at": {"N": (sent_at / 1_000 + 900).to_string()},
            }));
        }
    }

    /// Whether the users' codes are approved.
    pub(crate) fn are_approved(&self) -> bool {
        self.deployment.twilio.verifications().iter().all(|verification| verification.status == Status::Approved)
    }

    /// Takes everything from the queue, as a working consumer does.
    fn empty_queue(&self) {
        // What was received and not settled becomes visible again.
        self.queue.advance(VISIBILITY);
        while let Some(batch) = self.queue.receive() {
            self.queue.settle(&batch, &json!({ "batchItemFailures": [] }));
        }
    }
}

/// What a function is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Code,
    OneEvent,
    Delivery { passwords: bool, count: usize },
    Batch,
}

/// A function with its variables and its question.
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// The name of the one that its ratio is to.
    pub(crate) reference: Option<&'static str>,
    pub(crate) question: Question,
    pub(crate) program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

const SENDS: (&str, &str) = ("SENDS_TABLE", TABLE);
const LOOKUP: (&str, &str) = ("LOOKUP_FIELDS", "basic");
const LADDER: (&str, &str) = ("RESEND_CHANNELS", "sms,call");

/// The functions that ask for a code: name, program, variables, and whose ratio it is.
type Row = (&'static str, Program, &'static [(&'static str, &'static str)], Option<&'static str>);

const TELEPHONY: [Row; 11] = [
    ("(a) hello", Program::Hello, &[], None),
    ("(b) straight down", Program::Straight, &[], None),
    ("telephony-hook", Program::Telephony, &[], Some("(b) straight down")),
    ("(b) with table", Program::Straight, &[SENDS], None),
    ("telephony-hook, table", Program::Telephony, &[SENDS], Some("(b) with table")),
    ("(b) with Lookup", Program::Straight, &[LOOKUP], None),
    ("telephony-hook, Lookup", Program::Telephony, &[LOOKUP], Some("(b) with Lookup")),
    ("telephony-hook, RESEND_CHANNELS", Program::Telephony, &[SENDS, LADDER], Some("telephony-hook, table")),
    ("(c) default features", Program::Defaults, &[], Some("telephony-hook")),
    ("(c) with table", Program::Defaults, &[SENDS], Some("telephony-hook, table")),
    ("(d) Node sample", Program::Node, &[], Some("telephony-hook")),
];

/// A binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Telephony,
    Event,
    Hello,
    Straight,
    Defaults,
    Node,
}

impl Program {
    pub(crate) const ALL: [Self; 6] =
        [Self::Telephony, Self::Event, Self::Hello, Self::Straight, Self::Defaults, Self::Node];

    /// Where it is, or why it is not there.
    pub(crate) fn path(self) -> Result<PathBuf, String> {
        // The benchmark itself can be a build of another profile.
        let release = env::current_exe().expect("a path").ancestors().nth(3).expect("target").join("release");
        let (path, remedy) = match self {
            Self::Telephony => (release.join("telephony-hook"), "`make bench` builds it"),
            Self::Event => (release.join("event-hook"), "`make bench` builds it"),
            Self::Hello => (release.join("hello"), "`make bench` builds it"),
            Self::Straight => (release.join("straight"), "`make bench` builds it"),
            Self::Defaults => (release.with_file_name("shipped").join("defaults"), "`make bench` builds it"),
            Self::Node => {
                let sample = env::var(NODE_SAMPLE).map_err(|_unset| {
                    "(d), the public Twilio sample on Node: set NODE_SAMPLE to its folder (docs/performance.md)"
                        .to_owned()
                })?;
                if !Path::new(&sample).join("node_modules/twilio").exists() {
                    return Err(format!("(d), the public Twilio sample on Node: no node_modules/twilio in {sample}"));
                }
                (Path::new(env!("CARGO_MANIFEST_DIR")).join("alternatives/node/run.js"), "it is in the repository")
            }
        };
        if path.exists() { Ok(path) } else { Err(format!("{}: {remedy}", path.display())) }
    }
}

/// A line for each program that is not there.
pub(crate) fn missing() -> Vec<String> {
    Program::ALL.iter().filter_map(|program| program.path().err()).collect()
}

impl Variant {
    /// Every function whose program is there.
    pub(crate) fn all(surroundings: &Surroundings) -> Vec<Self> {
        let telephony = TELEPHONY.iter().filter_map(|(name, program, variables, reference)| {
            let mut variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            if *program == Program::Node {
                let account = Options::default();
                variables.push((NODE_SAMPLE, env::var(NODE_SAMPLE).ok()?));
                variables.push(("BENCH_AUTH_SECRET", AUTH_SECRET.to_owned()));
                variables.push(("BENCH_ACCOUNT_SID", account.account_sid));
                variables.push(("BENCH_AUTH_TOKEN", account.auth_token));
            }
            let program = program.path().ok()?;
            Some(Self { name, reference: *reference, question: Question::Code, program, variables })
        });
        let questions = [
            ("event-hook, 200 successes", Question::Delivery { passwords: false, count: 200 }),
            ("event-hook, 400 passwords", Question::Delivery { passwords: true, count: 400 }),
            ("event-hook, batch of ten", Question::Batch),
        ];
        let events = questions.into_iter().filter_map(|(name, question)| {
            let mut variables = vec![("SENDS_TABLE", TABLE.to_owned())];
            variables.extend(surroundings.queue_variables());
            Some(Self { name, reference: None, question, program: Program::Event.path().ok()?, variables })
        });
        let one = |name, program: Program, reference| {
            let (variables, program) = (vec![(SENDS.0, SENDS.1.to_owned())], program.path().ok()?);
            Some(Self { name, reference, question: Question::OneEvent, program, variables })
        };
        let one = [
            one("(b) straight down, one event", Program::Straight, None),
            one("event-hook, one event", Program::Event, Some("(b) straight down, one event")),
        ];
        telephony.chain(one.into_iter().flatten()).chain(events).collect()
    }

    /// The function, ready to start. `program` stands for its own, if there is one.
    pub(crate) fn builder(&self, surroundings: &Surroundings, program: Option<&Path>) -> Builder {
        let variables = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        surroundings.function(program.unwrap_or(&self.program)).envs(variables)
    }

    /// The next event for it.
    pub(crate) fn event(&self, surroundings: &Surroundings, function: &Function) -> String {
        match self.question {
            Question::Code => surroundings.telephony(),
            Question::OneEvent => surroundings.one_event(),
            Question::Delivery { passwords, count } => {
                surroundings.empty_queue();
                surroundings.delivery(if passwords { PASSWORD } else { SMS }, count)
            }
            Question::Batch => surroundings.batch(function),
        }
    }
}
