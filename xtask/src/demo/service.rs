//! `metricast run` as a child, on the usual ports or on others where those are taken.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use xtask::{process, workspace};

/// Where metricast listens without a config.
const USUAL: Ports = Ports { ingest: 4319, metrics: 9464 };

/// The first start compiles the plugins.
const START: Duration = Duration::from_mins(2);

/// More than metricast's own limit for draining.
const END: Duration = Duration::from_secs(40);

const PAUSE: Duration = Duration::from_millis(50);

#[derive(Clone, Copy)]
struct Ports {
    ingest: u16,
    metrics: u16,
}

/// A running metricast; it is ended when this is dropped.
pub(super) struct Service {
    child: Child,
    ports: Ports,
    /// Has the config, where one was needed.
    _folder: TempDir,
}

/// A flag that Ctrl-C raises instead of ending this program: metricast gets the signal too, and is waited for.
pub(super) fn on_interrupt() -> Result<Arc<AtomicBool>> {
    let raised = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&raised);
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst)).context("cannot handle Ctrl-C")?;
    Ok(raised)
}

impl Service {
    pub(super) fn start(program: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program);
        command.arg("run").current_dir(workspace());
        let ports = match taken(USUAL) {
            None => {
                println!("\n$ metricast run");
                USUAL
            }
            Some(port) => {
                let ports = Ports { ingest: free_port()?, metrics: free_port()? };
                let file = folder.path().join("metricast.toml");
                fs::write(&file, config(ports))?;
                println!(
                    "\nPort {port} is taken on this machine: the demo uses others.\n$ metricast run -c {}",
                    file.display()
                );
                command.arg("-c").arg(file);
                ports
            }
        };
        let child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut service = Self { child, ports, _folder: folder };
        service.wait_until_it_listens()?;
        Ok(service)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let end = Instant::now() + START;
        while !(listens(self.ports.ingest) && listens(self.ports.metrics)) {
            if let Some(status) = self.child.try_wait()? {
                bail!("metricast ended at its start ({status})");
            }
            ensure!(Instant::now() < end, "metricast did not listen within {START:?}");
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    pub(super) fn ingest_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.ingest)
    }

    pub(super) fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.ports.metrics)
    }

    /// The exposition as it is now.
    pub(super) fn scrape(&self) -> Result<String> {
        let url = self.metrics_url();
        let mut answer = ureq::get(&url).call().with_context(|| format!("cannot scrape {url}"))?;
        Ok(answer.body_mut().read_to_string()?)
    }

    /// Asks it to end, and holds it to a clean drain.
    pub(super) fn stop(mut self) -> Result<()> {
        process::terminate(&self.child)?;
        let status = process::wait(&mut self.child, END)?.with_context(|| format!("no end within {END:?}"))?;
        clean(status)
    }

    /// Waits until it ends, which Ctrl-C makes it do.
    pub(super) fn run_until(mut self, interrupted: &AtomicBool) -> Result<()> {
        while !interrupted.load(Ordering::SeqCst) {
            if let Some(status) = self.child.try_wait()? {
                return clean(status);
            }
            thread::sleep(PAUSE);
        }
        let status = process::wait(&mut self.child, Duration::from_secs(1))?;
        // A signal that came to this program alone.
        status.map_or_else(|| self.stop(), clean)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = process::end(&mut self.child, END);
    }
}

fn clean(status: ExitStatus) -> Result<()> {
    ensure!(status.success(), "metricast ended with {status}");
    Ok(())
}

fn taken(ports: Ports) -> Option<u16> {
    [ports.ingest, ports.metrics].into_iter().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_err())
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn config(ports: Ports) -> String {
    format!(
        "[ingest]\nlisten = \"127.0.0.1:{}\"\n\n[[publishers]]\nplugin = \"prometheus\"\nlisten = \"127.0.0.1:{}\"\n",
        ports.ingest, ports.metrics
    )
}
