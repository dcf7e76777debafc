//! Questions about a queue in a folder: answered here where nobody has it, else by the metricast that has, through its
//! admin port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::Request;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use metricast_store::meta::{Looking, MetaError};
use serde::Serialize;

use super::exit::Broken;
use super::start;
use crate::config;
use crate::inquiry::{
    ABSENT, Desk, InquiryError, Line, Question, Summary, not_a_database, records_without_database, service,
    verify_folder,
};
use crate::queue::store::{Options, Store};

/// Connecting to this machine takes no longer.
const CONNECT: Duration = Duration::from_secs(5);
/// A line of an answer is no longer: a record in JSON within JSON.
const LONGEST: usize = 64 << 20;

/// Which queue is meant.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// The config whose `[queue] path` is meant
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The queue's folder
    #[arg(long, value_name = "FOLDER")]
    queue: Option<PathBuf>,
}

impl Which {
    /// Asks, and hands each line of the answer but the last to `take`.
    ///
    /// # Errors
    /// Where there is no such queue, it cannot be asked, or the answer breaks off; and what `take` says.
    pub(super) fn ask(
        &self,
        question: &Question,
        mut take: impl FnMut(Line) -> anyhow::Result<()>,
    ) -> anyhow::Result<Summary> {
        let folder = self.folder()?;
        let mut end = Ending::default();
        let mut hear = |line: Line| end.hear(line, &mut take);
        match Store::holder(&folder) {
            None => here(&folder, question, &mut hear)?,
            Some(holder) => match holder.admin {
                Some(admin) => start::runtime()?.block_on(there(admin, question, &mut hear))?,
                None => bail!(
                    "the queue {} is in use by {holder}, which cannot be asked: it is starting or ending, or has no \
                     admin port, which [admin] listen gives it; ask again later",
                    folder.display()
                ),
            },
        }
        end.summary()
    }

    fn folder(&self) -> anyhow::Result<PathBuf> {
        let folder = match (&self.config, &self.queue) {
            (Some(file), _) => config::load(file)?.queue.path.with_context(|| {
                format!("{} has no [queue] path: its queue is in memory, and keeps nothing", file.display())
            })?,
            (None, Some(folder)) => folder.clone(),
            (None, None) => bail!("which queue: -c FILE or --queue FOLDER says it"),
        };
        // Asking makes no queue of a folder that is none.
        if !folder.join("lock").is_file() && !folder.join("meta.redb").is_file() {
            bail!("there is no queue in {}: no metricast has run with it", folder.display());
        }
        Ok(folder)
    }
}

/// How an answer ended so far.
#[derive(Default)]
struct Ending {
    summary: Option<Summary>,
    failed: Option<anyhow::Error>,
}

impl Ending {
    /// Says whether more is wanted.
    fn hear(&mut self, line: Line, take: &mut dyn FnMut(Line) -> anyhow::Result<()>) -> bool {
        let taken = match line {
            Line::End(summary) => {
                self.summary = Some(summary);
                Ok(())
            }
            Line::Failed(why) => Err(anyhow::anyhow!(why)),
            line => take(line),
        };
        self.failed = taken.err();
        self.failed.is_none()
    }

    fn summary(self) -> anyhow::Result<Summary> {
        match self.failed {
            Some(error) => Err(error),
            None => self.summary.context("the answer broke off before its end"),
        }
    }
}

/// Answers from the folder itself.
fn here(folder: &Path, question: &Question, hear: &mut dyn FnMut(Line) -> bool) -> anyhow::Result<()> {
    let mut tell = |line| if hear(line) { Ok(()) } else { Err(InquiryError::Left) };
    // That nobody listens any more is known here.
    match question {
        Question::Verify => {
            let _held = Store::hold(folder)?;
            let _ = verify_folder(folder, &mut tell);
        }
        Question::Retry { .. } => retry_here(folder, question, &mut tell)?,
        Question::Records { from, to, publisher: None } if let Some(missing) = missing_database(folder)? => {
            let _held = Store::hold(folder)?;
            let range = from.unwrap_or(0)..to.unwrap_or(u64::MAX);
            let _ = records_without_database(folder, range, missing, &mut tell);
        }
        _ => {
            let Some(desk) = Desk::look(folder)? else { bail!(unfit(folder, "gone")) };
            let _ = desk.answer(question, &mut tell);
        }
    }
    Ok(())
}

