//! Okta's management API. A response's text is dropped, because it can hold what was sent.

pub(crate) mod apps;
mod hook_secrets;
pub(crate) mod hooks;
pub(crate) mod settings;
pub(crate) mod system_log;

use std::sync::{Mutex, PoisonError};

use http::{HeaderValue, Method, StatusCode, header};
use okta_twilio::{config, http_client::CallError, id::SafeId};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;
use url::Url;

use crate::call::{self, Response};

/// Pages of a list at most.
const MAX_PAGES: usize = 200;

/// Why Okta did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OktaError {
    #[error("Okta did not answer: {0}")]
    NoResponse(CallError),
    #[error("Okta refused the API token")]
    Unauthorized,
    #[error("the owner of this API token may not use {scope}")]
    Forbidden { scope: &'static str },
    #[error("Okta has nothing of this name in the org")]
    NotFound,
    #[error("Okta's rate limit is reached: try again in a minute")]
    RateLimited,
    #[error("Okta refused with {status}{}", code.as_ref().map(|code| format!(", {code}")).unwrap_or_default())]
    Refused { status: u16, code: Option<SafeId> },
    #[error("Okta answered in a form that this version does not know")]
    NotUnderstood,
}

impl OktaError {
    /// What to do.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::NoResponse(_) => "Check this machine's way to the Internet, and Okta's status page.",
            Self::Unauthorized => "Create an API token in the Admin Console, Security, API, Tokens.",
            Self::Forbidden { .. } => "Use the API token of an administrator whose role covers this.",
            Self::NotFound => "Check OKTA_ORG_URL.",
            Self::RateLimited => "Wait a minute, and run this command again.",
            Self::Refused { .. } => "Read the System Log in the Admin Console.",
            Self::NotUnderstood => "Check OKTA_ORG_URL and OKTA_API_URL.",
        }
    }

    fn of(response: &Response, scope: &'static str) -> Self {
        #[derive(Deserialize)]
        struct Body {
            #[serde(rename = "errorCode")]
            code: Option<String>,
        }
        match response.status {
            StatusCode::UNAUTHORIZED => Self::Unauthorized,
            StatusCode::FORBIDDEN => Self::Forbidden { scope },
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::TOO_MANY_REQUESTS => Self::RateLimited,
            status => {
                let code = response.json::<Body>().and_then(|body| SafeId::parse(&body.code?));
                Self::Refused { status: status.as_u16(), code }
            }
        }
    }
}

/// What is left of a rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Requests a minute.
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
}

impl Allowance {
    fn of(response: &Response) -> Option<Self> {
        let number = |name| response.header(name)?.trim().parse().ok();
        Some(Self { limit: number("x-rate-limit-limit")?, remaining: number("x-rate-limit-remaining")? })
    }

    /// Whether less than a tenth is left.
    pub(crate) fn is_low(self) -> bool {
        self.remaining.saturating_mul(10) < self.limit
    }
}

/// The API token of this program's environment: `OKTA_API_TOKEN`.
pub(crate) fn token_of_environment() -> Option<SecretString> {
    let token = config::environment("OKTA_API_TOKEN").map(|token| token.trim().to_owned());
    token.filter(|token| !token.is_empty()).map(SecretString::from)
}

/// A client with the API token of an administrator.
pub(crate) struct Okta {
    http: reqwest::Client,
    api: Url,
    authorization: HeaderValue,
    lowest: Mutex<Option<Allowance>>,
}

impl Okta {
    /// `None` if the token has a character that no token has.
    pub(crate) fn new(http: &reqwest::Client, api: &Url, token: &SecretString) -> Option<Self> {
        let mut authorization = HeaderValue::try_from(format!("SSWS {}", token.expose_secret())).ok()?;
        authorization.set_sensitive(true);
        Some(Self { http: http.clone(), api: api.clone(), authorization, lowest: Mutex::new(None) })
    }

