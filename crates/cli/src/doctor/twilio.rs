//! The checks of the Twilio account and the Verify service.

use okta_twilio::{
    config::{CommonConfig, ConfigError, Variables},
    id::Sid,
    otp::config::SendConfig,
    phone::Channel,
    secrets::TwilioCredentials,
};

use crate::{
    doctor::{check::Check, facts::Facts, report::Report},
    environment::Environment,
    stack::Hook,
    twilio::{
        Addresses, Twilio, TwilioError, credentials_of_environment,
        keys::{self, Key},
        services::{AccountKind, AccountStatus, Bucket, Service, Template},
    },
};

const CHECKS: [Check; 8] = [
    Check::TwilioKey,
    Check::TwilioAccount,
    Check::CustomCodes,
    Check::VerifyService,
    Check::RateLimits,
    Check::KeyPower,
    Check::MessageTemplate,
    Check::Whatsapp,
];

const SERVICE_PAGE: &str = "Twilio Console, Verify, Services";

/// Advice for reading what the functions' own key may not read.
const READER: &str =
    "to read more, set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET";

/// What all checks share.
struct Subject {
    /// The functions' own credentials.
    own: Twilio,
    /// The credentials of this program's environment.
    other: Option<Twilio>,
    service: Sid,
    config: Option<SendConfig>,
    uses_lookup: bool,
}

impl Subject {
    /// The credentials to read settings with.
    fn reader(&self) -> &Twilio {
        self.other.as_ref().unwrap_or(&self.own)
    }
}

/// Runs the selected checks.
pub(super) async fn check(facts: &Facts, environment: &Environment, report: &mut Report<'_>) {
    if !CHECKS.iter().any(|check| report.includes(*check)) {
        return;
    }
    let subject = match subject(facts, environment) {
        Ok(subject) => subject,
        Err(why) => {
            for check in CHECKS {
                report.skip(check, why.clone());
            }
            return;
        }
    };
    key(&subject, report).await;
    let service = subject.reader().service(&subject.service).await;
    account(&subject, service.as_ref().ok(), report).await;
    match &service {
        Ok(service) => settings(&subject, service, report),
        Err(error) => {
            for check in [Check::CustomCodes, Check::VerifyService] {
                unreadable(check, error, report);
            }
        }
    }
    rate_limits(&subject, report).await;
    key_power(&subject, report).await;
    template(&subject, report).await;
    whatsapp(&subject, &service, report);
}

fn subject(facts: &Facts, environment: &Environment) -> Result<Subject, String> {
    let Some(Ok(secret)) = facts.hooks_secret() else {
        return Err("the hooks secret cannot be used: see A3".to_owned());
    };
    let (hook, function) = facts.functions().next().ok_or("no function could be read: see A2")?;
    let lookup = |name: &str| function.variable(name);
    let variables = Variables::new(&lookup);
    let unusable = |error: ConfigError| format!("{} cannot start: {error}", hook.name());
    let verify = CommonConfig::from_variables(&variables).map_err(unusable)?.verify_url;
    let addresses = Addresses::new(verify).map_err(|error| error.to_string())?;
    let telephony = facts.function(Hook::Telephony);
    let config = telephony
        .and_then(|function| SendConfig::from_variables(&Variables::new(&|name| function.variable(name))).ok());
    let client = |credentials: TwilioCredentials| Twilio::new(&environment.http, &addresses, credentials);
    Ok(Subject {
        own: client(secret.twilio),
        other: credentials_of_environment().map(client),
        service: secret.verify_service_sid,
        config,
        uses_lookup: facts.variable("LOOKUP_FIELDS").is_some(),
    })
}

/// A setting that cannot be read is no fault: the functions need less power than this command.
fn unreadable(check: Check, error: &TwilioError, report: &mut Report<'_>) {
    match error {
        TwilioError::Unauthorized | TwilioError::Forbidden { .. } => report.skip(check, format!("{error}; {READER}")),
        error => report.skip(check, error.to_string()),
    }
}

async fn key(subject: &Subject, report: &mut Report<'_>) {
    const NOTHING: &str = "Nothing is sent, and Okta sends its codes by itself.";
    let check = Check::TwilioKey;
    if !report.includes(check) {
        return;
    }
    let fail = |report: &mut Report<'_>, error: &TwilioError, means: &str| {
        report.fail(check, error.to_string(), means, error.advice());
    };
    match subject.own.service(&subject.service).await {
        Ok(_service) => report.ok(check, "the key of the hooks secret can use the Verify service"),
        Err(TwilioError::Unauthorized | TwilioError::Forbidden { .. }) => {
            // The least power that the functions need does not include the service's settings.
            match subject.own.can_update_verifications(&subject.service).await {
                Ok(()) => report.ok(check, "the key of the hooks secret can update verifications"),
                Err(error @ TwilioError::Forbidden { .. }) => fail(
                    report,
                    &error,
                    "The key works, but the hooks cannot report a code as used, or replace a pending one.",
                ),
                Err(error) => fail(report, &error, NOTHING),
            }
        }
        Err(error) => fail(report, &error, NOTHING),
    }
}

