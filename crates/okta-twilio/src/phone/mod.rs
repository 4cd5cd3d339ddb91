//! Phone numbers and their countries.

mod country;
mod number;
mod prefixes;

pub use country::*;
pub use number::*;
