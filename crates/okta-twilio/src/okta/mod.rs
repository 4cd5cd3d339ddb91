//! Okta's hooks and APIs.

pub mod client;
mod credentials;
pub mod event;
mod field;
mod private_key;
pub mod telephony;

pub use credentials::OktaSecret;
