//! Who may be at the other end: certificates judged as libpq judges them (fe-secure-openssl.c,
//! fe-secure-common.c), which is not quite as a browser does.
//!
//! rustls and webpki do the work. Where they are stricter than OpenSSL on what PostgreSQL's own manual tells people
//! to make ("Creating Certificates": X.509 version 1, the host in the common name; a self-signed
//! certificate named as its own root), the chain is followed here by the plain rules of RFC 5280.

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, SignatureVerificationAlgorithm,
    UnixTime,
};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, InconsistentKeys, OtherError,
    RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode, Header, Reader, SliceReader};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName};

use super::ConnectionError;
use super::files::home;

/// How much of the certificate has to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Trust {
    /// Nothing: encryption only.
    Nothing,
    /// Somebody trusted has signed it.
    Chain,
    /// And it is for this host.
    ChainAndName,
}

/// What the connection's `ssl…` parameters say.
pub(super) struct Wanted<'a> {
    pub(super) mode: &'a str,
    pub(super) root_certificate: Option<&'a str>,
    pub(super) certificate: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) certificate_mode: Option<&'a str>,
    pub(super) revoked: Option<&'a str>,
    pub(super) least_version: Option<&'a str>,
    pub(super) server_name_sent: bool,
}

/// The client side of TLS for one host.
pub(super) fn configuration(wanted: &Wanted<'_>, host: &str) -> Result<ClientConfig, ConnectionError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (trust, roots) = roots(wanted)?;
    let verifier = Verifier {
        trust,
        host: host.to_owned(),
        webpki: match trust {
            Trust::Nothing => None,
            _ => Some(webpki(&roots, wanted.revoked, provider.clone())?),
        },
        has_revoked: wanted.revoked.is_some(),
        roots,
        algorithms: provider.signature_verification_algorithms,
    };
    let only_13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
    let versions = match wanted.least_version.unwrap_or("TLSv1.2") {
        "TLSv1.3" => only_13,
        "TLSv1" | "TLSv1.1" | "TLSv1.2" => rustls::ALL_VERSIONS,
        other => {
            return Err(ConnectionError::text(format!("ssl_min_protocol_version: there is no `{other}`")));
        }
    };
    let keys = provider.key_provider;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| ConnectionError::text(format!("TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client_certificate(wanted)? {
        Some((chain, key, path)) => {
            let failed = |error: Error| {
                ConnectionError::text(format!(
                    "the client certificate {} can't be used: {error}",
                    path.display()
                ))
            };
            let key = keys.load_private_key(key).map_err(failed)?;
            let certified = CertifiedKey::new(chain, key);
            // Other problems, such as an old version of X.509, are the server's to judge.
            if let Err(error @ Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) =
                certified.keys_match()
            {
                return Err(failed(error));
            }
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        None => builder.with_no_client_auth(),
    };
    // libpq sends no server name for an address either.
    config.enable_sni = wanted.server_name_sent && host.parse::<IpAddr>().is_err();
    // What the server of "direct" negotiation asks for; an ordinary one ignores it.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(config)
}

/// How far to trust, and whom; libpq verifies the chain whenever there is a file of roots, whatever the mode.
fn roots(wanted: &Wanted<'_>) -> Result<(Trust, Vec<CertificateDer<'static>>), ConnectionError> {
    let asked = match wanted.mode {
        "verify-ca" => Trust::Chain,
        "verify-full" => Trust::ChainAndName,
        _ => Trust::Nothing,
    };
    if wanted.root_certificate == Some("system") {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            return Err(ConnectionError::text(
                "sslrootcert=system: this machine has no trusted root certificates (Debian: apt install \
                 ca-certificates)"
                    .to_owned(),
            ));
        }
        return Ok((Trust::ChainAndName, found.certs));
    }
    let path = wanted
        .root_certificate
        .map(PathBuf::from)
        .or_else(|| home().map(|home| home.join(".postgresql/root.crt")));
    match path.filter(|path| path.exists()) {
        Some(path) => Ok((if asked == Trust::Nothing { Trust::Chain } else { asked }, certificates(&path)?)),
        None if asked == Trust::Nothing => Ok((asked, vec![])),
        None => Err(ConnectionError::text(format!(
            "sslmode={} needs the certificates to trust, and {} isn't there: name their file with sslrootcert=, or \
             say sslrootcert=system for those that this machine trusts",
            wanted.mode,
            wanted.root_certificate.unwrap_or("~/.postgresql/root.crt"),
        ))),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ConnectionError> {
    let failed = |error: String| ConnectionError::text(format!("can't read {}: {error}", path.display()));
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(|error| failed(error.to_string()))?
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("it holds no certificate".to_owned())) } else { Ok(found) }
}

fn webpki(
    roots: &[CertificateDer<'static>],
    revoked: Option<&str>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, ConnectionError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().cloned());
    let mut builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider);
    if let Some(file) = revoked {
        let failed = |error: String| ConnectionError::text(format!("can't read {file}: {error}"));
        let lists = CertificateRevocationListDer::pem_file_iter(file)
            .map_err(|error| failed(error.to_string()))?
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(error.to_string()))?;
        builder = builder.with_crls(lists);
    }
    builder
        .build()
        .map_err(|error| ConnectionError::text(format!("no certificate to trust can be used: {error}")))
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, PathBuf);

