//! Finds JDKs by the `release` file that each has in its folder.

use std::env;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// JDK 17: OpenSearch 2, Elasticsearch 7 and 8.
pub const SEVENTEEN: RangeInclusive<u32> = 17..=17;

/// JDK 21 or newer: OpenSearch 3, Elasticsearch 9.
pub const NEWER: RangeInclusive<u32> = 21..=u32::MAX;

/// The folder of the oldest JDK within `versions`: `JAVA_HOME`, the one on `PATH`, or where systems keep them.
///
/// # Errors
/// Where there is none.
pub fn find(versions: &RangeInclusive<u32>) -> Result<PathBuf> {
    let fitting = candidates().into_iter().filter_map(|folder| Some((version(&folder)?, folder)));
    let oldest = fitting.filter(|(version, _)| versions.contains(version)).min_by_key(|(version, _)| *version);
    match oldest {
        Some((_, folder)) => Ok(folder),
        None if versions.end() == &u32::MAX => bail!("there is no JDK {} or newer", versions.start()),
        None => bail!("there is no JDK {}", versions.start()),
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::var_os("JAVA_HOME").into_iter().map(PathBuf::from).collect();
    folders.extend(on_path());
    folders.extend(below(Path::new("/usr/lib/jvm")));
    folders.extend(below(Path::new("/opt")));
    if let Some(home) = env::home_dir() {
        folders.extend(below(&home.join(".jdks")));
        folders.extend(below(&home.join(".sdkman/candidates/java")));
    }
    folders
}

fn on_path() -> Option<PathBuf> {
    let paths = env::var_os("PATH")?;
    let java = env::split_paths(&paths).map(|folder| folder.join("java")).find(|file| file.is_file())?;
    Some(fs::canonicalize(java).ok()?.parent()?.parent()?.to_path_buf())
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    folders
}

/// The feature version of the JDK in `folder`; none of a folder that has no compiler.
fn version(folder: &Path) -> Option<u32> {
    if !folder.join("bin/javac").is_file() {
        return None;
    }
    feature_version(&fs::read_to_string(folder.join("release")).ok()?)
}

fn feature_version(release: &str) -> Option<u32> {
    let line = release.lines().find_map(|line| line.strip_prefix("JAVA_VERSION=\""))?;
    let digits = line.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_release_file() {
        assert_eq!(feature_version("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"17.0.15\"\n"), Some(17));
        assert_eq!(feature_version("JAVA_VERSION=\"25\"\n"), Some(25));
        assert_eq!(feature_version("JAVA_RUNTIME_VERSION=\"25\"\n"), None);
    }
}
