//! The user's cache folder: one folder a server and version, there as a whole or not at all.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where the folder with this name is or will be.
pub(super) fn folder(name: &str) -> Result<PathBuf> {
    Ok(root()?.join(name))
}

/// The folder with this name, filled by `fill` where it is not there yet. A run that breaks off leaves nothing that a
/// later one would take for a server.
pub(super) fn install(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    install_in(&root()?, name, fill)
}

fn install_in(root: &Path, name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = root.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
    let unfinished = tempfile::Builder::new().prefix(&format!(".{name}-")).tempdir_in(root)?;
    fill(unfinished.path())?;
    match fs::rename(unfinished.path(), &folder) {
        // Another run was quicker.
        Err(_) if folder.is_dir() => Ok(folder),
        Err(error) => Err(error).with_context(|| format!("cannot create {}", folder.display())),
        Ok(()) => Ok(folder),
    }
}

fn root() -> Result<PathBuf> {
    let caches = match (env::var_os("XDG_CACHE_HOME"), env::home_dir()) {
        (Some(folder), _) if Path::new(&folder).is_absolute() => PathBuf::from(folder),
        (_, Some(home)) => home.join(".cache"),
        _ => bail!("neither XDG_CACHE_HOME nor HOME says where caches are"),
    };
    Ok(caches.join("metricast").join("servers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_filled_once() {
        let root = tempfile::tempdir().unwrap();
        let fill = |folder: &Path| Ok(fs::write(folder.join("file"), "whole")?);
        let folder = install_in(root.path(), "a", fill).unwrap();
        assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "whole");
        install_in(root.path(), "a", |_| bail!("filled again")).unwrap();
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let error = install_in(root.path(), "a", |folder| {
            fs::write(folder.join("file"), "half")?;
            bail!("broke off")
        });
        assert!(error.is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
