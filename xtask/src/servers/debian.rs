//! Prometheus 2 from Debian's package, unpacked and not installed: no root, no service.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::step;

const PROGRAMS: [&str; 2] = ["prometheus", "promtool"];

/// Puts `prometheus` and `promtool` into `folder`.
pub(super) fn fetch_prometheus(folder: &Path) -> Result<()> {
    match download(folder) {
        Ok(()) => {}
        Err(error) => link_installed(folder).map_err(|_| error)?,
    }
    let version = step::run(Command::new(folder.join("prometheus")).arg("--version"))?;
    ensure!(version.contains("version 2."), "Prometheus 2 was expected, this is {version}");
    Ok(())
}

fn download(folder: &Path) -> Result<()> {
    let work = tempfile::tempdir_in(folder)?;
    if step::run(apt_get(work.path()).args(["download", "prometheus"])).is_err() {
        update_and_download(work.path())?;
    }
    let package = package_in(work.path())?;
    step::run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(work.path()))?;
    for program in PROGRAMS {
        fs::rename(work.path().join("usr/bin").join(program), folder.join(program))?;
    }
    Ok(())
}

fn apt_get(work: &Path) -> Command {
    let mut command = Command::new("apt-get");
    // Without root apt cannot change to its own user, and says so at length.
    command.current_dir(work).args(["--quiet", "--option", "APT::Sandbox::User=root"]);
    command
}

/// For machines whose package lists were never fetched: lists of our own, so that it needs no root.
fn update_and_download(work: &Path) -> Result<()> {
    let state = work.join("state");
    let cache = work.join("cache");
    fs::create_dir_all(state.join("lists/partial"))?;
    fs::create_dir_all(cache.join("archives/partial"))?;
    let option = |name: &str, path: &Path| format!("--option={name}={}", path.display());
    let options = [option("Dir::State::lists", &state.join("lists")), option("Dir::Cache", &cache)];
    // It also fails where only a hook of the system's failed, as without root: the download decides.
    let update = step::run(apt_get(work).args(&options).arg("update"));
    let download = step::run(apt_get(work).args(&options).args(["download", "prometheus"]));
    download.map(drop).map_err(|error| update.err().unwrap_or(error))
}

fn package_in(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(path);
        }
    }
    bail!("apt-get left no package")
}

fn link_installed(folder: &Path) -> Result<()> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    for program in PROGRAMS {
        let mut places = std::env::split_paths(&paths).map(|place| place.join(program));
        let found = places.find(|file| file.is_file()).with_context(|| format!("there is no {program}"))?;
        symlink(found, folder.join(program))?;
    }
    Ok(())
}
