//! One life of a process: from an opening to a crash or to its end.

use metricast_records::{Batch, BatchBuilder, EventMetrics, MetricsRef};
use metricast_store::meta::MetaError;
use tokio::task::JoinSet;

use super::actor::Company;
use super::plan::{Kind, Plan, PublisherPlan, one_of};
use super::world::World;
use super::*;
use crate::queue::forgetful::{Forgetful, Fuse, Mood};
use crate::queue::{AppendError, Start};

/// With all faults over nothing takes longer.
const PATIENCE: Duration = Duration::from_mins(10);

struct Process {
    kept: Forgetful,
    conditions: Conditions,
    deliveries: Vec<Delivery<Company>>,
    companies: Vec<Company>,
    senders: JoinSet<()>,
    /// Everything else.
    others: JoinSet<()>,
}

pub(super) async fn live(plan: &Plan, world: &World, life: u32, is_last: bool) {
    let mut random = plan.random(u64::from(life));
    let crashes = !is_last && random.u32(..4) > 0;
    let fuse = if crashes && random.bool() { Fuse::after(random.u32(1..150)) } else { Fuse::none() };
    let mood = Mood {
        bad_appends: plan.bad_appends,
        bad_commits: plan.bad_commits,
        for_good: if is_last { 0 } else { plan.for_good },
        slowest: plan.slowest,
        random: random.fork(),
        ..Mood::good()
    };
    let (kept, queue) = Forgetful::open(&world.medium, mood, fuse.clone(), plan.max_bytes);
    let beginning = begin(plan, world, &fuse, life, kept.clone(), queue, random.fork());
    let Some(mut process) = or_blown(&fuse, beginning).await else { return kept.crash() };
    let lasts = Duration::from_millis(random.u64(1..5_000));
    if or_blown(&fuse, process.live_for(lasts, plan, random.fork())).await.is_none() || crashes {
        return process.kept.crash();
    }
    if is_last {
        process.end_in_peace(world).await;
    } else {
        or_blown(&fuse, process.drain(Duration::from_millis(random.u64(1..5_000)))).await;
    }
}

async fn or_blown<T>(fuse: &Fuse, future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = fuse.blown() => None,
        done = future => Some(done),
    }
}

/// What a delivery is begun with.
#[derive(Clone)]
struct Conditions {
    world: World,
    fuse: Fuse,
    life: u32,
    queue: Queue,
}

impl Conditions {
    async fn take_on(
        &self,
        publisher: &PublisherPlan,
        others: &mut JoinSet<()>,
        random: &mut fastrand::Rng,
    ) -> (Delivery<Company>, Company) {
        let Self { world, fuse, life, queue } = self;
        let reader = loop {
            match queue.reader_of(&publisher.name, publisher.when_behind, Start::Now).await {
                Ok(reader) => break reader,
                // Nothing is taken before the next start.
                Err(MetaError::Failed { .. }) => {
                    fuse.blow();
                    std::future::pending::<()>().await;
                }
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        };
        let company = Company::new(publisher, world, fuse, *life, random.fork());
        let delivery =
            Delivery::start_on(&publisher.name, company.clone(), reader, publisher.settings(), |leg| tokio::spawn(leg));
        if !matches!(publisher.kind, Kind::Stateless { .. }) {
            others.spawn(scrape(publisher.name.clone(), world.clone(), &delivery, random.fork()));
        }
        (delivery, company)
    }
}

async fn begin(
    plan: &Plan,
    world: &World,
    fuse: &Fuse,
    life: u32,
    kept: Forgetful,
    queue: Queue,
    mut random: fastrand::Rng,
) -> Process {
    let (mut others, mut senders) = (JoinSet::new(), JoinSet::new());
    others.spawn(queue.clone().keep_notes_for_ever());
    let (mut deliveries, mut companies) = (Vec::new(), Vec::new());
    let conditions = Conditions { world: world.clone(), fuse: fuse.clone(), life, queue: queue.clone() };
    for publisher in &plan.publishers {
        let (delivery, company) = conditions.take_on(publisher, &mut others, &mut random).await;
        deliveries.push(delivery);
        companies.push(company);
    }
    for _ in 0..plan.senders {
        senders.spawn(send(plan.batches, queue.clone(), world.clone(), random.fork()));
    }
    others.spawn(watch_bounds(plan.clone(), queue, world.clone()));
    Process { kept, conditions, deliveries, companies, senders, others }
}

impl Process {
    async fn live_for(&mut self, time: Duration, plan: &Plan, random: fastrand::Rng) {
        if plan.changes {
            let end = Instant::now() + time;
            self.change_till(end, plan, random).await;
        } else {
            sleep(time).await;
        }
    }

