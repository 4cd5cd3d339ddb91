//! The options of `setup`.

use clap::Args;
use okta_twilio::id::Sid;

use super::{SetupError, part::Part, url::HookUrl};
use crate::{plan::Decision, stack::Hook};

/// The options of `setup`.
#[derive(Debug, Args)]
#[command(
    after_help = "Credentials come from the environment: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN (or TWILIO_API_KEY \
    and TWILIO_API_SECRET of a Main key), and OKTA_API_TOKEN of a super administrator. At a terminal, what is missing is \
    asked for."
)]
pub(crate) struct SetupOptions {
    /// The brand that stands in every message. It names a new Verify service, with at most 30 characters
    #[arg(long, value_name = "NAME")]
    pub(super) brand: Option<String>,
    /// Use this Verify service, and do not create one
    #[arg(long, value_name = "SID", value_parser = service_sid)]
    pub(super) adopt: Option<Sid>,
    /// Set up only these parts, with commas between
    #[arg(long, value_enum, value_name = "PARTS", value_delimiter = ',')]
    pub(super) only: Vec<Part>,
    #[command(flatten)]
    pub(super) urls: UrlOptions,
    #[command(flatten)]
    pub(super) decision: Decision,
    #[command(flatten)]
    pub(super) token: TokenOptions,
}

/// Where Okta finds the functions.
#[derive(Debug, Args)]
pub(super) struct UrlOptions {
    /// The URL at which Okta reaches telephony-hook, if it is not the stack's: of a proxy, for example. Later runs know it
    #[arg(long, value_name = "URL", value_parser = GivenUrl::read)]
    telephony_url: Option<GivenUrl>,
    /// The same for event-hook
    #[arg(long, value_name = "URL", value_parser = GivenUrl::read)]
    events_url: Option<GivenUrl>,
    /// Do not call the URLs first: for a machine that may not reach them
    #[arg(long)]
    pub(super) no_url_check: bool,
}

impl UrlOptions {
    pub(super) fn get(&self, hook: Hook) -> Option<&HookUrl> {
        self.given(hook)?.0.as_ref().ok()
    }

    /// Whether each URL that was given can be used.
    ///
    /// # Errors
    /// Says what is wrong with the first one that cannot.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        for hook in Hook::ALL {
            if let Some(GivenUrl(Err(problem))) = self.given(hook) {
                return Err(SetupError::BadUrl { hook, problem });
            }
        }
        Ok(())
    }

    fn given(&self, hook: Hook) -> Option<&GivenUrl> {
        match hook {
            Hook::Telephony => self.telephony_url.as_ref(),
            Hook::Event => self.events_url.as_ref(),
        }
    }
}

/// A URL, or what is wrong with it. The parser of the command line would repeat a wrong one, which can hold a password.
#[derive(Clone, Debug)]
struct GivenUrl(Result<HookUrl, &'static str>);

impl GivenUrl {
    #[expect(clippy::unnecessary_wraps, reason = "the form of a parser")]
    fn read(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(Self(HookUrl::parse(text)))
    }
}

/// What becomes of the Okta API token.
#[derive(Debug, Args)]
pub(super) struct TokenOptions {
    /// Revoke the Okta API token after success, also one that comes from the environment
    #[arg(long, conflicts_with = "keep_token")]
    revoke_token: bool,
    /// Do not revoke an Okta API token that was typed at the prompt
    #[arg(long)]
    keep_token: bool,
}

impl TokenOptions {
    pub(super) fn revokes(&self, is_typed: bool) -> bool {
        self.revoke_token || (is_typed && !self.keep_token)
    }
}

fn service_sid(text: &str) -> Result<Sid, &'static str> {
    Sid::parse(text, "VA").ok_or("must be VA and 32 hexadecimal digits")
}

impl SetupOptions {
    pub(super) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    pub(super) fn wants_okta(&self) -> bool {
        [Part::Telephony, Part::Events, Part::ServiceApp].into_iter().any(|part| self.wants(part))
    }
}
