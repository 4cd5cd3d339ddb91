//! The parameters of a request, and the way in which its response is sent.

use std::time::Duration;

/// Names and values of a form or query.
pub(super) type Form = [(String, String)];

pub(super) fn value<'form>(form: &'form Form, name: &str) -> Option<&'form str> {
    let (_, value) = form.iter().find(|(found, _)| found == name)?;
    Some(value)
}

/// The way in which a response is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Prompt,
    Late(Duration),
    HangUp,
}
