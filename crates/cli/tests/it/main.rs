//! The real program against stand-ins for AWS, Twilio and Okta.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]

mod aws;
mod commands;
mod connection;
mod doctor;
mod documentation;
mod explain;
mod given_urls;
mod hooks;
mod local_account;
mod offline;
mod okta;
mod prompts;
mod report;
mod rotate;
mod rotate_keys;
mod send_to_me;
mod service_app;
mod setup;
mod setup_broken_off;
mod teardown;
mod twilio;
mod whole_circle;
mod world;
