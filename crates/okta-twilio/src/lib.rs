//! Okta's telephony and event hooks on top of Twilio Verify. This crate holds everything except the Lambda glue.
//!
#![doc = include_str!("../../../docs/architecture.md")]

pub mod aws;
pub mod config;
pub mod feedback;
pub mod hooks;
pub mod http_client;
pub mod id;
pub mod json;
pub mod okta;
pub mod otp;
pub mod phone;
pub mod private;
pub mod reason;
pub mod secrets;
pub mod telemetry;
pub mod time;
pub mod twilio;
