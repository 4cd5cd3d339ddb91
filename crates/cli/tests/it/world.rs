//! A healthy set-up, and the program that looks at it.

use std::{collections::BTreeMap, process::Command};

use sandbox::{
    OktaOptions, ServiceAppKey,
    aws_account::{AwsAccount, Function, Stack},
    okta_org::{Authenticator, Channel, EventHook, InlineHook, OktaOrg},
    twilio_account::{Key, Power, Service, TwilioAccount},
};
use serde_json::{Value, json};

pub(crate) const HOOKS_SECRET_ARN: &str =
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:HooksSecret-EXAMPLE-AbCdEf";

pub(crate) const KEY: &str = "SK00000000000000000000000000000001";
pub(crate) const SERVICE: &str = "VA00000000000000000000000000000001";

pub(crate) const OKTA_SECRET_ARN: &str =
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:OktaSecret-EXAMPLE-AbCdEf";

/// Everything around the program.
pub(crate) struct World {
    pub(crate) aws: AwsAccount,
    pub(crate) twilio: TwilioAccount,
    pub(crate) okta: OktaOrg,
    /// The variables of the program, besides those for AWS.
    pub(crate) environment: BTreeMap<&'static str, String>,
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
        let aws = AwsAccount::start(stack());
        aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(hooks_secret().to_string())));
        let twilio = twilio_account();
        let (account_sid, auth_token) = twilio.change(|account| (account.sid.clone(), account.auth_token.clone()));
        let okta = okta_org(&aws);
        let environment = [
            ("OKTA_API_TOKEN", okta.change(|org| org.options.api_token.clone())),
            ("TWILIO_API_URL", twilio.url()),
            ("TWILIO_IAM_URL", twilio.url()),
            ("TWILIO_ACCOUNT_SID", account_sid),
            ("TWILIO_AUTH_TOKEN", auth_token),
        ];
        let world = Self { aws, twilio, okta, environment: environment.into() };
        world.set_variable("HOOKS_SECRET_ID", HOOKS_SECRET_ARN);
        world.set_variable("TWILIO_VERIFY_URL", &world.twilio.url());
        world.set_event_variable("OKTA_ORG_URL", "https://example.okta.com");
        world.set_event_variable("OKTA_API_URL", &world.okta.url());
        world.set_event_variable("OKTA_SECRET_ID", OKTA_SECRET_ARN);
        world
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

    /// Runs the program.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-twilio"));
        command.args(arguments).env_clear().envs(self.aws.variables()).envs(&self.environment);
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
    let function = |name: &str| Function {
        name: format!("okta-twilio-{name}-EXAMPLE"),
        variables: BTreeMap::new(),
        timeout: 30,
        memory_size: 256,
        architecture: "arm64".to_owned(),
        log_group: format!("/aws/lambda/okta-twilio-{name}"),
        application_log_level: None,
    };
    Stack {
        name: "okta-twilio".to_owned(),
        status: "UPDATE_COMPLETE".to_owned(),
        outputs: [
            ("HooksSecretArn", HOOKS_SECRET_ARN),
            ("TelephonyUrl", "https://hooks.example.com/telephony"),
            ("EventsUrl", "https://hooks.example.com/events"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
        functions: [("TelephonyFunction", "telephony-hook"), ("EventFunction", "event-hook")]
            .map(|(id, name)| (id.to_owned(), function(name)))
            .into(),
        resources: vec![],
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
