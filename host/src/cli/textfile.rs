//! `metricast publish --textfile FILE`: the metrics of a publisher that would be scraped, in a file at the end.
//!
//! The text is written into a file beside the wanted one, which is made before anything is published: a folder that
//! cannot be written is found then. Renaming it into place is the last step, so that a reader finds the old metrics or
//! the new ones, and where something fails, the old ones.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::NamedTempFile;

use super::exit::{self, Exit};
use super::terminal::Terminal;
use crate::config::Checked;
use crate::pipeline::{ExpositionError, Pipeline};
use crate::plugin::Exposition;

/// What `node_exporter`'s textfile collector reads, and the ending of the files that it looks at.
const ACCEPT: &str = "text/plain;version=0.0.4";
const ENDING: &str = "prom";

/// A file that is to be written.
pub(super) struct Textfile {
    /// Whose metrics; none is the only one's that has some.
    publisher: Option<String>,
    path: PathBuf,
    /// Beside it; goes with this where it is not put into its place.
    draft: NamedTempFile,
}

impl Textfile {
    /// Of an argument `FILE`, or `NAME=FILE`. A file with such a name is written `./a=b`.
    pub(super) fn open(argument: &Path, config: &Checked) -> anyhow::Result<Self> {
        let named = argument.to_str().and_then(|text| text.split_once('=')).filter(|(name, _)| !name.contains('/'));
        if let Some((name, _)) = named.filter(|(name, _)| !is_there(config, name)) {
            let there: Vec<_> = config.publishers.iter().map(|publisher| publisher.name.as_str()).collect();
            anyhow::bail!("--textfile: no publisher is called {name}: there are {}", there.join(", "));
        }
        let (publisher, path) = match named {
            Some((name, path)) => (Some(name.to_owned()), PathBuf::from(path)),
            None => (None, argument.to_owned()),
        };
        let draft = draft(&path).with_context(|| format!("cannot write --textfile {}", path.display()))?;
        if path.extension().is_none_or(|ending| ending != ENDING) {
            tracing::warn!("node_exporter reads only files that end in .{ENDING}, which {} does not", path.display());
        }
        Ok(Self { publisher, path, draft })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write(mut self, page: &Exposition) -> anyhow::Result<()> {
        let failed = || format!("cannot write --textfile {}", self.path.display());
        let file = self.draft.as_file_mut();
        file.write_all(&page.body).and_then(|()| file.sync_all()).with_context(failed)?;
        self.draft.persist(&self.path).map_err(|error| error.error).with_context(failed)?;
        Ok(())
    }
}

/// Takes the settings away that hold values back for a later scrape: there is one page, and it is the last.
pub(super) fn hold_nothing_back(config: &mut Checked) {
    for publisher in &mut config.publishers {
        if let Some(settings) = publisher.config.as_object_mut() {
            settings.remove("hold_new_series");
        }
    }
}

fn is_there(config: &Checked, name: &str) -> bool {
    config.publishers.iter().any(|publisher| publisher.name == name)
}

/// The folder in which a file is made.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The same for each way to write the path of a file, which may not be there yet.
fn place(path: &Path) -> PathBuf {
    let folder = folder(path);
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.join(path.file_name().unwrap_or_default())
}

/// An empty file in the same folder, with a name that `node_exporter` passes over.
fn draft(path: &Path) -> anyhow::Result<NamedTempFile> {
    let name = path.file_name().context("it has no name")?.to_string_lossy();
    if let Ok(found) = path.symlink_metadata() {
        anyhow::ensure!(!path.is_dir(), "it is a folder");
        anyhow::ensure!(found.is_file(), "it is no regular file, and would be replaced by one");
    }
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    readable(&mut builder);
    Ok(builder.tempfile_in(folder(path))?)
}

/// As any new file is: `node_exporter` is another user.
#[cfg(unix)]
fn readable(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable(_: &mut tempfile::Builder<'_, '_>) {}

/// Finds out whose metrics each file gets.
pub(super) fn assign(textfiles: Vec<Textfile>, scraped: &[String]) -> anyhow::Result<Vec<Textfile>> {
    let all = || scraped.join(", ");
    let mut owners: HashMap<String, PathBuf> = HashMap::new();
    let mut assigned = Vec::with_capacity(textfiles.len());
    for mut textfile in textfiles {
        let publisher = match (textfile.publisher.take(), scraped) {
            (Some(name), _) if scraped.contains(&name) => name,
            (Some(name), []) => anyhow::bail!("--textfile: publisher {name} has nothing to scrape, and no other has"),
            (Some(name), _) => anyhow::bail!("--textfile: publisher {name} has nothing to scrape; {} has", all()),
            (None, [only]) => only.clone(),
            (None, []) => anyhow::bail!(
                "--textfile: no publisher of the config has anything to scrape; one with plugin = \"prometheus\" has"
            ),
            (None, _) => anyhow::bail!("--textfile: {} can be scraped: write --textfile NAME=FILE for each", all()),
        };
        let path = textfile.path.clone();
        if let Some((other, _)) = owners.iter().find(|(_, taken)| place(taken) == place(&path)) {
            anyhow::bail!("--textfile: {} is for {other} already: name another file for {publisher}", path.display());
        }
        if let Some(first) = owners.insert(publisher.clone(), path.clone()) {
            anyhow::bail!(
                "--textfile: {publisher} has a file already, {}: leave {} out",
                first.display(),
                path.display()
            );
        }
        assigned.push(Textfile { publisher: Some(publisher), ..textfile });
    }
    Ok(assigned)
}

/// Warns of metrics that nobody sees.
pub(super) fn warn_of_lost_metrics(textfiles: &[Textfile], scraped: &[String]) {
    let has_one = |name: &String| textfiles.iter().any(|file| file.publisher.as_ref() == Some(name));
    for publisher in scraped.iter().filter(|name| !has_one(name)) {
        let advice = "nobody can scrape it: its metrics end with this process; --textfile FILE keeps them";
        tracing::warn!(publisher, "{advice}");
    }
}

/// What each file gets, asked for when the records are in.
pub(super) async fn pages(
    textfiles: &[Textfile],
    pipeline: &Pipeline,
    patience: Duration,
) -> Vec<Result<Exposition, ExpositionError>> {
    let mut pages = Vec::with_capacity(textfiles.len());
    for textfile in textfiles {
        let publisher = textfile.publisher.as_deref().unwrap_or_default();
        pages.push(pipeline.exposition(publisher, ACCEPT, patience).await);
    }
    pages
}

/// Puts the files into their places; what cannot be written is told.
pub(super) fn write(
    textfiles: Vec<Textfile>,
    pages: Vec<Result<Exposition, ExpositionError>>,
    terminal: &Terminal,
) -> Exit {
    let mut all = true;
    for (textfile, page) in textfiles.into_iter().zip(pages) {
        let about = format!("--textfile {} is not written", textfile.path.display());
        let publisher = textfile.publisher.clone().unwrap_or_default();
        let written =
            page.with_context(|| format!("{about}: publisher {publisher}")).and_then(|page| textfile.write(&page));
        if let Err(error) = written {
            terminal.error(exit::told(&error));
            all = false;
        }
    }
    Exit::undelivered_if(!all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_written_in_two_ways_is_for_one_publisher() {
        let folder = tempfile::tempdir().unwrap();
        let of = |publisher: &str, path: PathBuf| {
            let draft = draft(&path).unwrap();
            Textfile { publisher: Some(publisher.to_owned()), path, draft }
        };
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        let twice = vec![of("a", folder.path().join("app.prom")), of("b", folder.path().join("sub/../app.prom"))];
        let told = assign(twice, &["a".to_owned(), "b".to_owned()]).map(|_| ()).unwrap_err().to_string();
        assert!(told.ends_with("app.prom is for a already: name another file for b"), "{told}");

        let beside = vec![of("a", folder.path().join("a.prom")), of("b", folder.path().join("b.prom"))];
        assert_eq!(assign(beside, &["a".to_owned(), "b".to_owned()]).unwrap().len(), 2);
    }
}
