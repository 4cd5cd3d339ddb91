//! The three sources of an explanation, and which of them could be read.

use okta_twilio::{
    config::{self, ConfigError, Variables},
    id::{SafeId, Sid},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::range::Range;
use crate::{
    aws::{
        Aws, AwsError,
        lambda::FunctionConfiguration,
        logs::{self, Line},
    },
    environment::Environment,
    okta::{
        Okta, OktaError,
        system_log::{self, LogEvent},
        token_of_environment,
    },
    stack::{Hook, Stack},
    twilio::{
        Addresses, Twilio, TwilioError,
        attempts::{Attempt, Filter},
        credentials_of_environment,
    },
};

/// Events of one question to Okta at most.
const MAX_EVENTS: usize = 500;

/// Attempts of one question to Twilio at most.
const MAX_ATTEMPTS: usize = 100;

/// Why a source was not read.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Missing {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("there is no stack of this name in this region")]
    NoStack,
    #[error("the stack's functions have no log groups")]
    NoLogGroups,
    #[error("OKTA_API_TOKEN is not set")]
    NoOktaToken,
    #[error("OKTA_API_TOKEN has a character that no token has")]
    BadOktaToken,
    #[error("OKTA_ORG_URL is not set")]
    NoOktaUrl,
    #[error(transparent)]
    Okta(#[from] OktaError),
    #[error("neither TWILIO_API_KEY and TWILIO_API_SECRET nor TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are set")]
    NoTwilioCredentials,
    #[error(transparent)]
    Twilio(#[from] TwilioError),
    #[error(transparent)]
    Variable(#[from] ConfigError),
}

/// A source. The names in JSON are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Name {
    Log,
    SystemLog,
    Attempts,
}

impl Name {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Log => "the hook's log",
            Self::SystemLog => "Okta's System Log",
            Self::Attempts => "Twilio's attempts",
        }
    }
}

struct Log<'a> {
    aws: &'a Aws,
    groups: Vec<String>,
}

/// The sources. One that fails is not asked again.
pub(crate) struct Sources<'a> {
    log: Result<Log<'a>, Missing>,
    okta: Result<Okta, Missing>,
    twilio: Result<Twilio, Missing>,
    /// The Verify service of the hooks, if a variable names it.
    service: Option<Sid>,
}

impl<'a> Sources<'a> {
    /// Finds the stack, and what its functions' variables say of Okta and Twilio.
    pub(crate) async fn open(environment: &'a Environment) -> Self {
        let mut functions = Vec::new();
        let log = open_log(environment, &mut functions).await;
        let variable = |name: &str| {
            let of_functions = || functions.iter().find_map(|function| function.variable(name));
            config::environment(name).or_else(of_functions)
        };
        let variables = Variables::new(&variable);
        let service = variables.optional("VERIFY_SERVICE_SID").and_then(|sid| Sid::parse(&sid, "VA"));
        let (okta, twilio) = (open_okta(environment, &variables), open_twilio(environment, &variables));
        Self { log, okta, twilio, service }
    }

    /// Why each source cannot be read, or `None` if it can.
    pub(crate) fn missing(&self) -> [(Name, Option<&Missing>); 3] {
        [
            (Name::Log, self.log.as_ref().err()),
            (Name::SystemLog, self.okta.as_ref().err()),
            (Name::Attempts, self.twilio.as_ref().err()),
        ]
    }

    /// Which sources can be read.
    pub(crate) fn readable(&self) -> okta_twilio_story::Sources {
        okta_twilio_story::Sources { log: self.log.is_ok(), okta: self.okta.is_ok(), attempts: self.twilio.is_ok() }
    }

