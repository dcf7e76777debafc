//! What a service manager is told (`sd_notify(3)`): nothing where none listens.

use std::time::Duration;

use sd_notify::NotifyState;

use super::snapshot::Stage;

/// While it starts, it asks for so much time again and again.
const MORE_TIME: Duration = Duration::from_secs(30);

/// Tells a service manager.
#[derive(Debug)]
pub(super) struct Manager {
    watched: bool,
    ready: bool,
    stopping: bool,
    status: String,
}

/// What it is told about.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) stage: Stage,
    pub(super) has_started: bool,
    /// No restart is needed.
    pub(super) gets_on: bool,
    /// One line for people.
    pub(super) status: &'a str,
}

impl Manager {
    /// The one that started this process; how often it wants a sign of life is half of its own limit.
    pub(super) fn find() -> (Self, Option<Duration>) {
        let limit = sd_notify::watchdog_enabled();
        let manager = Self { watched: limit.is_some(), ready: false, stopping: false, status: String::new() };
        (manager, limit.map(|limit| limit / 2))
    }

    /// Tells what is new, and gives the sign of life.
    pub(super) fn tell(&mut self, told: &Told<'_>) {
        send(&self.news(told));
    }

    fn news<'a>(&mut self, told: &Told<'a>) -> Vec<NotifyState<'a>> {
        let mut states = Vec::new();
        if told.stage == Stage::Draining && !self.stopping {
            self.stopping = true;
            states.push(NotifyState::Stopping);
        }
        if told.has_started && !self.ready && !self.stopping {
            self.ready = true;
            states.push(NotifyState::Ready);
        }
        if !self.ready && !self.stopping {
            states.push(NotifyState::ExtendTimeoutUsec(MORE_TIME.as_micros() as u32));
        }
        if self.watched && told.gets_on {
            states.push(NotifyState::Watchdog);
        }
        if told.status != self.status {
            told.status.clone_into(&mut self.status);
            states.push(NotifyState::Status(told.status));
        }
        states
    }
}

/// The config is being read again; [`reloaded`] has to follow.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    send(&[Some(NotifyState::Reloading), now.ok()].into_iter().flatten().collect::<Vec<_>>());
}

/// It was read, and taken or refused.
pub fn reloaded() {
    send(&[NotifyState::Ready]);
}

fn send(states: &[NotifyState<'_>]) {
    if !states.is_empty()
        && let Err(error) = sd_notify::notify(states)
    {
        tracing::debug!("the service manager cannot be told: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(manager: &mut Manager, stage: Stage, has_started: bool, gets_on: bool) -> String {
        let told = Told { stage, has_started, gets_on, status: "s" };
        manager.news(&told).iter().map(|state| state.to_string() + ";").collect::<Vec<_>>().concat()
    }

    #[test]
    fn no_sign_of_life_comes_from_who_needs_a_restart() {
        let mut manager = Manager { watched: true, ready: false, stopping: false, status: String::new() };
        let first = lines(&mut manager, Stage::Starting, false, true);
        assert_eq!(first, "EXTEND_TIMEOUT_USEC=30000000;WATCHDOG=1;STATUS=s;");
        assert_eq!(lines(&mut manager, Stage::Running, true, true), "READY=1;WATCHDOG=1;");
        assert_eq!(lines(&mut manager, Stage::Running, true, false), "");
        assert_eq!(lines(&mut manager, Stage::Draining, true, true), "STOPPING=1;WATCHDOG=1;");
        assert_eq!(lines(&mut manager, Stage::Draining, true, true), "WATCHDOG=1;");
        manager.watched = false;
        assert_eq!(lines(&mut manager, Stage::Draining, true, true), "", "nobody asked for signs of life");
    }

    #[test]
    fn who_stops_before_it_was_ready_never_says_that_it_is() {
        let mut manager = Manager { watched: false, ready: false, stopping: false, status: "s".to_owned() };
        assert_eq!(lines(&mut manager, Stage::Draining, true, true), "STOPPING=1;");
    }
}
