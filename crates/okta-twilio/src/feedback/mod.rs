//! Feedback: reports to Twilio that the user typed the right code.

pub mod approve;
pub mod queue;