    /// The log lines that fit at least one of the conditions, oldest first.
    pub(crate) async fn lines(&mut self, range: Range, any_of: Vec<(&'static str, String)>) -> Vec<Line> {
        let Ok(log) = &self.log else { return Vec::new() };
        if any_of.is_empty() {
            return Vec::new();
        }
        let query = logs::Query { from: range.since, to: range.until, any_of };
        logs::lines(log.aws, &log.groups, &query).await.unwrap_or_else(|error| {
            self.log = Err(error.into());
            Vec::new()
        })
    }

    /// The events of the System Log that the filter selects, oldest first.
    pub(crate) async fn events(&mut self, range: Range, filter: &str) -> Vec<LogEvent> {
        let Ok(okta) = &self.okta else { return Vec::new() };
        let query = system_log::Query { since: range.since, until: range.until, filter };
        let mut events = okta.system_log(&query, MAX_EVENTS).await.unwrap_or_else(|error| {
            self.okta = Err(error.into());
            Vec::new()
        });
        events.reverse();
        events
    }

    /// The attempts of a verification, oldest first.
    pub(crate) async fn attempts_of(&mut self, verification: Sid) -> Vec<Attempt> {
        self.attempts(Filter { verification: Some(verification), ..Filter::default() }).await
    }

    /// The attempts to a number, oldest first. The number goes to Twilio only.
    pub(crate) async fn attempts_to(&mut self, number: SecretString, Range { since, until }: Range) -> Vec<Attempt> {
        let (since, until) = (Some(since), Some(until));
        self.attempts(Filter { to: Some(number), since, until, ..Filter::default() }).await
    }

    /// One attempt.
    pub(crate) async fn attempt(&mut self, sid: &Sid) -> Option<Attempt> {
        let found = self.twilio.as_ref().ok()?.attempt(sid).await;
        found.unwrap_or_else(|error| {
            self.twilio = Err(error.into());
            None
        })
    }

    async fn attempts(&mut self, filter: Filter) -> Vec<Attempt> {
        let Ok(twilio) = &self.twilio else { return Vec::new() };
        let filter = Filter { service: self.service.clone(), ..filter };
        let mut attempts = twilio.attempts(&filter, MAX_ATTEMPTS).await.unwrap_or_else(|error| {
            self.twilio = Err(error.into());
            Vec::new()
        });
        attempts.reverse();
        attempts
    }

    /// The user with a login. The login goes to Okta only. `Ok(None)`: Okta has no such user.
    ///
    /// # Errors
    /// Fails if Okta cannot be asked.
    pub(crate) async fn user(&self, login: &str) -> Result<Option<SafeId>, Missing> {
        #[derive(Deserialize)]
        struct User {
            id: SafeId,
        }
        let okta = self.okta.as_ref().map_err(Clone::clone)?;
        let login: String = url::form_urlencoded::byte_serialize(login.as_bytes()).collect();
        let path = format!("/api/v1/users/{}", login.replace('+', "%20"));
        match okta.get::<User>(&path, &[], "okta.users.read").await {
            Ok(User { id }) => Ok(Some(id)),
            Err(OktaError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

async fn open_log<'a>(
    environment: &'a Environment,
    functions: &mut Vec<FunctionConfiguration>,
) -> Result<Log<'a>, Missing> {
    let aws = environment.aws.as_ref().map_err(Clone::clone)?;
    let stack = Stack::find(aws, &environment.stack_name).await?.ok_or(Missing::NoStack)?;
    for hook in Hook::ALL {
        functions.extend(stack.function(aws, hook).await?);
    }
    let groups: Vec<_> = functions.iter().filter_map(|function| function.logging_config.log_group.clone()).collect();
    if groups.is_empty() { Err(Missing::NoLogGroups) } else { Ok(Log { aws, groups }) }
}

fn open_okta(environment: &Environment, variables: &Variables<'_>) -> Result<Okta, Missing> {
    let token = token_of_environment().ok_or(Missing::NoOktaToken)?;
    let address = |name| variables.base_url(name, "https://example.okta.com");
    let url = match address("OKTA_API_URL")? {
        Some(url) => url,
        None => address("OKTA_ORG_URL")?.ok_or(Missing::NoOktaUrl)?,
    };
    Okta::new(&environment.http, &url, &token).ok_or(Missing::BadOktaToken)
}

fn open_twilio(environment: &Environment, variables: &Variables<'_>) -> Result<Twilio, Missing> {
    let credentials = credentials_of_environment().ok_or(Missing::NoTwilioCredentials)?;
    let default = "https://verify.twilio.com";
    let verify = variables.base_url("TWILIO_VERIFY_URL", default)?.map_or_else(|| config::default_url(default), Ok)?;
    Ok(Twilio::new(&environment.http, &Addresses::new(verify)?, credentials))
}
