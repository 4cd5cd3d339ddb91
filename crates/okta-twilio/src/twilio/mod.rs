//! What Twilio offers.

mod codes;
pub mod credentials;
pub mod locale;
pub mod lookup;
pub(crate) mod sid;
pub mod verify;

pub use codes::{CODES, Class, ErrorCode, Retry};
