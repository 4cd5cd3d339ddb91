//! The secrets: where they come from, what the hooks secret holds, and how long they are used.

mod authorised;
mod cached;
mod error;
mod hooks;
mod manager;
mod twilio;

pub use authorised::Authorised;
pub use cached::{Cached, FromSecret};
pub use error::SecretError;
pub use hooks::HooksSecret;
pub use manager::SecretsManager;
pub use twilio::TwilioCredentials;
