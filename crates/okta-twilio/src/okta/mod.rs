//! What Okta sends and expects.

pub mod event;
mod field;
pub mod telephony;
