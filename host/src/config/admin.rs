//! `[admin]`: where metricast is seen from outside.

use std::net::SocketAddr;

use super::check::{Listens, address};
use super::checked::Admin;
use super::defaults;
use super::raw::RawAdmin;
use super::reader::Problems;

/// What `listen` says where nothing is listened on.
const OFF: &str = "off";

/// Takes a stated address from `listens`, before publishers take theirs.
pub(super) fn admin(raw: RawAdmin, listens: &mut Listens, problems: &mut Problems<'_>) -> Admin {
    let Some(at) = raw.listen else { return Admin { listen: Some(defaults::ADMIN_LISTEN), stated: false } };
    if at.value == OFF {
        return Admin { listen: None, stated: true };
    }
    let place = at.place.clone();
    let listen = address(Some(at), defaults::ADMIN_LISTEN.port(), problems);
    if let Some(address) = listen {
        listens.take(address, &place, problems);
    }
    Admin { listen, stated: true }
}

/// An address that the config did not state is left to whom it gave it.
pub(super) fn yielded(admin: Admin, is_taken: impl Fn(SocketAddr) -> bool) -> Admin {
    let listen = admin.listen.filter(|&address| admin.stated || !is_taken(address));
    Admin { listen, ..admin }
}
