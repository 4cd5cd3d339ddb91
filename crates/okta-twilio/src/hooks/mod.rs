//! Okta's request to Okta's answer: the two hooks, and what both share.

pub mod auth;
pub mod context;
pub mod events;
pub mod function;
pub mod gateway;
pub mod telephony;
pub mod warm_up;
