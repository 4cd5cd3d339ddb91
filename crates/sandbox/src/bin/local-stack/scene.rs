//! What a story needs to be told.

use crate::{events::Waiter, functions::Functions, outside::Outside, terminal::Terminal};

/// The functions that are running, and what they run in.
pub(crate) struct Scene<'a> {
    pub(crate) functions: Functions,
    pub(crate) outside: &'a Outside,
    pub(crate) waiter: &'a Waiter,
    pub(crate) terminal: Terminal,
}