fn retry_here(
    folder: &Path,
    question: &Question,
    tell: &mut dyn FnMut(Line) -> Result<(), InquiryError>,
) -> anyhow::Result<()> {
    // The next run is to find out by itself what is missing, and to give everybody everything then.
    match Looking::open(folder).and_then(|meta| meta.map(|meta| meta.check()).transpose()) {
        Ok(Some(checked)) if checked.damage.is_empty() => {}
        Ok(None) => bail!(unfit(folder, "gone")),
        Ok(Some(_)) | Err(MetaError::Damaged { .. }) => bail!(unfit(folder, "damaged")),
        Err(error) => return Err(error.into()),
    }
    // Nobody is forgotten, and no letter has to go.
    let options = Options { max_size: usize::MAX, forget_after: Duration::MAX, max_dead_letters: u64::MAX };
    let runtime = start::runtime()?;
    let (store, queue) = Store::open(folder, &options)?;
    let desk = Desk::new(store, queue.clone(), runtime.handle().clone());
    let _ = desk.answer(question, tell);
    runtime.block_on(queue.end());
    Ok(())
}

/// What is wrong with a database that nothing can be read from; the log can be read without it.
fn missing_database(folder: &Path) -> Result<Option<String>, MetaError> {
    match Looking::open(folder).and_then(|meta| meta.map(|meta| meta.check()).transpose()) {
        Ok(Some(_)) => Ok(None),
        Ok(None) => Ok(Some(ABSENT.to_owned())),
        Err(MetaError::Damaged { detail, .. }) => Ok(Some(not_a_database(&detail))),
        Err(error) => Err(error),
    }
}

fn unfit(folder: &Path, how: &str) -> String {
    format!(
        "the database of the queue {} is {how}: the next `metricast run` makes one of what is whole, and then this can \
         be asked again; `metricast queue verify` looks at the rest",
        folder.display()
    )
}

/// Asks the process that has the folder.
async fn there(admin: SocketAddr, question: &Question, hear: &mut dyn FnMut(Line) -> bool) -> anyhow::Result<()> {
    let admin = on_this_machine(admin);
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT));
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::post(format!("http://{admin}{}", service::PATH))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(serde_json::to_vec(question)?)))?;
    let asked = || format!("cannot ask the metricast that has the queue, at its admin port {admin}");
    let response = client.request(request).await.with_context(asked)?;
    let (parts, mut body) = response.into_parts();
    if !parts.status.is_success() {
        let text = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let said = crate::untrusted::text(&String::from_utf8_lossy(&text), 500);
        bail!("{}: it answered {} {}", asked(), parts.status, said.trim_end());
    }
    let mut waiting = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.with_context(|| Broken::reading("the answer"))?;
        waiting.extend_from_slice(&frame.into_data().unwrap_or_default());
        while let Some(end) = memchr::memchr(b'\n', &waiting) {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            let line = serde_json::from_slice(&line).context("the answer is not this version's")?;
            if !hear(line) {
                return Ok(());
            }
        }
        anyhow::ensure!(waiting.len() <= LONGEST, "the answer has a line without an end");
    }
    Ok(())
}

/// Who listens everywhere listens here too.
fn on_this_machine(mut admin: SocketAddr) -> SocketAddr {
    match admin.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => admin.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => admin.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    admin
}

/// One line of JSON without a control character in it, so that it can be shown anywhere.
pub(super) fn json(value: &impl Serialize) -> String {
    use std::fmt::Write as _;
    let text = serde_json::to_string(value).expect("all keys are text");
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars().fold(String::new(), |mut plain, char| {
        // JSON itself writes those below a blank so, and none stands outside of its texts.
        if char.is_control() {
            let _ = write!(plain, "\\u{:04x}", char as u32);
        } else {
            plain.push(char);
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_shows_no_control_characters_and_says_the_same() {
        let text = "a\u{7f}\u{9b}2J\u{1b}[2Jü\n";
        let shown = json(&text);
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        assert_eq!(json(&"plain"), "\"plain\"");
    }

    #[test]
    fn a_folder_without_a_queue_is_said_to_be_one_and_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let which = Which { config: None, queue: Some(folder.path().to_owned()) };
        let told = which.ask(&Question::Verify, |_| Ok(())).unwrap_err().to_string();
        assert!(
            told.starts_with("there is no queue in ") && told.ends_with(": no metricast has run with it"),
            "{told}"
        );
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn an_answer_that_just_ends_is_none() {
        let mut end = Ending::default();
        assert!(end.hear(Line::Stays { number: 1, reason: String::new() }, &mut |_| Ok(())));
        assert_eq!(end.summary().unwrap_err().to_string(), "the answer broke off before its end");
        let mut end = Ending::default();
        assert!(!end.hear(Line::Failed("the disk".to_owned()), &mut |_| Ok(())));
        assert_eq!(end.summary().unwrap_err().to_string(), "the disk");
        let mut end = Ending::default();
        assert!(end.hear(Line::End(Summary { records: 3, ..Summary::default() }), &mut |_| Ok(())));
        assert_eq!(end.summary().unwrap().records, 3);
    }
}
