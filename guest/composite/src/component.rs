//! The component: the legs that it imports, and what it exports over them.

use std::cell::RefCell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::bindings::exports::metricast::publisher::publisher::{Guest, GuestPublisher, Publisher as Handle};
use crate::bindings::metricast::publisher::{first, second};
use crate::composite::Composite;
use crate::leg::{Leg, OpenLeg};
use crate::types::{
    Batch, Description, EventMetrics, Exposition, Finding, Flushed, Metrics, NetworkMetrics, Profile, PublishError,
    Receipt, Saved, Snippet,
};
use crate::{advice, batch, schema};

/// The plugin that is composed in under an imported interface.
macro_rules! leg {
    ($leg:ident, $interface:ident) => {
        struct $leg;

        impl Leg for $leg {
            fn describe(&self) -> Description {
                $interface::describe()
            }

            fn check(&self, config: &str) -> Result<(), PublishError> {
                $interface::check(config)
            }

            fn probe(&self, config: &str) -> Result<Vec<Finding>, PublishError> {
                $interface::probe(config)
            }

            fn snippets(&self, config: &str) -> Result<Vec<Snippet>, PublishError> {
                $interface::snippets(config)
            }

            fn open(&self, config: &str, state: Option<&Saved>) -> Result<Box<dyn OpenLeg>, PublishError> {
                Ok(Box::new($interface::Publisher::open(config, state)?))
            }
        }

        impl OpenLeg for $interface::Publisher {
            fn profile(&self) -> Profile {
                $interface::Publisher::profile(self)
            }

            fn publish(&self, batch: &Batch) -> Result<Receipt, PublishError> {
                self.publish_batch(batch)
            }

            fn flush(&self) -> Result<Flushed, PublishError> {
                $interface::Publisher::flush(self)
            }

            fn close(&self) -> Result<Flushed, PublishError> {
                $interface::Publisher::close(self)
            }

            fn snapshot(&self) -> Option<Saved> {
                $interface::Publisher::snapshot(self)
            }

            fn scrape(&self, accept: &str) -> Option<Exposition> {
                $interface::Publisher::scrape(self, accept)
            }
        }
    };
}

leg!(First, first);
leg!(Second, second);

const LEGS: [&dyn Leg; 2] = [&First, &Second];

struct Component;

/// An open composite.
struct Open(RefCell<Composite>);

impl Guest for Component {
    type Publisher = Open;

    fn describe() -> Description {
        schema::description(&first::describe(), &second::describe())
    }

    fn format_metrics(metrics: Metrics) -> String {
        // Every plugin gives the same.
        first::format_metrics(&metrics)
    }

    fn check(config: String) -> Result<(), PublishError> {
        advice::check(LEGS, &config)
    }

    fn probe(config: String) -> Result<Vec<Finding>, PublishError> {
        advice::probe(LEGS, &config)
    }

    fn snippets(config: String) -> Result<Vec<Snippet>, PublishError> {
        advice::snippets(LEGS, &config)
    }
}

impl GuestPublisher for Open {
    fn open(config: String, state: Option<Saved>) -> Result<Handle, PublishError> {
        advice::check(LEGS, &config)?;
        let start = Instant::now();
        let clock = Box::new(move || start.elapsed());
        let composite = Composite::open([Box::new(First), Box::new(Second)], &config, state.as_ref(), clock)?;
        Ok(Handle::new(Self(RefCell::new(composite))))
    }

    fn profile(&self) -> Profile {
        self.0.borrow().profile()
    }

    fn publish_event_metrics(&self, metrics: EventMetrics) -> Result<Receipt, PublishError> {
        let one = batch::of_event(metrics, now()).map_err(PublishError::Internal)?;
        self.0.borrow_mut().publish(&one)
    }

    fn publish_network_metrics(&self, metrics: NetworkMetrics) -> Result<Receipt, PublishError> {
        let one = batch::of_network(metrics, now()).map_err(PublishError::Internal)?;
        self.0.borrow_mut().publish(&one)
    }

    fn publish_batch(&self, batch: Batch) -> Result<Receipt, PublishError> {
        self.0.borrow_mut().publish(&batch)
    }

    fn flush(&self) -> Result<Flushed, PublishError> {
        self.0.borrow_mut().flush()
    }

    fn close(&self) -> Result<Flushed, PublishError> {
        self.0.borrow_mut().close()
    }

    fn snapshot(&self) -> Option<Saved> {
        self.0.borrow().snapshot()
    }

    fn scrape(&self, accept: String) -> Option<Exposition> {
        self.0.borrow().scrape(&accept)
    }
}

/// When a single record is taken in, seconds since the Unix epoch.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

crate::bindings::export_composite!(Component with_types_in crate::bindings);
