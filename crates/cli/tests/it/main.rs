//! The real program against stand-ins for AWS, Twilio and Okta.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]

mod aws;
mod commands;
mod doctor;
mod hooks;
mod okta;
mod prompts;
mod report;
mod setup;
mod twilio;
mod world;
