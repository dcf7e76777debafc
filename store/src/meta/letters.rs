//! Dead letters: filed once, bounded, listed and summed up.
//!
//! What is known of a letter and the record itself are rows of two tables, so that summing up reads no records.

use std::collections::BTreeMap;

use super::change::{Kind, Letter, Limits, MAX_REASON, Origin};
use super::error::Fault;
use super::frame::{Put, Take};
use super::tables::{ALL, Tables, Views, letter_key, number_of, report};
use super::tally::Tally;

/// A dead letter as it is filed.
#[derive(Clone, Debug, PartialEq)]
pub struct Filed {
    /// Its number. Later ones are higher, and none comes twice.
    pub number: u64,
    /// The letter. Its record is `None` also where it was damaged.
    pub letter: Letter,
}

/// Which dead letters are listed.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of this publisher; empty for refused lines.
    pub publisher: Option<String>,
    /// Those of this kind.
    pub kind: Option<Kind>,
    /// Those with this text in their reason.
    pub reason: Option<String>,
    /// Those from this number on.
    pub from: u64,
    /// At most so many; `None` for all.
    pub limit: Option<usize>,
    /// Their records are left where they are: each comes as `None`.
    pub without_records: bool,
}

/// The dead letters of one publisher with one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The publisher, empty for refused lines.
    pub publisher: String,
    /// The reason.
    pub reason: String,
    /// How many there are.
    pub count: u64,
    /// When the first of them was filed, unix seconds.
    pub first: f64,
    /// When the last of them was filed, unix seconds.
    pub last: f64,
}

/// A letter's row: all but the body, of which it has the length.
pub(super) struct Head {
    pub(super) letter: Letter,
    body: Option<u32>,
    row: u64,
}

impl Head {
    /// What the letter counts in bytes.
    pub(super) fn size(&self) -> u64 {
        self.row + u64::from(self.body.unwrap_or(0))
    }
}

const KINDS: [Kind; 5] = [Kind::Rejected, Kind::Poison, Kind::Expired, Kind::Late, Kind::Refused];

fn encode(letter: &Letter, body: Option<&[u8]>) -> Vec<u8> {
    let kind = KINDS.iter().position(|kind| *kind == letter.kind).expect("every kind is listed") as u8;
    let put = Put::default()
        .u8(kind)
        .bytes(&letter.reason.as_bytes()[..letter.reason.floor_char_boundary(MAX_REASON)])
        .bytes(letter.plugin.as_bytes())
        .u64(letter.attempts)
        .f64(letter.received)
        .f64(letter.filed)
        .option(body, |put, body| put.u32(body.len() as u32));
    match &letter.origin {
        Origin::Record { publisher, epoch, offset, .. } => {
            put.u8(0).bytes(publisher.as_bytes()).array(epoch).u64(*offset).0
        }
        Origin::Line { source, line, .. } => put.u8(1).bytes(source.as_bytes()).u64(*line).0,
    }
}

pub(super) fn decode(fields: &[u8]) -> Option<Head> {
    let mut take = Take(fields);
    let kind = *KINDS.get(usize::from(take.u8()?))?;
    let (reason, plugin) = (take.text()?, take.text()?);
    let (attempts, received, filed) = (take.u64()?, take.f64()?, take.f64()?);
    let body = take.option(Take::u32)?;
    let origin = match take.u8()? {
        0 => Origin::Record { publisher: take.text()?, epoch: take.array()?, offset: take.u64()?, record: None },
        1 => Origin::Line { source: take.text()?, line: take.u64()?, raw: None },
        _ => return None,
    };
    let letter = Letter { kind, origin, reason, plugin, attempts, received, filed };
    take.end(Head { letter, body, row: fields.len() as u64 })
}

/// Files a letter, and removes the oldest where there are too many. One that is filed already changes nothing.
pub(super) fn file(tables: &mut Tables<'_>, tally: &mut Tally, letter: &Letter, limits: &Limits) -> Result<(), Fault> {
    let key = key_of(letter);
    if let Some(key) = &key
        && let Some(number) = tables.letter_keys.get(key, |fields| Take(fields).u64())?
        && tables.letters.get(&number.to_be_bytes(), decode)?.is_some()
    {
        return Ok(());
    }
    let mut body = letter.body();
    let mut fields = encode(letter, body);
    if (fields.len() + body.map_or(0, <[u8]>::len)) as u64 > limits.max_letter_bytes {
        body = None;
        fields = encode(letter, None);
    }
    let number = tally.take_number();
    let row = number.to_be_bytes();
    tables.letters.put(&row, &fields)?;
    if let Some(body) = body {
        tables.bodies.put(&row, body)?;
    }
    if let Some(key) = key {
        tables.letter_keys.put(&key, &Put::default().u64(number).0)?;
    }
    tally.add(letter.publisher(), (fields.len() + body.map_or(0, <[u8]>::len)) as u64);
    evict(tables, tally, limits)
}

