//! Sends a batch, in as many requests as the limits of bodies ask for.
//!
//! A body that is too large (413) is cut by what [`limit`](crate::limit) has learned from that; one that the server
//! cannot read is halved until the record is alone. What is alone and too large or not to be read is rejected.

use metricast_sdk::{Batch, Deadline, PublishError};

use crate::bulk::{Encoded, Encoder};
use crate::cause::{Cause, refusal};
use crate::client::{Ask, Client, Failure};
use crate::gzip::Gzip;
use crate::response;
use crate::tally::Tally;

/// Only what tells the outcomes: with it a response has a tenth of its size. Where an index has no shard to write to (a
/// full disk, a node that left), a server waits a minute by itself, longer than a call may take, and the outcome would
/// be in doubt; told to wait less it says that nothing was written.
const PATH: &str = "/_bulk?timeout=10s&filter_path=error,status,items.*.status,items.*.error";

/// Types of errors that say that a request is not what `_bulk` reads.
const UNREADABLE: [&str; 9] = [
    "action_request_validation_exception",
    "illegal_argument_exception",
    "input_coercion_exception",
    "json_e_o_f_exception",
    "json_parse_exception",
    "parse_exception",
    "parsing_exception",
    "stream_constraints_exception",
    "x_content_parse_exception",
];

/// The path of `_bulk`. With `watch` the answer says which index each document went to.
pub(crate) fn path(require_data_stream: bool, watch: bool) -> String {
    let watch = if watch { ",items.*._index" } else { "" };
    let guard = if require_data_stream { "&require_data_stream=true" } else { "" };
    format!("{PATH}{watch}{guard}")
}

/// One call of the host.
pub(crate) struct Sending<'a> {
    pub(crate) client: &'a mut Client,
    pub(crate) encoder: &'a mut Encoder,
    pub(crate) gzip: Option<&'a mut Gzip>,
    /// The most bytes of a body before compression.
    pub(crate) max_body: usize,
    pub(crate) path: &'a str,
    pub(crate) batch: &'a Batch,
    pub(crate) deadline: Deadline,
    pub(crate) tally: Tally,
}

enum Next {
    /// All of these have their outcome.
    Done,
    /// The same again: the body's limit is known better now.
    Smaller,
    /// One of these cannot be read.
    Halves,
    /// What is left would fare no better.
    Stop(PublishError),
}

impl Sending<'_> {
    /// Sends the records `rows`, and says what became of each.
    ///
    /// # Errors
    /// [`PublishError::Internal`] where the records cannot be written as documents.
    pub(crate) fn run(mut self, rows: &[u32]) -> Result<Tally, PublishError> {
        let mut parts = vec![rows];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let (count, next) = self.send(part)?;
            let (sent, rest) = part.split_at(count);
            parts.push(rest);
            match next {
                Next::Done => {}
                Next::Smaller => parts.push(sent),
                Next::Halves => {
                    let (first, second) = sent.split_at(sent.len() / 2);
                    parts.extend([second, first]);
                }
                Next::Stop(why) => {
                    for part in parts {
                        self.tally.records.again(part.iter().copied(), &why);
                    }
                    break;
                }
            }
        }
        Ok(self.tally)
    }

    /// Sends as many of these as fit into a body; how many that were, and what to do next.
    fn send(&mut self, part: &[u32]) -> Result<(usize, Next), PublishError> {
        let most = self.client.most(self.max_body);
        let Encoded { body, count } = self.encoder.encode_some(self.batch, part, most)?;
        let size = body.len();
        let gzip = self.gzip.is_some();
        let body = match &mut self.gzip {
            Some(gzip) => gzip.compressed(body),
            None => body,
        };
        let ask = Ask { gzip, ..Ask::bulk(self.path, body, size, count) };
        let sent = &part[..count];
        let response = match self.client.send(&ask, self.deadline) {
            Ok(response) => response,
            Err(Failure::NotSent(why)) => return Ok((count, self.not_taken(sent, why))),
            Err(Failure::InDoubt(why)) => return Ok((count, self.in_doubt(sent, why))),
        };
        let next = match response.status {
            200..300 => match response::classify(&response.body, sent, &mut self.tally) {
                Ok(()) => Next::Done,
                Err(why) => self.in_doubt(sent, why),
            },
            413 => self.too_large(sent, size, &Cause::of(&response).told(413)),
            400 => self.bad_request(sent, &Cause::of(&response), refusal("POST /_bulk", &response)),
            415 if gzip => {
                let told = refusal("POST /_bulk", &response);
                self.not_taken(
                    sent,
                    PublishError::unavailable(format!("{told}: without gzip it may: compression = \"none\"")),
                )
            }
            500 | 502 | 504.. => self.in_doubt(sent, refusal("POST /_bulk", &response).to_string()),
            _ => self.not_taken(sent, refusal("POST /_bulk", &response)),
        };
        Ok((count, next))
    }

    fn not_taken(&mut self, part: &[u32], why: PublishError) -> Next {
        self.tally.records.again(part.iter().copied(), &why);
        Next::Stop(why)
    }

    fn in_doubt(&mut self, part: &[u32], why: String) -> Next {
        let why = PublishError::unavailable(why);
        self.tally.records.in_doubt(part.iter().copied(), &why);
        Next::Stop(why)
    }

    fn too_large(&mut self, part: &[u32], size: usize, told: &str) -> Next {
        let &[row] = part else { return Next::Smaller };
        self.reject(row, format!("the document, {size} bytes, is larger than the server takes: {told}"))
    }

    /// What stands between here and the cluster says 400 too: only the server's own words are about a document.
    fn bad_request(&mut self, part: &[u32], cause: &Cause, why: PublishError) -> Next {
        let of_parameter = cause.told(400).contains("unrecognized parameter");
        if of_parameter {
            // Another server than the one that was there when this was opened.
            self.tally.homeless = true;
        }
        if of_parameter || !UNREADABLE.contains(&cause.kind.as_str()) {
            return self.not_taken(part, why);
        }
        let &[row] = part else { return Next::Halves };
        self.reject(row, format!("the server cannot read the document: {}", cause.told(400)))
    }

    fn reject(&mut self, index: u32, reason: String) -> Next {
        self.tally.records.rejected(index, reason);
        Next::Done
    }
}
