//! `okta-twilio permissions`: the least that each command needs.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;

use crate::{failure::Failure, terminal::Terminal};

/// The options of `permissions`.
#[derive(Debug, Args)]
pub(crate) struct PermissionsOptions {
    /// The command that the permissions are for
    #[arg(value_enum)]
    command: Permitted,
}

/// A command that needs permissions.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Permitted {
    /// Check a set-up
    Doctor,
    /// Explain why a user got no code
    Explain,
    /// Report cost, use and suspected pumping
    Report,
    /// Pause sending
    Pause,
    /// End a pause
    Resume,
    /// Put dead letters back
    Redrive,
    /// Set Twilio and Okta up
    Setup,
    /// Remove what setup has made
    Teardown,
    /// Replace the caller's secret, Twilio's key or Okta's key
    Rotate,
}

/// What a command needs at each of the three.
#[derive(Debug, Serialize)]
struct Permissions {
    /// IAM actions.
    aws: &'static [&'static str],
    /// OAuth scopes. An API token needs a role with the same rights.
    okta: &'static [&'static str],
    /// The policy of a restricted API key.
    twilio: &'static [&'static str],
}

const STACK: [&str; 2] = ["cloudformation:DescribeStacks", "cloudformation:ListStackResources"];
const LOG_LINES: [&str; 2] = ["logs:GetQueryResults", "logs:StartQuery"];

const DOCTOR: Permissions = Permissions {
    aws: &[
        STACK[0],
        STACK[1],
        "cloudwatch:DescribeAlarms",
        "lambda:GetFunctionConfiguration",
        "logs:DescribeLogGroups",
        LOG_LINES[0],
        LOG_LINES[1],
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sts:GetCallerIdentity",
    ],
    okta: &[
        "okta.authenticators.read",
        "okta.customTelephonyProvider.read",
        "okta.eventHooks.read",
        "okta.inlineHooks.manage",
        "okta.logs.read",
        "okta.users.read",
    ],
    twilio: &[
        "/twilio/iam/accounts/read",
        "/twilio/iam/api-keys/read",
        "/twilio/verify/bucket/list",
        "/twilio/verify/rate-limit/list",
        "/twilio/verify/service/read",
        "/twilio/verify/verification-template/list",
    ],
};

const ROTATE: Permissions = Permissions {
    aws: &[
        STACK[0],
        STACK[1],
        "lambda:GetFunctionConfiguration",
        LOG_LINES[0],
        LOG_LINES[1],
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:TagResource",
        "secretsmanager:UpdateSecretVersionStage",
    ],
    okta: &["okta.apps.manage", "okta.eventHooks.manage", "okta.inlineHooks.manage", "okta.users.read"],
    twilio: &[
        "/twilio/iam/api-keys/create",
        "/twilio/iam/api-keys/delete",
        "/twilio/iam/api-keys/read",
        "/twilio/verify/service/read",
    ],
};

const SETUP: Permissions = Permissions {
    aws: &[
        STACK[0],
        STACK[1],
        "lambda:GetFunctionConfiguration",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:TagResource",
        "secretsmanager:UntagResource",
        "secretsmanager:UpdateSecretVersionStage",
    ],
    okta: &[
        "okta.apiTokens.manage",
        "okta.appGrants.manage",
        "okta.apps.manage",
        "okta.authenticators.read",
        "okta.customTelephonyProvider.manage",
        "okta.eventHooks.manage",
        "okta.features.read",
        "okta.inlineHooks.manage",
        "okta.roles.manage",
        "okta.users.read",
    ],
    twilio: &[
        "/twilio/iam/api-keys/create",
        "/twilio/iam/api-keys/delete",
        "/twilio/iam/api-keys/read",
        "/twilio/verify/bucket/create",
        "/twilio/verify/bucket/list",
        "/twilio/verify/rate-limit/create",
        "/twilio/verify/rate-limit/list",
        "/twilio/verify/service/create",
        "/twilio/verify/service/list",
        "/twilio/verify/service/read",
        "/twilio/verify/service/update",
    ],
};

