//! Sends one code: number lookup, policy, attempts and the sends table.

mod attempts;
mod cache;
pub mod config;
pub mod number;
pub mod outcome;
pub mod policy;
mod prepare;
pub mod resend;
pub mod rules;
pub mod send;
pub mod sends;
