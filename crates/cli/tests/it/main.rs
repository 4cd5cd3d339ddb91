//! The real program against stand-ins for AWS, Twilio and Okta.

#![expect(clippy::unwrap_used, clippy::panic, reason = "clippy knows tests, but not the functions that they share")]

mod doctor;
mod world;
