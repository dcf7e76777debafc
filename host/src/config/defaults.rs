//! Every default of the configuration file, written once; those of `max_memory` and `call_timeout` are those of
//! [`Limits`](crate::limits::Limits).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// `ingest.listen`.
pub const INGEST_LISTEN: SocketAddr = SocketAddr::new(LOOPBACK, 4319);
/// `admin.listen`.
pub const ADMIN_LISTEN: SocketAddr = SocketAddr::new(LOOPBACK, 4320);
/// `ingest.max_body`: one body after decompression.
pub const MAX_BODY: usize = 16 << 20;
/// `queue.max_size` of the queue in memory.
pub const MEMORY_QUEUE: usize = 64 << 20;
/// `queue.max_size` of a queue on a disk.
pub const DURABLE_QUEUE: usize = 1 << 30;
/// The least that one has.
pub const LEAST_DURABLE_QUEUE: usize = 16 << 20;
/// `queue.forget_after`.
pub const FORGET_AFTER: Duration = Duration::from_hours(30 * 24);
/// `queue.max_dead_letters`.
pub const MAX_DEAD_LETTERS: usize = 100_000;
/// `publishers.listen`, used where a plugin has something to scrape and neither `listen` nor `config.port` is there.
pub const SCRAPE_LISTEN: SocketAddr = SocketAddr::new(LOOPBACK, 9464);
/// `publishers.batch.max_records`.
pub const BATCH_RECORDS: usize = 1_000;
/// Bytes of distinct text at which what takes records in hands a batch over, though it has fewer than
/// [`BATCH_RECORDS`].
pub const PACKED_TEXT: usize = 1 << 20;
/// `publishers.batch.max_bytes`.
pub const BATCH_BYTES: usize = 4 << 20;
/// `publishers.batch.max_age`.
pub const BATCH_AGE: Duration = Duration::from_secs(1);
/// `publishers.retry.initial`.
pub const RETRY_INITIAL: Duration = Duration::from_millis(200);
/// `publishers.retry.max`.
pub const RETRY_MAX: Duration = Duration::from_secs(30);
/// `drain_timeout`.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// What runs where no config is given.
pub(super) const BUILT_IN: &str = "[[publishers]]\nplugin = \"prometheus\"\n";

/// The least `queue.max_size` and `ingest.max_body`: no record fits into less.
pub const LEAST_SIZE: usize = 1 << 10;
