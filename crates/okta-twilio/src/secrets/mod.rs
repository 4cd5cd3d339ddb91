//! Secrets: how they are fetched, parsed, cached and refreshed.

mod authorized;
mod cached;
mod error;
mod hooks;
mod manager;
mod pause;
pub(crate) mod text;
mod twilio;

pub use authorized::Authorized;
pub use cached::{Cached, Secret, Warning};
pub use error::{Field, SecretError};
pub use hooks::{HooksSecret, caller_secrets};
pub use manager::SecretsManager;
pub use pause::{Pause, UnreadablePause};
pub use text::UnknownField;
pub use twilio::TwilioCredentials;