async fn account(subject: &Subject, service: Option<&Service>, report: &mut Report<'_>) {
    let check = Check::TwilioAccount;
    if !report.includes(check) {
        return;
    }
    let sid = Sid::parse(subject.reader().user(), "AC");
    let Some(sid) = sid.or_else(|| Sid::parse(&service?.account_sid, "AC")) else {
        report.skip(check, format!("the account of the key is not known; {READER}"));
        return;
    };
    match subject.reader().account(&sid).await {
        Err(error) => unreadable(check, &error, report),
        Ok(account) => match (account.status, account.kind) {
            (AccountStatus::Suspended, _) => report.fail(
                check,
                "the account is suspended",
                "Twilio refuses everything.",
                "Twilio says the cause in the Console. A missing payment is a frequent one.",
            ),
            (AccountStatus::Closed, _) => report.fail(
                check,
                "the account is closed",
                "Twilio refuses everything.",
                "Use another account, and store its key with `make secrets`.",
            ),
            (_, AccountKind::Trial) => report.warn(
                check,
                "it is a trial account",
                "Twilio sends to numbers only that were verified in the Console. Every other send fails with 21608.",
                "Upgrade the account.",
            ),
            _ => report.ok(check, "the account is active"),
        },
    }
}

fn settings(subject: &Subject, service: &Service, report: &mut Report<'_>) {
    if service.custom_code_enabled {
        report.ok(Check::CustomCodes, "the service takes codes of the caller");
    } else {
        report.fail(
            Check::CustomCodes,
            "the service does not take codes of the caller",
            "Every send fails with 60204, and Okta sends its codes by itself.",
            format!("Turn custom codes on: {SERVICE_PAGE}, the service, General."),
        );
    }
    verify_service(subject, service, report);
}

fn whatsapp(subject: &Subject, service: &Result<Service, TwilioError>, report: &mut Report<'_>) {
    let check = Check::Whatsapp;
    let is_used = subject.config.as_ref().is_some_and(|config| {
        config.sms_channel == Channel::WhatsApp || config.resend_channels.contains(&Channel::WhatsApp)
    });
    match service {
        _ if !is_used => report.ok(check, "WhatsApp is not used"),
        Ok(service) if service.has_whatsapp() => report.ok(check, "the service has a sender for WhatsApp"),
        Ok(_) => report.fail(
            check,
            "the service has no sender for WhatsApp",
            "Every message by WhatsApp fails with 68008, and the hook sends an SMS instead.",
            format!("Add a sender: {SERVICE_PAGE}, the service, WhatsApp. Or set SMS_CHANNEL=sms."),
        ),
        Err(error) => unreadable(check, error, report),
    }
}

fn verify_service(subject: &Subject, service: &Service, report: &mut Report<'_>) {
    let check = Check::VerifyService;
    let name = service.friendly_name.to_ascii_lowercase();
    if service.psd2_enabled {
        report.fail(
            check,
            "the service is for payments (PSD2)",
            "Twilio asks for the amount and the payee of each verification, so every send fails.",
            format!("Turn PSD2 off, or use a service of its own: {SERVICE_PAGE}."),
        );
    } else if name.starts_with("my ") || name.contains("verify service") || name.contains("test") {
        report.warn(
            check,
            "the name of the service looks like a default or a test",
            "The name stands in every message as the sender's brand.",
            format!("Rename the service: {SERVICE_PAGE}."),
        );
    } else if service.lookup_enabled && subject.uses_lookup {
        report.warn(
            check,
            "the service looks up each number, and so does the hook (LOOKUP_FIELDS)",
            "Each send pays for two Lookups.",
            format!("Turn Lookup off at the service: {SERVICE_PAGE}."),
        );
    } else {
        report.ok(check, "the settings fit the hooks");
    }
}

async fn rate_limits(subject: &Subject, report: &mut Report<'_>) {
    let check = Check::RateLimits;
    if !report.includes(check) {
        return;
    }
    let Some(config) = &subject.config else {
        report.skip(check, "telephony-hook's variables cannot be read: see A5");
        return;
    };
    if config.rate_limits.is_empty() {
        report.ok(check, "the hook fills no rate limits");
        return;
    }
    let limits = match subject.reader().rate_limits(&subject.service).await {
        Ok(limits) => limits,
        Err(error) => return unreadable(check, &error, report),
    };
    let (mut missing, mut empty) = (0, 0);
    for wanted in &config.rate_limits {
        match limits.iter().find(|limit| limit.unique_name == wanted.key()) {
            None => missing += 1,
            Some(limit) => match subject.reader().buckets(&subject.service, limit).await {
                Ok(buckets) if buckets.iter().any(limits_something) => {}
                Ok(_) => empty += 1,
                Err(error) => return unreadable(check, &error, report),
            },
        }
    }
    let fix = format!("Create the rate limits with a bucket each: {SERVICE_PAGE}, the service, Rate limits.");
    match (missing, empty) {
        (0, 0) => report.ok(check, format!("each of {} has a bucket", config.rate_limits.len())),
        (0, empty) => report.fail(
            check,
            format!("{empty} rate limits of VERIFY_RATE_LIMITS have no bucket"),
            "They limit nothing.",
            fix,
        ),
        (missing, _) => report.fail(
            check,
            format!("the service lacks {missing} rate limits of VERIFY_RATE_LIMITS"),
            "They limit nothing, or Twilio refuses every send that names them.",
            fix,
        ),
    }
}

