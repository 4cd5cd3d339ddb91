//! Where Okta finds the functions, and whether they are there.

use http::StatusCode;
use url::{Host, Url};

use super::SetupError;
use crate::{call, stack::Hook};

/// Characters that a tag can hold. Source: AWS, "`Tag`" of Secrets Manager.
const MAX_LENGTH: usize = 256;

/// A URL that a person has given, for example that of a proxy in front of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HookUrl(String);

impl HookUrl {
    /// Okta calls HTTPS only. A stand-in on this machine may do without.
    ///
    /// # Errors
    /// Says what is wrong with the URL.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text.trim()).map_err(|_parse_error| "is no URL")?;
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            // Its brackets do not fit into a tag.
            Some(Host::Ipv6(_)) | None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
            return Err("must begin with https://");
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err("must have no user, no query and no fragment");
        }
        let text = url.to_string();
        // A tag remembers it.
        let fits_tag = |character: char| character.is_ascii_alphanumeric() || "_.:/=+-@".contains(character);
        if text.len() > MAX_LENGTH || !text.chars().all(fits_tag) {
            return Err("must have at most 256 letters, digits and characters of _.:/=+-@");
        }
        Ok(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Asks a hook without the secret, as anybody can.
///
/// # Errors
/// Fails unless the hook refuses the request. Okta would be sent to something else, or to nothing.
pub(super) async fn check(http: &reqwest::Client, hook: Hook, url: &str) -> Result<(), SetupError> {
    let response = call::repeatable(|| http.post(url).body("{}")).await;
    match response {
        Ok(response) if response.status == StatusCode::UNAUTHORIZED => Ok(()),
        Ok(response) => Err(SetupError::NotOurHook { hook, status: response.status.as_u16() }),
        Err(error) => Err(SetupError::HookUnreachable { hook, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_url_can_be_called_by_okta_and_remembered_in_a_tag() {
        for good in
            ["https://hooks.example.com/telephony", "https://hooks.example.com:8443/a-b_c", "http://127.0.0.1:9/e"]
        {
            assert_eq!(HookUrl::parse(good).unwrap().as_str(), good);
        }
        let long = format!("https://hooks.example.com/{}", "a".repeat(240));
        for bad in [
            "hooks.example.com/telephony",
            "http://hooks.example.com/telephony",
            "ftp://127.0.0.1/telephony",
            "https://user@hooks.example.com/telephony",
            "https://hooks.example.com/telephony?a=b",
            "https://hooks.example.com/telephony#a",
            "https://hooks.example.com/a%20b",
            &long,
            "",
        ] {
            assert!(HookUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
