//! Calls that a secret authorises, and the one rule for an answer that refuses it.

use std::{sync::Arc, time::Duration};

use crate::{
    secrets::{Cached, Secret, SecretError},
    telemetry::Log,
    time::deadline::Deadline,
};

/// The outcome of a call that a secret authorises.
#[derive(Debug)]
pub struct Authorized<A> {
    /// The last answer.
    pub response: A,
    /// The answer that refused an older secret, if there was one: then two calls were made.
    pub refused: Option<A>,
}

impl<T: Secret> Cached<T> {
    /// Makes a call with the secret at hand. If the answer refuses the secret (`is_refused`), the secret is fetched anew,
    /// and the call is made once more if it has changed. The second call is made only if `least` is left of the deadline.
    ///
    /// # Errors
    /// If there is no secret.
    pub async fn authorize<A>(
        self: &Arc<Self>,
        (deadline, least): (&Deadline, Duration),
        log: &Log,
        is_refused: impl Fn(&A) -> bool,
        call: impl AsyncFn(&Arc<T>) -> A,
    ) -> Result<Authorized<A>, SecretError> {
        let secret = self.get(deadline, log).await?;
        let response = call(&secret).await;
        if !is_refused(&response) {
            return Ok(Authorized { response, refused: None });
        }
        match self.newer_than(&secret, &deadline.earlier_by(least), log).await {
            Some(newer) if deadline.remaining() >= least => {
                Ok(Authorized { response: call(&newer).await, refused: Some(response) })
            }
            _ => Ok(Authorized { response, refused: None }),
        }
    }
}
