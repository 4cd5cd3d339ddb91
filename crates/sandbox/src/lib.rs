#![doc = include_str!("../README.md")]

mod activity;
mod aws;
pub mod aws_account;
pub mod aws_emulator;
mod certificate;
mod clock;
mod control;
pub mod deployment;
pub mod dynamodb;
pub mod events;
mod exchanges;
pub mod exclusive;
pub mod front;
pub mod gate;
pub mod guard;
pub mod lambda;
pub mod link;
pub mod loopback;
mod okta;
mod options;
pub mod queue;
mod random;
pub mod recorded_events;
mod routing;
mod sandbox;
pub mod secrets_manager;
mod server;
mod site;
pub mod sqs;
mod story;
mod twilio;

pub use crate::aws::AwsError;
pub use crate::aws_emulator::AwsEmulator;
pub use crate::certificate::CertificateError;
pub use crate::clock::Moment;
pub use crate::okta::magic_users::{MAGIC_USERS, MagicFactor, MagicUser, UserEffect};
pub use crate::okta::management as okta_org;
pub use crate::okta::options::OktaOptions;
pub use crate::okta::records::{OktaRequest, OktaResponse};
pub use crate::okta::service_app::ServiceAppKey;
pub use crate::okta::users::OktaUser;
pub use crate::options::{Options, RateLimit, SecondCode, WhatsappUsers};
pub use crate::sandbox::{Sandbox, StartError};
pub use crate::story::{
    Asked, Decided, Door, FeedbackStep, Hook, HookResponse, OKTA_TIMEOUT, Outcome, Step, Story, TwilioStep,
};
pub use crate::twilio::faults::{Fault, Operation, Times};
pub use crate::twilio::magic_numbers::{Effect, LookupEffect, MAGIC_NUMBERS, MagicNumber, Refusal, VerifyEffect, When};
pub use crate::twilio::management as twilio_account;
pub use crate::twilio::records::{Attempt, Channel, Message, RecordedRequest, Status, TwilioResponse, Verification};