    /// The least that was left of a rate limit so far.
    pub(crate) fn lowest_allowance(&self) -> Option<Allowance> {
        *self.lowest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one resource. `scope` is the one that a token of OAuth would need.
    ///
    /// # Errors
    /// Fails if Okta does not respond, refuses, or answers in another form.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        scope: &'static str,
    ) -> Result<T, OktaError> {
        let url = self.url(path, query);
        let response = call::repeatable(|| self.request(Method::GET, url.clone())).await;
        self.read(&response.map_err(OktaError::NoResponse)?, scope)
    }

    /// Reads all pages of a list.
    ///
    /// # Errors
    /// As [`Okta::get`].
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        scope: &'static str,
    ) -> Result<Vec<T>, OktaError> {
        let mut found = Vec::new();
        let more = |entry| {
            found.push(entry);
            true
        };
        self.pages(path, query, scope, more).await?;
        Ok(found)
    }

    /// Reads a list page by page, until `more` has enough.
    ///
    /// # Errors
    /// As [`Okta::get`].
    pub(crate) async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        scope: &'static str,
        mut more: impl FnMut(T) -> bool,
    ) -> Result<(), OktaError> {
        let mut url = self.url(path, query);
        for _ in 0..MAX_PAGES {
            let response = call::repeatable(|| self.request(Method::GET, url.clone())).await;
            let response = response.map_err(OktaError::NoResponse)?;
            for entry in self.read::<Vec<T>>(&response, scope)? {
                if !more(entry) {
                    return Ok(());
                }
            }
            match next_query(&response) {
                // Only the query is taken: credentials go to one host only.
                Some(next) => url.set_query(Some(&next)),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Sends a request that changes something, or executes a hook.
    ///
    /// # Errors
    /// As [`Okta::get`].
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        (method, path): (Method, &str),
        body: Option<&Value>,
        scope: &'static str,
    ) -> Result<T, OktaError> {
        let mut request = self.request(method, self.url(path, &[]));
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = call::once(request).await.map_err(OktaError::NoResponse)?;
        self.read(&response, scope)
    }

    /// Deletes something. What is gone already is no error.
    ///
    /// # Errors
    /// As [`Okta::get`].
    async fn delete(&self, path: &str, scope: &'static str) -> Result<(), OktaError> {
        self.send::<IgnoredAny>((Method::DELETE, path), None, scope).await.map(drop).or_else(unless_gone)
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = join(&self.api, path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.http.request(method, url).header(header::ACCEPT, "application/json");
        request.header(header::AUTHORIZATION, self.authorization.clone())
    }

    fn read<T: DeserializeOwned>(&self, response: &Response, scope: &'static str) -> Result<T, OktaError> {
        self.note(response);
        if !response.status.is_success() {
            return Err(OktaError::of(response, scope));
        }
        // Nothing stands for null.
        let body = if response.body.is_empty() { b"null" } else { response.body.as_slice() };
        okta_twilio::json::read(body).ok_or(OktaError::NotUnderstood)
    }

    fn note(&self, response: &Response) {
        let Some(allowance) = Allowance::of(response) else { return };
        let mut lowest = self.lowest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lower = |lowest: Allowance| {
            allowance.remaining.saturating_mul(lowest.limit) < lowest.remaining.saturating_mul(allowance.limit)
        };
        if lowest.is_none_or(is_lower) {
            *lowest = Some(allowance);
        }
    }
}

fn unless_gone(error: OktaError) -> Result<(), OktaError> {
    if error == OktaError::NotFound { Ok(()) } else { Err(error) }
}

/// The URL of a path below a base URL.
fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// The query of the next page: `Link: <https://…>; rel="next"`.
fn next_query(response: &Response) -> Option<String> {
    let links = response.headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
    let next = links.flat_map(|value| value.split(',')).find(|link| link.contains("rel=\"next\""))?;
    let url = next.split_once('<')?.1.split_once('>')?.0;
    Url::parse(url).ok()?.query().map(str::to_owned)
}
