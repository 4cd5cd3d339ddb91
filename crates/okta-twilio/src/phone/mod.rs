//! Phone numbers and their countries.

mod channel;
mod country;
mod network;
mod number;
mod prefixes;

pub use channel::Channel;
pub use country::*;
pub use network::NetworkCode;
pub use number::*;
