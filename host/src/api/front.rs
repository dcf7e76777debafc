//! What every publisher of this crate is made of: an intake for calls, and what starts behind it with the first of them.

use std::sync::Arc;
use std::time::Duration;

use metricast_records::MetricsRef;
use tokio::sync::OnceCell;

use super::composite::{Member, Plan};
use super::house::House;
use super::intake::Intake;
use super::publisher::PublishError;
use super::recorder::Recorder;
use super::running::{Running, deadline};
use super::settings::Settings;
use super::start::StartError;
use super::undelivered::{Shortfall, Undelivered, Untaken};
use crate::pipeline::Report;

pub(super) struct Front {
    intake: Arc<Intake>,
    plan: Plan,
    running: Arc<OnceCell<Result<Arc<Running>, Arc<StartError>>>>,
}

impl Front {
    pub(super) fn new(plan: Plan) -> Self {
        Self { intake: Arc::default(), plan, running: Arc::default() }
    }

    pub(super) fn of(settings: Settings) -> Self {
        Self::new(Plan::of(vec![Member::Own(Box::new(settings))]))
    }

    /// The plan, to be changed before anything starts.
    pub(super) fn plan_mut(&mut self) -> &mut Plan {
        if self.running.initialized() {
            tracing::error!("an option was set after the publisher had started: it has no effect");
        }
        &mut self.plan
    }

    /// The settings of the one member that a publisher of a plugin has.
    pub(super) fn settings_mut(&mut self) -> &mut Settings {
        match self.plan_mut().members.as_mut_slice() {
            [Member::Own(settings)] => settings,
            _ => unreachable!("a publisher of a plugin is its only member"),
        }
    }

    #[cfg(test)]
    pub(super) fn settings(&self) -> Option<&Settings> {
        match self.plan.members.as_slice() {
            [Member::Own(settings)] => Some(settings),
            _ => None,
        }
    }

    /// The members, for a composite to make legs of; none once it has started, or where records may come by a recorder.
    pub(super) fn members(&self) -> Option<Vec<Member>> {
        let untouched = !self.running.initialized() && Arc::strong_count(&self.intake) == 1;
        untouched.then(|| self.plan.members.clone())
    }

    /// The only member's, or what several are.
    pub(super) fn name(&self) -> &str {
        match self.plan.members.as_slice() {
            [member] => member.name(),
            _ => "composite",
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.plan.clone().into_named().iter().map(|member| member.name().to_owned()).collect()
    }

    pub(super) fn recorder(&self) -> Recorder {
        Recorder::new(Arc::clone(&self.intake))
    }

    pub(super) fn started(&self) -> Option<&Arc<Running>> {
        self.running.get()?.as_ref().ok()
    }

    pub(super) async fn running(&self) -> Result<&Arc<Running>, Arc<StartError>> {
        if !self.running.initialized() {
            if self.intake.is_closed() {
                return Err(Arc::new(StartError::Closed));
            }
            let failed = self.begin().await.err();
            let failed = failed.unwrap_or_else(|| StartError::Other("starting it broke off".to_owned()));
            self.running.get_or_init(async || Err(Arc::new(failed))).await;
        }
        self.running.get().expect("it was set above").as_ref().map_err(Arc::clone)
    }

    /// Starts it on the house's threads, to the end whoever leaves: half a start would keep a port, and take records.
    async fn begin(&self) -> Result<(), StartError> {
        let house = House::of(&self.plan.cache)?;
        let (running, plan, intake) = (Arc::clone(&self.running), self.plan.clone(), Arc::clone(&self.intake));
        let on = Arc::clone(&house);
        let starting = async move {
            running.get_or_init(async || Running::start(plan, intake, on).await.map(Arc::new).map_err(Arc::new)).await;
        };
        let started = house.spawn(starting).await;
        started.map_err(|error| StartError::Other(format!("starting it broke off: {error}")))
    }

    pub(super) async fn start(&self) -> Result<(), StartError> {
        self.running().await.map_err(|error| (*error).clone())?;
        if self.intake.is_closed() { Err(StartError::Closed) } else { Ok(()) }
    }

    pub(super) async fn publish(&self, metrics: MetricsRef<'_>) -> Result<(), PublishError> {
        if !self.running.initialized() {
            super::valid::check(&metrics)?;
            if self.intake.is_closed() {
                return Err(PublishError::Closed);
            }
        }
        self.running().await?;
        self.intake.take(&metrics).await
    }

    pub(super) async fn flush(&self, within: Duration) -> Result<(), Undelivered> {
        self.settled(move |running| async move { running.flush(deadline(within)).await }).await
    }

    pub(super) async fn close(&self, within: Duration) -> Result<(), Undelivered> {
        if self.has_nothing() {
            self.intake.close();
        }
        let closed = self.settled(move |running| async move {
            running.close(deadline(within)).await;
            Ok(())
        });
        closed.await?;
        self.intake.close();
        let Some(running) = self.started() else { return Ok(()) };
        running.tell_end().map_or(Ok(()), Err)
    }

    /// Whether it never started, and has no reason to: publishers of others are asked in any case.
    fn has_nothing(&self) -> bool {
        let is_own = |member: &Member| matches!(member, Member::Own(_));
        self.started().is_none() && self.intake.taken() == 0 && self.plan.members.iter().all(is_own)
    }

    /// Runs on the house's threads, to its end whoever leaves.
    async fn settled<F>(&self, call: impl FnOnce(Arc<Running>) -> F) -> Result<(), Undelivered>
    where
        F: Future<Output = Result<(), Undelivered>> + Send + 'static,
    {
        if self.has_nothing() {
            return Undelivered::of([], self.intake.take_untaken());
        }
        let taken = self.intake.taken();
        let running = match self.running().await {
            Ok(running) => Arc::clone(running),
            Err(error) => return Err(self.never(taken, &error)),
        };
        let house = Arc::clone(&running.house);
        let settled = house.spawn(call(running)).await;
        settled.unwrap_or_else(|error| Err(self.never(taken, &StartError::Other(error.to_string()))))
    }

    /// All that was taken, where it cannot start.
    fn never(&self, records: u64, error: &StartError) -> Undelivered {
        let shortfall = Shortfall { waiting: records, why: Some(error.to_string()), ..Shortfall::default() };
        let Untaken { unqueued, invalid } = self.intake.take_untaken();
        Undelivered { publishers: vec![shortfall], unqueued, invalid }
    }

    /// Runs on the house's threads; none where nothing has started.
    pub(super) async fn on_house<F>(&self, call: impl FnOnce(Arc<Running>) -> F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let running = self.started()?;
        let house = Arc::clone(&running.house);
        house.spawn(call(Arc::clone(running))).await.ok()
    }

    pub(super) fn reports(&self) -> Vec<Report> {
        let mut reports = Vec::new();
        for leg in self.started().map(|running| running.legs()).unwrap_or_default() {
            reports.extend(leg.reports());
        }
        reports
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let was_open = self.intake.close();
        let left = match self.started() {
            Some(running) => running.abandon(),
            None => self.intake.taken(),
        };
        if was_open && left > 0 {
            tracing::warn!("a publisher was dropped without `close`: {left} records are not delivered");
        }
    }
}

#[cfg(test)]
mod tests;
