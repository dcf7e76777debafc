//! What a config comes to, for a person: what takes records in, and for each publisher its plugin, its reach and how
//! it is fed.

use std::fmt::Write as _;

use indicatif::HumanCount;

use super::terminal::Paint;
use crate::config::{Checked, Publisher, WhenFull, show_size, show_time};
use crate::egress::Secrets;
use crate::pipeline::Prepared;
use crate::plugin::{Plugin, PluginSource};

/// What takes records in and holds them.
pub(super) fn front(config: &Checked, paint: Paint) -> String {
    let (ingest, queue) = (&config.ingest, &config.queue);
    let when_full = match queue.when_full {
        WhenFull::Block => "senders wait",
        WhenFull::Reject => "senders are told to come again",
    };
    let mut text = String::new();
    let _ = writeln!(text, "{}", paint.strong("records"));
    let _ = writeln!(text, "  come in at    POST http://{}/v1/records", ingest.listen);
    let _ = writeln!(text, "  a body        up to {}", show_size(ingest.max_body as u64));
    let _ = writeln!(
        text,
        "  wait in       {}, up to {}; when it is full, {when_full}",
        queue.path.as_ref().map_or("memory".to_owned(), |folder| format!("the folder {}", folder.display())),
        show_size(queue.max_size as u64)
    );
    let seen = config.admin.listen.map_or("nowhere".to_owned(), |address| format!("http://{address}"));
    let _ = writeln!(text, "  are watched   {seen} (health, status, metricast's own metrics)");
    let patience = show_time(config.drain_timeout);
    let _ = writeln!(text, "  at the end    `run` delivers what waits for up to {patience}, `publish` until nothing");
    let _ = writeln!(text, "                has moved for {patience} (drain_timeout)");
    text
}

/// One publisher.
pub(super) fn told(publisher: &Publisher, prepared: &Prepared, paint: Paint) -> String {
    let plugin = &prepared.plugin;
    let origin = match &publisher.plugin {
        PluginSource::Bundled(_) => "bundled".to_owned(),
        PluginSource::File(path) => path.display().to_string(),
    };
    let mut text = String::new();
    let _ = writeln!(text, "\n{}", paint.strong(&publisher.name));
    let _ = writeln!(text, "  plugin        {} ({origin})", plugin.label());
    let _ = writeln!(text, "  digest        {}", plugin.digest());
    text += &listed("may reach", &reach(prepared));
    let secrets = Secrets::references(&publisher.config);
    text += &listed("trusts", &trusted(publisher));
    text += &listed("is given", &given(prepared));
    text += &listed("sends", &secrets.map(|(key, from)| format!("{key} from {from}")).collect::<Vec<_>>());
    if is_scraped(publisher, plugin) {
        let _ = writeln!(text, "  is scraped at http://{}/metrics", publisher.listen.address);
    }
    let _ = writeln!(text, "  may use       {}", used(publisher));
    let _ = writeln!(text, "  gets batches  {}", batches(publisher));
    let _ = writeln!(text, "  tries again   {}", retries(publisher));
    text
}

fn given(prepared: &Prepared) -> Vec<String> {
    let by = |written: bool| if written { "[defaults]" } else { "this machine" };
    prepared.given.iter().map(|given| format!("{} = {:?} from {}", given.key, given.value, by(given.written))).collect()
}

fn reach(prepared: &Prepared) -> Vec<String> {
    if prepared.grants.origins().len() > 0 {
        return prepared.grants.in_words();
    }
    let asks = prepared.plugin.imports().iter().any(|import| import.starts_with("wasi:http/outgoing-handler"));
    let why = if asks { "no setting names an origin, and `allow` is empty" } else { "it asks for no network" };
    vec![format!("nothing: {why}")]
}

/// Whom a publisher trusts beside whom this system trusts.
fn trusted(publisher: &Publisher) -> Vec<String> {
    let count = publisher.trust.count();
    if count == 0 { Vec::new() } else { vec![format!("{count} from tls.ca, beside those whom this system trusts")] }
}

fn listed(title: &str, lines: &[String]) -> String {
    let titles = std::iter::once(title).chain(std::iter::repeat(""));
    titles.zip(lines).fold(String::new(), |mut text, (title, line)| {
        let _ = writeln!(text, "  {title:<12}  {line}");
        text
    })
}

fn used(publisher: &Publisher) -> String {
    let limits = &publisher.limits;
    format!("{} of memory, {} a call", show_size(limits.memory as u64), show_time(limits.call_time()))
}

fn batches(publisher: &Publisher) -> String {
    let batch = &publisher.batch;
    let (records, bytes) = (HumanCount(batch.max_records as u64), show_size(batch.max_bytes as u64));
    format!("of {records} records or {bytes}, or what came within {}", show_time(batch.max_age))
}

fn retries(publisher: &Publisher) -> String {
    let retry = &publisher.retry;
    let end = retry
        .give_up_after
        .map_or_else(|| "for ever".to_owned(), |age| format!("until a record is {} old", show_time(age)));
    format!("after up to {}, doubling up to {}, {end}", show_time(retry.initial), show_time(retry.max))
}

/// Whether it answers scrapes, as far as that can be told before it is open.
pub(super) fn is_scraped(publisher: &Publisher, plugin: &Plugin) -> bool {
    publisher.listen.stated || plugin.description().config_schema["properties"]["port"].is_object()
}
