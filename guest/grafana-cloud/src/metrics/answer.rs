//! What a receiver's answer to a push says. A pure function of the answer; what follows from it is `pusher`'s.
//!
//! | status | the body |
//! |---|---|
//! | 2xx | taken; of OTLP less what its partial success says, of remote write 2.0 less what its headers say |
//! | 2xx without those headers, 406, 415, to remote write 2.0 | not understood: said again in 1.0 |
//! | 413 | too large |
//! | 401, 403 | the token is refused |
//! | 404, 405 | there is no receiver |
//! | 3xx, 408, 425, 429, from 500 on | sent again later, as it is |
//! | any other, 400 above all | never sent again |
//!
//! Headers of what was written are believed on 2xx only: Mimir sends full counts with 400 and 429. There they tell only
//! that the receiver knows 2.0 (<https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#required-written-response-headers>).

use metricast_sdk::PublishError;
use metricast_sdk::http::Response;
use metricast_series::push::Count;

use super::dialect::Dialect;
use super::partial;
use crate::cause::told;

const SAMPLES: &str = "x-prometheus-remote-write-samples-written";
const HISTOGRAMS: &str = "x-prometheus-remote-write-histograms-written";
const EXEMPLARS: &str = "x-prometheus-remote-write-exemplars-written";

/// What becomes of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is there, or all but what the note says.
    Taken {
        /// What is not there, for a person.
        note: Option<String>,
    },
    /// It is never sent again.
    Refused {
        /// The receiver's words.
        reason: String,
        /// Whether the receiver was seen to know remote write 2.0.
        knows_second: bool,
    },
    /// The receiver does not know remote write 2.0, and has stored nothing.
    NotUnderstood(String),
    /// The receiver takes less at a time.
    TooLarge(String),
    /// The credentials are refused.
    Unauthorized(String),
    /// Nothing takes pushes there.
    Nowhere(String),
    /// It is sent again.
    Later {
        /// Why, and how long the receiver asks to wait.
        error: PublishError,
        /// Whether the receiver broke over it, rather than being away or busy.
        is_fault: bool,
    },
}

/// What the answer to a body says.
pub(crate) fn classify(dialect: Dialect, count: Count, response: &Response) -> Answer {
    let told = || told(response);
    match response.status {
        200..300 => taken(dialect, count, response),
        406 | 415 if dialect.is_second() => Answer::NotUnderstood(told()),
        401 | 403 => Answer::Unauthorized(told()),
        404 | 405 => Answer::Nowhere(told()),
        413 => Answer::TooLarge(told()),
        status @ (300..=399 | 408 | 425 | 429 | 500..) => {
            let (reason, retry_after_ms) = (told(), response.retry_after_ms());
            Answer::Later { error: PublishError::Unavailable { reason, retry_after_ms }, is_fault: status == 500 }
        }
        _ => Answer::Refused { reason: told(), knows_second: written(response).is_some() },
    }
}

fn taken(dialect: Dialect, count: Count, response: &Response) -> Answer {
    match dialect {
        Dialect::Otlp => Answer::Taken { note: partial::rejected(&response.body) },
        Dialect::First { .. } => Answer::Taken { note: None },
        Dialect::Second { .. } => match written(response) {
            None => Answer::NotUnderstood(format!("{} without {SAMPLES}", response.status)),
            Some(written) => Answer::Taken { note: missing(count, written) },
        },
    }
}

/// What the receiver says that it stored; none where it does not say.
fn written(response: &Response) -> Option<Count> {
    let number = |name| response.header(name).and_then(|text| text.trim().parse().ok());
    let [samples, histograms, exemplars] = [SAMPLES, HISTOGRAMS, EXEMPLARS].map(number);
    samples.or(histograms).or(exemplars)?;
    let or_none = |number: Option<u64>| number.unwrap_or_default();
    Some(Count { samples: or_none(samples), histograms: or_none(histograms), exemplars: or_none(exemplars) })
}

/// Exemplars are examples: a receiver that keeps none loses nothing that is counted.
fn missing(sent: Count, written: Count) -> Option<String> {
    let all = sent.samples + sent.histograms;
    let there = written.samples.min(sent.samples) + written.histograms.min(sent.histograms);
    (there < all).then(|| format!("of {all} samples the receiver stored {there}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Dialect = Dialect::Second { confirmed: true };
    const FIRST: Dialect = Dialect::First { on_trial: false };
    const COUNT: Count = Count { samples: 10, histograms: 2, exemplars: 1 };

    fn answer(dialect: Dialect, status: u16, headers: &[(&str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        classify(dialect, COUNT, &Response { status, headers, body: b"why".to_vec() })
    }

    #[test]
    fn what_was_written_is_believed_on_success_only() {
        let all = [(SAMPLES, "10"), (HISTOGRAMS, "2"), (EXEMPLARS, "0")];
        assert_eq!(answer(SECOND, 204, &all), Answer::Taken { note: None });
        let fewer = Some("of 12 samples the receiver stored 9".to_owned());
        assert_eq!(answer(SECOND, 200, &[(SAMPLES, "7"), (HISTOGRAMS, "2")]), Answer::Taken { note: fewer });
        assert!(matches!(answer(SECOND, 204, &[]), Answer::NotUnderstood(_)));
        assert!(matches!(answer(SECOND, 400, &all), Answer::Refused { knows_second: true, .. }));
        assert!(matches!(answer(SECOND, 429, &all), Answer::Later { .. }));
        assert!(matches!(answer(SECOND, 400, &[]), Answer::Refused { knows_second: false, .. }));
    }

    #[test]
    fn only_the_second_version_can_fail_to_be_understood() {
        for status in [406, 415] {
            assert!(matches!(answer(SECOND, status, &[]), Answer::NotUnderstood(_)));
            assert!(matches!(answer(FIRST, status, &[]), Answer::Refused { .. }));
            assert!(matches!(answer(Dialect::Otlp, status, &[]), Answer::Refused { .. }));
        }
        assert_eq!(answer(FIRST, 204, &[]), Answer::Taken { note: None });
    }

    #[test]
    fn each_other_status_has_its_meaning() {
        for dialect in [SECOND, FIRST, Dialect::Otlp] {
            for status in [401, 403] {
                assert_eq!(answer(dialect, status, &[]), Answer::Unauthorized(format!("{status} why")));
            }
            for status in [404, 405] {
                assert_eq!(answer(dialect, status, &[]), Answer::Nowhere(format!("{status} why")));
            }
            assert_eq!(answer(dialect, 413, &[]), Answer::TooLarge("413 why".to_owned()));
            for status in [400, 409, 422, 499] {
                let refused = Answer::Refused { reason: format!("{status} why"), knows_second: false };
                assert_eq!(answer(dialect, status, &[]), refused);
            }
            for (status, is_fault) in
                [(302, false), (408, false), (429, false), (500, true), (502, false), (503, false)]
            {
                let error = PublishError::Unavailable { reason: format!("{status} why"), retry_after_ms: Some(7000) };
                assert_eq!(answer(dialect, status, &[("retry-after", "7")]), Answer::Later { error, is_fault });
            }
        }
    }
}
