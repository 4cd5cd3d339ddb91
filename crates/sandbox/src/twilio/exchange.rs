//! What a request brings, and how its answer leaves.

use std::time::Duration;

/// Names and values of a form or query.
pub(super) type Form = [(String, String)];

pub(super) fn value<'form>(form: &'form Form, name: &str) -> Option<&'form str> {
    let (_, value) = form.iter().find(|(found, _)| found == name)?;
    Some(value)
}

/// What is done with an answer on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Prompt,
    Late(Duration),
    HangUp,
}
