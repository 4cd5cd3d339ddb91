//! Records what the command line tool sends and what the stand-ins respond, for `make check-openapi`.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, header::CONTENT_TYPE},
    middleware::{Next, from_fn},
    response::Response,
};
use serde_json::{Value, json};

/// The variable with the file that the exchanges are appended to. Without it, nothing is recorded.
const FILE: &str = "SANDBOX_EXCHANGES";

/// Longest body that is recorded.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Records the exchanges of a router, if [`FILE`] is set.
pub(crate) fn recorded(router: Router, vendor: &'static str) -> Router {
    #[expect(clippy::disallowed_methods, reason = "a switch of the tests, which is no configuration of the functions")]
    let Some(file) = std::env::var_os(FILE).map(PathBuf::from) else { return router };
    // A line is written whole, also while other tests write theirs.
    let file = Arc::new(Mutex::new(file));
    router.layer(from_fn(move |request: Request, next: Next| {
        let file = Arc::clone(&file);
        async move {
            let (parts, body) = request.into_parts();
            let sent = to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
            let mut exchange = json!({
                "vendor": vendor, "method": parts.method.as_str(), "path": parts.uri.path(), "query": parts.uri.query(),
                "content_type": content_type(&parts.headers), "body": String::from_utf8_lossy(&sent),
            });
            let response: Response = next.run(Request::from_parts(parts, Body::from(sent))).await;
            let (head, body) = response.into_parts();
            let responded = to_bytes(body, MAX_BODY_BYTES).await.unwrap_or_default();
            if let Value::Object(members) = &mut exchange {
                members.insert("status".to_owned(), head.status.as_u16().into());
                members.insert("response".to_owned(), String::from_utf8_lossy(&responded).into());
            }
            let path = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(&*path) {
                let _ = file.write_all(format!("{exchange}\n").as_bytes());
            }
            Response::from_parts(head, Body::from(responded))
        }
    }))
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}
