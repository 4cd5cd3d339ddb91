//! A certificate authority for one run. Its key is discarded after it has signed the server certificate, so that it
//! cannot sign another one.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// The names in the certificate. A client must use one of them.
const HOST_NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// The server's TLS configuration, and the certificate authority that its clients must trust.
pub(crate) struct Certificate {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) authority_pem: String,
}

/// The reason why the certificate could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The certificate could not be built or signed.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library rejected the certificate.
    #[error("TLS configuration: {0}")]
    Tls(#[from] rustls::Error),
}

/// Creates a certificate authority and a server certificate that it signs.
pub(crate) fn make() -> Result<Certificate, CertificateError> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.distinguished_name = named("okta-twilio sandbox authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let mut server = CertificateParams::new(HOST_NAMES.map(String::from))?;
    server.distinguished_name = named("okta-twilio sandbox");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_key = KeyPair::generate()?;
    let server = server.signed_by(&server_key, &issuer)?;

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut configuration = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![server.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der())),
        )?;
    configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Certificate { server: Arc::new(configuration), authority_pem })
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
