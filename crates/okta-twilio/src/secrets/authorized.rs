//! Calls that need a secret, and the rule for a response that rejects it.

use std::{sync::Arc, time::Duration};

use crate::{
    secrets::{Cached, Secret, SecretError},
    telemetry::Log,
    time::deadline::Deadline,
};

/// The result of a call that needs a secret.
#[derive(Debug)]
pub struct Authorized<A> {
    /// The last response.
    pub response: A,
    /// The response that rejected an older secret, if there was one. In that case two calls were made.
    pub refused: Option<A>,
}

impl<T: Secret> Cached<T> {
    /// Makes a call with the cached secret. If the response rejects it (`is_refused`), the secret is fetched again, and
    /// the call is repeated once if the secret has changed. The second call is made only if `min_remaining` of the
    /// deadline is left.
    ///
    /// # Errors
    /// Fails if there is no secret.
    pub async fn authorize<A>(
        self: &Arc<Self>,
        (deadline, min_remaining): (&Deadline, Duration),
        log: &Log,
        is_refused: impl Fn(&A) -> bool,
        call: impl AsyncFn(&Arc<T>) -> A,
    ) -> Result<Authorized<A>, SecretError> {
        let secret = self.get(deadline, log).await?;
        let response = call(&secret).await;
        if !is_refused(&response) {
            return Ok(Authorized { response, refused: None });
        }
        match self.newer_than(&secret, &deadline.earlier_by(min_remaining), log).await {
            Some(newer) if deadline.remaining() >= min_remaining => {
                Ok(Authorized { response: call(&newer).await, refused: Some(response) })
            }
            _ => Ok(Authorized { response, refused: None }),
        }
    }
}
