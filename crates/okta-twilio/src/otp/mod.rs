//! Sends one code: the number, the policy, the attempts.

mod cache;
pub mod number;
pub mod policy;
pub mod send;
