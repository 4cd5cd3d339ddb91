//! An HTTP/1.1 server on loopback, with and without TLS, that can fail on purpose: it can refuse connections, close
//! them at any point of an exchange, delay a response, make it huge or truncate it. A [`Handler`] supplies the
//! responses.

use crate::certificate::Certificate;
use crate::loopback;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as ack};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

const HANDSHAKE_TIME_LIMIT: Duration = Duration::from_secs(10);
/// The idle timeout of a connection, also between two requests.
const IDLE_TIME_LIMIT: Duration = Duration::from_mins(2);
/// The time to wait for a connection to close before it is aborted.
const CLOSING_TIME_LIMIT: Duration = Duration::from_secs(2);
/// A larger request body gets a 413. Twilio's forms have a few hundred bytes at most.
const REQUEST_BODY_LIMIT: usize = 256 * 1024;
const BACKLOG: u32 = 1024;

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As on the wire: percent-encoded, without the query.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The number of the connection that carried it.
    pub(crate) connection: u64,
}

/// A response, and the way in which it is sent.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// The delay before the response.
    pub(crate) delay: Duration,
    pub(crate) ending: Ending,
    /// Whether idle connections are closed as well.
    pub(crate) closes_idle_connections: bool,
    /// Further chunks of the body, until the sender is dropped.
    pub(crate) stream: Option<mpsc::UnboundedReceiver<Bytes>>,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type))],
            body: body.into(),
            delay: Duration::ZERO,
            ending: Ending::Whole,
            closes_idle_connections: false,
            stream: None,
        }
    }

    /// Continues the body with the chunks from the channel.
    pub(crate) fn followed_by(self, stream: mpsc::UnboundedReceiver<Bytes>) -> Self {
        Self { stream: Some(stream), ..self }
    }

    /// Adds a header. Ignores a value that is not valid in a header.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}

/// The way in which an exchange ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The response is sent in full.
    Whole,
    /// The connection is closed without a response.
    Closed,
    /// The connection is closed in the middle of the body.
    Truncated,
    /// The body is followed by this many spaces.
    Padded(u64),
}

/// Handles requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Whether to serve a new connection. If not, it is closed before anything is read.
    fn admits_connection(&self) -> bool;
    /// Handles one request. Must not block.
    fn handle(&self, request: Request) -> Reply;
}

/// Where to listen on 127.0.0.1; 0 takes any free port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) https: u16,
    pub(crate) http: u16,
}

/// Both listeners, on a thread with a runtime of its own. Dropping it closes everything and waits for the thread.
pub(crate) struct Server {
    pub(crate) https: SocketAddr,
    pub(crate) http: SocketAddr,
    connections: Arc<AtomicU64>,
    commands: Option<mpsc::UnboundedSender<(Command, ack::Sender<()>)>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone, Copy)]
enum Command {
    StopListening,
    Listen,
    CloseIdleConnections,
}

impl Server {
    /// Binds both ports and serves them.
    pub(crate) fn start(ports: Ports, certificate: &Certificate, handler: Arc<dyn Handler>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let https = Port::listen_on(ports.https)?;
        let http = Port::listen_on(ports.http)?;
        drop(entered);
        let connections = Arc::new(AtomicU64::new(0));
        let (commands, received) = mpsc::unbounded_channel();
        let mut server = Self {
            https: https.address()?,
            http: http.address()?,
            connections: Arc::clone(&connections),
            commands: Some(commands),
            thread: None,
        };
        let listeners = Listeners {
            https,
            http,
            tls: TlsAcceptor::from(Arc::clone(&certificate.server)),
            handler,
            accepted: connections,
            open: Arc::default(),
        };
        let thread = std::thread::Builder::new().name("sandbox".to_owned());
        server.thread = Some(thread.spawn(move || runtime.block_on(listeners.run(received)))?);
        Ok(server)
    }

