//! Ctrl-C, and the request of the system to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::SetupError;

/// Keeps signals from ending the process, until they are asked for.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// From now on a signal waits.
    ///
    /// # Errors
    /// Fails if the system does not let a process handle its signals.
    pub(crate) fn start() -> Result<Self, SetupError> {
        let listen = |kind| signal(kind).map_err(|_io_error| SetupError::NoSignals);
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`SetupError::Interrupted`] if a signal has arrived.
    pub(crate) async fn check(&mut self) -> Result<(), SetupError> {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Err(SetupError::Interrupted),
            _ = self.terminate.recv() => Err(SetupError::Interrupted),
            () = std::future::ready(()) => Ok(()),
        }
    }
}
