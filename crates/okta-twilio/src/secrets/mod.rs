//! The secrets: where they come from, what the hooks secret holds, and how long they are used.

mod cached;
mod error;
mod hooks;
mod manager;

pub use cached::{Cached, FromSecret};
pub use error::SecretError;
pub use hooks::HooksSecret;
pub use manager::SecretsManager;
