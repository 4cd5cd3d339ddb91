//! The endpoints of the Runtime API, where the process fetches events and posts results.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    environment::Environment,
    invocation::{EVENT_LIMIT, Outcome},
};

/// The maximum size of a response. It is a little more than 6 MB, as in the text of Lambda's error.
const RESPONSE_LIMIT: usize = EVENT_LIMIT + 100;

pub(super) fn router(environment: Arc<Environment>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        // The body is read to its end even if it is too large, because the function must receive the response.
        .layer(DefaultBodyLimit::disable())
        .with_state(environment)
}

async fn next(State(environment): State<Arc<Environment>>) -> Response {
    {
        let mut state = environment.lock();
        let started = state.started;
        state.ready_after = state.ready_after.or(started.map(|started| started.elapsed()));
        state.polling = true;
    }
    environment.changed.notify_all();
    let event = loop {
        {
            let mut state = environment.lock();
            if let Some(event) = state.queued.take() {
                state.polling = false;
                break event;
            }
        }
        environment.invoked.notified().await;
    };
    let seconds = event.deadline.as_secs();
    let trace_id = format!("Root=1-{seconds:08x}-000000000000000000000001;Parent=0000000000000001;Sampled=0");
    let headers = [
        ("Content-Type", "application/json".to_owned()),
        ("Lambda-Runtime-Aws-Request-Id", event.request_id),
        ("Lambda-Runtime-Deadline-Ms", event.deadline.as_millis().to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", environment.arn.clone()),
        ("Lambda-Runtime-Trace-Id", trace_id),
    ];
    (headers, event.body).into_response()
}

async fn response(
    State(environment): State<Arc<Environment>>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> Response {
    if body.len() > RESPONSE_LIMIT {
        let error = json!({
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": format!("Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."),
        });
        environment.finish(&request_id, Outcome::Error(error));
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge");
    }
    let outcome = parse(&body).map_or_else(Outcome::Error, Outcome::Response);
    finish(&environment, &request_id, outcome)
}

async fn error(State(environment): State<Arc<Environment>>, Path(request_id): Path<String>, body: Bytes) -> Response {
    let (Ok(error) | Err(error)) = parse(&body);
    finish(&environment, &request_id, Outcome::Error(error))
}

async fn init_error(State(environment): State<Arc<Environment>>, body: Bytes) -> Response {
    let (Ok(error) | Err(error)) = parse(&body);
    environment.lock().init_error = Some(error);
    environment.changed.notify_all();
    accepted()
}

/// The JSON that the function sent, or an error that quotes the text.
fn parse(body: &Bytes) -> Result<Value, Value> {
    serde_json::from_slice(body).map_err(|error| {
        let text = String::from_utf8_lossy(body);
        json!({ "errorType": "Sandbox.InvalidJson", "errorMessage": format!("{error}: {text}") })
    })
}

fn finish(environment: &Environment, request_id: &str, outcome: Outcome) -> Response {
    if environment.finish(request_id, outcome) {
        accepted()
    } else {
        refused(StatusCode::BAD_REQUEST, "InvalidRequestID")
    }
}

fn accepted() -> Response {
    answer(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn refused(status: StatusCode, error_type: &str) -> Response {
    answer(status, &json!({ "errorType": error_type, "errorMessage": error_type }))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
