//! What Okta sends and expects.

pub mod client;
mod credentials;
pub mod event;
mod field;
mod private_key;
pub mod telephony;

pub use credentials::OktaSecret;
