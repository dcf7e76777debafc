//! Who an instance is in the log: what it writes and what it asks of the network are told under the same names.

use std::sync::Arc;

/// A publisher's instance.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The name that the user gave the publisher; the plugin's own where it is none.
    pub(crate) publisher: Arc<str>,
    /// Name and version of the plugin.
    pub(crate) plugin: Arc<str>,
}
