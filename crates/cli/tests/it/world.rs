//! A healthy set-up, and the program that looks at it.

use std::{collections::BTreeMap, path::Path, process::Command, sync::Arc, time::Duration};

use sandbox::{
    OktaOptions, ServiceAppKey,
    aws_account::{Alarm, AwsAccount, Function, LogGroup, Queue, Stack, queue_url},
    front::Front,
    okta_org::{Authenticator, Channel, EventHook, InlineHook, OktaOrg},
    twilio_account::{Key, Power, Service, TwilioAccount},
};
use serde_json::{Value, json};

pub(crate) const HOOKS_SECRET_ARN: &str =
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:HooksSecret-EXAMPLE-AbCdEf";

pub(crate) const QUEUE: &str = "okta-twilio-FeedbackQueue-EXAMPLE.fifo";
pub(crate) const DEAD_LETTERS: &str = "okta-twilio-FeedbackDeadLetterQueue-EXAMPLE.fifo";
pub(crate) const ALARM: &str = "okta-twilio-SendFailuresAlarm-EXAMPLE";
pub(crate) const TELEPHONY_LOG: &str = "okta-twilio-TelephonyLogGroup-EXAMPLE";
pub(crate) const EVENT_LOG: &str = "okta-twilio-EventLogGroup-EXAMPLE";

pub(crate) const KEY: &str = "SK00000000000000000000000000000001";
pub(crate) const SERVICE: &str = "VA00000000000000000000000000000001";

pub(crate) const OKTA_SECRET_ARN: &str =
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:OktaSecret-EXAMPLE-AbCdEf";

/// Everything around the program.
pub(crate) struct World {
    pub(crate) aws: Arc<AwsAccount>,
    pub(crate) twilio: TwilioAccount,
    pub(crate) okta: Arc<OktaOrg>,
    /// The variables of the program, besides those for AWS.
    pub(crate) environment: BTreeMap<&'static str, String>,
    /// The gateway with the real functions, if they run.
    pub(crate) front: Option<Front>,
}

