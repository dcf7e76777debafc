//! Labels that the caller gives to every series it pushes, such as `job` and `instance`.

use thiserror::Error;

use crate::cap;
use crate::descriptor::is_label_name;
use crate::registry::Registry;

/// Checked labels of every series. Values are cut to [`MAX_LABEL_BYTES`](cap::MAX_LABEL_BYTES), as those of the registry
/// are; an empty one is no label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(Vec<(String, String)>);

/// Why a label cannot be put on every series.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LabelsError {
    /// Letters, digits and `_` only, no digit first, not `__…`.
    #[error("`{0}` is no label name: letters, digits and _ only, no digit first, and not __ before it")]
    Name(String),
    /// The formats, the registry or a family have it, or it is there twice.
    #[error("the label `{label}` is taken by {by}")]
    Taken {
        /// The label.
        label: String,
        /// Who has it.
        by: String,
    },
}

impl Labels {
    /// Labels for all series of `registry`.
    ///
    /// # Errors
    /// Where a name breaks a rule or is taken.
    pub fn new<'a>(
        registry: &Registry,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, LabelsError> {
        let mut checked: Vec<(String, String)> = Vec::new();
        for (name, value) in labels {
            if !is_label_name(name) {
                return Err(LabelsError::Name(name.to_owned()));
            }
            let twice =
                checked.iter().any(|(earlier, _)| earlier == name).then(|| "another of these labels".to_owned());
            if let Some(by) = twice.or_else(|| holder(registry, name)) {
                return Err(LabelsError::Taken { label: name.to_owned(), by });
            }
            checked.push((name.to_owned(), cap::cut(value).to_owned()));
        }
        checked.retain(|(_, value)| !value.is_empty());
        Ok(Self(checked))
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Who has that label already.
fn holder(registry: &Registry, label: &str) -> Option<String> {
    if label == "le" {
        return Some("the buckets of histograms".to_owned());
    }
    if registry.constants.iter().any(|(name, _)| name == label) {
        return Some("every family".to_owned());
    }
    let overflow = registry.overflow_family();
    let descriptors = registry.families().map(|family| family.descriptor).chain([&overflow.descriptor]);
    let mut holders = descriptors.filter(|descriptor| descriptor.label_names().any(|name| name == label));
    holders.next().map(|descriptor| format!("`{}`", descriptor.name()))
}
