//! The two hooks: from Okta's request to the response.

pub mod auth;
pub mod context;
pub mod events;
pub mod function;
pub mod gateway;
pub mod telephony;
pub mod warm_up;
