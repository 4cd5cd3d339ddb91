//! Development only: stand-ins for the systems around the two functions.

pub mod lambda;
mod loopback;
pub mod secrets_manager;
