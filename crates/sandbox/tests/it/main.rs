//! The sandbox seen from outside, over HTTP. One program for all of it: one link, and helpers that are all used.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]

mod bench;
mod control;
mod faults;
mod lookup;
mod okta;
mod program;
mod stories;
mod verify;