/// The key under which a letter is filed once; a refused line has none.
pub(super) fn key_of(letter: &Letter) -> Option<Vec<u8>> {
    match &letter.origin {
        Origin::Record { publisher, epoch, offset, .. } => Some(letter_key(publisher, *epoch, *offset)),
        Origin::Line { .. } => None,
    }
}

fn evict(tables: &mut Tables<'_>, tally: &mut Tally, limits: &Limits) -> Result<(), Fault> {
    while tally.letters > limits.max_letters || tally.bytes > limits.max_letter_bytes {
        let Some(number) = tables.letters.first_key()?.as_deref().and_then(number_of) else { return Ok(()) };
        if let Some(letter) = remove(tables, tally, number)? {
            let evicted = tally.evict(letter.publisher());
            tables.evicted.put(letter.publisher().as_bytes(), &Put::default().u64(evicted).0)?;
        }
    }
    Ok(())
}

/// Removes a letter, and gives back what it was but for its body.
pub(super) fn remove(tables: &mut Tables<'_>, tally: &mut Tally, number: u64) -> Result<Option<Letter>, Fault> {
    let key = number.to_be_bytes();
    let head = tables.letters.get(&key, decode)?;
    tables.letters.remove(&key)?;
    tables.bodies.remove(&key)?;
    let Some(head) = head else { return Ok(None) };
    if let Some(key) = key_of(&head.letter) {
        tables.letter_keys.remove(&key)?;
    }
    tally.subtract(head.letter.publisher(), head.size());
    Ok(Some(head.letter))
}

/// Calls `visit` with the number and head of each letter from `from` on, until it says false.
pub(super) fn heads(
    views: &Views,
    from: u64,
    mut visit: impl FnMut(u64, Head) -> Result<bool, Fault>,
) -> Result<(), Fault> {
    views.letters.each(&from.to_be_bytes()..ALL.end, |key, fields| {
        let head = fields.and_then(|fields| decode(fields).ok_or_else(|| views.letters.senseless(key)));
        match (number_of(key), report(head)) {
            (Some(number), Some(head)) => visit(number, head),
            _ => Ok(true),
        }
    })
}

/// The letters that the filter lets through, the oldest first.
pub(super) fn list(views: &Views, filter: &Filter) -> Result<Vec<Filed>, Fault> {
    let limit = filter.limit.unwrap_or(usize::MAX);
    let mut found = Vec::new();
    heads(views, filter.from, |number, head| {
        if found.len() < limit && filter.takes(&head.letter) {
            found.push(if filter.without_records {
                Filed { number, letter: head.letter }
            } else {
                with_body(views, number, head)?
            });
        }
        Ok(found.len() < limit)
    })?;
    Ok(found)
}

/// The letter of that number.
pub(super) fn one(views: &Views, number: u64) -> Result<Option<Filed>, Fault> {
    let head = views.letters.get(&number.to_be_bytes(), decode)?;
    head.map(|head| with_body(views, number, head)).transpose()
}

/// The letter of that key.
pub(super) fn at(views: &Views, publisher: &str, epoch: [u8; 12], offset: u64) -> Result<Option<Filed>, Fault> {
    let key = letter_key(publisher, epoch, offset);
    let number = views.letter_keys.get(&key, |fields| Take(fields).u64())?;
    Ok(number.map(|number| one(views, number)).transpose()?.flatten())
}

fn with_body(views: &Views, number: u64, head: Head) -> Result<Filed, Fault> {
    let mut letter = head.letter;
    if head.body.is_some() {
        let body = views.bodies.get(&number.to_be_bytes(), |fields| Some(fields.to_vec()))?;
        match &mut letter.origin {
            Origin::Record { record, .. } => *record = body.and_then(|body| String::from_utf8(body).ok()),
            Origin::Line { raw, .. } => *raw = body,
        }
    }
    Ok(Filed { number, letter })
}

/// The letters by publisher and reason.
pub(super) fn summary(views: &Views) -> Result<Vec<Group>, Fault> {
    let mut groups: BTreeMap<(String, String), (u64, f64, f64)> = BTreeMap::new();
    heads(views, 0, |_, head| {
        let Letter { filed, .. } = head.letter;
        let publisher = head.letter.publisher().to_owned();
        let (count, first, last) = groups.entry((publisher, head.letter.reason)).or_insert((0, filed, filed));
        *count += 1;
        *first = first.min(filed);
        *last = last.max(filed);
        Ok(true)
    })?;
    let group = |((publisher, reason), (count, first, last))| Group { publisher, reason, count, first, last };
    Ok(groups.into_iter().map(group).collect())
}

impl Filter {
    fn takes(&self, letter: &Letter) -> bool {
        self.publisher.as_ref().is_none_or(|name| name == letter.publisher())
            && self.kind.is_none_or(|kind| kind == letter.kind)
            && self.reason.as_ref().is_none_or(|text| letter.reason.contains(text))
    }
}
