//! Ports of the loopback interface that stay taken, and an HTTP server on 127.0.0.1 for blocking callers: it runs on a thread
//! of its own and is gone, with every connection, when dropped.

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

/// How many free ports are tried. Each was free when the system named it.
const FREE_PORTS: usize = 20;

/// A port that nobody else gets until this is dropped, for a server in this process or in a child.
///
/// A bound socket that does not listen keeps the system from giving the port away, and lets a server that sets
/// `SO_REUSEADDR` (all of ours do) listen. It would let another holder bind too, so the UDP port of the same number, which
/// has one owner at most, says whose it is.
#[derive(Debug)]
pub struct HeldPort {
    port: u16,
    _bound: Socket,
    _owned: UdpSocket,
}

impl HeldPort {
    /// Takes the preferred port, or any free one where that is taken or 0.
    ///
    /// # Errors
    /// If no port is free.
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

    /// Its number.
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
