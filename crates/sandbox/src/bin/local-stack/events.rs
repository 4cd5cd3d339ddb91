//! The events that end a wait: Ctrl-C, SIGTERM, the end of a child, or the end of the work.

use std::{
    io,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{error::Error, output::Output};

/// The interval between two checks of a service that is starting.
const POLL: Duration = Duration::from_millis(20);

/// The time that a part may take until its first response.
const START_LIMIT: Duration = Duration::from_secs(60);

enum Event {
    Interrupted,
    ChildEnded(Error),
    Finished,
}

/// The sending side of the channel of events.
#[derive(Clone)]
pub(crate) struct Events(Sender<Event>);

/// The receiving side.
pub(crate) struct Waiter {
    events: Receiver<Event>,
    sender: Sender<Event>,
}

/// Creates both sides.
pub(crate) fn channel() -> (Events, Waiter) {
    let (sender, events) = mpsc::channel();
    (Events(sender.clone()), Waiter { events, sender })
}

impl Events {
    /// Handles the signals that end a process. From now on they no longer end it by themselves.
    pub(crate) fn take_signals(&self) -> io::Result<()> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let events = self.clone();
        thread::spawn(move || {
            for _signal in &mut signals {
                let _ = events.0.send(Event::Interrupted);
            }
        });
        Ok(())
    }

    /// Ends a wait as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let _ = self.0.send(Event::Interrupted);
    }

    pub(crate) fn child_ended(&self, error: Error) {
        // The receiver is gone while this process stops its children.
        let _ = self.0.send(Event::ChildEnded(error));
    }
}

impl Waiter {
    /// Runs blocking work on a thread of its own and waits for the result.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let (result, results) = mpsc::channel();
        let finished = Finished(self.sender.clone());
        thread::spawn(move || {
            let _finished = finished;
            let _ = result.send(work());
        });
        loop {
            match self.events.recv() {
                Ok(Event::Finished) => match results.try_recv() {
                    Ok(result) => return Ok(result),
                    Err(TryRecvError::Disconnected) => return Err(Error::Panicked),
                    Err(TryRecvError::Empty) => {}
                },
                Ok(Event::ChildEnded(error)) => return Err(error),
                Ok(Event::Interrupted) | Err(_) => return Err(Error::Interrupted),
            }
        }
    }

    /// Polls until there is a value. Returns `None` if there is none within `limit`.
    fn poll<T>(&self, limit: Duration, mut ask: impl FnMut() -> Result<Option<T>, Error>) -> Result<Option<T>, Error> {
        let deadline = Instant::now() + limit;
        loop {
            let value = ask()?;
            if value.is_some() || Instant::now() >= deadline {
                return Ok(value);
            }
            match self.events.recv_timeout(POLL) {
                Err(RecvTimeoutError::Timeout) | Ok(Event::Finished) => {}
                Ok(Event::ChildEnded(error)) => return Err(error),
                Ok(Event::Interrupted) | Err(RecvTimeoutError::Disconnected) => return Err(Error::Interrupted),
            }
        }
    }

    /// Polls a part that is starting. If it is not ready in time, the error contains its output.
    pub(crate) fn until_ready<T>(
        &self,
        name: &'static str,
        output: &Output,
        ask: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<(), Error> {
        match self.poll(START_LIMIT, ask)? {
            Some(_) => Ok(()),
            None => Err(Error::NotReady { name, limit: START_LIMIT, output: output.tail() }),
        }
    }

    /// Waits for a signal or the unexpected end of a child.
    pub(crate) fn until_interrupted(&self) -> Result<(), Error> {
        loop {
            match self.events.recv() {
                Ok(Event::Finished) => {}
                Ok(Event::ChildEnded(error)) => return Err(error),
                Ok(Event::Interrupted) | Err(_) => return Ok(()),
            }
        }
    }
}

/// Reports the end of the work when dropped, also after a panic.
struct Finished(Sender<Event>);

impl Drop for Finished {
    fn drop(&mut self) {
        let _ = self.0.send(Event::Finished);
    }
}
