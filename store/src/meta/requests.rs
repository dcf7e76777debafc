//! Requests that were answered, so that their repetition gets the same answer; and how far inputs are read.

use redb::ReadableTableMetadata;

use super::change::{Limits, Place, Request};
use super::error::Fault;
use super::frame::{Put, Take};
use super::tables::{Named, Rows, Tables, Views};
use super::tally::Tally;

struct Row {
    request: Request,
    number: u64,
}

fn decode(digest: &[u8; 32], fields: &[u8]) -> Option<Row> {
    let mut take = Take(fields);
    let (number, time, next_offset) = (take.u64()?, take.f64()?, take.u64()?);
    let answer = take.bytes()?.to_vec();
    take.end(Row { request: Request { digest: *digest, time, next_offset, answer }, number })
}

fn get(table: &Named<impl Rows>, digest: &[u8; 32]) -> Result<Option<Row>, Fault> {
    table.get(digest, |fields| decode(digest, fields))
}

/// The answer to the request of that digest.
pub(super) fn one(views: &Views, digest: &[u8; 32]) -> Result<Option<Request>, Fault> {
    Ok(get(&views.requests, digest)?.map(|row| row.request))
}

/// The number of a request in the order in which they came, from its row's fields.
pub(super) fn number(fields: &[u8]) -> Option<u64> {
    decode(&[0; 32], fields).map(|row| row.number)
}

/// Keeps an answer, and removes those that are too many or too old.
pub(super) fn keep(tables: &mut Tables<'_>, tally: &mut Tally, new: &Request, limits: &Limits) -> Result<(), Fault> {
    if let Some(old) = get(&tables.requests, &new.digest)? {
        tables.request_order.remove(&old.number.to_be_bytes())?;
    }
    let number = tally.take_request();
    let fields = Put::default().u64(number).f64(new.time).u64(new.next_offset).bytes(&new.answer).0;
    tables.requests.put(&new.digest, &fields)?;
    tables.request_order.put(&number.to_be_bytes(), &new.digest)?;
    tally.newest_request = tally.newest_request.max(new.time);
    let horizon = tally.newest_request - limits.max_request_age.as_secs_f64();
    while let Some(oldest) = tables.request_order.first_key()? {
        let digest = tables.request_order.get(&oldest, |fields| fields.try_into().ok())?;
        let row = digest.map(|digest| get(&tables.requests, &digest)).transpose()?.flatten();
        if let Some(row) = row {
            let stays = tables.requests.rows.len()? <= limits.max_requests && row.request.time >= horizon;
            if stays {
                break;
            }
            tables.requests.remove(&row.request.digest)?;
        }
        tables.request_order.remove(&oldest)?;
    }
    Ok(())
}

/// How far that input is read.
pub(super) fn place(views: &Views, key: &str) -> Result<Option<Place>, Fault> {
    views.places.get(key.as_bytes(), |fields| {
        let mut take = Take(fields);
        let place = Place { bytes: take.u64()?, line: take.u64()?, extra: take.bytes()?.to_vec() };
        take.end(place)
    })
}

/// Writes or removes a place.
pub(super) fn set_place(tables: &mut Tables<'_>, key: &str, place: Option<&Place>) -> Result<(), Fault> {
    match place {
        None => tables.places.remove(key.as_bytes()).map(drop),
        Some(place) => {
            let fields = Put::default().u64(place.bytes).u64(place.line).bytes(&place.extra).0;
            tables.places.put(key.as_bytes(), &fields)
        }
    }
}
