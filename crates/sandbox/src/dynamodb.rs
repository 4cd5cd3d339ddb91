//! One table of DynamoDB, the sends table, with faults. It supports what the functions use of `UpdateItem`, `Query` and
//! `DeleteItem`.
//!
//! A function under test gets [`DynamoDb::url`] as `AWS_ENDPOINT_URL_DYNAMODB` and [`TABLE`] as `SENDS_TABLE`. The
//! protocol is the SDK's: AWS JSON 1.0 over plain HTTP, the operation in `X-Amz-Target`. The signature is not checked.
//! Wrong keys, types and expressions give a `ValidationException`, as in DynamoDB. A read that is not consistent
//! returns nothing, which DynamoDB allows for recently written items.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a harness: what goes wrong here fails the test that uses it"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Map, Value, json};

use crate::loopback::Server;

/// For `SENDS_TABLE`.
pub const TABLE: &str = "sends";

const PARTITION_KEY: &str = "user_id";
const SORT_KEY: &str = "verification_sid";

/// An item in DynamoDB's JSON: `{"user_id": {"S": "00u…"}, …}`.
pub type Item = Map<String, Value>;

/// A running table.
pub struct DynamoDb {
    server: Server,
    state: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    items: BTreeMap<(String, String), Item>,
    requests: Vec<String>,
    fault: Option<&'static str>,
    faulty: Option<&'static str>,
    delay: Duration,
}

