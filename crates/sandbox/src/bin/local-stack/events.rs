//! What can end a wait: Ctrl-C, SIGTERM, a child that ends, or the end of what is waited for.

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

/// How often a service that starts is asked whether it is there.
const POLL: Duration = Duration::from_millis(20);

/// How long a part may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(60);

enum Event {
    Interrupted,
    ChildEnded(Error),
    Finished,
}

/// The sending side of the channel of events.
#[derive(Clone)]
pub(crate) struct Events(Sender<Event>);

/// Where they are waited for.
pub(crate) struct Waiter {
    events: Receiver<Event>,
    sender: Sender<Event>,
}

/// Both ends.
pub(crate) fn channel() -> (Events, Waiter) {
    let (sender, events) = mpsc::channel();
    (Events(sender.clone()), Waiter { events, sender })
}

impl Events {
    /// Takes the signals that ask this process to end; from now on they do not end it by themselves.
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
        // Nobody waits any more while the children are ended on purpose.
        let _ = self.0.send(Event::ChildEnded(error));
    }
}

impl Waiter {
    /// Does something that blocks, on a thread of its own, and waits for its result.
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

    /// Asks again and again until there is a value; `None` if there is none within `limit`.
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

    /// The same for a part that starts, with its output in the error if it is not there in time.
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

    /// Waits until somebody ends this, or a child ends by itself.
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

/// Tells the end of work when dropped, be it by a panic.
struct Finished(Sender<Event>);

impl Drop for Finished {
    fn drop(&mut self) {
        let _ = self.0.send(Event::Finished);
    }
}