    /// The number of connections accepted so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn stop_listening(&self) {
        self.command(Command::StopListening);
    }

    pub(crate) fn listen(&self) {
        self.command(Command::Listen);
    }

    pub(crate) fn close_idle_connections(&self) {
        self.command(Command::CloseIdleConnections);
    }

    /// Sends a command and waits until it has been carried out.
    fn command(&self, command: Command) {
        let (done, wait) = ack::channel();
        if let Some(commands) = &self.commands
            && commands.send((command, done)).is_ok()
        {
            // This fails only if the server's thread has ended, and then there is nothing to wait for.
            let _ = wait.recv_timeout(2 * CLOSING_TIME_LIMIT);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The closed channel ends `Listeners::run`, and with it the runtime and every connection.
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A port that stays reserved without a listener: it refuses connections, and no other process can bind it.
enum Port {
    Kept(TcpSocket),
    Listening(TcpListener),
}

impl Port {
    fn bind(port: u16) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        Ok(Self::Kept(socket))
    }

    /// The error names the port.
    fn listen_on(port: u16) -> io::Result<Self> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("port {port}: {error}"));
        Self::bind(port).and_then(Self::listen).map_err(named)
    }

    fn listen(self) -> io::Result<Self> {
        match self {
            Self::Kept(socket) => Ok(Self::Listening(socket.listen(BACKLOG)?)),
            listening @ Self::Listening(_) => Ok(listening),
        }
    }

    fn stop_listening(self) -> io::Result<Self> {
        match self {
            Self::Listening(listener) => {
                let port = listener.local_addr()?.port();
                drop(listener);
                loopback::once_released(|| Self::bind(port))
            }
            kept @ Self::Kept(_) => Ok(kept),
        }
    }

    fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Kept(socket) => socket.local_addr(),
            Self::Listening(listener) => listener.local_addr(),
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Listening(listener) => listener.accept().await.map(|(stream, _)| stream),
            Self::Kept(_) => std::future::pending().await,
        }
    }
}

struct Listeners {
    https: Port,
    http: Port,
    tls: TlsAcceptor,
    handler: Arc<dyn Handler>,
    accepted: Arc<AtomicU64>,
    open: Arc<OpenConnections>,
}

type OpenConnections = Mutex<HashMap<u64, OpenConnection>>;

/// A connection that can carry requests, i.e. after its TLS handshake.
struct OpenConnection {
    /// The number of requests in progress: 0 or 1.
    busy: Arc<AtomicU64>,
    close: Option<oneshot::Sender<()>>,
    /// Resolves with an error when the connection is closed.
    gone: Option<oneshot::Receiver<()>>,
}

impl Listeners {
    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<(Command, ack::Sender<()>)>) {
        loop {
            tokio::select! {
                command = commands.recv() => {
                    let Some((command, done)) = command else { return };
                    self = match self.carry_out(command).await {
                        Ok(listeners) => listeners,
                        // The port was lost. Waiting clients time out, and every new connection is refused.
                        Err(_) => return,
                    };
                    let _ = done.send(());
                }
                Ok(stream) = self.https.accept() => self.admit(stream, Some(self.tls.clone())),
                Ok(stream) = self.http.accept() => self.admit(stream, None),
            }
        }
    }

    async fn carry_out(mut self, command: Command) -> io::Result<Self> {
        match command {
            Command::StopListening => {
                self.https = self.https.stop_listening()?;
                self.http = self.http.stop_listening()?;
                close_idle(&self.open).await;
            }
            Command::Listen => {
                self.https = self.https.listen()?;
                self.http = self.http.listen()?;
            }
            Command::CloseIdleConnections => close_idle(&self.open).await,
        }
        Ok(self)
    }

    fn admit(&self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let number = self.accepted.fetch_add(1, Ordering::SeqCst) + 1;
        if !self.handler.admits_connection() {
            return;
        }
        let handler = Arc::clone(&self.handler);
        let open = Arc::clone(&self.open);
        tokio::spawn(async move {
            // Without this, Nagle's algorithm could delay a small response by 40 ms.
            let _ = stream.set_nodelay(true);
            match tls {
                None => serve(stream, number, handler, open).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIME_LIMIT, tls.accept(stream)).await {
                        serve(stream, number, handler, open).await;
                    }
                }
            }
        });
    }
}

/// Closes every idle connection and waits until they are closed.
async fn close_idle(open: &OpenConnections) {
    let closing: Vec<_> = lock(open)
        .values_mut()
        .filter(|connection| connection.busy.load(Ordering::SeqCst) == 0)
        .filter_map(|connection| {
            let _ = connection.close.take()?.send(());
            connection.gone.take()
        })
        .collect();
    for gone in closing {
        let _ = gone.await;
    }
}

