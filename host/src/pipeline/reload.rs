//! Another config for a pipeline that runs. All of it is tried before anything changes: what one publisher cannot do
//! leaves all of them as they were.
//!
//! Publishers that are the same go on untouched. One that is another in the same place (its file, its settings) is
//! [swapped](crate::delivery) with its state, and scrapes are answered all the while; one that has halted or was never
//! open begins anew at its place in the queue. A removed one is ended; what it has not answered for waits for it for
//! `forget_after` where the queue is in a folder.

use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::member::{Member, opener, settings};
use super::{FIRST_OUTCOME, Pipeline, Prepared, Scrapes, StartError, StartProblem, Workshop, listen};
use crate::config::{Checked, InQueue, Publisher};
use crate::delivery::{Phase, Ready, SwapError};
use crate::plugin::{CallError, Fault, Profile, PublishError};
use crate::queue::store::StoreError;

/// What a reload did, each publisher by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Not there before.
    pub added: Vec<String>,
    /// Another plugin or other settings.
    pub changed: Vec<String>,
    /// Not there any more.
    pub removed: Vec<String>,
    /// What went wrong when all had been tried, with the publisher: it goes on as it was, or not at all where it had
    /// ended already. The next reload tries again.
    pub failed: Vec<(String, String)>,
}

impl Reloaded {
    /// Whether nothing was to be done.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a publisher of the new config.
enum Plan {
    Keep,
    /// A delivery that goes on with another instance, which is ready.
    Swap(Ready),
    /// A delivery in the place of one that has halted or was never open.
    Restart,
    Add,
}

/// A publisher of the new config, tried.
struct Tried {
    plan: Plan,
    prepared: Prepared,
    /// Where its scrapes move to.
    listener: Option<TcpListener>,
}

impl Pipeline {
    /// Goes on with another config, whose publishers are [split](Workshop::split). What it says of the queue and of
    /// ingest counts at the next start only.
    ///
    /// # Errors
    /// With what is wrong, or where it is to `stop` before all is tried; nothing has changed.
    pub async fn reload(
        &mut self,
        config: &Checked,
        workshop: &Workshop,
        patience: Duration,
        stop: &CancellationToken,
    ) -> Result<Reloaded, StartError> {
        let tried = tokio::select! {
            tried = self.try_all(config, workshop) => tried?,
            () = stop.cancelled() => return Err(StartError::Stopping),
        };
        self.leave_addresses(config).await;
        let mut reloaded = Reloaded::default();
        let mut members = Vec::with_capacity(tried.len());
        for (publisher, tried) in config.publishers.iter().zip(tried) {
            match self.carry_out(publisher, tried, workshop, &mut reloaded).await {
                Ok(member) => members.extend(member),
                Err(error) => reloaded.failed.push((publisher.name.clone(), error.to_string())),
            }
        }
        let removed = std::mem::replace(&mut self.members, members);
        reloaded.removed = removed.iter().map(|member| member.name().to_owned()).collect();
        join_all(removed.into_iter().map(|member| end(member, patience, stop))).await;
        Ok(reloaded)
    }

    /// Nothing has changed when this has ended, or is left.
    async fn try_all(&self, config: &Checked, workshop: &Workshop) -> Result<Vec<Tried>, StartError> {
        let prepared = workshop.prepare_all(config).await?;
        let attempts =
            config.publishers.iter().zip(prepared).map(|(publisher, prepared)| self.try_out(publisher, prepared));
        let outcomes = join_all(attempts).await.into_iter().enumerate();
        let tried = |(publisher, outcome): (usize, Result<Tried, StartProblem>)| {
            outcome.map_err(|problem| StartError::Publisher { publisher, problem })
        };
        outcomes.map(tried).collect()
    }

    /// Whoever is scraped elsewhere from now on, or no more, makes room for others first.
    async fn leave_addresses(&mut self, config: &Checked) {
        for member in &mut self.members {
            let stays = |publisher: &Publisher| publisher.name == member.name() && publisher.listen == member.listen;
            if !config.publishers.iter().any(stays) {
                member.stop_scrapes().await;
            }
        }
    }

    async fn try_out(&self, publisher: &Publisher, prepared: Prepared) -> Result<Tried, StartProblem> {
        let member = self.members.iter().find(|member| member.name() == publisher.name);
        let Some(member) = member else {
            let profile = trial(&prepared, self.known_state(publisher)?).await?;
            if profile.is_some_and(|profile| profile.scrapes) {
                self.try_address(publisher).await?;
            }
            return Ok(Tried { plan: Plan::Add, prepared, listener: None });
        };
        let listener = self.listener(member, publisher).await?;
        let goes_on = member.is_open() && !matches!(member.delivery.status().phase(), Phase::Halted { .. });
        if member.identity == prepared.identity && (goes_on || member.is_opening()) {
            return Ok(Tried { plan: Plan::Keep, prepared, listener });
        }
        if !goes_on {
            trial(&prepared, self.known_state(publisher)?).await?;
            return Ok(Tried { plan: Plan::Restart, prepared, listener });
        }
        let another = Prepared::clone(&prepared);
        match member.delivery.swap(opener(another), settings(publisher, self.max_unsaved)).await {
            Ok(ready) => Ok(Tried { plan: Plan::Swap(ready), prepared, listener }),
            Err(error) => Err(StartProblem::Refused(error.to_string())),
        }
    }

    fn known_state(&self, publisher: &Publisher) -> Result<Option<crate::plugin::Saved>, StartProblem> {
        let known = self.queue.known(&publisher.name).map_err(|error| StartProblem::Refused(error.to_string()))?;
        Ok(known.and_then(|known| known.state))
    }