fn limits_something(bucket: &Bucket) -> bool {
    bucket.max > 0 && bucket.interval > 0
}

async fn key_power(subject: &Subject, report: &mut Report<'_>) {
    const FIX: &str = "Create a restricted key (Twilio Console, Account, API keys), and store it with `make secrets`.";
    let check = Check::KeyPower;
    if !report.includes(check) {
        return;
    }
    let Some(sid) = Sid::parse(subject.own.user(), "SK") else {
        report.warn(
            check,
            "the hooks secret has the account's Auth Token",
            "Whoever reads the secret can do everything in the account, and a new token breaks every other program.",
            FIX,
        );
        return;
    };
    match subject.reader().key(&sid).await {
        Ok(key) => judge_power(&key, subject.uses_lookup, report),
        Err(TwilioError::NotFound) => report.fail(
            check,
            "the key of the hooks secret is not a key of this account",
            "It was deleted, or the credentials of this environment belong to another account.",
            "Check both.",
        ),
        Err(error) => unreadable(check, &error, report),
    }
}

fn judge_power(key: &Key, uses_lookup: bool, report: &mut Report<'_>) {
    let check = Check::KeyPower;
    let Some(permissions) = key.permissions() else {
        report.warn(
            check,
            "the key is not restricted",
            "Whoever reads the secret can send messages and read numbers of the whole account.",
            "Use a restricted key. docs/set-up.md lists its permissions.",
        );
        return;
    };
    let lookup = uses_lookup.then_some(keys::LOOKUP);
    let needed: Vec<_> = keys::FUNCTIONS.into_iter().chain(lookup).collect();
    // `/twilio/verify/verification/*` stands for all actions.
    let has = |permission: &str| {
        let all = permission.rsplit_once('/').map(|(resource, _)| format!("{resource}/*"));
        permissions.contains(permission) || all.is_some_and(|all| permissions.contains(&all))
    };
    if let Some(missing) = needed.iter().find(|permission| !has(permission)) {
        report.fail(
            check,
            format!("the key lacks {missing}"),
            "Twilio refuses what the hooks ask for.",
            "Add the permission to the key.",
        );
    } else if permissions.iter().any(|permission| !needed.contains(&permission.as_str())) {
        report.warn(
            check,
            "the key has permissions that the functions do not need",
            "Whoever reads the secret can do more than the functions do.",
            "Remove the others. docs/set-up.md lists those that are needed.",
        );
    } else {
        report.ok(check, "the key has the permissions that the functions need, and no other");
    }
}

async fn template(subject: &Subject, report: &mut Report<'_>) {
    let check = Check::MessageTemplate;
    if !report.includes(check) {
        return;
    }
    let Some(config) = &subject.config else {
        report.skip(check, "telephony-hook's variables cannot be read: see A5");
        return;
    };
    let own = config.template_sid.iter().map(|sid| ("VERIFY_TEMPLATE_SID".to_owned(), sid));
    let by_country = config.country_rules.templates().map(|(country, sid)| (format!("COUNTRY_RULES, {country}"), sid));
    let used: Vec<_> = own.chain(by_country).collect();
    if used.is_empty() {
        return report.ok(check, "the hook uses Twilio's own template");
    }
    let templates = match subject.reader().templates().await {
        Ok(templates) => templates,
        Err(error) => return unreadable(check, &error, report),
    };
    let faults: Vec<_> =
        used.iter().filter_map(|(place, sid)| Some(format!("{place}: {}", template_fault(&templates, sid)?))).collect();
    if faults.is_empty() {
        report.ok(check, format!("each of {} templates has an approved language", used.len()));
    } else {
        let means = "Twilio refuses every SMS with this template.";
        let fix = "Use a template that Twilio Console, Verify, Templates shows as approved for SMS.";
        report.fail(check, faults.join("; "), means, fix);
    }
}

fn template_fault(templates: &[Template], sid: &Sid) -> Option<&'static str> {
    match templates.iter().find(|template| template.sid == sid.as_str()) {
        None => Some("the account has no such template"),
        Some(template) if !template.is_for_sms() => Some("the template is not for SMS"),
        Some(template) if template.approved() == 0 => Some("no language of the template is approved"),
        Some(_usable) => None,
    }
}
