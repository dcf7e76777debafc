//! Nodes that tests share, and how many there are at a time.
//!
//! A node takes seconds to start and half a gigabyte. So tests that leave a node as it was lease the same one, and
//! where there are as many as there may be, one that nobody uses makes room for the next.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::{Node, Options};
use crate::Server;

/// How many nodes run at a time in one process of tests.
const MOST: usize = 2;

static POOL: Pool = Pool { entries: Mutex::new(Vec::new()), changed: Condvar::new() };

struct Pool {
    /// The least recently asked for comes first.
    entries: Mutex<Vec<Entry>>,
    changed: Condvar,
}

struct Entry {
    /// None of a node that is one test's alone.
    shared_as: Option<(Server, Options<'static>)>,
    node: Arc<OnceLock<Node>>,
    users: usize,
}

/// A node for as long as a test needs it. A test holds one at a time: two tests that each wait for a second would
/// wait for ever.
#[derive(Debug)]
pub struct Lease(Arc<OnceLock<Node>>);

impl Lease {
    /// The node that all who ask for the same share, started where it is not there.
    pub(super) fn shared(server: Server, options: &Options<'static>) -> Self {
        Self::of(Some((server, *options)), || Node::launch(server, options))
    }

    /// A node for one test alone.
    pub(super) fn alone(server: Server, options: &Options<'_>) -> Self {
        Self::of(None, || Node::launch(server, options))
    }

    fn of(shared_as: Option<(Server, Options<'static>)>, launch: impl FnOnce() -> Node) -> Self {
        let lease = Self(POOL.take(shared_as));
        lease.0.get_or_init(launch);
        lease
    }
}

impl Deref for Lease {
    type Target = Node;

    fn deref(&self) -> &Node {
        self.0.get().expect("a lease is handed out when the node has started")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        POOL.give_back(&self.0);
    }
}

impl Pool {
    fn take(&self, shared_as: Option<(Server, Options<'static>)>) -> Arc<OnceLock<Node>> {
        let mut entries = self.entries();
        loop {
            let known = |entry: &Entry| entry.shared_as.is_some() && entry.shared_as == shared_as;
            if let Some(at) = entries.iter().position(known) {
                let mut entry = entries.remove(at);
                entry.users += 1;
                let node = Arc::clone(&entry.node);
                entries.push(entry);
                return node;
            }
            if entries.len() == MOST
                && let Some(idle) = entries.iter().position(|entry| entry.users == 0)
            {
                entries.remove(idle);
            }
            if entries.len() < MOST {
                let node = Arc::default();
                entries.push(Entry { shared_as, node: Arc::clone(&node), users: 1 });
                return node;
            }
            entries = self.changed.wait(entries).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, node: &Arc<OnceLock<Node>>) {
        let mut entries = self.entries();
        let at = entries.iter().position(|entry| Arc::ptr_eq(&entry.node, node)).expect("a leased node is in the pool");
        entries[at].users -= 1;
        if entries[at].shared_as.is_none() {
            entries.remove(at);
        }
        self.changed.notify_all();
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