/// A refusal: code and message.
struct Refusal(&'static str, String);

impl DynamoDb {
    /// Starts the server with an empty table and without faults.
    pub fn start() -> Self {
        let state = Arc::<Mutex<Table>>::default();
        let router = Router::new().route("/", post(answer)).with_state(Arc::clone(&state));
        Self { server: Server::start(router), state }
    }

    /// For `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Stores an item on behalf of the test. The item needs both keys.
    pub fn put(&self, item: &Value) {
        let item = item.as_object().expect("an item");
        let key = key_of(item).ok().expect("both keys");
        self.lock().items.insert(key, item.clone());
    }

    /// All items, by user and sid.
    pub fn items(&self) -> Vec<Item> {
        self.lock().items.values().cloned().collect()
    }

    /// The requested operations in order, whatever the response was.
    pub fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    /// Fails every request from now on with this error code, such as `ThrottlingException`. The status is DynamoDB's:
    /// 500 for an internal failure, else 400.
    pub fn set_fault(&self, code: Option<&'static str>) {
        self.set_fault_of("", code);
    }

    /// Fails every request for one operation, such as `DeleteItem`, from now on with this error code.
    pub fn set_fault_of(&self, operation: &'static str, code: Option<&'static str>) {
        let mut table = self.lock();
        (table.fault, table.faulty) = (code, Some(operation));
    }

    /// Delays every response from now on. The operation itself happens immediately.
    pub fn delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        lock(&self.state)
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(table): State<Arc<Mutex<Table>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix("DynamoDB_20120810.").unwrap_or(target);
    let (answer, delay) = {
        let mut table = lock(&table);
        table.requests.push(operation.to_owned());
        let request = serde_json::from_slice(&body).unwrap_or_default();
        (table.answer(operation, &request), table.delay)
    };
    tokio::time::sleep(delay).await;
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal(code, message)) => {
            let own = code.starts_with("Internal") || code.starts_with("ServiceUnavailable");
            let status = if own { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
            (status, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message }))
        }
    };
    (status, [(CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string()).into_response()
}

impl Table {
    fn answer(&mut self, operation: &str, request: &Value) -> Result<Value, Refusal> {
        if let (Some(code), Some(faulty)) = (self.fault, self.faulty)
            && (faulty.is_empty() || faulty == operation)
        {
            return Err(Refusal(code, "a fault of the test".to_owned()));
        }
        if request["TableName"] != TABLE {
            return Err(Refusal("ResourceNotFoundException", "Requested resource not found".to_owned()));
        }
        match operation {
            "UpdateItem" => self.update(request),
            "Query" => self.query(request),
            "DeleteItem" => {
                let key = key_of(object(&request["Key"])?)?;
                self.items.remove(&key);
                Ok(json!({}))
            }
            _ => Err(invalid("the operation is not played")),
        }
    }

    fn query(&self, request: &Value) -> Result<Value, Refusal> {
        let names = Names(request);
        let (name, placeholder) = request["KeyConditionExpression"]
            .as_str()
            .and_then(|condition| condition.split_once('='))
            .ok_or_else(|| invalid("KeyConditionExpression"))?;
        if names.resolve(name.trim())? != PARTITION_KEY {
            return Err(invalid("Query condition missed key schema element: user_id"));
        }
        let user = names.value(placeholder.trim())?;
        let is_seen = request["ConsistentRead"] == true;
        let of_user = self.items.values().filter(|item| is_seen && item.get(PARTITION_KEY) == Some(user));
        let items: Vec<_> = of_user.collect();
        Ok(json!({ "Items": items, "Count": items.len(), "ScannedCount": items.len() }))
    }

    fn update(&mut self, request: &Value) -> Result<Value, Refusal> {
        let key = object(&request["Key"])?;
        let id = key_of(key)?;
        let names = Names(request);
        let old = self.items.get(&id).cloned().unwrap_or_else(|| key.clone());
        let mut new = old.clone();
        let expression = request["UpdateExpression"].as_str().ok_or_else(|| invalid("UpdateExpression"))?;
        let (set, add) = expression.split_once(" ADD ").unwrap_or((expression, ""));
        let set = set.strip_prefix("SET ").ok_or_else(|| invalid("only SET and ADD are played"))?;
        for assignment in clauses(set) {
            let (name, value) = assignment.split_once('=').ok_or_else(|| invalid("SET"))?;
            let name = names.resolve(name.trim())?;
            let value = match value.trim().strip_prefix("if_not_exists(").and_then(|rest| rest.strip_suffix(')')) {
                Some(arguments) => {
                    let (kept, value) = arguments.split_once(',').ok_or_else(|| invalid("if_not_exists"))?;
                    old.get(names.resolve(kept.trim())?).map_or_else(|| names.value(value.trim()), Ok)?
                }
                None => names.value(value.trim())?,
            };
            new.insert(name.to_owned(), value.clone());
        }
        for addition in clauses(add).iter().filter(|addition| !addition.is_empty()) {
            let (name, value) = addition.split_once(' ').ok_or_else(|| invalid("ADD"))?;
            let name = names.resolve(name.trim())?;
            let number = |value: &Value| value["N"].as_str().and_then(|text| text.parse::<i64>().ok());
            let term = number(names.value(value.trim())?).ok_or_else(|| invalid("ADD wants a number"))?;
            let before = old.get(name).map_or(Some(0), number).ok_or_else(|| invalid("ADD to no number"))?;
            new.insert(name.to_owned(), json!({ "N": (before + term).to_string() }));
        }
        self.items.insert(id, new);
        Ok(json!({}))
    }
}

/// The clauses, separated by the commas outside parentheses.
fn clauses(expression: &str) -> Vec<String> {
    let mut clauses = vec![String::new()];
    let mut depth = 0;
    for character in expression.chars() {
        depth += i32::from(character == '(') - i32::from(character == ')');
        match clauses.last_mut() {
            Some(last) if character != ',' || depth > 0 => last.push(character),
            _ => clauses.push(String::new()),
        }
    }
    clauses.into_iter().map(|clause| clause.trim().to_owned()).collect()
}

/// The placeholders of a request.
struct Names<'a>(&'a Value);

impl<'a> Names<'a> {
    fn resolve(&self, name: &str) -> Result<&'a str, Refusal> {
        let names = self.0.get("ExpressionAttributeNames").and_then(|names| names.get(name)?.as_str());
        names.ok_or_else(|| invalid("a name without a placeholder"))
    }

    fn value(&self, placeholder: &str) -> Result<&'a Value, Refusal> {
        let value = self.0.get("ExpressionAttributeValues").and_then(|values| values.get(placeholder));
        value.filter(|value| value.is_object()).ok_or_else(|| invalid("a value that is not defined"))
    }
}

fn object(value: &Value) -> Result<&Item, Refusal> {
    value.as_object().ok_or_else(|| invalid("no object"))
}

fn key_of(item: &Item) -> Result<(String, String), Refusal> {
    let key = |name| {
        let text = item.get(name).and_then(|value| value["S"].as_str()).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| invalid("The provided key element does not match the schema"))
    };
    Ok((key(PARTITION_KEY)?, key(SORT_KEY)?))
}

fn invalid(message: &str) -> Refusal {
    Refusal("ValidationException", message.to_owned())
}