    /// What is begun is done, as a reload does it.
    async fn change_till(&mut self, end: Instant, plan: &Plan, mut random: fastrand::Rng) {
        while Instant::now() < end {
            sleep(Duration::from_millis(random.u64(1..1_500))).await;
            let at = random.usize(..self.deliveries.len());
            let publisher = &plan.publishers[at];
            if random.u8(..4) == 0 {
                self.replace(at, publisher, &mut random).await;
            } else {
                self.swap(at, publisher, &mut random).await;
            }
        }
    }

    /// Another instance with the settings of the same publisher, which may be left before it is carried out.
    async fn swap(&self, at: usize, publisher: &PublisherPlan, random: &mut fastrand::Rng) {
        let swapping = self.deliveries[at].swap(self.companies[at].clone(), publisher.settings());
        if let Ok(ready) = swapping.await
            && random.u8(..4) > 0
        {
            sleep(Duration::from_millis(random.u64(..50))).await;
            // What could not be kept leaves it as it was, and what never can be is over with the process.
            let _ = timeout(Duration::from_secs(10), ready.go()).await;
        }
    }

    /// It ends, in its own time or at once, and one of the same name begins where it was.
    async fn replace(&mut self, at: usize, publisher: &PublisherPlan, random: &mut fastrand::Rng) {
        let before = &mut self.deliveries[at];
        if random.bool() {
            before.retire().await;
            let _ = timeout(Duration::from_millis(random.u64(1..3_000)), before.ended()).await;
        }
        before.stop();
        before.ended().await;
        let (delivery, company) = self.conditions.take_on(publisher, &mut self.others, random).await;
        self.deliveries[at] = delivery;
        self.companies[at] = company;
    }

    /// As a signal would: what can be done in time is done.
    async fn drain(mut self, patience: Duration) {
        self.senders.abort_all();
        self.conditions.queue.close();
        let ended = async {
            for delivery in &mut self.deliveries {
                delivery.ended().await;
            }
        };
        let _ = timeout(patience, ended).await;
        for delivery in &mut self.deliveries {
            delivery.stop();
            delivery.ended().await;
        }
        self.conditions.queue.end().await;
        self.kept.end();
    }

    /// All faults are over: everything is answered for, in a time that has a bound.
    async fn end_in_peace(mut self, world: &World) {
        self.companies.iter().for_each(Company::calm);
        self.kept.set_mood(Mood::good());
        let all = async {
            while self.senders.join_next().await.is_some() {}
            self.conditions.queue.close();
            for delivery in &mut self.deliveries {
                delivery.ended().await;
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            world.fail("it does not come to an end");
        }
        for delivery in &self.deliveries {
            let (phase, name) = (delivery.status().phase(), delivery.status().name());
            world.expect(phase == Phase::Done, || format!("{name}: {phase:?}"));
        }
        self.others.abort_all();
        self.deliveries.clear();
        self.conditions.queue.end().await;
        self.kept.end();
    }
}

/// What anybody sees of a stateful plugin never goes back.
fn scrape(
    name: String,
    world: World,
    delivery: &Delivery<Company>,
    mut random: fastrand::Rng,
) -> impl Future<Output = ()> + use<> {
    let (current, lost) = (delivery.current(), delivery.lost());
    async move {
        loop {
            sleep(Duration::from_millis(random.u64(300..3_000))).await;
            let Some(actor) = current.borrow().clone() else { continue };
            if random.u32(..20) == 0 {
                actor.kill();
                lost.notify_one();
            } else {
                world.show(&name, actor.records(), false);
            }
        }
    }
}

async fn send(batches: u32, queue: Queue, world: World, mut random: fastrand::Rng) {
    for _ in 0..batches {
        sleep(Duration::from_millis(one_of(&mut random, &[0, 1, 20, 300, 2_000]))).await;
        let records = world.number(random.u64(1..=15));
        let received = if random.u32(..4) == 0 { 1.0 } else { crate::clock::now() };
        while let Err(error) = queue.append_within(batch_of(records.clone(), received), Duration::from_secs(5)).await {
            match error {
                AppendError::Closed | AppendError::Broken(_) => return,
                AppendError::Full | AppendError::Unkept(_) => sleep(Duration::from_millis(200)).await,
            }
        }
        world.acknowledged(records);
    }
}

fn batch_of(records: std::ops::Range<u64>, received: f64) -> Batch {
    let mut builder = BatchBuilder::new();
    for record in records {
        let (event_name, status) = (record.to_string(), "completed".into());
        let event = EventMetrics { event_name, status, ..EventMetrics::default() };
        builder.push(&MetricsRef::Event(event.as_ref()), received).expect("it is small");
    }
    builder.finish()
}

/// The log takes what it may, and one batch more where it was empty.
async fn watch_bounds(plan: Plan, queue: Queue, world: World) {
    loop {
        let fill = queue.fill();
        let bound = plan.max_bytes + 2_000;
        world.expect(fill.bytes <= bound, || format!("the queue holds {} bytes, and {bound} at most", fill.bytes));
        sleep(Duration::from_secs(1)).await;
    }
}
