//! Records in, receipts out. Counts and indexes of every receipt are checked where it enters the host; here it is made
//! sure that there is one.

use metricast_records::Metrics;

use super::report::{Amiss, Judged, broken};
use super::rule::Rule;
use super::samples;
use super::subject::{Subject, publish};
use crate::plugin::{CallError, PublishError, Receipt};

pub(super) async fn profile(subject: &Subject) -> Judged {
    let (first, second) = (subject.open().await?, subject.open().await?);
    if first.profile() != second.profile() {
        return broken(format!("it is {:?} and then {:?}", first.profile(), second.profile()));
    }
    Ok(())
}

pub(super) async fn receipt(subject: &Subject, rule: Rule) -> Judged {
    let instance = subject.open().await?;
    if rule == Rule::ReceiptWhole && !instance.profile().stateful {
        return Err(Amiss::DoesNotApply("it keeps no state"));
    }
    let records = samples::usual();
    for (records, offset) in [(&records[..], 0), (&records[..1], 100), (&records[1..4], 200)] {
        publish(&instance, &samples::batch(records, offset)).await?;
    }
    Ok(())
}

pub(super) async fn single_record(subject: &Subject) -> Judged {
    let instance = subject.open().await?;
    for record in samples::usual() {
        let answer = match record {
            Metrics::Event(event) => instance.publish_event_metrics(event).await,
            Metrics::Network(network) => instance.publish_network_metrics(network).await,
        };
        is_receipt(answer)?;
    }
    match instance.snapshot().await? {
        Some(saved) if saved.next_offset > 0 => {
            broken(format!("records without a place in a queue move its next offset to {}", saved.next_offset))
        }
        _ => Ok(()),
    }
}

/// A whole call may be rejected as well.
fn is_receipt(answer: Result<Receipt, CallError>) -> Judged {
    match answer {
        Ok(_) | Err(CallError::Publish(PublishError::Rejected(_))) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn empty_batch(subject: &Subject) -> Judged {
    let instance = subject.open().await?;
    match instance.publish(samples::batch(&[], 0)).await {
        Err(CallError::Publish(PublishError::Rejected(why))) => broken(format!("it rejects a batch of none: {why}")),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}

pub(super) async fn large_batch(subject: &Subject) -> Judged {
    takes(subject, &samples::many()).await
}

pub(super) async fn hostile_text(subject: &Subject) -> Judged {
    takes(subject, &samples::hostile()).await
}

pub(super) async fn extreme_numbers(subject: &Subject) -> Judged {
    takes(subject, &samples::extreme()).await
}

/// Takes a batch, and usual records after it.
async fn takes(subject: &Subject, records: &[Metrics]) -> Judged {
    let instance = subject.open().await?;
    publish(&instance, &samples::batch(records, 0)).await?;
    publish(&instance, &samples::batch(&samples::usual(), records.len() as u64)).await?;
    Ok(())
}
