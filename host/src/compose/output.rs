//! Where the result goes: a file that is replaced by a finished one, or not at all.

use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

use super::error::ComposeError;
use crate::plugin::PluginSource;

/// Whether a result of these plugins, and of this config, may go there.
///
/// # Errors
/// Where there is a folder or a device, no folder to hold it, or what goes into it.
pub fn free_place(path: &Path, plugins: &[PluginSource], config: Option<&Path>) -> Result<(), ComposeError> {
    if path.is_dir() {
        return Err(ComposeError::OutputIsFolder(path.to_owned()));
    }
    if path.exists() && !path.is_file() {
        return Err(ComposeError::OutputIsNoFile(path.to_owned()));
    }
    let folder = folder(path);
    if !folder.is_dir() {
        return Err(ComposeError::NoFolder { path: path.to_owned(), folder: folder.to_owned() });
    }
    let is_same = |plugin: &PluginSource| matches!(plugin, PluginSource::File(file) if same(file, path));
    let is_input = plugins.iter().any(is_same) || config.is_some_and(|config| same(config, path));
    if is_input { Err(ComposeError::OutputIsInput(path.to_owned())) } else { Ok(()) }
}

/// Who may read the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever may read new files here.
    Usual,
    /// Its owner: there is a secret in it.
    Owner,
}

/// Writes the bytes beside the file, lets `check` judge them there, and puts them in its place.
///
/// # Errors
/// Where they cannot be written, and what `check` says; the file is as it was then.
pub fn write<E: From<ComposeError>>(
    path: &Path,
    bytes: &[u8],
    readers: Readers,
    check: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |source| ComposeError::Write { path: path.to_owned(), source };
    // A link stays one.
    let place = if path.is_symlink() { path.canonicalize().map_err(failed)? } else { path.to_owned() };
    let file = beside(&place, bytes, readers).map_err(failed)?;
    check(file.path())?;
    file.persist(&place).map_err(|error| failed(error.error))?;
    Ok(())
}

fn beside(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".metricast-").suffix(".wasm");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The process's own mask takes from these.
        let mode = if readers == Readers::Owner { 0o600 } else { 0o666 };
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let mut file = builder.tempfile_in(folder(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_replaced_by_a_finished_one_or_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("both.wasm");
        fs::write(&path, "old").unwrap();
        let refused = write(&path, b"new", Readers::Usual, |temporary| {
            assert_eq!(fs::read(temporary).unwrap(), b"new");
            Err(ComposeError::TooFew)
        });
        assert!(matches!(refused, Err(ComposeError::TooFew)));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write(&path, b"new", Readers::Owner, |_| Ok::<_, ComposeError>(())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap()) & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_what_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.wasm"), folder.path().join("link.wasm"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, b"new", Readers::Usual, |_| Ok::<_, ComposeError>(())).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        let socket = folder.path().join("socket.wasm");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(matches!(free_place(&socket, &[], None), Err(ComposeError::OutputIsNoFile(_))));
        assert!(matches!(free_place(Path::new("/dev/null"), &[], None), Err(ComposeError::OutputIsNoFile(_))));
    }

    #[test]
    fn a_folder_a_missing_folder_and_a_part_are_no_places() {
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("part.wasm");
        fs::write(&part, "").unwrap();
        let roundabout = folder.path().join(".").join("part.wasm");
        let parts = [PluginSource::File(part)];
        assert!(matches!(free_place(folder.path(), &parts, None), Err(ComposeError::OutputIsFolder(_))));
        assert!(matches!(
            free_place(&folder.path().join("no/x.wasm"), &parts, None),
            Err(ComposeError::NoFolder { .. })
        ));
        assert!(matches!(free_place(&roundabout, &parts, None), Err(ComposeError::OutputIsInput(_))));
        assert!(matches!(free_place(&roundabout, &[], Some(&roundabout)), Err(ComposeError::OutputIsInput(_))));
        assert!(free_place(&folder.path().join("new.wasm"), &parts, None).is_ok());
        assert!(free_place(Path::new("new.wasm"), &parts, None).is_ok());
    }
}
