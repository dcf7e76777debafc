//! What a plugin saves, and what it makes of it.

use super::report::{Amiss, Judged, broken};
use super::samples;
use super::subject::{ACCEPTS, Subject, publish, saved, shown};
use crate::plugin::{CallError, Exposition, Instance, PublishError, Saved};

pub(super) async fn snapshot(subject: &Subject) -> Judged {
    let instance = subject.open().await?;
    // Whether there is one where there is no state is checked where it enters the host.
    if instance.snapshot().await?.is_none() {
        return Ok(());
    }
    let batch = samples::batch(&samples::usual(), 41);
    publish(&instance, &batch).await?;
    let (next, wanted) = (saved(&instance).await?.next_offset, 41 + batch.len() as u64);
    if next != wanted {
        return broken(format!("after a batch up to offset {} its next offset is {next}, not {wanted}", wanted - 1));
    }
    let again = saved(&instance).await?;
    if again != saved(&instance).await? {
        return broken("two snapshots in a row are not the same");
    }
    Ok(())
}

pub(super) async fn repeat(subject: &Subject) -> Judged {
    let instance = subject.stateful().await?;
    let batch = samples::batch(&samples::usual(), 0);
    publish(&instance, &batch).await?;
    let (state, page) = (saved(&instance).await?, shown(&instance).await?);
    let again = batch.as_ref().clone().with_redelivered(true);
    publish(&instance, &again.into()).await?;
    if saved(&instance).await? != state {
        return broken("a batch that came again is in its state twice");
    }
    if shown(&instance).await? != page {
        return broken("a batch that came again is in its exposition twice");
    }
    overlapping(subject).await
}

/// What comes again after a restart begins where the saved cursor was, and has its records with others, in batches of
/// another size.
async fn overlapping(subject: &Subject) -> Judged {
    let records = &samples::many()[..300];
    let (straight, other) = (subject.open().await?, subject.open().await?);
    for instance in [&straight, &other] {
        publish(instance, &samples::batch(&records[..200], 0)).await?;
    }
    publish(&straight, &samples::batch(&records[200..], 200)).await?;
    publish(&other, &samples::batch(&records[100..], 100)).await?;
    if saved(&other).await?.next_offset != 300 || page(&other).await? != page(&straight).await? {
        return broken("records that came again beside new ones count twice, or the new ones are lost");
    }
    Ok(())
}

pub(super) async fn restore(subject: &Subject) -> Judged {
    let instance = subject.stateful().await?;
    let records = &samples::many()[..1_000];
    publish(&instance, &samples::batch(records, 0)).await?;
    let state = saved(&instance).await?;
    let restored = subject.open_from(state.clone()).await?;
    if saved(&restored).await? != state {
        return broken("opened from its snapshot, it saves another one");
    }
    if page(&restored).await? != page(&instance).await? {
        return broken("opened from its snapshot, its exposition is another one");
    }
    let more = samples::batch(&samples::usual(), records.len() as u64);
    publish(&instance, &more).await?;
    publish(&restored, &more).await?;
    if page(&restored).await? != page(&instance).await? {
        return broken("opened from its snapshot, it counts on otherwise than without the break");
    }
    Ok(())
}

/// The values by themselves: exemplars, which the other formats have, need not be kept.
async fn page(instance: &Instance) -> Result<Option<Exposition>, Amiss> {
    Ok(instance.scrape(ACCEPTS[0]).await?)
}

pub(super) async fn foreign_state(subject: &Subject) -> Judged {
    let instance = subject.stateful().await?;
    publish(&instance, &samples::batch(&samples::usual(), 0)).await?;
    let state = saved(&instance).await?;
    let torn = state.state.slice(..state.state.len() / 2);
    let states = [
        ("another version", Saved { version: u32::MAX, ..state.clone() }),
        ("its first half", Saved { state: torn, ..state.clone() }),
        ("no bytes", Saved { state: Vec::new().into(), ..state }),
    ];
    for (what, state) in states {
        match subject.open_from(state).await {
            Err(CallError::Publish(PublishError::StateIncompatible(_))) => {}
            Ok(_) => return broken(format!("it opens from a state that is {what}")),
            Err(CallError::Publish(error)) => {
                return broken(format!("a state that is {what} is not state-incompatible to it; it says: {error}"));
            }
            Err(CallError::Fault(fault)) => return Err(fault.into()),
        }
    }
    Ok(())
}