/// What the program printed.
pub(crate) struct Output {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// A set-up in which all is well.
    pub(crate) fn healthy() -> Self {
        let aws = Arc::new(AwsAccount::start(stack()));
        aws.change(|account| {
            account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(hooks_secret().to_string()));
            let queue = Queue { dead_letter_queue: Some(DEAD_LETTERS.to_owned()), ..Queue::default() };
            account.queues.extend([(QUEUE.to_owned(), queue), (DEAD_LETTERS.to_owned(), Queue::default())]);
            account.alarms.insert(ALARM.to_owned(), Alarm::default());
            let group = LogGroup { retention_days: Some(30), ..LogGroup::default() };
            account.log_groups.extend([TELEPHONY_LOG, EVENT_LOG].map(|name| (name.to_owned(), group.clone())));
        });
        let twilio = twilio_account();
        let (account_sid, auth_token) = twilio.change(|account| (account.sid.clone(), account.auth_token.clone()));
        let okta = Arc::new(okta_org(&aws));
        let environment = [
            ("OKTA_API_TOKEN", okta.change(|org| org.options.api_token.clone())),
            ("TWILIO_API_URL", twilio.url()),
            ("TWILIO_IAM_URL", twilio.url()),
            ("TWILIO_ACCOUNT_SID", account_sid),
            ("TWILIO_AUTH_TOKEN", auth_token),
        ];
        let world = Self { aws, twilio, okta, environment: environment.into(), front: None };
        world.set_variable("HOOKS_SECRET_ID", HOOKS_SECRET_ARN);
        world.set_variable("SENDS_TABLE", "sends");
        world.set_variable("FEEDBACK_QUEUE_URL", &queue_url(QUEUE));
        world.set_variable("TWILIO_VERIFY_URL", &world.twilio.url());
        world.set_event_variable("OKTA_ORG_URL", "https://example.okta.com");
        world.set_event_variable("OKTA_API_URL", &world.okta.url());
        world.set_event_variable("OKTA_SECRET_ID", OKTA_SECRET_ARN);
        world
    }

    /// The same, with the real functions behind the gateway's URLs. Their log lines are in the log groups.
    pub(crate) fn with_hooks() -> Self {
        Self::with_functions(&[])
    }

    /// The same, with these variables of the functions' processes.
    pub(crate) fn with_functions(variables: &[(&str, String)]) -> Self {
        Self::healthy().with_processes(variables)
    }

    /// Starts the real functions, with these variables of their processes.
    pub(crate) fn with_processes(mut self, variables: &[(&str, String)]) -> Self {
        let functions = ["telephony-hook", "event-hook"].map(|name| self.start(name, variables));
        let (aws, [telephony, events]) = (Arc::clone(&self.aws), functions);
        let front = Front::start([("/telephony", telephony), ("/events", events)], move |path, lines| {
            let group = if path == "/telephony" { TELEPHONY_LOG } else { EVENT_LOG };
            aws.change(|account| account.log_groups.get_mut(group).unwrap().lines.extend(lines));
        });
        self.aws.change(|account| {
            let outputs = &mut account.stack.as_mut().unwrap().outputs;
            outputs.insert("TelephonyUrl".to_owned(), front.url("/telephony"));
            outputs.insert("EventsUrl".to_owned(), front.url("/events"));
        });
        self.okta.change(|org| {
            org.inline_hooks[0].channel.uri = front.url("/telephony");
            org.event_hooks[0].channel.uri = front.url("/events");
        });
        self.front = Some(front);
        self
    }

    /// Starts a function as Lambda would. It has no queue: nothing here delivers the messages of one.
    fn start(&self, name: &str, more: &[(&str, String)]) -> sandbox::lambda::Function {
        let program = Path::new(env!("CARGO_BIN_EXE_okta-twilio")).with_file_name(name);
        assert!(program.exists(), "{} is missing: run `cargo build --workspace` first", program.display());
        let variables = [
            ("HOOKS_SECRET_ID", HOOKS_SECRET_ARN.to_owned()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.aws.url()),
            ("TWILIO_VERIFY_URL", self.twilio.url()),
            ("SENDS_TABLE", "sends".to_owned()),
        ];
        let builder = sandbox::lambda::Function::builder(program).envs(variables).envs(more.iter().cloned());
        let function = builder.spawn();
        function.wait_until_ready(Duration::from_secs(20)).unwrap();
        function
    }

    /// Writes a line into the log of a function, as it would have so many seconds ago.
    pub(crate) fn log(&self, group: &str, seconds_ago: i64, mut line: Value) {
        let now = okta_twilio::time::clock::Clock::system().now();
        let time = okta_twilio::time::clock::Timestamp::from_millis(now.as_millis() - seconds_ago * 1_000);
        line["timestamp"] = time.to_rfc3339().into();
        self.aws.change(|account| account.log_groups.get_mut(group).unwrap().lines.push(line.to_string()));
    }

    /// Sets a variable of both functions.
    pub(crate) fn set_variable(&self, name: &str, value: &str) {
        self.aws.change(|account| {
            for function in account.stack.as_mut().unwrap().functions.values_mut() {
                function.variables.insert(name.to_owned(), value.to_owned());
            }
        });
    }

    /// Sets a variable of event-hook.
    pub(crate) fn set_event_variable(&self, name: &str, value: &str) {
        self.aws.change(|account| {
            let function = account.stack.as_mut().unwrap().functions.get_mut("EventFunction").unwrap();
            function.variables.insert(name.to_owned(), value.to_owned());
        });
    }

    /// Sets the value of the Okta secret.
    pub(crate) fn set_okta_secret(&self, value: &Value) {
        self.aws.change(|account| account.secrets.insert(OKTA_SECRET_ARN.to_owned(), Some(value.to_string())));
    }

    /// Runs the program with text and JSON, and looks for private values of this world and others in all it prints.
    pub(crate) fn assert_no_leak(&self, arguments: &[&str], others: &[&str]) {
        let secret = hooks_secret();
        let mut private: Vec<String> = others.iter().map(|&text| text.to_owned()).collect();
        private.extend(["auth_secret", "twilio_api_key_secret"].map(|name| secret[name].as_str().unwrap().to_owned()));
        private.extend(["OKTA_API_TOKEN", "TWILIO_AUTH_TOKEN", "AWS_SECRET_ACCESS_KEY"].into_iter().filter_map(
            |name| {
                let aws = self.aws.variables().into_iter().find(|(found, _)| *found == name).map(|(_, value)| value);
                self.environment.get(name).cloned().or(aws)
            },
        ));
        // What the other systems write into their messages.
        private.extend(
            [
                "which nobody must see",
                "Private Name",
                "private.login",
                "Name of a hook",
                "203.0.113",
                "2025550",
                "Authenticate",
            ]
            .map(str::to_owned),
        );
        for form in [&[][..], &["--json"], &["--plain"]] {
            let output = self.run(&[arguments, form].concat());
            for text in &private {
                let is_found = output.stdout.contains(text) || output.stderr.contains(text);
                assert!(!is_found, "{text}: {}{}", output.stdout, output.stderr);
            }
        }
    }

    /// The program, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-twilio"));
        command.args(arguments).env_clear().envs(self.aws.variables()).envs(&self.environment);
        command
    }

    /// Runs the program.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Output { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Runs the program with `--json`.
    pub(crate) fn run_json(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--json"]].concat());
        let json = serde_json::from_str(&output.stdout);
        (output.status, json.unwrap_or_else(|_| panic!("no JSON: {}{}", output.stdout, output.stderr)))
    }
}

