//! The parts that a story uses.

use crate::{events::Waiter, functions::Functions, outside::Outside, terminal::Terminal};

/// The running functions and the services around them.
pub(crate) struct Scene<'a> {
    pub(crate) functions: Functions,
    pub(crate) outside: &'a Outside,
    pub(crate) waiter: &'a Waiter,
    pub(crate) terminal: Terminal,
}
