//! `make account`: stand-ins of an AWS account, a Twilio account and an Okta org around both functions, as right after a
//! deployment. `make setup LOCAL=1` and the other commands of the tool work on them.
//!
//! Each line that a person enters is a sign-in: Okta asks the telephony hook that it knows for a code, the user types
//! it, and Okta delivers the event to the event hook that it knows.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use sandbox::{
    OktaOptions, Options, Sandbox, Status,
    aws_account::{self, Alarm, AwsAccount, LogGroup, Stack},
    deployment::TelephonyRequest,
    dynamodb::{DynamoDb, TABLE},
    events::{self as okta_events, Engine, SMS},
    front::Front,
    lambda::Function,
    okta_org::{Authenticator, Channel, OktaOrg},
    twilio_account::{TwilioAccount, VerifyApi},
};
use serde_json::{Value, json};

use crate::{
    error::Error,
    events::Waiter,
    terminal::{self, Terminal},
};

/// The variables that connect a program to the stand-ins. It is there while they run.
const FILE: &str = "target/local-account.env";

const SECRET_ARN: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:okta-twilio-HooksSecret-AbCdEf";
const ALARM: &str = "okta-twilio-SendFailuresAlarm";
const SECRET_TTL_SECONDS: &str = "5";
const FUNCTIONS: [(&str, &str, &str); 2] =
    [("TelephonyFunction", "telephony-hook", "/telephony"), ("EventFunction", "event-hook", "/events")];
const START_LIMIT: Duration = Duration::from_secs(20);
const APPROVAL_LIMIT: Duration = Duration::from_secs(5);

/// Everything that runs. The order is that in which it ends.
struct Account {
    _file: File,
    _front: Front,
    parties: Arc<Parties>,
    _twilio: TwilioAccount,
    _table: DynamoDb,
    _aws: Arc<AwsAccount>,
}

/// What a sign-in needs. The thread that waits for the keyboard keeps it until the process ends.
struct Parties {
    okta: OktaOrg,
    sandbox: Sandbox,
}

/// Runs until Ctrl-C.
pub(crate) fn run(waiter: &Waiter, terminal: Terminal) -> Result<(), Error> {
    let account = waiter.run(Account::start)??;
    for line in [
        "An AWS account, a Twilio account and an Okta org stand in here, as they are right after a deployment.",
        "Nothing is set up yet. In another terminal:",
    ] {
        terminal.say(line)?;
    }
    terminal.say(terminal.command("set both sides up", "make setup LOCAL=1 BRAND=\"Example\""))?;
    terminal.say(terminal.command("check everything", "make doctor LOCAL=1"))?;
    terminal.say(terminal.command("remove it again", "make teardown LOCAL=1"))?;
    terminal.say("Press Enter here for a sign-in, Ctrl-C to end.")?;
    for number in 0.. {
        let parties = Arc::clone(&account.parties);
        let lines = waiter.run(move || next_line().then(|| parties.sign_in(number, terminal)))?;
        match lines {
            Some(lines) => lines.iter().try_for_each(|line| terminal.say(line))?,
            // Nobody is at the keyboard. The stand-ins go on until Ctrl-C.
            None => {
                return waiter.run(|| {
                    loop {
                        thread::park();
                    }
                })?;
            }
        }
    }
    Ok(())
}

fn next_line() -> bool {
    io::stdin().read_line(&mut String::new()).is_ok_and(|length| length > 0)
}

