//! What all metrics of a body come from.

use thiserror::Error;

use crate::cap;
use crate::wire;

/// The scope of the metrics: this library.
const SCOPE: &str = "metricast";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Attributes of the program that the metrics are of. Prometheus makes its `job` of `service.namespace` and
/// `service.name`, its `instance` of `service.instance.id`, and keeps the others in `target_info`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// The fields of a `ResourceMetrics` that stand before the metrics, encoded.
    pub(super) resource: Vec<u8>,
    /// The first field of a `ScopeMetrics`.
    pub(super) scope: Vec<u8>,
}

/// Why attributes make no resource.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResourceError {
    /// A key of no letters.
    #[error("an attribute of the resource has no name")]
    Empty,
    /// What a receiver does with two is not defined.
    #[error("the attribute `{0}` of the resource is there twice")]
    Twice(String),
}

impl Resource {
    /// A resource of these attributes, in this order. Values are cut to [`MAX_LABEL_BYTES`](cap::MAX_LABEL_BYTES); an
    /// empty one is left out.
    ///
    /// # Errors
    /// Where a key is empty or there twice.
    pub fn new<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ResourceError> {
        let attributes: Vec<_> = attributes.into_iter().collect();
        for (at, (key, _)) in attributes.iter().enumerate() {
            if key.is_empty() {
                return Err(ResourceError::Empty);
            }
            if attributes[..at].iter().any(|(earlier, _)| earlier == key) {
                return Err(ResourceError::Twice((*key).to_owned()));
            }
        }
        let (mut resource, mut scope) = (Vec::new(), Vec::new());
        wire::nested(1, &mut resource, |out| {
            for (key, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
                wire::nested(1, out, |out| attribute(key, cap::cut(value), out));
            }
        });
        wire::nested(1, &mut scope, |out| {
            wire::text(1, SCOPE, out);
            wire::text(2, VERSION, out);
        });
        Ok(Self { resource, scope })
    }
}

/// Appends the fields of a `KeyValue`.
pub(super) fn attribute(key: &str, value: &str, out: &mut Vec<u8>) {
    wire::text(1, key, out);
    wire::nested(2, out, |out| wire::text(1, value, out));
}
