//! What a family is called and says of itself, and the rules that its names must keep.

use thiserror::Error;

/// Name, help, unit and labels of a family.
///
/// ```
/// use metricast_series::Descriptor;
///
/// let bytes = Descriptor::new("network_bytes", "Bytes that operations moved.")
///     .unit("bytes")
///     .label("operation")
///     .fixed_label("direction");
/// assert_eq!(bytes.name(), "network_bytes");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    name: String,
    help: String,
    unit: String,
    labels: Vec<Label>,
    exemplars: bool,
}

/// A label's name, and whether its values come from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) open: bool,
}

/// Why a family cannot be defined.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DefineError {
    /// Letters, digits, `_` and `:` only, no digit first.
    #[error("`{0}` is no metric name")]
    Name(String),
    /// The formats add these endings themselves.
    #[error("`{0}` must not end in {1}: the formats add it")]
    Suffix(String, &'static str),
    /// OpenMetrics wants the unit as the name's ending.
    #[error("`{name}` must end in _{unit}, its unit")]
    Unit {
        /// The family.
        name: String,
        /// Its unit.
        unit: String,
    },
    /// Letters, digits and `_` only, no digit first, not `__…`.
    #[error("`{label}` of `{name}` is no label name")]
    Label {
        /// The family.
        name: String,
        /// The label.
        label: String,
    },
    /// The histogram's own label, or the same one twice.
    #[error("the label `{label}` of `{name}` is taken")]
    LabelTaken {
        /// The family.
        name: String,
        /// The label.
        label: String,
    },
    /// Two families would write samples of one name.
    #[error("`{0}` clashes with a family defined before it")]
    Clash(String),
}

impl Descriptor {
    /// A family called `name`, a counter without its `_total`, that explains itself with `help`.
    pub fn new(name: impl Into<String>, help: impl Into<String>) -> Self {
        Self { name: name.into(), help: help.into(), unit: String::new(), labels: Vec::new(), exemplars: false }
    }

    /// The unit, with which the name must end.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// A label whose values come from outside: in the overflow series it says [`OTHER`](crate::cap::OTHER).
    #[must_use]
    pub fn label(mut self, name: impl Into<String>) -> Self {
        self.labels.push(Label { name: name.into(), open: true });
        self
    }

    /// A label whose few values the program chose: it keeps them in the overflow series too.
    #[must_use]
    pub fn fixed_label(mut self, name: impl Into<String>) -> Self {
        self.labels.push(Label { name: name.into(), open: false });
        self
    }

    /// Keeps exemplars where `wanted`: for each series of counters, and for each bucket of histograms.
    #[must_use]
    pub fn exemplars(mut self, wanted: bool) -> Self {
        self.exemplars = wanted;
        self
    }

    /// The family's name, a counter's without its `_total`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the family says of itself.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The unit; empty where there is none.
    pub fn unit_name(&self) -> &str {
        &self.unit
    }

    /// The labels' names.
    pub fn label_names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|label| label.name.as_str())
    }

    pub(crate) fn labels(&self) -> &[Label] {
        &self.labels
    }

    pub(crate) fn has_exemplars(&self) -> bool {
        self.exemplars
    }

    /// Whether label values from outside make its series, so that they can be many.
    pub(crate) fn has_open_label(&self) -> bool {
        self.labels.iter().any(|label| label.open)
    }

    pub(crate) fn check(&self) -> Result<(), DefineError> {
        if !is_metric_name(&self.name) {
            return Err(DefineError::Name(self.name.clone()));
        }
        for suffix in ["_total", "_created", "_bucket", "_count", "_sum", "_info"] {
            if self.name.ends_with(suffix) {
                return Err(DefineError::Suffix(self.name.clone(), suffix));
            }
        }
        let bare = self.name.strip_suffix(self.unit.as_str());
        if !self.unit.is_empty() && !bare.is_some_and(|bare| bare.ends_with('_')) {
            return Err(DefineError::Unit { name: self.name.clone(), unit: self.unit.clone() });
        }
        self.check_labels()
    }

    fn check_labels(&self) -> Result<(), DefineError> {
        for (at, label) in self.labels.iter().enumerate() {
            let (name, label) = (self.name.clone(), label.name.clone());
            if !is_label_name(&label) {
                return Err(DefineError::Label { name, label });
            }
            if label == "le" || self.labels[..at].iter().any(|earlier| earlier.name == label) {
                return Err(DefineError::LabelTaken { name, label });
            }
        }
        Ok(())
    }
}

fn is_metric_name(name: &str) -> bool {
    is_identifier(name, b":")
}

/// Whether a label can be called so: letters, digits and `_` only, no digit first, not `__…`.
pub fn is_label_name(name: &str) -> bool {
    is_identifier(name, b"") && !name.starts_with("__")
}

fn is_identifier(name: &str, extra: &[u8]) -> bool {
    !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || extra.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(descriptor: &Descriptor) -> String {
        descriptor.check().expect_err("refused").to_string()
    }

    #[test]
    fn names_units_and_labels_keep_the_formats_rules() {
        let named = |name: &str| Descriptor::new(name, "");
        assert_eq!(named("a:b_seconds").unit("seconds").label("x").check(), Ok(()));
        assert_eq!(refused(&named("")), "`` is no metric name");
        assert_eq!(refused(&named("9lives")), "`9lives` is no metric name");
        assert_eq!(refused(&named("a-b")), "`a-b` is no metric name");
        assert_eq!(refused(&named("a_total")), "`a_total` must not end in _total: the formats add it");
        assert_eq!(refused(&named("a").unit("bytes")), "`a` must end in _bytes, its unit");
        assert_eq!(refused(&named("abytes").unit("bytes")), "`abytes` must end in _bytes, its unit");
        assert_eq!(refused(&named("a").label("x.y")), "`x.y` of `a` is no label name");
        assert_eq!(refused(&named("a").label("__x")), "`__x` of `a` is no label name");
        assert_eq!(refused(&named("a").label("le")), "the label `le` of `a` is taken");
        assert_eq!(refused(&named("a").label("x").fixed_label("x")), "the label `x` of `a` is taken");
    }
}
