//! What Okta sends and expects.

pub mod telephony;
