//! The database on real folders, and on disks that fail, forget and flip.

mod damage;
mod faults;
mod keeping;
mod letters;
mod memory;
mod model;
mod power;

use super::{Change, Kind, Letter, Limits, Meta, Origin, PublisherChange};

/// A change of one publisher.
fn publisher(name: &str, fill: impl FnOnce(&mut PublisherChange)) -> Change {
    let mut publisher = PublisherChange { name: name.to_owned(), ..PublisherChange::default() };
    fill(&mut publisher);
    Change { publishers: vec![publisher], ..Change::default() }
}

/// A change that sets a cursor.
fn cursor(name: &str, cursor: u64) -> Change {
    publisher(name, |publisher| publisher.cursor = Some(cursor))
}

/// A rejected record.
fn rejected(publisher: &str, offset: u64, reason: &str) -> Letter {
    let record = Some(format!(r#"{{"offset":{offset}}}"#));
    Letter {
        kind: Kind::Rejected,
        origin: Origin::Record { publisher: publisher.to_owned(), epoch: [7; 12], offset, record },
        reason: reason.to_owned(),
        plugin: "elasticsearch@1.0.0".to_owned(),
        attempts: 3,
        received: 1000.5,
        filed: 2000.0 + offset as f64,
    }
}

/// A change that files letters.
fn file(letters: Vec<Letter>) -> Change {
    Change { letters, ..Change::default() }
}

/// Bounds that tests reach.
fn small() -> Limits {
    Limits { ballast_bytes: 0, cache_bytes: 1 << 20, ..Limits::default() }
}

/// A database in a folder.
fn open(folder: &tempfile::TempDir) -> Meta {
    Meta::open(folder.path(), small()).unwrap().0
}
