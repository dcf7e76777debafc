//! Dead letters into the queue again.
//!
//! A record goes in for its publisher alone, under the name that it had, in one write of the log with the note that its
//! letter is none any more: a crash leaves both or neither. Records of one name's run go together. A refused line is read
//! once more; one that is a record now goes in for all publishers, as it would have when it came.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use metricast_records::{Batch, BatchBuilder, input};
use metricast_store::meta::{Filed, Kind, Letter, Origin};

use super::filter::Filter;
use super::lines::{Line, Summary};
use super::{Chosen, Desk, InquiryError, Log, Tell};
use crate::clock;
use crate::queue::AppendError;
use crate::queue::note::{Again, Note};

/// How long room in the queue is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many go together.
const TOGETHER: usize = 512;
/// No larger write is made of them.
const LARGEST: usize = 1 << 20;

/// A record, ready to go in.
struct Ready {
    number: u64,
    /// For whom, and what it was called; none goes to all publishers.
    address: Option<(String, [u8; 12], u64)>,
    text: Vec<u8>,
}

/// Letters that go in at one stroke.
struct Parcel {
    batch: Batch,
    note: Note,
}

impl Desk {
    pub(super) fn retry(&self, chosen: &Chosen, tell: &mut Tell<'_>) -> Result<Summary, InquiryError> {
        let _one_at_a_time = self.retrying.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut counts = BTreeMap::new();
        let done = match chosen {
            Chosen::Numbers(numbers) => self.retry_numbers(numbers, &mut counts, tell),
            Chosen::Filter(filter) => {
                // What is rejected again meanwhile waits for another time.
                let now = clock::now();
                let filter = Filter { until: Some(filter.until.map_or(now, |until| until.min(now))), ..filter.clone() };
                let mut next = Some(0);
                let mut page = || {
                    while let Some(from) = next {
                        let mut letters = Vec::new();
                        next = self.page(&filter, from, true, &mut |filed| {
                            letters.push(filed);
                            Ok(())
                        })?;
                        self.retry_some(letters, &mut counts, tell)?;
                    }
                    Ok(())
                };
                page()
            }
        };
        // What went in is told also where the rest did not.
        for (publisher, count) in counts {
            tell(Line::Retried { publisher, count })?;
        }
        done.map(|()| Summary::default())
    }

    fn retry_numbers(
        &self,
        numbers: &[u64],
        counts: &mut BTreeMap<Option<String>, u64>,
        tell: &mut Tell<'_>,
    ) -> Result<(), InquiryError> {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        for some in numbers.chunks(TOGETHER) {
            let mut letters = Vec::new();
            for &number in some {
                match self.one(number)? {
                    Some(filed) => letters.push(filed),
                    None => tell(Line::Stays { number, reason: "there is no dead letter of this number".to_owned() })?,
                }
            }
            self.retry_some(letters, counts, tell)?;
        }
        Ok(())
    }