impl Account {
    fn start() -> Result<Self, Error> {
        let options = Options::default();
        let (sandbox, table, twilio) = (Sandbox::start(options.clone()), DynamoDb::start(), TwilioAccount::start());
        twilio.change(|account| account.verify = Some(VerifyApi::new(&sandbox.http_url(), &options)));
        let okta = OktaOrg::start(OktaOptions::default());
        okta.change(|org| {
            let methods = vec![("sms", true), ("voice", true)];
            let id = "autsandbox000phone00".to_owned();
            org.authenticators = vec![Authenticator { id, key: "phone_number", is_active: true, methods }];
            org.features.insert("Event Hook Filtering".to_owned(), true);
        });
        let variables = [
            ("HOOKS_SECRET_ID", SECRET_ARN.to_owned()),
            ("SECRET_TTL_SECONDS", SECRET_TTL_SECONDS.to_owned()),
            ("SENDS_TABLE", TABLE.to_owned()),
            ("TWILIO_VERIFY_URL", twilio.url()),
        ];
        let okta_variables = [
            ("OKTA_ORG_URL", "https://example.okta.com".to_owned()),
            ("OKTA_API_URL", okta.url()),
            ("PHONE_SOURCE", "none".to_owned()),
        ];
        let aws = Arc::new(AwsAccount::start(stack(&variables, &okta_variables)));
        aws.change(|account| {
            // A deployment makes the caller's secret, and nothing else.
            let secret = json!({ "auth_secret": "the-secret-that-a-deployment-has-made" });
            account.secrets.insert(SECRET_ARN.to_owned(), Some(secret.to_string()));
            account.alarms.insert(ALARM.to_owned(), Alarm::default());
            for (_, name, _) in FUNCTIONS {
                let group = LogGroup { retention_days: Some(30), ..LogGroup::default() };
                account.log_groups.insert(log_group(name), group);
            }
        });
        let endpoints = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", aws.url()), ("AWS_ENDPOINT_URL_DYNAMODB", table.url())];
        let mut functions = Vec::new();
        for (_, name, path) in FUNCTIONS {
            functions.push((path, start_function(name, variables.iter().chain(&endpoints))?));
        }
        let logs = Arc::clone(&aws);
        let front = Front::start(functions, move |path, lines| {
            let name = FUNCTIONS.iter().find(|function| function.2 == path).map_or("", |function| function.1);
            logs.change(|account| account.log_groups.entry(log_group(name)).or_default().lines.extend(lines));
        });
        aws.change(|account| {
            if let Some(stack) = &mut account.stack {
                stack.outputs.insert("TelephonyUrl".to_owned(), front.url("/telephony"));
                stack.outputs.insert("EventsUrl".to_owned(), front.url("/events"));
            }
        });
        let file = File::write(&aws, &twilio, &okta)?;
        let parties = Arc::new(Parties { okta, sandbox });
        Ok(Self { _file: file, _front: front, parties, _twilio: twilio, _table: table, _aws: aws })
    }
}

impl Parties {
    /// What happens when a user signs in, line by line.
    fn sign_in(&self, number: usize, terminal: Terminal) -> Vec<String> {
        let telephony = self
            .okta
            .change(|org| org.inline_hooks.iter().find(|hook| hook.is_active).map(|hook| hook.channel.clone()));
        let events = self.okta.change(|org| {
            org.event_hooks.iter().find(|hook| hook.is_active && hook.is_verified).map(|hook| hook.channel.clone())
        });
        let Some(telephony) = telephony else {
            let what = "Okta has no telephony hook yet: run `make setup LOCAL=1 BRAND=\"Example\"` in another terminal";
            return vec![terminal.bad(what)];
        };
        let (user, code) = (format!("00u{number:017}"), format!("{:06}", 100_000 + number * 7_919 % 900_000));
        let phone = format!("+1202555{:04}", 100 + number % 100);
        let request = TelephonyRequest::sms(&phone, &code).with("/data/userProfile/userId", user.as_str());
        let before = self.sandbox.messages().len();
        let status = post(&telephony, request.body());
        let mut lines =
            vec![terminal.row("Okta asks", format!("telephony-hook, which responds with {}", words(status)))];
        let messages = self.sandbox.messages();
        let Some(message) = messages.get(before) else {
            lines.push(terminal.bad("No code arrived: `make doctor LOCAL=1` says why"));
            return lines;
        };
        lines.push(terminal::phone(terminal, message));
        let Some(events) = events else {
            lines
                .push(terminal.bad("Okta has no verified event hook, so Twilio does not hear that the code was right"));
            return lines;
        };
        let mut okta = okta_events::Okta::new(number as u64, now());
        let event = okta.authentication(Engine::Identity, SMS, &user).into_json();
        let body = okta_events::envelope("b5a188b9-5ec5-4636-8c5e-7eeadf2ba5e2", &[event], now());
        let status = post(&events, &body);
        lines.push(terminal.row("Okta tells", format!("event-hook, which responds with {}", words(status))));
        let is_approved = |sandbox: &Sandbox| {
            sandbox.verifications().last().is_some_and(|verification| verification.status == Status::Approved)
        };
        self.sandbox.wait_until(APPROVAL_LIMIT, is_approved);
        lines.push(if is_approved(&self.sandbox) {
            terminal.good("Twilio has the verification as approved")
        } else {
            terminal.bad("Twilio has the verification as pending: `make doctor LOCAL=1` says why")
        });
        lines
    }
}

