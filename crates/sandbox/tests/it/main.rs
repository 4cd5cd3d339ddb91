//! Tests of the sandbox over HTTP, in one program, so that they link once and share their helpers.

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
