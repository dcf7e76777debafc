//! Elasticsearch and OpenSearch from the distributions that their own integration tests use.
//!
//! The zips are stripped: no JDK, few modules. Elasticsearch lacks more than OpenSearch, which the small plugin in
//! `tests/support/es-stub` makes up for. Its licence does not allow passing it on: it is fetched, used and not kept
//! with the project.

use std::fs;
use std::fs::Permissions;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::{TESTER, jdk, step};
use crate::workspace;

/// Raised when what is made out of the zip becomes another thing: it is part of the cache folder's name.
const RECIPE: u32 = 1;

/// The plugin of Maven that downloads one file.
const DOWNLOADER: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";

/// One zip, pinned.
pub(super) struct Distribution {
    group: &'static str,
    artifact: &'static str,
    version: &'static str,
    sha256: &'static str,
    /// The JDKs that it runs on.
    pub(super) jdk: RangeInclusive<u32>,
    /// Whether it needs the stub plugin and, for tests with authentication, a user.
    stub: bool,
}

pub(super) static OPENSEARCH_2: Distribution = Distribution {
    group: "org.opensearch.distribution.integ-test-zip",
    artifact: "opensearch",
    version: "2.19.4",
    sha256: "3902e642715210d1d9d7cbdcc8f5abd6f931d1d7a679cea3750937becf16c406",
    jdk: jdk::SEVENTEEN,
    stub: false,
};

pub(super) static OPENSEARCH_3: Distribution = Distribution {
    group: "org.opensearch.distribution.integ-test-zip",
    artifact: "opensearch",
    version: "3.7.0",
    sha256: "c5c8eb3828a2aead77e9d3bb9d280f54c4de190b0b67f0e412c38663627f1b06",
    jdk: jdk::NEWER,
    stub: false,
};

pub(super) static ELASTICSEARCH_7: Distribution = Distribution {
    group: "org.elasticsearch.distribution.integ-test-zip",
    artifact: "elasticsearch",
    version: "7.17.29",
    sha256: "841ee00be1a72ba8e707b5a2fb55f23fe7a4184369b4585393238b1c903eedaf",
    jdk: jdk::SEVENTEEN,
    stub: false,
};

pub(super) static ELASTICSEARCH_8: Distribution = Distribution {
    group: "org.elasticsearch.distribution.integ-test-zip",
    artifact: "elasticsearch",
    version: "8.19.0",
    sha256: "14833b2d86c30656901f92049f81fb5777a8e4545413c8656cd1a21b55173033",
    jdk: jdk::SEVENTEEN,
    stub: true,
};

pub(super) static ELASTICSEARCH_9: Distribution = Distribution {
    group: "org.elasticsearch.distribution.integ-test-zip",
    artifact: "elasticsearch",
    version: "9.2.0",
    sha256: "bf44938a0490ba2a303d39c9cb64b38963dd08c812ce93e10816e878585bcb6b",
    jdk: jdk::NEWER,
    stub: true,
};

impl Distribution {
    pub(super) fn key(&self) -> String {
        format!("{}-{}-{RECIPE}", self.artifact, self.version)
    }

    /// Puts the server's home into `folder`.
    pub(super) fn fetch(&self, folder: &Path) -> Result<()> {
        let jdk = jdk::find(&self.jdk)?;
        let work = tempfile::tempdir_in(folder)?;
        let zip = self.download(work.path())?;
        check_digest(&zip, self.sha256)?;
        step::run(Command::new(jdk.join("bin/jar")).current_dir(work.path()).arg("xf").arg(&zip))?;
        let home = work.path().join(format!("{}-{}", self.artifact, self.version));
        make_programs_executable(&home.join("bin"))?;
        if self.stub {
            self.add_stub(&home, &jdk)?;
            add_user(&home, &jdk)?;
        }
        Ok(move_entries(&home, folder)?)
    }

    /// Compiles the plugin that stands in for what the zip lacks.
    fn add_stub(&self, home: &Path, jdk: &Path) -> Result<()> {
        let plugin = home.join("plugins/stub");
        fs::create_dir_all(&plugin)?;
        let classes = tempfile::tempdir()?;
        let release = self.jdk.start().to_string();
        let mut compiler = Command::new(jdk.join("bin/javac"));
        compiler.args(["-nowarn", "--release", &release, "-cp"]).arg(home.join("lib/*")).arg("-d").arg(classes.path());
        step::run(compiler.arg(workspace().join("tests/support/es-stub/Stub.java")))?;
        let mut jar = Command::new(jdk.join("bin/jar"));
        step::run(jar.arg("cf").arg(plugin.join("stub.jar")).arg("-C").arg(classes.path()).arg("."))?;
        let lines = [
            "name=stub",
            "description=what tests miss in this distribution",
            "version=1",
            "classname=stub.Stub",
            &format!("elasticsearch.version={}", self.version),
            &format!("java.version={release}"),
        ];
        fs::write(plugin.join("plugin-descriptor.properties"), lines.join("\n"))?;
        Ok(())
    }

    fn download(&self, work: &Path) -> Result<PathBuf> {
        let Self { group, artifact, version, .. } = self;
        // The plugin leaves a marker folder in the current one.
        let mut maven = Command::new("mvn");
        maven.current_dir(work).args(["--quiet", "--batch-mode", DOWNLOADER]);
        maven.arg(format!("-Dartifact={group}:{artifact}:{version}:zip"));
        maven.arg(format!("-DoutputDirectory={}", work.display()));
        step::run(&mut maven)?;
        Ok(work.join(format!("{artifact}-{version}.zip")))
    }
}

fn check_digest(zip: &Path, expected: &str) -> Result<()> {
    let said = step::run(Command::new("sha256sum").arg(zip))?;
    let found = said.split_whitespace().next().unwrap_or_default();
    ensure!(found == expected, "{} has the digest {found}, not the pinned {expected}", zip.display());
    Ok(())
}

fn make_programs_executable(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        fs::set_permissions(entry?.path(), Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn add_user(home: &Path, jdk: &Path) -> Result<()> {
    let (user, password) = TESTER;
    let mut users = Command::new(home.join("bin/elasticsearch-users"));
    users.args(["useradd", user, "-p", password, "-r", "superuser"]).env("ES_JAVA_HOME", jdk);
    step::run(&mut users)?;
    Ok(())
}

fn move_entries(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_that_is_not_the_pinned_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let zip = folder.path().join("a.zip");
        fs::write(&zip, "abc").unwrap();
        check_digest(&zip, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
        let error = check_digest(&zip, &"0".repeat(64)).unwrap_err().to_string();
        assert!(error.contains("ba7816bf"), "{error}");
    }
}
