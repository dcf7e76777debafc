//! The task of one delivery: reads batches, keeps its slots busy, moves the cursor.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::assemble::Assembler;
use super::sandbox::Opener;
use super::slot::{Halt, Slot};
use super::status::Status;
use super::watermark::Watermark;
use super::{Opened, Settings};
use crate::plugin::{CallError, Fault, Profile, PublishError};
use crate::queue::{Entry, Reader};

/// A stateful plugin is asked for its state this long after records went into it.
const SNAPSHOT_AFTER: Duration = Duration::from_secs(1);

/// How a delivery is seen and stopped.
pub(super) struct Channels<S> {
    pub(super) opened: watch::Sender<Opened>,
    pub(super) current: watch::Sender<Option<S>>,
    pub(super) stopped: watch::Receiver<bool>,
    /// Somebody else's call found the instance dead.
    pub(super) lost: Arc<Notify>,
}

pub(super) struct Leg<O: Opener> {
    opener: Arc<O>,
    assembler: Assembler,
    settings: Settings,
    status: Arc<Status>,
    channels: Channels<O::Sandbox>,
    idle: Vec<Slot<O>>,
    slots: u32,
    watermark: Watermark,
    /// Behind the last record that went into a stateful instance.
    applied: u64,
    /// What the records since its snapshot weigh, and when the next one is due.
    unsaved_bytes: usize,
    save_at: Option<Instant>,
}

type UnderWay<O> = FuturesUnordered<BoxFuture<'static, (Slot<O>, Entry, Result<(), Halt>)>>;

impl<O: Opener> Leg<O> {
    pub(super) fn new(
        opener: O,
        reader: Reader,
        settings: Settings,
        status: Arc<Status>,
        channels: Channels<O::Sandbox>,
    ) -> Self {
        Self {
            opener: Arc::new(opener),
            assembler: Assembler::new(reader, settings.batching.clone()),
            settings,
            status,
            channels,
            idle: Vec::new(),
            slots: 0,
            watermark: Watermark::default(),
            applied: 0,
            unsaved_bytes: 0,
            save_at: None,
        }
    }

    pub(super) async fn run(mut self) {
        let mut stopped = self.channels.stopped.clone();
        let stop = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        tokio::select! {
            biased;
            () = stop => {}
            ended = self.deliver_all() => match ended {
                Ok(()) => self.status.done(),
                Err(Halt(error)) => {
                    self.status.halted(&error.to_string());
                    self.channels.opened.send_replace(Opened::Never(error));
                }
            },
        }
    }

    async fn deliver_all(&mut self) -> Result<(), Halt> {
        let profile = self.open_first().await?;
        let instances = if profile.stateful { 1 } else { profile.max_instances.get().min(self.settings.max_instances) };
        let mut under_way: UnderWay<O> = FuturesUnordered::new();
        let mut flush_at = profile.flush_interval.map(|interval| Instant::now() + interval);
        loop {
            let free = !self.idle.is_empty() || self.slots < instances;
            let save_at = self.save_at;
            let lost = Arc::clone(&self.channels.lost);
            tokio::select! {
                Some((slot, entry, outcome)) = under_way.next() => {
                    self.idle.push(slot);
                    outcome?;
                    self.answered(&entry, &profile).await?;
                }
                entry = self.assembler.next(), if free => match entry {
                    Some(entry) => self.hand_over(entry, &mut under_way),
                    None => break,
                },
                () = at(save_at), if save_at.is_some() && !self.idle.is_empty() => self.save().await?,
                () = lost.notified() => {
                    for slot in &mut self.idle {
                        slot.revive().await?;
                    }
                }
                () = at(flush_at), if flush_at.is_some() => {
                    flush_at = profile.flush_interval.map(|interval| Instant::now() + interval);
                    for slot in &mut self.idle {
                        slot.flush().await;
                    }
                }
            }
        }
        self.finish(under_way, &profile).await
    }

    /// Opens the first instance and tells how that went, at the first try and when it succeeds.
    async fn open_first(&mut self) -> Result<Profile, Halt> {
        let mut slot = self.new_slot().telling(self.channels.current.clone());
        let profile = loop {
            match slot.try_open().await {
                Ok(profile) => break profile,
                Err(CallError::Fault(fault)) if !matches!(fault, Fault::Timeout { .. }) => {
                    return Err(Halt(PublishError::Internal(fault.to_string())));
                }
                Err(error) => {
                    self.channels.opened.send_if_modified(|opened| {
                        let first = *opened == Opened::NotYet && !Halt::is_due_to(&error);
                        if first {
                            *opened = Opened::Later(error.to_string());
                        }
                        first
                    });
                    slot.pause_after(&error).await?;
                    self.give_up_old(&slot, &error);
                }
            }
        };
        self.status.running();
        self.channels.opened.send_replace(Opened::Yes(profile));
        if profile.scrapes {
            self.assembler.wait_for_nothing();
        }
        self.idle.push(slot);
        Ok(profile)
    }

    /// Records that become too old while there is no instance to bring them to.
    fn give_up_old(&mut self, slot: &Slot<O>, error: &CallError) {
        let reader = self.assembler.reader_mut();
        while let Some(entry) = reader.next_if(|batch| slot.is_too_old(batch)) {
            slot.within_age(entry.batch, &error.to_string());
            reader.release(entry.next);
        }
    }

    fn new_slot(&mut self) -> Slot<O> {
        self.slots += 1;
        Slot::new(Arc::clone(&self.opener), &self.settings.retry, Arc::clone(&self.status))
    }

    fn hand_over(&mut self, entry: Entry, under_way: &mut UnderWay<O>) {
        let mut slot = self.idle.pop().unwrap_or_else(|| self.new_slot());
        self.watermark.begin(entry.first, entry.next);
        let delivery = async move {
            let outcome = slot.deliver(Arc::clone(&entry.batch)).await;
            (slot, entry, outcome)
        };
        under_way.push(delivery.boxed());
    }

    async fn answered(&mut self, entry: &Entry, profile: &Profile) -> Result<(), Halt> {
        let answered = self.watermark.done(entry.first);
        if !profile.stateful {
            self.assembler.reader().release(answered);
            return Ok(());
        }
        self.applied = answered;
        self.unsaved_bytes += entry.batch.byte_len();
        self.save_at.get_or_insert_with(|| Instant::now() + SNAPSHOT_AFTER);
        if self.unsaved_bytes >= self.settings.max_unsaved {
            self.save().await?;
        }
        Ok(())
    }

    /// The cursor of a stateful plugin moves with its snapshot.
    async fn save(&mut self) -> Result<(), Halt> {
        let Some(slot) = self.idle.first_mut() else { return Ok(()) };
        if slot.save(self.applied).await? {
            self.unsaved_bytes = 0;
            self.save_at = None;
            self.assembler.reader().release(self.applied);
        } else {
            self.save_at = Some(Instant::now() + SNAPSHOT_AFTER);
        }
        Ok(())
    }

    async fn finish(&mut self, mut under_way: UnderWay<O>, profile: &Profile) -> Result<(), Halt> {
        while let Some((slot, entry, outcome)) = under_way.next().await {
            self.idle.push(slot);
            outcome?;
            self.answered(&entry, profile).await?;
        }
        for slot in &mut self.idle {
            slot.close().await?;
        }
        if profile.stateful {
            self.save().await?;
        }
        Ok(())
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
