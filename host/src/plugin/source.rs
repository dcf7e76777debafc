//! Where a plugin comes from.

use std::fmt;
use std::path::{self, Path, PathBuf};
use std::str::FromStr;

use crate::spelling;

/// A component that is part of this program.
pub(crate) struct Bundled {
    pub(crate) name: &'static str,
    pub(crate) bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The names of the plugins that are part of this program.
pub fn bundled() -> impl ExactSizeIterator<Item = &'static str> {
    BUNDLED.iter().map(|plugin| plugin.name)
}

/// Where a plugin comes from: `elasticsearch` is part of this program, `./mine.wasm` is a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginSource {
    /// Part of this program, by name.
    Bundled(&'static str),
    /// A component's file.
    File(PathBuf),
}

/// A name that is no plugin's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SourceError {
    /// What was asked for.
    pub name: String,
    /// The bundled plugin of the most similar name.
    pub nearest: Option<&'static str>,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, nearest } = self;
        write!(f, "no plugin is called {name:?}")?;
        if let Some(nearest) = nearest {
            write!(f, "; did you mean {nearest:?}?")?;
        } else {
            f.write_str(".")?;
        }
        let names: Vec<_> = bundled().collect();
        write!(
            f,
            " There are {}; a file's name ends in .wasm or has a {} in it.",
            names.join(", "),
            path::MAIN_SEPARATOR
        )
    }
}

impl FromStr for PluginSource {
    type Err = SourceError;

    /// A path ends in `.wasm` or has a separator in it; anything else is a bundled plugin's name.
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let is_path = text.contains(path::is_separator) || Path::new(text).extension().is_some_and(|end| end == "wasm");
        if is_path { Ok(Self::File(text.into())) } else { Self::bundled(text) }
    }
}

impl PluginSource {
    /// The bundled plugin of this name.
    ///
    /// # Errors
    /// Where there is none; the error names the nearest.
    pub fn bundled(name: &str) -> Result<Self, SourceError> {
        bundled()
            .find(|known| *known == name)
            .map(Self::Bundled)
            .ok_or_else(|| SourceError { name: name.to_owned(), nearest: spelling::nearest(name, bundled()) })
    }
}

impl fmt::Display for PluginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled(name) => f.write_str(name),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_path_is_a_file() {
        for text in ["mine.wasm", "./mine", "plugins/mine", "/opt/plugins/mine.wasm", "dir/prometheus"] {
            assert_eq!(text.parse(), Ok(PluginSource::File(text.into())), "{text}");
        }
    }

    #[test]
    fn every_bundled_plugin_is_found_by_its_name() {
        for name in bundled() {
            assert_eq!(name.parse(), Ok(PluginSource::Bundled(name)));
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_nearest_and_the_list() {
        let error = "Elasticsearhc".parse::<PluginSource>().unwrap_err();
        assert_eq!(error.nearest, Some("elasticsearch"));
        let text = error.to_string();
        assert!(text.contains("did you mean \"elasticsearch\"?"), "{text}");
        assert!(text.contains("prometheus"), "{text}");
        assert_eq!("zzz".parse::<PluginSource>().unwrap_err().nearest, None);
    }
}
