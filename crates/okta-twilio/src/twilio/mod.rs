//! What Twilio offers.

mod error;
pub mod locale;
pub mod verify;

pub use error::{CODES, Class, ErrorCode, Retry};