/// The user's own certificate, where there is one: named, or in its usual place.
fn client_certificate(wanted: &Wanted<'_>) -> Result<Option<ClientCertificate>, ConnectionError> {
    if wanted.certificate_mode == Some("disable") {
        return Ok(None);
    }
    let usual = |name: &str| home().map(|home| home.join(".postgresql").join(name));
    let Some(certificate) = wanted
        .certificate
        .map(PathBuf::from)
        .or_else(|| usual("postgresql.crt"))
        .filter(|path| path.exists())
    else {
        return match wanted.certificate {
            Some(named) => Err(ConnectionError::text(format!("sslcert: {named} isn't there"))),
            None => Ok(None),
        };
    };
    let Some(key) = wanted.key.map(PathBuf::from).or_else(|| usual("postgresql.key")) else {
        return Ok(None);
    };
    let metadata = std::fs::metadata(&key).map_err(|error| {
        ConnectionError::text(format!(
            "the certificate {} has no private key: {}: {error}",
            certificate.display(),
            key.display()
        ))
    })?;
    // As libpq: 0600, or 0640 of root's.
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(ConnectionError::text(format!(
            "others may read the private key {0}: chmod 0600 {0}",
            key.display()
        )));
    }
    let chain = certificates(&certificate)?;
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|error| {
        ConnectionError::text(format!(
            "{} holds no private key that can be read without a passphrase: {error}",
            key.display()
        ))
    })?;
    Ok(Some((chain, private, certificate)))
}

/// Judges the server's certificate.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    host: String,
    webpki: Option<Arc<WebPkiServerVerifier>>,
    has_revoked: bool,
    roots: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(webpki) = &self.webpki else { return Ok(ServerCertVerified::assertion()) };
        match webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Ok(_) => {}
            // webpki looks at the name last; it is looked at below.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => {}
            Err(Error::InvalidCertificate(CertificateError::Other(_) | CertificateError::BadEncoding))
                if !self.has_revoked =>
            {
                follow_chain(end_entity, intermediates, &self.roots, now, &self.algorithms)?;
            }
            Err(error) => return Err(error),
        }
        if self.trust == Trust::ChainAndName {
            check_name(&parsed(end_entity)?, &self.host)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl Verifier {
    /// That the server has the certificate's key. rustls' own way in refuses certificates of version 1.
    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = parsed(certificate)?;
        let offered = self.algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        for algorithm in offered.flat_map(|(_, algorithms)| *algorithms) {
            if is_signed(&certificate, *algorithm, message, signed.signature()) {
                return Ok(HandshakeSignatureValid::assertion());
            }
        }
        Err(Error::InvalidCertificate(CertificateError::BadSignature))
    }
}

fn parsed(certificate: &CertificateDer<'_>) -> Result<Certificate, Error> {
    Certificate::from_der(certificate).map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
}

fn refused(why: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::from(Box::<
        dyn std::error::Error + Send + Sync,
    >::from(why)))))
}

