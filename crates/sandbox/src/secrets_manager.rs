//! AWS Secrets Manager's `GetSecretValue` with faults, for tests of what a function does when it cannot have its secret.
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
    collections::{HashMap, HashSet},
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
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::loopback::{Server, once_released};

const GET_SECRET_VALUE: &str = "secretsmanager.GetSecretValue";

/// A running stand-in. Its port stays the same and stays its own while it is down.
pub struct SecretsManager {
    address: SocketAddr,
    port: Mutex<Port>,
    store: Arc<Mutex<Store>>,
}

enum Port {
    Up {
        _server: Server,
    },
    /// Bound but not listening: connections are refused, and nobody else is given the port.
    Down(Socket),
}

#[derive(Default)]
struct Store {
    secrets: HashMap<String, Secret>,
    fetches: HashMap<String, usize>,
    versions: u64,
    fault: Option<Fault>,
    throttled: HashSet<String>,
    delay: Duration,
}

struct Secret {
    value: String,
    version: String,
}

#[derive(Clone, Copy)]
enum Fault {
    AccessDenied,
    InternalError,
}

impl SecretsManager {
    /// Starts without secrets and without faults.
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

    /// Stores a secret, or a new version of it. `id` is what the function asks for: a name or an ARN.
    pub fn put(&self, id: &str, secret: &Value) {
        self.put_text(id, &secret.to_string());
    }

    /// Stores a secret whose text need not be JSON.
    pub fn put_text(&self, id: &str, text: &str) {
        let mut store = self.store();
        store.versions += 1;
        let version = format!("00000000-0000-4000-8000-{:012x}", store.versions);
        store.secrets.insert(id.to_owned(), Secret { value: text.to_owned(), version });
    }

    /// Forgets a secret: `ResourceNotFoundException` from now on.
    pub fn remove(&self, id: &str) {
        self.store().secrets.remove(id);
    }

    /// How often this secret was asked for, whatever the answer.
    pub fn fetches(&self, id: &str) -> usize {
        self.store().fetches.get(id).copied().unwrap_or_default()
    }

    /// Closes every connection and refuses new ones.
    pub fn down(&self) {
        let mut port = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        if let Port::Up { .. } = *port {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_reuse_address(true).expect("a socket that takes the port over");
            // The server has to be gone before the port can be bound again.
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
            store.throttled.clear();
            store.delay = Duration::ZERO;
        }
        let mut port = self.port.lock().unwrap_or_else(PoisonError::into_inner);
        if let Port::Down(socket) = &*port {
            socket.listen(128).expect("to listen again");
            let listener: TcpListener = socket.try_clone().expect("the socket").into();
            *port = Port::Up { _server: Server::start_on(listener, router(&self.store)) };
        }
    }

    /// Answers `AccessDeniedException` from now on.
    pub fn deny(&self) {
        self.store().fault = Some(Fault::AccessDenied);
    }

    /// Answers `InternalServiceError` from now on.
    pub fn internal_error(&self) {
        self.store().fault = Some(Fault::InternalError);
    }

    /// Answers `ThrottlingException` to whoever asks for this secret from now on.
    pub fn throttle(&self, id: &str) {
        self.store().throttled.insert(id.to_owned());
    }

    /// Holds every answer back for so long from now on.
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
    fn answer(&self, id: &str) -> Response {
        match (self.fault, self.secrets.get(id)) {
            (Some(Fault::AccessDenied), _) => failure(
                StatusCode::BAD_REQUEST,
                "AccessDeniedException",
                "no identity-based policy allows the secretsmanager:GetSecretValue action",
            ),
            (Some(Fault::InternalError), _) => failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServiceError",
                "An error occurred on the server side.",
            ),
            (None, _) if self.throttled.contains(id) => {
                failure(StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded")
            }
            (None, None) => failure(
                StatusCode::BAD_REQUEST,
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ),
            (None, Some(secret)) => answer(StatusCode::OK, &secret.describe(id)),
        }
    }
}

impl Secret {
    fn describe(&self, id: &str) -> Value {
        // An ARN is the name with six characters that Secrets Manager adds.
        let from_arn = id.strip_prefix("arn:").and_then(|arn| arn.rsplit(':').next()?.rsplit_once('-'));
        let (name, arn) = match from_arn {
            Some((name, _suffix)) => (name, id.to_owned()),
            None => (id, format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{id}-a1B2c3")),
        };
        json!({
            "ARN": arn,
            "Name": name,
            "VersionId": self.version,
            "SecretString": self.value,
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
