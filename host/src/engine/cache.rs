//! The folder of compiled plugins, and whether it can be trusted.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use super::CompileCache;

/// Why a cache folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum CacheRefused {
    /// There is no home to put it in.
    #[error("neither XDG_CACHE_HOME nor HOME names a folder")]
    NoHome,
    /// It cannot be made or read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Someone else could put code into it.
    #[error("{path}: {why}; make it yours alone (chmod 700) or name another", path = path.display())]
    Untrusted {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The cache itself does not start.
    #[error("{0}")]
    Cache(String),
}

pub(super) fn open(wanted: &CompileCache) -> Option<wasmtime::Cache> {
    let folder = match wanted {
        CompileCache::Off => return None,
        CompileCache::User => user_folder(),
        CompileCache::At(path) => Ok(path.clone()),
    };
    folder.and_then(|path| start(&path)).inspect_err(|why| tracing::warn!("compiled plugins are not kept: {why}")).ok()
}

/// Nothing else may lie below it: to stay within its size, the cache deletes the oldest files that it finds there,
/// whosever they are.
const OWN_FOLDER: &str = "metricast/compiled";

fn user_folder() -> Result<PathBuf, CacheRefused> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|caches| caches.join(OWN_FOLDER))
        .ok_or(CacheRefused::NoHome)
}

fn start(path: &Path) -> Result<wasmtime::Cache, CacheRefused> {
    make_private(path)?;
    let mut config = wasmtime::CacheConfig::new();
    config.with_directory(path);
    wasmtime::Cache::new(config).map_err(|error| CacheRefused::Cache(format!("{error:#}")))
}

#[cfg(unix)]
fn make_private(path: &Path) -> Result<(), CacheRefused> {
    use std::fs::{self, DirBuilder};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};

    let failed = |source| CacheRefused::Io { path: path.to_owned(), source };
    let untrusted = |why| CacheRefused::Untrusted { path: path.to_owned(), why };

    if !path.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    }
    // What a symbolic link names can be changed by whoever owns the link's folder: the folder itself is judged.
    let found = fs::symlink_metadata(path).map_err(failed)?;
    if !found.is_dir() {
        return Err(untrusted("it is not a folder"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(untrusted("it belongs to another user"));
    }
    if found.mode() & 0o022 != 0 {
        return Err(untrusted("others can write it"));
    }
    // Whoever can write a folder above can put another one in its place.
    let whole = path.canonicalize().map_err(failed)?;
    for above in whole.ancestors().skip(1) {
        if others_can_replace_in(&fs::metadata(above).map_err(failed)?) {
            return Err(CacheRefused::Untrusted {
                path: above.to_owned(),
                why: "others can put folders in place of those in it",
            });
        }
    }
    Ok(())
}

#[cfg(unix)]
fn others_can_replace_in(folder: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    const STICKY: u32 = 0o1000;
    const ROOT: u32 = 0;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let writable = folder.mode() & 0o002 != 0 || folder.mode() & 0o020 != 0 && folder.gid() != group;
    ![user, ROOT].contains(&folder.uid()) || writable && folder.mode() & STICKY == 0
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> Result<(), CacheRefused> {
    Err(CacheRefused::Untrusted { path: path.to_owned(), why: "who can write it is not known on this system" })
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_new_folder_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/metricast");
        make_private(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        make_private(&path).expect("the same folder is taken again");
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused() {
        let home = tempfile::tempdir().unwrap();
        for mode in [0o770, 0o702, 0o777] {
            fs::set_permissions(home.path(), Permissions::from_mode(mode)).unwrap();
            let refused = make_private(home.path()).unwrap_err().to_string();
            assert!(refused.contains("others can write it"), "{mode:o}: {refused}");
        }
    }

    #[test]
    fn a_folder_below_one_that_others_can_write_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("open/metricast");
        make_private(&path).unwrap();
        fs::set_permissions(home.path().join("open"), Permissions::from_mode(0o707)).unwrap();
        let refused = make_private(&path).unwrap_err().to_string();
        assert!(refused.contains("others can put folders in place of those in it"), "{refused}");
        fs::set_permissions(home.path().join("open"), Permissions::from_mode(0o1777)).unwrap();
        make_private(&path).expect("in a sticky folder only the owner replaces");
    }

    #[test]
    fn a_symbolic_link_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let link = home.path().join("link");
        symlink(home.path(), &link).unwrap();
        assert!(matches!(make_private(&link), Err(CacheRefused::Untrusted { .. })));
    }
}