fn stack(variables: &[(&str, String)], okta: &[(&str, String)]) -> Stack {
    let own = |pairs: &[(&str, String)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let function = |(id, name, _): (&str, &str, &str)| {
        let more = if id == "EventFunction" { own(okta) } else { BTreeMap::new() };
        let function = aws_account::Function {
            name: format!("okta-twilio-{name}"),
            variables: own(variables).into_iter().chain(more).collect(),
            timeout: if id == "EventFunction" { 30 } else { 5 },
            memory_size: 512,
            architecture: "arm64".to_owned(),
            log_group: log_group(name),
            application_log_level: Some("TRACE".to_owned()),
        };
        (id.to_owned(), function)
    };
    Stack {
        name: "okta-twilio".to_owned(),
        status: "CREATE_COMPLETE".to_owned(),
        outputs: [("HooksSecretArn".to_owned(), SECRET_ARN.to_owned())].into(),
        functions: FUNCTIONS.into_iter().map(function).collect(),
        resources: vec![("SendFailuresAlarm".to_owned(), "AWS::CloudWatch::Alarm".to_owned(), ALARM.to_owned())],
    }
}

fn log_group(function: &str) -> String {
    format!("/aws/lambda/okta-twilio-{function}")
}

fn start_function<'a>(
    name: &'static str,
    variables: impl Iterator<Item = &'a (&'static str, String)>,
) -> Result<Function, Error> {
    let program = std::env::current_exe().map_err(|source| Error::Start { name, source })?.with_file_name(name);
    let function = Function::builder(program).envs(variables.cloned()).spawn();
    match function.wait_until_ready(START_LIMIT) {
        Ok(_) => Ok(function),
        Err(_) => Err(Error::NotReady { name, limit: START_LIMIT, output: function.output() }),
    }
}

/// Sends what Okta sends. `None`: there was no response.
fn post(channel: &Channel, body: &Value) -> Option<u16> {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let header = channel.header.as_deref().unwrap_or("authorization");
    let request = agent.post(&channel.uri).header(header, &channel.secret).header("content-type", "application/json");
    request.send(body.to_string()).ok().map(|response| response.status().as_u16())
}

fn words(status: Option<u16>) -> String {
    status.map_or_else(|| "nothing".to_owned(), |status| status.to_string())
}

#[expect(clippy::disallowed_methods, reason = "the time of an event that happens now")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// The file with the variables. It goes when the stand-ins end.
struct File(PathBuf);

impl File {
    fn write(aws: &AwsAccount, twilio: &TwilioAccount, okta: &OktaOrg) -> Result<Self, Error> {
        let path = Path::new(FILE).to_owned();
        let error = |source| Error::File { path: path.clone(), source };
        let (account_sid, auth_token) = twilio.change(|account| (account.sid.clone(), account.auth_token.clone()));
        let mut variables = aws.variables().to_vec();
        variables.extend([
            ("STACK", "okta-twilio".to_owned()),
            ("TWILIO_API_URL", twilio.url()),
            ("TWILIO_IAM_URL", twilio.url()),
            ("TWILIO_ACCOUNT_SID", account_sid),
            ("TWILIO_AUTH_TOKEN", auth_token),
            ("OKTA_API_TOKEN", okta.change(|org| org.options.api_token.clone())),
        ]);
        let lines: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = fs::remove_file(&path);
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all((lines.join("\n") + "\n").as_bytes())).map_err(error)?;
        Ok(Self(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
