//! Reserved ports of the loopback interface, and an HTTP server on 127.0.0.1 for blocking callers. The server runs on a
//! thread of its own. Dropping it stops it and closes every connection.

#![expect(clippy::expect_used, reason = "a test that cannot have its server has nothing to go on with")]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    thread::{self, JoinHandle},
    time::Duration,
};

use axum::{Router, serve::ListenerExt as _};
use socket2::{Domain, Socket, Type};
use tokio::sync::oneshot;

/// The maximum number of ports to try. Each was free when the system returned it.
const FREE_PORTS: usize = 20;

/// A port that is reserved until this is dropped, for a server in this process or in a child process.
///
/// A bound socket that does not listen keeps the system from assigning the port, but allows a server with
/// `SO_REUSEADDR` (all of ours) to listen. It would also allow a second reservation. The UDP port with the same number
/// prevents that, because it can have only one owner.
#[derive(Debug)]
pub struct HeldPort {
    port: u16,
    _bound: Socket,
    _owned: UdpSocket,
}

impl HeldPort {
    /// Reserves the preferred port, or any free one if that is taken or 0.
    ///
    /// # Errors
    /// No port is free.
    pub fn take(address: IpAddr, preferred: u16) -> io::Result<Self> {
        let mut taken = Self::hold(address, preferred);
        for _ in 0..FREE_PORTS {
            match taken {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken = Self::hold(address, 0),
                _ => break,
            }
        }
        taken
    }

    /// The port number.
    pub fn number(&self) -> u16 {
        self.port
    }

    fn hold(address: IpAddr, port: u16) -> io::Result<Self> {
        let bound = Socket::new(Domain::for_address((address, port).into()), Type::STREAM, None)?;
        bound.set_reuse_address(true)?;
        bound.bind(&SocketAddr::from((address, port)).into())?;
        let port = bound.local_addr()?.as_socket().map_or(port, |address| address.port());
        Ok(Self { port, _bound: bound, _owned: UdpSocket::bind((address, port))? })
    }
}

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

    /// Serves `router` on `listener`. Clients can connect as soon as this returns.
    pub(crate) fn start_on(listener: TcpListener, router: Router) -> Self {
        let address = listener.local_addr().expect("the listener's address");
        listener.set_nonblocking(true).expect("a listener that tokio can wait for");
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            // Dropping the runtime closes the connections.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                // Without this, a small response can wait 40 ms for the peer's delayed acknowledgement.
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

    /// The address on which it listens.
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

/// Binds a port that was released a moment ago. A child process that another thread is starting holds a copy of every
/// open socket until it executes its program. So the port can still be in use for some milliseconds.
pub(crate) fn once_released<T>(mut take: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..200 {
        match take() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => thread::sleep(Duration::from_millis(5)),
            taken => return taken,
        }
    }
    take()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_port_has_one_holder_whose_server_can_listen_and_a_listener_s_port_has_none() {
        let held = HeldPort::take(LOCALHOST, 0).unwrap();
        let other = HeldPort::take(LOCALHOST, held.number()).unwrap();
        assert_ne!(other.number(), held.number());
        let listener = TcpListener::bind((LOCALHOST, held.number())).expect("the holder's server");
        drop(held);
        let third = HeldPort::take(LOCALHOST, listener.local_addr().unwrap().port()).unwrap();
        assert_ne!(third.number(), listener.local_addr().unwrap().port());
    }
}
