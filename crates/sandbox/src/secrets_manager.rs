//! AWS Secrets Manager's `GetSecretValue` with faults, for tests of a function that cannot read its secret.
//!
//! A function under test gets [`SecretsManager::url`] as `AWS_ENDPOINT_URL_SECRETS_MANAGER`. The protocol is the SDK's:
//! AWS JSON 1.1 over plain HTTP, the operation in `X-Amz-Target`. The signature is not checked.
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a harness: what goes wrong here fails the test that uses it"
)]

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::loopback::{Server, once_released};

const GET_SECRET_VALUE: &str = "secretsmanager.GetSecretValue";

/// A running stand-in. It keeps its port while it is down.
pub struct SecretsManager {
    address: SocketAddr,
    port: Mutex<Port>,
    store: Arc<Mutex<Store>>,
}

enum Port {
    Up {
        _server: Server,
    },
    /// Bound but not listening: the system refuses connections and does not assign the port to another process.
    Down(Socket),
}

#[derive(Default)]
struct Store {
    secrets: HashMap<String, Secret>,
    fetches: HashMap<String, usize>,
    versions: u64,
    fault: Option<Fault>,
    delay: Duration,
}

struct Secret {
    value: String,
    is_binary: bool,
    version: String,
}

/// An error in place of the secret.
struct Fault {
    code: String,
    /// The secret that it concerns; `None`: every secret.
    id: Option<String>,
    /// The number of requests that it affects; `None`: all until [`SecretsManager::up`].
    times: Option<usize>,
}

impl SecretsManager {
    /// Starts the server without secrets and without faults.
    pub fn start() -> Self {
        let store = Arc::default();
        let server = Server::start(router(&store));
        let address = server.address();
        Self { address, port: Mutex::new(Port::Up { _server: server }), store }
    }

    /// For `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stores a secret, or a new version of it. `id` is the name or the ARN that the function requests.
    pub fn put(&self, id: &str, secret: &Value) {
        self.put_text(id, &secret.to_string());
    }

    /// Stores a secret whose text need not be JSON.
    pub fn put_text(&self, id: &str, text: &str) {
        self.store().put(id, text.to_owned(), false);
    }

    /// Stores a secret as `SecretBinary`, as `--secret-binary fileb://…` does.
    pub fn put_bytes(&self, id: &str, bytes: &[u8]) {
        self.store().put(id, BASE64_STANDARD.encode(bytes), true);
    }

    /// Deletes a secret. Requests for it get `ResourceNotFoundException` from now on.
    pub fn remove(&self, id: &str) {
        self.store().secrets.remove(id);
    }

    /// The number of requests for this secret, whatever the response was.
    pub fn fetches(&self, id: &str) -> usize {
        self.store().fetches.get(id).copied().unwrap_or_default()
    }

    /// Closes every connection and refuses new ones.
    pub fn down(&self) {
        let mut port = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        if let Port::Up { .. } = *port {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_reuse_address(true).expect("a socket that takes the port over");
            // The server must have stopped before the port can be bound again.
            *port = Port::Down(socket);
            if let Port::Down(socket) = &*port {
                once_released(|| socket.bind(&self.address.into())).expect("the port");
            }
        }
    }

    /// Ends every fault.
    pub fn up(&self) {
        {
            let mut store = self.store();
            store.fault = None;
            store.delay = Duration::ZERO;
        }
        let mut port = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        if let Port::Down(socket) = &*port {
            socket.listen(128).expect("to listen again");
            let listener: TcpListener = socket.try_clone().expect("the socket").into();
            *port = Port::Up { _server: Server::start_on(listener, router(&self.store)) };
        }
    }

    /// Fails every request with `AccessDeniedException` from now on.
    pub fn deny(&self) {
        self.refuse("AccessDeniedException");
    }

    /// Fails every request with `InternalServiceError` from now on.
    pub fn internal_error(&self) {
        self.refuse("InternalServiceError");
    }

    /// Fails every request with this error code from now on.
    pub fn refuse(&self, code: &str) {
        self.store().fault = Some(Fault { code: code.to_owned(), id: None, times: None });
    }

    /// Fails the next requests with this error code.
    pub fn refuse_next(&self, code: &str, times: usize) {
        self.store().fault = Some(Fault { code: code.to_owned(), id: None, times: Some(times) });
    }

    /// Fails the next requests for this secret with this error code.
    pub fn refuse_next_for(&self, id: &str, code: &str, times: usize) {
        self.store().fault = Some(Fault { code: code.to_owned(), id: Some(id.to_owned()), times: Some(times) });
    }

    /// Fails every request for this secret with `ThrottlingException` from now on.
    pub fn throttle(&self, id: &str) {
        let code = "ThrottlingException".to_owned();
        self.store().fault = Some(Fault { code, id: Some(id.to_owned()), times: None });
    }

    /// Delays every response from now on.
    pub fn delay(&self, delay: Duration) {
        self.store().delay = delay;
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

fn router(store: &Arc<Mutex<Store>>) -> Router {
    Router::new().route("/", post(call)).with_state(Arc::clone(store))
}

async fn call(State(store): State<Arc<Mutex<Store>>>, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get("x-amz-target").is_none_or(|target| target != GET_SECRET_VALUE) {
        return failure(StatusCode::BAD_REQUEST, "UnknownOperationException", "only GetSecretValue is played");
    }
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(id) = request.get("SecretId").and_then(Value::as_str) else {
        return failure(StatusCode::BAD_REQUEST, "InvalidParameterException", "SecretId is missing");
    };
    let (answer, delay) = {
        let mut store = lock(&store);
        *store.fetches.entry(id.to_owned()).or_default() += 1;
        (store.answer(id), store.delay)
    };
    tokio::time::sleep(delay).await;
    answer
}

impl Store {
    fn put(&mut self, id: &str, value: String, is_binary: bool) {
        self.versions += 1;
        let version = format!("00000000-0000-4000-8000-{:012x}", self.versions);
        self.secrets.insert(id.to_owned(), Secret { value, is_binary, version });
    }

    fn answer(&mut self, id: &str) -> Response {
        self.fault.take_if(|fault| fault.times == Some(0));
        let is_meant = |fault: &&mut Fault| fault.id.as_deref().is_none_or(|meant| meant == id);
        if let Some(fault) = self.fault.as_mut().filter(is_meant) {
            fault.times = fault.times.map(|times| times - 1);
            let status = match fault.code.as_str() {
                "InternalServiceError" => StatusCode::INTERNAL_SERVER_ERROR,
                _ => StatusCode::BAD_REQUEST,
            };
            return failure(status, &fault.code, "a fault of the sandbox");
        }
        match self.secrets.get(id) {
            None => failure(
                StatusCode::BAD_REQUEST,
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ),
            Some(secret) => answer(StatusCode::OK, &secret.describe(id)),
        }
    }
}

impl Secret {
    fn describe(&self, id: &str) -> Value {
        // An ARN ends with the name and six characters that Secrets Manager adds.
        let from_arn = id.strip_prefix("arn:").and_then(|arn| arn.rsplit(':').next()?.rsplit_once('-'));
        let (name, arn) = match from_arn {
            Some((name, _suffix)) => (name, id.to_owned()),
            None => (id, format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{id}-a1B2c3")),
        };
        json!({
            "ARN": arn,
            "Name": name,
            "VersionId": self.version,
            if self.is_binary { "SecretBinary" } else { "SecretString" }: self.value,
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": 1_767_225_600.0,
        })
    }
}

fn failure(status: StatusCode, kind: &str, message: &str) -> Response {
    answer(status, &json!({ "__type": kind, "Message": message }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}
