//! Checks of the AWS account and of the stack.

use okta_twilio::secrets::SecretError;

use crate::doctor::{check::Check, facts::Facts, report::Report};

/// Checks A1 to A9.
pub(crate) fn check(facts: &Facts, report: &mut Report<'_>) {
    identity(facts, report);
    stack(facts, report);
    hooks_secret(facts, report);
}

fn identity(facts: &Facts, report: &mut Report<'_>) {
    match &facts.account {
        Ok(account) => report.ok(Check::Identity, format!("account {account}")),
        Err(error) => report.fail(
            Check::Identity,
            error.to_string(),
            "Nothing of the stack can be read.",
            "Sign in to the account of the stack, and run this command again.",
        ),
    }
}

fn stack(facts: &Facts, report: &mut Report<'_>) {
    let check = Check::Stack;
    match &facts.stack {
        Ok(Some(stack)) if stack.status.contains("ROLLBACK") || stack.status.contains("FAILED") => report.fail(
            check,
            format!("{} is in {}", stack.name, stack.status),
            "The last deployment failed. The functions run as before it, or not at all.",
            "Read the stack's events in the CloudFormation console, fix the cause, and run `make deploy`.",
        ),
        Ok(Some(stack)) => report.ok(check, format!("{} is in {}", stack.name, stack.status)),
        Ok(None) => report.fail(
            check,
            "there is no stack of this name in this region",
            "The name or the region is wrong, or nothing was deployed.",
            "Give --stack and --region, or run `make deploy`.",
        ),
        Err(error) if facts.account.is_err() => report.skip(check, error.to_string()),
        Err(error) => report.fail(check, error.to_string(), "Nothing of the stack can be read.", ""),
    }
}

fn hooks_secret(facts: &Facts, report: &mut Report<'_>) {
    const MEANS: &str = "The hooks answer 503, and Okta sends its codes by itself.";
    let check = Check::HooksSecret;
    match (&facts.hooks_text, facts.hooks_secret()) {
        (_, Some(Ok(_secret))) => report.ok(check, "every field can be used"),
        (_, Some(Err(error))) => report.fail(check, error.to_string(), MEANS, advice(error)),
        (Err(error), None) => report.skip(check, error.to_string()),
        (Ok(_), None) if !matches!(facts.stack, Ok(Some(_))) => report.skip(check, "there is no stack"),
        (Ok(_), None) => report.fail(check, SecretError::NotFound.to_string(), MEANS, advice(SecretError::NotFound)),
    }
}

fn advice(error: SecretError) -> &'static str {
    match error {
        SecretError::Unusable(_) => "Store the field again with `make secrets`. docs/set-up.md describes each field.",
        _ => "Store the secret with `make secrets`.",
    }
}