async fn serve<Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: Stream,
    number: u64,
    handler: Arc<dyn Handler>,
    open: Arc<OpenConnections>,
) {
    let busy = Arc::new(AtomicU64::new(0));
    let (close, mut closing) = oneshot::channel();
    let (_alive_until_dropped, gone) = oneshot::channel();
    let entry = OpenConnection { busy: Arc::clone(&busy), close: Some(close), gone: Some(gone) };
    lock(&open).insert(number, entry);
    let requests = AtomicU64::new(0);
    let service = service_fn(|request| {
        requests.fetch_add(1, Ordering::SeqCst);
        answer(request, number, Arc::clone(&handler), Arc::clone(&busy), Arc::clone(&open))
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE_TIME_LIMIT)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        // An error here means that the client disconnected, or a fault.
        _ = connection.as_mut() => {}
        Ok(()) = &mut closing => {
            // hyper's graceful shutdown would keep a connection open that has not carried a request yet.
            if requests.load(Ordering::SeqCst) > 0 {
                connection.as_mut().graceful_shutdown();
                let _ = tokio::time::timeout(CLOSING_TIME_LIMIT, connection).await;
            }
        }
    }
    lock(&open).remove(&number);
}

async fn answer(
    request: http::Request<Incoming>,
    connection: u64,
    handler: Arc<dyn Handler>,
    busy: Arc<AtomicU64>,
    open: Arc<OpenConnections>,
) -> io::Result<http::Response<ReplyBody>> {
    let busy = Busy::new(busy);
    let (head, body) = request.into_parts();
    let reply = match Limited::new(body, REQUEST_BODY_LIMIT).collect().await {
        Ok(body) => handler.handle(Request {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            body: body.to_bytes(),
            connection,
        }),
        Err(_) => Reply::new(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the body is too large or was cut off\n"),
    };
    if reply.closes_idle_connections {
        close_idle(&open).await;
    }
    tokio::time::sleep(reply.delay).await;
    if reply.ending == Ending::Closed {
        return Err(io::Error::other("closed on purpose"));
    }
    let body = match reply.stream {
        None => ReplyBody::new(reply.body, reply.ending),
        Some(stream) => ReplyBody { body: reply.body, declared: None, then: Then::Stream(stream, busy) },
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = reply.status;
    response.headers_mut().extend(reply.headers);
    Ok(response)
}

/// Marks a connection as busy until it is dropped.
struct Busy(Arc<AtomicU64>);

impl Busy {
    fn new(count: Arc<AtomicU64>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A body that can be truncated or endless.
struct ReplyBody {
    body: Bytes,
    declared: Option<u64>,
    then: Then,
}

enum Then {
    End,
    /// Yields once without data, so that the written bytes are sent before the connection is closed.
    FlushAndCut,
    Cut,
    Blanks(u64),
    /// Keeps the connection marked as busy.
    Stream(mpsc::UnboundedReceiver<Bytes>, Busy),
}

impl ReplyBody {
    fn new(body: Bytes, ending: Ending) -> Self {
        let whole = Some(body.len() as u64);
        match ending {
            Ending::Truncated => Self { declared: whole, body: body.slice(..body.len() / 2), then: Then::FlushAndCut },
            // No length is declared, so the client must limit the size by itself.
            Ending::Padded(blanks) => Self { declared: None, body, then: Then::Blanks(blanks) },
            Ending::Whole | Ending::Closed => Self { declared: whole, body, then: Then::End },
        }
    }
}

static BLANKS: [u8; 16 * 1024] = [b' '; 16 * 1024];

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.body.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.body)))));
        }
        match &mut self.then {
            Then::Stream(stream, _busy) => stream.poll_recv(context).map(|data| data.map(|data| Ok(Frame::data(data)))),
            Then::End | Then::Blanks(0) => Poll::Ready(None),
            Then::FlushAndCut => {
                self.then = Then::Cut;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Then::Cut => Poll::Ready(Some(Err(io::Error::other("cut off on purpose")))),
            Then::Blanks(left) => {
                let count = (*left).min(BLANKS.len() as u64);
                *left -= count;
                let count = usize::try_from(count).unwrap_or(BLANKS.len());
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&BLANKS).slice(..count)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty() && matches!(self.then, Then::End | Then::Blanks(0))
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