    /// Another address is listened on before anything changes. Where a plugin turns out to show nothing, nobody is
    /// served there.
    async fn listener(&self, member: &Member, publisher: &Publisher) -> Result<Option<TcpListener>, StartProblem> {
        let is_elsewhere = member.is_scraped && member.listen.address != publisher.listen.address;
        if self.scrapes == Scrapes::Off || !is_elsewhere || self.is_left(publisher.listen.address, &publisher.name) {
            return Ok(None);
        }
        listen::bind(&publisher.name, publisher.listen.address).await.map(Some)
    }

    /// Whether a new publisher could be scraped where it wants to be.
    async fn try_address(&self, publisher: &Publisher) -> Result<(), StartProblem> {
        let address = publisher.listen.address;
        if self.scrapes == Scrapes::Off || self.is_left(address, &publisher.name) {
            return Ok(());
        }
        let bound = TcpListener::bind(address).await;
        bound.map(drop).map_err(|source| StartProblem::Listen { address, source })
    }

    /// Whether another publisher is scraped there now.
    fn is_left(&self, address: SocketAddr, by: &str) -> bool {
        self.members.iter().any(|member| member.name() != by && member.bound() == Some(address))
    }

    /// None where it can have no place in the queue.
    async fn carry_out(
        &mut self,
        publisher: &Publisher,
        tried: Tried,
        workshop: &Workshop,
        reloaded: &mut Reloaded,
    ) -> Result<Option<Member>, StartError> {
        let Tried { plan, prepared, listener } = tried;
        let name = || publisher.name.clone();
        let at = self.members.iter().position(|member| member.name() == publisher.name);
        let mut member = at.map(|at| self.members.swap_remove(at));
        let is_elsewhere = member.as_ref().is_some_and(|member| member.listen != publisher.listen);
        match plan {
            Plan::Keep => {
                if is_elsewhere {
                    reloaded.changed.push(name());
                }
            }
            Plan::Swap(ready) => match (ready.go().await, &mut member) {
                (Ok(()), Some(member)) => {
                    member.identity = prepared.identity;
                    reloaded.changed.push(name());
                }
                (Err(error), _) => reloaded.failed.push((name(), error.to_string())),
                (Ok(()), None) => {}
            },
            Plan::Restart | Plan::Add => {
                match member {
                    Some(_) => reloaded.changed.push(name()),
                    None => reloaded.added.push(name()),
                }
                let begun = self.begin(publisher, prepared, member, workshop).await?;
                return Ok(Some(self.listened_for(begun, reloaded).await));
            }
        }
        let is_unserved = member.as_ref().is_some_and(|member| member.is_unserved(self.scrapes));
        if let Some(member) = member.as_mut().filter(|_| is_elsewhere || is_unserved) {
            member.stop_scrapes().await;
            member.listen = publisher.listen;
            let moved = match listener {
                Some(listener) => member.serve(listener),
                None if member.is_scraped => member.opened(self.scrapes, Instant::now() + FIRST_OUTCOME).await,
                None => Ok(()),
            };
            if let Err(problem) = moved {
                reloaded.failed.push((name(), problem.to_string()));
            }
        }
        Ok(member)
    }

    /// A delivery at the publisher's place in the queue, in place of one that is of no use.
    async fn begin(
        &self,
        publisher: &Publisher,
        prepared: Prepared,
        before: Option<Member>,
        workshop: &Workshop,
    ) -> Result<Member, StartError> {
        let InQueue { start, when_behind, .. } = publisher.in_queue;
        let reader = || self.queue.reader_of(&publisher.name, when_behind, start);
        // In memory its place is gone with it; in a folder what it keeps last counts.
        let early = if self.queue.is_durable() { None } else { Some(reader().await.map_err(StoreError::from)?) };
        if let Some(mut before) = before {
            before.stop_scrapes().await;
            before.delivery.stop();
            before.delivery.ended().await;
        }
        let reader = match early {
            Some(reader) => reader,
            None => reader().await.map_err(StoreError::from)?,
        };
        Ok(Member::start(publisher, prepared, reader, self.max_unsaved, workshop))
    }

    async fn listened_for(&self, mut member: Member, reloaded: &mut Reloaded) -> Member {
        if let Err(problem) = member.opened(self.scrapes, Instant::now() + FIRST_OUTCOME).await {
            reloaded.failed.push((member.name().to_owned(), problem.to_string()));
        }
        member
    }
}

/// Opens a publisher once to see whether it can be. A backend that is away says nothing against that.
async fn trial(prepared: &Prepared, state: Option<crate::plugin::Saved>) -> Result<Option<Profile>, StartProblem> {
    let opened = prepared.plugin.open(prepared.options.clone().with_state(state)).await;
    match opened {
        Ok(instance) => Ok(Some(*instance.profile())),
        Err(CallError::Publish(PublishError::Unavailable { .. }) | CallError::Fault(Fault::Timeout { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Ends a publisher that no config names any more.
async fn end(mut member: Member, patience: Duration, stop: &CancellationToken) {
    member.delivery.retire().await;
    let ended = tokio::select! {
        ended = timeout(patience, member.delivery.ended()) => ended.is_ok(),
        () = stop.cancelled() => member.delivery.has_ended(),
    };
    if !ended {
        let publisher = member.name();
        tracing::warn!(publisher, "it is not in the config any more, and could not send the last of what it holds");
        member.delivery.stop();
        member.delivery.ended().await;
    }
    member.stop_scrapes().await;
}

impl From<SwapError> for StartProblem {
    fn from(error: SwapError) -> Self {
        Self::Refused(error.to_string())
    }
}
