//! What Twilio offers.

mod error;
pub mod locale;
pub mod lookup;
pub mod verify;

pub use error::{CODES, Class, ErrorCode, Retry};
