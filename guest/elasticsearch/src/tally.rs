//! What became of the records of one call, and what their answers say of where they went.

use metricast_sdk::Tally as Records;

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) records: Records,
    /// An index or stream is not there any more.
    pub(crate) homeless: bool,
    /// A plain index that documents went to where a data stream should be.
    pub(crate) plain: Option<String>,
}

impl Tally {
    /// A document was written into a plain index: the stream and its template are gone.
    pub(crate) fn went_to_plain_index(&mut self, index: String) {
        self.homeless = true;
        self.plain.get_or_insert(index);
    }
}
