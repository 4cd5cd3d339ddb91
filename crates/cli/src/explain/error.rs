//! Why an explanation is impossible.

use okta_twilio::phone::PhoneError;

use super::sources::Missing;

/// No text repeats what was entered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    #[error(
        "this is no id that explain knows: give a user id (00u…), a sid (VE…, VL…, RQ…), a request or event id; \
         a login goes with --ask-user, a number with --ask-phone"
    )]
    UnknownThing,
    #[error("nothing was entered")]
    NothingEntered,
    #[error("{0}: enter the number with its country code, such as +1…")]
    NotANumber(PhoneError),
    #[error("enter the number with its country code, such as +1…")]
    NoCountryCode,
    #[error("Okta has no user with this login")]
    NoSuchUser,
    #[error("the login cannot be resolved: {0}")]
    Unresolved(Missing),
    #[error(
        "none of the three sources can be read. The hook's log: {}. Okta's System Log: {}. Twilio's attempts: {}",
        .0[0], .0[1], .0[2]
    )]
    NoSource(Box<[Missing; 3]>),
}
