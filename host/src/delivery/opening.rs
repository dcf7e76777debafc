//! How a delivery begins: the first instance is opened, however many tries that takes, and shown when it has all that it
//! had before.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Opened;
use super::leg::{KEEP_AGAIN, Leg};
use super::poison::Piece;
use super::sandbox::Opener;
use super::slot::Slot;
use super::trouble::Halt;
use super::watermark::Watermark;
use crate::config::Batching;
use crate::plugin::{CallError, Profile};
use crate::queue::backing::Handed;

/// No record waits longer for others, whatever the config says: times beyond what a clock can add up are of no use.
const LONGEST_AGE: Duration = Duration::from_hours(365 * 24);

impl<O: Opener> Leg<O> {
    /// From now on records may be handed over that no cursor tells of.
    pub(super) async fn begin_lastingly(&mut self) {
        let handed = if self.profile.stateful { Handed::Shown } else { Handed::Below(self.reserve()) };
        while let Err(error) = self.ledger.begin(handed).await {
            self.status.not_kept(&error.to_string());
            sleep(KEEP_AGAIN).await;
        }
        self.reserved_to = self.reserve();
        self.status.kept();
    }

    /// An instance with state is scraped and flushed only when it has all that it had before.
    pub(super) fn show_when_caught_up(&mut self) {
        if self.status.is_caught_up() || (self.profile.stateful && self.answered < self.backlog_to) {
            return;
        }
        let Some(slot) = self.idle.first_mut() else { return };
        slot.show(self.channels.current.clone());
        self.status.caught_up();
        self.flush_at = self.next_flush();
    }

    /// Opens the first instance and tells how that went, at the first try and when it succeeds.
    pub(super) async fn open_first(&mut self) -> Result<(), Halt> {
        let saved = self.assembler.reader().saved();
        self.profile.stateful = saved.is_some();
        let mut slot = self.new_slot().from(saved, self.settings.reset_state);
        let profile = loop {
            match slot.try_open().await? {
                Ok(profile) => break profile,
                Err(error) => {
                    self.tell_first_failure(&error)?;
                    slot.pause_after(&error).await;
                    self.give_up_old(&slot, &error).await;
                }
            }
        };
        self.status.running();
        self.is_like(profile);
        self.idle.push(slot);
        Ok(())
    }

    /// The publisher is like this from now on.
    pub(super) fn is_like(&mut self, profile: Profile) {
        let Batching { max_age, .. } = self.settings.batching;
        let max_age = if profile.scrapes { Duration::ZERO } else { max_age.min(LONGEST_AGE) };
        self.assembler.set_limits(Batching { max_age, ..self.settings.batching.clone() });
        self.assembler.reader().is_stateful(profile.stateful);
        self.flush_interval = profile.flush_interval;
        self.profile = profile;
    }

    /// Only the first try can show that the config is of no use: after that a person may be putting things right.
    fn tell_first_failure(&self, error: &CallError) -> Result<(), Halt> {
        if *self.channels.opened.borrow() != Opened::NotYet {
            return Ok(());
        }
        if let Some(halt) = Halt::of_first_open(error) {
            return Err(halt);
        }
        self.channels.opened.send_replace(Opened::Later(error.to_string()));
        Ok(())
    }

    /// Records that become too old while there is no instance to bring them to.
    async fn give_up_old(&mut self, slot: &Slot<O>, error: &CallError) {
        let reader = self.assembler.reader_mut();
        while let Some(entry) = reader.next_if(|batch| slot.is_too_old(batch)).await {
            slot.within_age(&Piece::new(Arc::clone(&entry.batch)), &error.to_string());
            self.answered = entry.next;
            reader.release(entry.next);
        }
        self.watermark = Watermark::from(self.answered);
        // A state that was handed nothing since it was kept is as it was, however far its cursor is.
        self.keep_cursor(self.answered).await;
    }
}
