//! What was found, so that the API is not asked again: not at a restart, and not at each refusal.

use std::time::{Duration, Instant};

use metricast_sdk::{Deadline, PublishError, Secret, log};

use super::find;
use crate::options::Options;
use crate::place::{Place, Question, Target};
use crate::secret;

/// How long a found place is believed against refusals: a token that expired is refused at each push, and the API takes
/// a bounded number of questions an hour.
const BELIEVED: Duration = Duration::from_mins(5);

/// Where a signal goes.
#[derive(Debug)]
pub(crate) struct Directory {
    target: Option<Target>,
    /// When the API was asked last; none where the place was written, or remembered by an earlier run.
    asked: Option<Instant>,
}

/// What one run finds out for the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// What it answers: another config asks for another place.
    pub(crate) question: String,
    pub(crate) target: Target,
}

impl Directory {
    /// What the config says, or an earlier run found for the same question.
    pub(crate) fn new(options: &Options, remembered: Option<Remembered>) -> Self {
        let target = match &options.place {
            Place::Written(target) => Some(target.clone()),
            Place::ToFind(question) => {
                remembered.filter(|it| it.question == key(options, question)).map(|it| it.target)
            }
        };
        Self { target, asked: None }
    }

    /// The place; the API is asked where it is not known.
    ///
    /// # Errors
    /// As [`find`].
    pub(crate) fn target(&mut self, options: &Options, deadline: Deadline) -> Result<&Target, PublishError> {
        if self.target.is_none()
            && let Place::ToFind(question) = &options.place
        {
            self.asked = Some(Instant::now());
            let target = find(options, question, deadline)?;
            let user = target.user.as_deref().unwrap_or_default();
            log::info(format_args!("Grafana Cloud takes this at {}, with the user {user}", target.url));
            self.target = Some(target);
        }
        Ok(self.target.as_ref().expect("a written place is known from the start"))
    }

    /// Asks again after a refusal that may come of a place that has changed, unless it was asked a short while ago.
    /// Whether there is another place now.
    ///
    /// # Errors
    /// As [`find`]; the place that was known stays.
    pub(crate) fn ask_again(
        &mut self,
        options: &Options,
        now: Instant,
        deadline: Deadline,
    ) -> Result<bool, PublishError> {
        let Place::ToFind(question) = &options.place else { return Ok(false) };
        if self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < BELIEVED) {
            return Ok(false);
        }
        self.asked = Some(now);
        let target = find(options, question, deadline)?;
        let is_other = self.target.as_ref() != Some(&target);
        if is_other {
            log::info(format_args!("Grafana Cloud takes this at another place now: {}", target.url));
        }
        self.target = Some(target);
        Ok(is_other)
    }

    /// The place, if it is known.
    pub(crate) fn known(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// What the next run need not ask.
    pub(crate) fn remembered(&self, options: &Options) -> Option<Remembered> {
        let Place::ToFind(question) = &options.place else { return None };
        Some(Remembered { question: key(options, question), target: self.target.clone()? })
    }
}

/// The header that goes with a place.
pub(crate) fn authorization(options: &Options, target: &Target) -> Option<Secret> {
    let key = options.api_key.as_ref()?;
    Some(target.user.as_ref().map_or_else(|| secret::bearer(key), |user| secret::basic(key, user)))
}

/// All that decides the answer.
fn key(options: &Options, question: &Question) -> String {
    let Question { org, region, stack } = question;
    let parts = [org, region, stack].map(|part| part.as_deref().unwrap_or_default());
    format!("{} {} {:?} {:?}", options.api, parts.join(" "), options.signal, options.protocol)
}
