//! Sends a batch, in parts where the server finds it too large.

use metricast_sdk::{Batch, PublishError, Rejection};

use crate::bulk::Encoder;
use crate::cause::{Cause, refusal};
use crate::client::{Ask, Client, Deadline, Failure};
use crate::response;
use crate::tally::Tally;

/// Only what tells the outcomes: with it a response has a tenth of its size.
const PATH: &str = "/_bulk?filter_path=error,status,items.*.status,items.*.error";

/// The path of `_bulk`.
pub(crate) fn path(require_data_stream: bool) -> String {
    let guard = if require_data_stream { "&require_data_stream=true" } else { "" };
    format!("{PATH}{guard}")
}

/// One call of the host.
pub(crate) struct Sending<'a> {
    pub(crate) client: &'a mut Client,
    pub(crate) encoder: &'a mut Encoder,
    pub(crate) path: &'a str,
    pub(crate) batch: &'a Batch,
    pub(crate) deadline: Deadline,
    pub(crate) tally: Tally,
}

enum Next {
    /// Goes on with the next part.
    Part,
    /// This part is too large.
    Halves,
    /// The next part would fare no better.
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
            match self.send(part)? {
                Next::Part => {}
                Next::Halves => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Next::Stop(why) => {
                    for part in parts {
                        self.tally.again(part, why.clone());
                    }
                    break;
                }
            }
        }
        Ok(self.tally)
    }

    fn send(&mut self, part: &[u32]) -> Result<Next, PublishError> {
        if part.is_empty() {
            return Ok(Next::Part);
        }
        let body = self.encoder.encode(self.batch, part)?;
        let size = body.len();
        let response = match self.client.send(&Ask::bulk(self.path, body), self.deadline) {
            Ok(response) => response,
            Err(Failure::NotSent(why)) => return Ok(self.not_taken(part, why)),
            Err(Failure::InDoubt(why)) => return Ok(self.in_doubt(part, why)),
        };
        Ok(match response.status {
            200..300 => match response::classify(&response.body, part, &mut self.tally) {
                Ok(()) => Next::Part,
                Err(why) => self.in_doubt(part, why),
            },
            413 => self.too_large(part, size, &Cause::of(&response).told(413)),
            // What the server cannot read at all was written wrongly here.
            400 => {
                let told = Cause::of(&response).told(400);
                self.not_taken(part, PublishError::Internal(format!("POST /_bulk: {told}")))
            }
            500 | 502 | 504.. => self.in_doubt(part, refusal("POST /_bulk", &response).to_string()),
            _ => self.not_taken(part, refusal("POST /_bulk", &response)),
        })
    }

    fn not_taken(&mut self, part: &[u32], why: PublishError) -> Next {
        self.tally.again(part, why.clone());
        Next::Stop(why)
    }

    fn in_doubt(&mut self, part: &[u32], why: String) -> Next {
        let why = PublishError::unavailable(why);
        self.tally.in_doubt(part, why.clone());
        Next::Stop(why)
    }

    fn too_large(&mut self, part: &[u32], size: usize, told: &str) -> Next {
        let &[row] = part else { return Next::Halves };
        let reason = format!("the document, {size} bytes, is larger than the server takes: {told}");
        self.tally.receipt.rejected.push(Rejection { index: row, reason });
        Next::Part
    }
}
