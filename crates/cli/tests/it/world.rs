//! A healthy set-up, and the program that looks at it.

use std::{collections::BTreeMap, process::Command};

use sandbox::aws_account::{AwsAccount, Function, Stack};
use serde_json::{Value, json};

pub(crate) const HOOKS_SECRET_ARN: &str =
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:HooksSecret-EXAMPLE-AbCdEf";

/// Everything around the program.
pub(crate) struct World {
    pub(crate) aws: AwsAccount,
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
        Self { aws }
    }

    /// Runs the program.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-twilio"));
        command.args(arguments).env_clear().envs(self.aws.variables());
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
        outputs: [("HooksSecretArn", HOOKS_SECRET_ARN)].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        functions: [("TelephonyFunction", "telephony-hook"), ("EventFunction", "event-hook")]
            .map(|(id, name)| (id.to_owned(), function(name)))
            .into(),
        resources: vec![],
    }
}

/// A hooks secret that the functions would accept.
pub(crate) fn hooks_secret() -> Value {
    json!({
        "auth_secret": "an-example-of-a-caller-secret",
        "twilio_api_key_sid": "SK00000000000000000000000000000001",
        "twilio_api_key_secret": "an-example-of-an-api-key-secret",
        "verify_service_sid": "VA00000000000000000000000000000001",
    })
}
