//! Sends one code: the number, the policy, the attempts, and what is remembered of it.

mod attempts;
mod cache;
pub mod config;
pub mod number;
pub mod outcome;
pub mod policy;
mod prepare;
pub mod rules;
pub mod send;
pub mod sends;