const TEARDOWN: Permissions = Permissions {
    aws: &[
        STACK[0],
        STACK[1],
        "lambda:GetFunctionConfiguration",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
        "secretsmanager:PutSecretValue",
        "secretsmanager:TagResource",
        "secretsmanager:UntagResource",
        "secretsmanager:UpdateSecretVersionStage",
    ],
    okta: &[
        "okta.apps.manage",
        "okta.customTelephonyProvider.manage",
        "okta.eventHooks.manage",
        "okta.inlineHooks.manage",
        "okta.roles.manage",
    ],
    twilio: &[
        "/twilio/iam/api-keys/delete",
        "/twilio/iam/api-keys/read",
        "/twilio/verify/service/delete",
        "/twilio/verify/service/list",
        "/twilio/verify/service/read",
    ],
};

impl Permitted {
    fn permissions(self) -> Permissions {
        match self {
            Self::Doctor => DOCTOR,
            Self::Explain => Permissions {
                aws: &[STACK[0], STACK[1], "lambda:GetFunctionConfiguration", LOG_LINES[0], LOG_LINES[1]],
                okta: &["okta.logs.read", "okta.users.read"],
                twilio: &["/twilio/verify/verification-attempt/list", "/twilio/verify/verification-attempt/read"],
            },
            Self::Report => Permissions {
                aws: &[
                    STACK[0],
                    STACK[1],
                    "lambda:GetFunctionConfiguration",
                    LOG_LINES[0],
                    LOG_LINES[1],
                    "secretsmanager:GetSecretValue",
                    "sts:GetCallerIdentity",
                ],
                okta: &[],
                twilio: &["/twilio/verify/verification-attempt/list"],
            },
            Self::Pause | Self::Resume => Permissions {
                aws: &[
                    STACK[0],
                    STACK[1],
                    "secretsmanager:GetSecretValue",
                    "secretsmanager:PutSecretValue",
                    "secretsmanager:UpdateSecretVersionStage",
                ],
                okta: &[],
                twilio: &[],
            },
            Self::Setup => SETUP,
            Self::Teardown => TEARDOWN,
            Self::Rotate => ROTATE,
            Self::Redrive => Permissions {
                aws: &[
                    STACK[0],
                    STACK[1],
                    "sqs:DeleteMessage",
                    "sqs:GetQueueAttributes",
                    "sqs:GetQueueUrl",
                    "sqs:ReceiveMessage",
                    "sqs:SendMessage",
                ],
                okta: &[],
                twilio: &[],
            },
        }
    }
}

/// Prints the IAM policy, the scopes and the key's policy.
///
/// # Errors
/// Fails if standard output cannot be written.
pub(crate) fn run(options: &PermissionsOptions, terminal: Terminal) -> Result<ExitCode, Failure> {
    let Permissions { aws, okta, twilio } = options.command.permissions();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": aws, "Resource": "*"}],
    });
    if terminal.is_json() {
        terminal.print_json(&json!({"aws": policy, "okta": okta, "twilio": {"allow": twilio}}))?;
        return Ok(ExitCode::SUCCESS);
    }
    terminal.print(&Terminal::heading(
        "AWS: an IAM policy. Narrow Resource to the stack's resources where your rules ask for it.",
    ))?;
    terminal.print_json(&policy)?;
    if !okta.is_empty() {
        terminal.print(&Terminal::heading("Okta: OAuth scopes, with an admin role that includes them"))?;
        terminal.print(&okta.join("\n"))?;
    }
    if !twilio.is_empty() {
        terminal.print(&Terminal::heading("Twilio: the policy of a restricted API key"))?;
        terminal.print_json(&json!({ "allow": twilio }))?;
    }
    Ok(ExitCode::SUCCESS)
}