    fn retry_some(
        &self,
        letters: Vec<Filed>,
        counts: &mut BTreeMap<Option<String>, u64>,
        tell: &mut Tell<'_>,
    ) -> Result<(), InquiryError> {
        let known: Vec<String> = self.meta.publishers()?.into_iter().map(|it| it.name).collect();
        let mut ready = Vec::new();
        for Filed { number, letter } in letters {
            match Ready::of(number, letter, &known) {
                Ok(one) => ready.push(one),
                Err(reason) => tell(Line::Stays { number, reason })?,
            }
        }
        let Log::Open(_, queue, runtime) = &self.log else { return Err(InquiryError::OnlyRead) };
        let parcels = parcels(ready);
        let appended = runtime.block_on(async {
            let append = |Parcel { batch, note }: Parcel| {
                let (whose, count) = (note.addressed.clone(), batch.len() as u64);
                async move { (whose, count, queue.append_noted(batch, note, PATIENCE).await) }
            };
            let appended = join_all(parcels.into_iter().map(append)).await;
            queue.keep_notes().await;
            appended
        });
        let mut failed: Option<AppendError> = None;
        for (whose, count, answer) in appended {
            match answer {
                Ok(()) => *counts.entry(whose).or_default() += count,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}

impl Ready {
    /// A letter's record, or why it cannot be delivered again.
    fn of(number: u64, letter: Letter, known: &[String]) -> Result<Self, String> {
        let (address, text) = match letter.origin {
            Origin::Record { record: None, .. } if letter.kind == Kind::Late => {
                return Err("its record is gone: it was rejected after the plugin had taken it".to_owned());
            }
            Origin::Record { record: None, .. } | Origin::Line { raw: None, .. } => {
                return Err("its text was not kept".to_owned());
            }
            Origin::Record { publisher, epoch, offset, record: Some(text) } => {
                if !known.contains(&publisher) {
                    return Err(format!("the queue knows no publisher \"{publisher}\" any more"));
                }
                (Some((publisher, epoch, offset)), text.into_bytes())
            }
            Origin::Line { raw: Some(text), .. } => (None, text),
        };
        match input::parse_record(text.trim_ascii()) {
            Ok(_) => Ok(Self { number, address, text }),
            Err(refusal) => Err(refusal.to_string()),
        }
    }

    /// Whether it stands right behind another one.
    fn follows(&self, before: &Self) -> bool {
        match (&before.address, &self.address) {
            (None, None) => true,
            (Some((publisher, epoch, offset)), Some((own_publisher, own_epoch, own_offset))) => {
                (publisher, epoch) == (own_publisher, own_epoch) && offset.checked_add(1) == Some(*own_offset)
            }
            _ => false,
        }
    }
}

/// Puts together what can go at one stroke.
fn parcels(mut ready: Vec<Ready>) -> Vec<Parcel> {
    ready.sort_by(|a, b| (&a.address, a.number).cmp(&(&b.address, b.number)));
    let mut bytes = 0;
    let mut parcels = Vec::new();
    let runs = ready.chunk_by(|before, next| {
        bytes += before.text.len();
        let together = next.follows(before) && bytes < LARGEST;
        if !together {
            bytes = 0;
        }
        together
    });
    for run in runs {
        parcels.push(parcel(run));
    }
    parcels
}

fn parcel(run: &[Ready]) -> Parcel {
    let mut builder = BatchBuilder::new();
    // Its age counts anew, or it would be too old at once.
    let now = clock::now();
    for ready in run {
        let record = input::parse_record(ready.text.trim_ascii()).expect("it was read before");
        builder.push(&record.as_ref(), now).expect("a parcel is far below 4 GiB");
    }
    let address = run[0].address.clone();
    let note = Note {
        again: address.as_ref().map(|&(_, epoch, base)| Again { epoch, base }),
        addressed: address.map(|(publisher, ..)| publisher),
        retried: run.iter().map(|ready| ready.number).collect(),
        ..Note::default()
    };
    Parcel { batch: builder.finish(), note }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"event_name": "e", "start_time": 1}"#;

    fn ready(number: u64, address: Option<(&str, u8, u64)>, bytes: usize) -> Ready {
        let address = address.map(|(publisher, epoch, offset)| (publisher.to_owned(), [epoch; 12], offset));
        Ready { number, address, text: format!("{GOOD}{}", " ".repeat(bytes)).into_bytes() }
    }

    #[test]
    fn what_stands_in_a_row_goes_together_for_one_publisher_under_its_old_name() {
        let letters = vec![
            ready(9, Some(("a", 1, 7)), 0),
            ready(1, Some(("a", 1, 6)), 0),
            ready(2, Some(("a", 1, 9)), 0),
            ready(3, Some(("a", 2, 10)), 0),
            ready(4, Some(("b", 2, 11)), 0),
            ready(6, None, 0),
            ready(5, None, 0),
        ];
        let told = |parcel: &Parcel| {
            let Note { addressed, retried, again, .. } = &parcel.note;
            assert_eq!(parcel.batch.len(), retried.len());
            (addressed.clone(), again.map(|again| (again.epoch[0], again.base)), retried.clone())
        };
        let to = |name: &str| Some(name.to_owned());
        let expected = [
            (None, None, vec![5, 6]),
            (to("a"), Some((1, 6)), vec![1, 9]),
            (to("a"), Some((1, 9)), vec![2]),
            (to("a"), Some((2, 10)), vec![3]),
            (to("b"), Some((2, 11)), vec![4]),
        ];
        assert_eq!(parcels(letters).iter().map(told).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_parcel_is_much_larger_than_its_bound() {
        let letters = (0..10).map(|index| ready(index, Some(("a", 1, index)), LARGEST / 3)).collect();
        let counts: Vec<usize> = parcels(letters).iter().map(|parcel| parcel.batch.len()).collect();
        assert_eq!(counts, [3, 3, 3, 1]);
    }
}
