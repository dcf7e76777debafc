//! Whom a publisher trusts over TLS: the certificate authorities of this system, and those of a file that the user
//! names. There is no switch that trusts everybody.

use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use hyper_rustls::ConfigBuilderExt as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::Verifier;

/// Bytes of a file of certificates: a whole system's are some 300 KiB.
const MAX: u64 = 4 << 20;

/// Certificate authorities beside those of this system. Cheap to clone.
#[derive(Clone, Default)]
pub struct ExtraRoots {
    file: Option<PathBuf>,
    certificates: Arc<[CertificateDer<'static>]>,
}

impl ExtraRoots {
    pub(super) fn feed(&self, digest: &mut Sha256) {
        for certificate in &*self.certificates {
            digest.update(certificate);
        }
    }
}

/// A file of certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("cannot read the file {path}: {source}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is too long.
    #[error("the file {path} is longer than 4 MiB: it holds more than certificates", path = .0.display())]
    TooLong(PathBuf),
    /// Its text is broken.
    #[error("the file {path} is no PEM text: {reason}", path = path.display())]
    NoPem {
        /// Which file.
        path: PathBuf,
        /// Where it breaks off.
        reason: String,
    },
    /// There is none in it.
    #[error(
        "the file {path} has no certificate in it: those of PEM files stand between BEGIN CERTIFICATE and END CERTIFICATE",
        path = .0.display()
    )]
    None(PathBuf),
    /// One of them is broken.
    #[error("certificate {number} of the file {path} cannot be used: {reason}", path = path.display())]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// From 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
}

impl ExtraRoots {
    /// All certificates of a PEM file.
    ///
    /// # Errors
    /// Where one of them cannot be used, or there is none.
    pub fn read(path: &Path) -> Result<Self, RootsError> {
        let text = read(path)?;
        let mut roots = RootCertStore::empty();
        let mut certificates = Vec::new();
        for (index, certificate) in CertificateDer::pem_slice_iter(&text).enumerate() {
            let certificate = certificate.map_err(|error| no_pem(path, &error))?;
            roots.add(certificate.clone()).map_err(|error| RootsError::Unfit {
                path: path.to_owned(),
                number: index + 1,
                reason: error.to_string(),
            })?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(RootsError::None(path.to_owned()));
        }
        Ok(Self { file: Some(path.to_owned()), certificates: certificates.into() })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.certificates.len()
    }

    /// Where they were read; none where there are none.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What a TLS client needs to trust them and this system's.
    pub(super) fn client_config(&self) -> ClientConfig {
        if self.certificates.is_empty() {
            return SYSTEM.clone();
        }
        self.with_system().unwrap_or_else(|error| {
            tracing::error!("the certificates of tls.ca cannot be used: {error}");
            SYSTEM.clone()
        })
    }

    fn with_system(&self) -> Result<ClientConfig, rustls::Error> {
        let verifier = Verifier::new_with_extra_roots(self.certificates.iter().cloned(), provider())?;
        let config = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        Ok(config.with_no_client_auth())
    }
}

impl fmt::Debug for ExtraRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} certificates", self.count())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RootsError> {
    use io::Read as _;

    let mut text = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX + 1).read_to_end(&mut text));
    match read {
        Ok(_) if text.len() as u64 > MAX => Err(RootsError::TooLong(path.to_owned())),
        Ok(_) => Ok(text),
        Err(source) => Err(RootsError::Read { path: path.to_owned(), source }),
    }
}

/// The library shows what it found as a list of bytes.
fn no_pem(path: &Path, error: &pem::Error) -> RootsError {
    let reason = match error {
        pem::Error::MissingSectionEnd { .. } => "a BEGIN CERTIFICATE has no END CERTIFICATE".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is broken".to_owned(),
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is no base64".to_owned(),
        other => other.to_string(),
    };
    RootsError::NoPem { path: path.to_owned(), reason }
}

/// Reading the system's certificates takes a while: all publishers share what was read.
static SYSTEM: LazyLock<ClientConfig> = LazyLock::new(|| {
    of_system().unwrap_or_else(|error| {
        tracing::error!("no certificates to trust were found on this system; no HTTPS request will succeed: {error}");
        builder().expect("ring has what TLS needs").with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    })
});

pub(super) fn of_system() -> Result<ClientConfig, rustls::Error> {
    Ok(builder()?.try_with_platform_verifier()?.with_no_client_auth())
}

pub(super) fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_certificate_of_a_file_is_read_and_what_else_is_in_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let [one, other] = [0, 1].map(|_| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
        let text = format!("two of them\n{}{}{}", one.cert.pem(), one.signing_key.serialize_pem(), other.cert.pem());
        std::fs::write(&path, text).unwrap();
        let roots = ExtraRoots::read(&path).unwrap();
        assert_eq!((roots.count(), format!("{roots:?}").as_str()), (2, "2 certificates"));
    }

    #[test]
    fn a_file_without_a_certificate_is_told_apart_by_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let told = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            ExtraRoots::read(&path).unwrap_err().to_string()
        };
        let begin = "-----BEGIN CERTIFICATE-----\n";
        let end = "-----END CERTIFICATE-----\n";
        assert!(told(b"").contains("has no certificate in it"));
        assert!(told(b"\x30\x82\x01\x0a").contains("has no certificate in it"));
        assert!(told(begin.as_bytes()).contains("is no PEM text: a BEGIN CERTIFICATE has no END"));
        assert!(told(format!("{begin}?!\n{end}").as_bytes()).contains("is no base64"));
        assert!(told(format!("{begin}AAAA\n{end}").as_bytes()).starts_with("certificate 1 of the file "));
        assert!(told(&vec![b'\n'; 5 << 20]).contains("longer than 4 MiB"));
        let missing = ExtraRoots::read(&folder.path().join("no.pem")).unwrap_err();
        assert!(matches!(missing, RootsError::Read { .. }), "{missing}");
    }
}