fn stack() -> Stack {
    let function = |name: &str, timeout: u64, log_group: &str| Function {
        name: format!("okta-twilio-{name}-EXAMPLE"),
        variables: BTreeMap::new(),
        timeout,
        memory_size: 512,
        architecture: "arm64".to_owned(),
        log_group: log_group.to_owned(),
        application_log_level: Some("TRACE".to_owned()),
    };
    let (queue, dead_letters) = (queue_url(QUEUE), queue_url(DEAD_LETTERS));
    let outputs = [
        ("HooksSecretArn", HOOKS_SECRET_ARN),
        ("TelephonyUrl", "http://127.0.0.1:1/telephony"),
        ("EventsUrl", "http://127.0.0.1:1/events"),
        ("FeedbackQueueUrl", &queue),
        ("FeedbackDeadLetterQueueUrl", &dead_letters),
    ];
    let functions = [
        ("TelephonyFunction", function("TelephonyFunction", 5, TELEPHONY_LOG)),
        ("EventFunction", function("EventFunction", 30, EVENT_LOG)),
    ];
    let resource = |id: &str, kind: &str, physical: &str| (id.to_owned(), kind.to_owned(), physical.to_owned());
    Stack {
        name: "okta-twilio".to_owned(),
        status: "UPDATE_COMPLETE".to_owned(),
        outputs: outputs.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        functions: functions.map(|(id, function)| (id.to_owned(), function)).into(),
        resources: vec![
            resource("SendFailuresAlarm", "AWS::CloudWatch::Alarm", ALARM),
            resource("FeedbackQueue", "AWS::SQS::Queue", &queue),
        ],
    }
}

/// An org with both hooks at the URLs of the stack, and a service app whose key is in the Okta secret.
fn okta_org(aws: &AwsAccount) -> OktaOrg {
    let key = ServiceAppKey::p256("key-1");
    let options = OktaOptions { public_keys: vec![key.public_jwk()], ..OktaOptions::default() };
    let secret = json!({
        "okta_client_id": options.client_id,
        "okta_private_key": key.private_jwk().to_string(),
        "okta_key_id": "key-1",
    });
    aws.change(|account| account.secrets.insert(OKTA_SECRET_ARN.to_owned(), Some(secret.to_string())));
    let channel = |output: &str| Channel {
        uri: aws.change(|account| account.stack.as_ref().unwrap().outputs[output].clone()),
        header: Some("auth_secret".to_owned()),
        secret: hooks_secret()["auth_secret"].as_str().unwrap().to_owned(),
    };
    let org = OktaOrg::start(options);
    org.change(|org| {
        org.inline_hooks = vec![InlineHook {
            id: "calsandbox0telephony".to_owned(),
            name: "Name of a hook".to_owned(),
            kind: "com.okta.telephony.provider".to_owned(),
            is_active: true,
            channel: channel("TelephonyUrl"),
        }];
        org.event_hooks = vec![EventHook {
            id: "whosandbox000events0".to_owned(),
            name: "Name of a hook".to_owned(),
            is_active: true,
            is_verified: true,
            events: ["user.authentication.auth_via_mfa", "user.mfa.factor.activate"].map(str::to_owned).into(),
            filters: vec![],
            channel: channel("EventsUrl"),
        }];
        org.authenticators = vec![Authenticator {
            id: "autsandbox000phone00".to_owned(),
            key: "phone_number",
            is_active: true,
            methods: vec![("sms", true), ("voice", true)],
        }];
    });
    org
}

/// An account with a service that fits the hooks, and a key that can do just what they need.
fn twilio_account() -> TwilioAccount {
    let twilio = TwilioAccount::start();
    twilio.change(|account| {
        let service = Service { custom_code_enabled: true, ..Service::default() };
        account.services.insert(SERVICE.to_owned(), service);
        let power = Power::restricted(&["/twilio/verify/verification/create", "/twilio/verify/verification/update"]);
        let secret = hooks_secret()["twilio_api_key_secret"].as_str().unwrap().to_owned();
        account.keys.insert(KEY.to_owned(), Key { secret, friendly_name: "okta-twilio".to_owned(), power });
    });
    twilio
}

/// A hooks secret that the functions would accept.
pub(crate) fn hooks_secret() -> Value {
    json!({
        "auth_secret": "an-example-of-a-caller-secret",
        "twilio_api_key_sid": KEY,
        "twilio_api_key_secret": "an-example-of-an-api-key-secret",
        "verify_service_sid": SERVICE,
    })
}

/// The status of one check, and the whole report.
pub(crate) fn check(world: &World, id: &str) -> (String, Value) {
    let (exit, report) = world.run_json(&["doctor", "--only", id]);
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 1, "{report}");
    let status = checks[0]["status"].as_str().unwrap().to_owned();
    assert_eq!(exit, i32::from(status == "fail"), "{report}");
    (status, report)
}

/// A check says ok in a healthy world, and something else after a change. Returns the report after it.
pub(crate) fn finds(id: &str, expected: &str, change: impl FnOnce(&World)) -> Value {
    let world = World::healthy();
    let (status, report) = check(&world, id);
    assert_eq!(status, "ok", "{report}");
    change(&world);
    let (status, report) = check(&world, id);
    assert_eq!(status, expected, "{report}");
    report
}
