//! Whether documents still go into data streams.
//!
//! Where somebody deletes a stream and its template, a server makes a plain index of the name with the next document.
//! Elasticsearch from 8.13 on refuses that when it is asked to. OpenSearch does not: there the answer to a bulk says
//! which index each document went to, which doubles it, so that is asked now and then.

use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::send;

/// How long documents may go into a plain index before it is noticed.
const EVERY: Duration = Duration::from_secs(30);

/// How documents are written so that they end in data streams.
#[derive(Debug)]
pub(crate) struct Guard {
    streams: bool,
    requires: bool,
    /// When the server last said where documents go.
    watched: Instant,
}

impl Guard {
    /// For a server where all stands now, and whether that are data streams.
    pub(crate) fn new(engine: Engine, streams: bool, now: Instant) -> Self {
        Self { streams, requires: streams && engine.can_require_data_stream(), watched: now }
    }

    /// The path of `_bulk`.
    pub(crate) fn path(&mut self, now: Instant) -> String {
        let watch = self.streams && !self.requires && now >= self.watched + EVERY;
        if watch {
            self.watched = now;
        }
        send::path(self.requires, watch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_server_does_not_guard_streams_the_index_is_asked_for_now_and_then() {
        let start = Instant::now();
        let mut guard = Guard::new(Engine::OpenSearch, true, start);
        let plain = "/_bulk?timeout=10s&filter_path=error,status,items.*.status,items.*.error";
        let watched = format!("{plain},items.*._index");
        let paths = [0, 30, 31, 59, 60].map(|seconds| guard.path(start + Duration::from_secs(seconds)));
        assert_eq!(paths, [plain, &watched, plain, plain, &watched]);
        assert_eq!(Guard::new(Engine::OpenSearch, false, start).path(start + EVERY), plain);
        let server = Engine::Elasticsearch(8, 13);
        let required = Guard::new(server, true, start).path(start + EVERY);
        assert_eq!(required, format!("{plain}&require_data_stream=true"));
        assert_eq!(Guard::new(server, false, start).path(start + EVERY), plain);
    }
}
