//! What must be on the machine: checked before anything is built, and named with the command that gets it.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use xtask::guests;
use xtask::servers::jdk;

/// The least version of Go that compiles the servers.
const GO: (u32, u32) = (1, 26);

/// The least version of Node.js that runs jco.
const NODE: u32 = 20;

/// Something that the machine lacks.
struct Lack {
    what: &'static str,
    remedy: &'static str,
}

/// Brings the wasm target, and stops where something is missing that nothing can be built without.
pub(crate) fn for_building() -> Result<()> {
    if !runs("cc", &["--version"]) {
        bail!("a C compiler is missing, which some crates need:\n\n    sudo apt-get install gcc libc6-dev\n");
    }
    guests::ensure_target()
}

/// Says what is missing for fetching and running the real servers. In CI that is an error.
pub(crate) fn for_servers(ci: bool) -> Result<()> {
    let lacks = server_lacks();
    for Lack { what, remedy } in &lacks {
        eprintln!("missing: {what}\n    {remedy}");
    }
    match (lacks.is_empty(), ci) {
        (true, _) => Ok(()),
        (false, true) => bail!("CI runs every test: it needs all of the above"),
        (false, false) => {
            eprintln!("Tests that need a server which cannot be had without it will be skipped.\n");
            Ok(())
        }
    }
}

fn server_lacks() -> Vec<Lack> {
    let checks = [
        (jdk::find(&jdk::SEVENTEEN).is_ok(), "JDK 17", "sudo apt-get install openjdk-17-jdk-headless"),
        (
            jdk::find(&jdk::NEWER).is_ok(),
            "JDK 21 or newer",
            "unpack one from https://adoptium.net/temurin/releases below /opt or ~/.jdks, or point JAVA_HOME at it",
        ),
        (runs("mvn", &["--version"]), "Maven", "sudo apt-get install maven"),
        (runs("python3", &["-m", "pip", "--version"]), "Python 3 with pip", "sudo apt-get install python3-pip"),
        (
            node_is_new_enough() && runs("npm", &["--version"]),
            "Node.js 20 or newer with npm",
            "see https://nodejs.org/en/download",
        ),
        (go_is_new_enough(), "Go 1.26 or newer", "see https://go.dev/doc/install"),
        (
            runs("apt-get", &["--version"]) && runs("dpkg-deb", &["--version"]) || runs("promtool", &["--version"]),
            "Prometheus 2 with promtool, or apt-get and dpkg-deb to fetch them",
            "put both programs on PATH",
        ),
    ];
    checks.into_iter().filter(|(there, ..)| !there).map(|(_, what, remedy)| Lack { what, remedy }).collect()
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let status =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn go_is_new_enough() -> bool {
    let Ok(output) = Command::new("go").args(["env", "GOVERSION"]).output() else { return false };
    go_version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|version| version >= GO)
}

fn node_is_new_enough() -> bool {
    let Ok(output) = Command::new("node").arg("--version").output() else { return false };
    node_version(&String::from_utf8_lossy(&output.stdout)).is_some_and(|version| version >= NODE)
}

fn node_version(text: &str) -> Option<u32> {
    text.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("go")?.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_compare_by_number() {
        assert_eq!(go_version("go1.26.8\n"), Some((1, 26)));
        assert!(go_version("go1.9").unwrap() < GO);
        assert!(go_version("go1.27rc1").unwrap() > GO);
        assert_eq!(go_version("devel"), None);
    }

    #[test]
    fn node_says_its_version_with_a_v() {
        assert_eq!(node_version("v20.20.2\n"), Some(20));
        assert_eq!(node_version("20"), None);
    }
}
