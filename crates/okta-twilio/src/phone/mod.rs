//! Phone numbers and their countries.

mod country;
mod network;
mod number;
mod prefixes;

pub use country::*;
pub use network::NetworkCode;
pub use number::*;