/// Whether `signature` is by the certificate's key, which has to be of the algorithm's kind.
fn is_signed(
    signer: &Certificate,
    algorithm: &dyn SignatureVerificationAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let key = &signer.tbs_certificate.subject_public_key_info;
    // The algorithm is without its SEQUENCE header there, which is two bytes here.
    let same_kind = key
        .algorithm
        .to_der()
        .is_ok_and(|der| der.get(2..).is_some_and(|der| der == algorithm.public_key_alg_id().as_ref()));
    same_kind
        && key
            .subject_public_key
            .as_bytes()
            .is_some_and(|key| algorithm.verify_signature(key, message, signature).is_ok())
}

/// The path from the server's certificate to a root, by RFC 5280, section 6, without policies; what isn't
/// understood is refused.
fn follow_chain(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    roots: &[CertificateDer<'static>],
    now: UnixTime,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<(), Error> {
    let trusted: Vec<(&CertificateDer<'_>, Certificate)> =
        roots.iter().filter_map(|der| Some((der, parsed(der).ok()?))).collect();
    let offered: Vec<(&CertificateDer<'_>, Certificate)> =
        intermediates.iter().filter_map(|der| Some((der, parsed(der).ok()?))).collect();
    let leaf = parsed(end_entity)?;
    if let Ok(Some((_, uses))) = leaf.tbs_certificate.get::<ExtendedKeyUsage>() {
        let may = [SERVER_AUTHENTICATION, ANY_USE];
        if !uses.0.iter().any(|usage| may.contains(usage)) {
            return Err(Error::InvalidCertificate(CertificateError::InvalidPurpose));
        }
    }
    let (mut der, mut current) = (end_entity, &leaf);
    for below in 0..8 {
        check_time(current, now)?;
        check_extensions(current)?;
        let is_own_issuer = current.tbs_certificate.subject == current.tbs_certificate.issuer;
        if is_own_issuer && trusted.iter().any(|(root, _)| root.as_ref() == der.as_ref()) {
            return Ok(());
        }
        let signs = |(_, issuer): &&(&CertificateDer<'_>, Certificate)| {
            issuer.tbs_certificate.subject == current.tbs_certificate.issuer
                && may_issue(issuer, below)
                && has_signed(issuer, current, der, algorithms)
        };
        if let Some((_, root)) = trusted.iter().find(signs) {
            // As OpenSSL without X509_V_FLAG_PARTIAL_CHAIN: the last one has to be a root.
            if root.tbs_certificate.subject == root.tbs_certificate.issuer {
                check_extensions(root)?;
                return check_time(root, now);
            }
        }
        match offered.iter().chain(&trusted).find(signs) {
            Some((next_der, next)) => (der, current) = (next_der, next),
            None => break,
        }
    }
    Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
}

const SERVER_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ANY_USE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

fn check_time(certificate: &Certificate, now: UnixTime) -> Result<(), Error> {
    let validity = &certificate.tbs_certificate.validity;
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs() {
        Err(Error::InvalidCertificate(CertificateError::NotValidYet))
    } else if now > validity.not_after.to_unix_duration().as_secs() {
        Err(Error::InvalidCertificate(CertificateError::Expired))
    } else {
        Ok(())
    }
}

/// Constraints that aren't followed here make the chain unusable.
fn check_extensions(certificate: &Certificate) -> Result<(), Error> {
    // basicConstraints, keyUsage, subjectAltName, extendedKeyUsage.
    const FOLLOWED: [&str; 4] = ["2.5.29.19", "2.5.29.15", "2.5.29.17", "2.5.29.37"];
    let unknown = certificate
        .tbs_certificate
        .extensions
        .iter()
        .flatten()
        .any(|it| it.critical && !FOLLOWED.contains(&it.extn_id.to_string().as_str()));
    let has_name_constraints = !matches!(certificate.tbs_certificate.get::<NameConstraints>(), Ok(None));
    if unknown || has_name_constraints {
        return Err(Error::InvalidCertificate(CertificateError::UnhandledCriticalExtension));
    }
    Ok(())
}

/// Whether it is an authority's, with `below` certificates between it and the server's.
fn may_issue(certificate: &Certificate, below: u8) -> bool {
    let certificate = &certificate.tbs_certificate;
    let is_authority = match certificate.get::<BasicConstraints>() {
        Ok(Some((_, constraints))) => {
            constraints.ca && constraints.path_len_constraint.is_none_or(|longest| below <= longest)
        }
        // A root from before version 3.
        Ok(None) => certificate.extensions.is_none() && certificate.subject == certificate.issuer,
        Err(_) => false,
    };
    let may_sign = match certificate.get::<KeyUsage>() {
        Ok(Some((_, usage))) => usage.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    is_authority && may_sign
}

fn has_signed(
    issuer: &Certificate,
    certificate: &Certificate,
    der: &CertificateDer<'_>,
    algorithms: &WebPkiSupportedAlgorithms,
) -> bool {
    // The bytes as they were signed, not as they'd be encoded here.
    let signed = SliceReader::new(der).and_then(|mut reader| {
        Header::decode(&mut reader)?;
        reader.tlv_bytes()
    });
    let (Ok(signed), Some(signature)) = (signed, certificate.signature.as_bytes()) else { return false };
    let Ok(kind) = certificate.signature_algorithm.to_der() else { return false };
    algorithms
        .all
        .iter()
        .filter(|algorithm| kind.get(2..).is_some_and(|kind| kind == algorithm.signature_alg_id().as_ref()))
        .any(|algorithm| is_signed(issuer, *algorithm, signed, signature))
}

/// As pq_verify_peer_name_matches_certificate: alternative names, or where none is of the host's kind the
/// common name.
fn check_name(certificate: &Certificate, host: &str) -> Result<(), Error> {
    let address: Option<IpAddr> = host.parse().ok();
    let mut names = vec![];
    let mut use_common_name = true;
    let alternative = match certificate.tbs_certificate.get::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0,
        Ok(None) => vec![],
        Err(_) => return Err(Error::InvalidCertificate(CertificateError::BadEncoding)),
    };
    for name in &alternative {
        match name {
            GeneralName::DnsName(name) => {
                use_common_name &= address.is_some();
                if matches_host(name.as_str(), host) {
                    return Ok(());
                }
                names.push(name.to_string());
            }
            GeneralName::IpAddress(bytes) => {
                use_common_name &= address.is_none();
                let bytes = bytes.as_bytes();
                let one = <[u8; 4]>::try_from(bytes)
                    .map(IpAddr::from)
                    .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
                if let Ok(one) = one {
                    if Some(one) == address {
                        return Ok(());
                    }
                    names.push(one.to_string());
                }
            }
            _ => {}
        }
    }
    if use_common_name {
        const COMMON_NAME: &str = "2.5.4.3";
        let common = certificate.tbs_certificate.subject.0.iter().flat_map(|part| part.0.iter());
        if let Some(name) = common.into_iter().find(|it| it.oid.to_string() == COMMON_NAME) {
            let name = String::from_utf8_lossy(name.value.value()).into_owned();
            if matches_host(&name, host) {
                return Ok(());
            }
            names.push(name);
        }
    }
    Err(refused(format!("the server's certificate is for {}, not for {host}", names.join(", "))))
}

/// `*.example.com` stands for exactly one label.
fn matches_host(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(behind) = pattern.strip_prefix('*').filter(|behind| behind.starts_with('.') && behind.len() > 1)
    else {
        return false;
    };
    let start = host.len().saturating_sub(behind.len());
    host.parse::<IpAddr>().is_err()
        && start > 0
        && host.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(behind))
        && host.get(..start).is_some_and(|label| !label.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_label() {
        assert!(matches_host("DB.example.com", "db.example.COM"));
        assert!(matches_host("*.example.com", "db.example.com"));
        for (pattern, host) in [
            ("*.example.com", "a.b.example.com"),
            ("*.example.com", "example.com"),
            ("*.example.com", ".example.com"),
            ("*", "db"),
            ("*.0.0.1", "127.0.0.1"),
        ] {
            assert!(!matches_host(pattern, host), "{pattern} {host}");
        }
    }
}
