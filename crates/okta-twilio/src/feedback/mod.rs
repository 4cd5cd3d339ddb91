//! Tells Twilio that a code was right.

pub mod approve;
pub mod queue;
