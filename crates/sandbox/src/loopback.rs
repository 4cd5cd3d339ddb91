//! An HTTP server on 127.0.0.1 for blocking callers: it runs on a thread of its own and is gone, with every connection, when dropped.

#![expect(clippy::expect_used, reason = "a test that cannot have its server has nothing to go on with")]

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{Router, serve::ListenerExt as _};
use tokio::sync::oneshot;

/// A running server.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `router` on a free port.
    pub(crate) fn start(router: Router) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
        Self::start_on(listener, router)
    }

    /// Serves `router` on `listener`. Connections are accepted from now on, even before the thread runs.
    pub(crate) fn start_on(listener: TcpListener, router: Router) -> Self {
        let address = listener.local_addr().expect("the listener's address");
        listener.set_nonblocking(true).expect("a listener that tokio can wait for");
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            // Dropping the runtime at the end is what closes the connections.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                // Without this a small answer can wait 40 ms for the peer's delayed acknowledgement.
                let listener = listener.tap_io(|connection| {
                    let _ = connection.set_nodelay(true);
                });
                tokio::select! {
                    served = axum::serve(listener, router) => served.expect("the server"),
                    _ = stopped => {}
                }
            });
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes a port anew that was given up a moment ago. A process that another thread is just starting has a copy of every
/// open socket until it runs its program, so for some milliseconds the port can still be in use.
pub(crate) fn once_released<T>(mut take: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..200 {
        match take() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => thread::sleep(Duration::from_millis(5)),
            taken => return taken,
        }
    }
    take()
}
