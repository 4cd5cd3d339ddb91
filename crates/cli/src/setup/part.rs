//! The parts of `setup`.

use clap::ValueEnum;

/// What `--only` selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// The Verify service, its rate limits, and the API key: all that the hooks secret needs
    Twilio,
    /// Okta's telephony inline hook
    Telephony,
    /// Okta's event hook
    Events,
    /// The service app with which event-hook reads users, if it does
    ServiceApp,
}
