//! Twilio's APIs: Verify and Lookup.

pub mod client;
mod codes;
pub mod locale;
pub mod lookup;
pub mod verify;

pub use codes::{CODES, Class, ErrorCode, Retry};
