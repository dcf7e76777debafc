//! The push of Grafana Cloud to a real Prometheus: what it has in the end is what was acknowledged, and no counter ever
//! goes back.

use std::time::Duration;

use support::fault_proxy::{Fault, FaultProxy};
use support::prometheus::Prometheus;
use support::{Server, wait};

use super::{PATIENCE, Pipeline, SETTINGS, bodies, seed};

const SUM: &str = "sum(event_duration_seconds_count)";

struct Push {
    prometheus: Prometheus,
    pipeline: Pipeline,
    proxy: FaultProxy,
}

impl Push {
    fn start() -> Option<Self> {
        let prometheus = Prometheus::receiving(Server::Prometheus3)?;
        let proxy = FaultProxy::start(&prometheus.url(), |path| path.contains("/api/v1/write"));
        let pipeline = Pipeline::start(&format!(
            "[[publishers]]\nname = \"cloud\"\nplugin = \"grafana-cloud\"\n{SETTINGS}[publishers.config]\n\
             endpoint = \"{}/api/v1/write\"\ninstance = \"faulty\"\npush_interval = \"1s\"\nhistograms = \"classic\"\n",
            proxy.url()
        ));
        Some(Self { prometheus, pipeline, proxy })
    }

    fn all_arrive(&self, after: &str) {
        let expected = self.pipeline.acknowledged.len() as f64;
        wait::until(&format!("{expected} events after {after}"), PATIENCE, || {
            ((self.prometheus.value(SUM)? - expected).abs() < 0.5).then_some(())
        });
    }

    fn end(self) {
        for series in ["event_duration_seconds_count", "event_duration_seconds_bucket", "event_records_total"] {
            let resets = self.prometheus.value(&format!("max(resets({series}[10m]))"));
            assert_eq!(resets, Some(0.0), "{series} went back");
        }
        assert!(self.pipeline.dead_letters("cloud").is_empty());
        let expected = self.pipeline.acknowledged.len() as f64;
        let (status, log) = self.pipeline.metricast.stop();
        assert_eq!(status.code(), Some(0), "{log}");
        let last = self.prometheus.value("sum(max_over_time(event_duration_seconds_count[10m]))");
        assert_eq!(last, Some(expected));
    }
}

#[test]
fn after_each_fault_the_sums_are_what_was_acknowledged() {
    let Some(mut push) = Push::start() else { return };
    let of_any_server = Fault::passing().into_iter().filter(|fault| !fault.is_of_items());
    for fault in of_any_server.chain([Fault::Hang(false), Fault::Hang(true)]) {
        let done = push.proxy.done().len() + 1;
        push.proxy.then(fault);
        push.pipeline.send("event");
        wait::until("the fault", PATIENCE, || (push.proxy.done().len() >= done).then_some(()));
        push.all_arrive(&format!("{fault:?}"));
    }
    push.end();
}

#[test]
fn with_faults_by_chance_and_a_refusal_the_sums_are_what_was_acknowledged() {
    let Some(mut push) = Push::start() else { return };
    let mut random = fastrand::Rng::with_seed(seed());
    push.proxy.by_chance(random.fork(), Fault::passing());
    for number in 0..bodies(40) {
        push.pipeline.send("event");
        match number {
            10 => push.proxy.refuse(),
            20 => push.proxy.accept(),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(random.u64(..300)));
    }
    push.proxy.calm();
    push.all_arrive("faults by chance");
    push.end();
}
