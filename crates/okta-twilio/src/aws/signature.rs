//! AWS Signature Version 4, by the SDK's own signer.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};

/// Who signs, and for which service.
#[derive(Debug)]
pub struct Signer<'a> {
    /// The caller's credentials. Their secret parts have no readable `Debug`.
    pub credentials: Credentials,
    /// The region of the service, such as `eu-west-1`.
    pub region: &'a str,
    /// The service's name in a signature, such as `dynamodb`.
    pub service: &'a str,
    /// When the request is made. AWS accepts five minutes of difference.
    pub time: SystemTime,
}

/// The request cannot be signed, because its URL or a header is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be signed")]
pub struct CannotSign;

impl Signer<'_> {
    /// Adds the headers of the signature. The signature covers all headers that the request has by now.
    ///
    /// # Errors
    /// Fails if the URL or a header is not valid.
    pub fn sign<B: AsRef<[u8]>>(&self, request: &mut http::Request<B>) -> Result<(), CannotSign> {
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.time)
            .settings(SigningSettings::default())
            .build()
            .map_err(|_missing| CannotSign)?
            .into();
        let uri = request.uri().to_string();
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let body = SignableBody::Bytes(request.body().as_ref());
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, body);
        let signed = signable.and_then(|request| sign(request, &parameters)).map_err(|_invalid| CannotSign)?;
        signed.into_parts().0.apply_to_request_http1x(request);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_request_has_the_headers_of_a_signature_and_no_secret() {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret-access-key", Some("session".into()), None, "test");
        let time = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let signer = Signer { credentials, region: "eu-west-1", service: "dynamodb", time };
        let request = http::Request::post("https://dynamodb.eu-west-1.amazonaws.com/").header("x-amz-target", "a.b");
        let mut request = request.body("{}").unwrap();
        signer.sign(&mut request).unwrap();
        let header = |name| request.headers()[name].to_str().unwrap();
        assert_eq!((header("x-amz-date"), header("x-amz-security-token")), ("20270115T080000Z", "session"));
        let authorization = header("authorization");
        assert!(authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-west-1/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date;x-amz-security-token;x-amz-target, Signature="
        ));
        assert!(!format!("{signer:?}{request:?}").contains("secret-access-key"));
    }
}
