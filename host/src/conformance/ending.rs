//! What a plugin still holds, and how it ends.

use super::report::{Amiss, Judged, broken};
use super::samples::{self, EPOCH};
use super::subject::{Subject, publish, saved};
use crate::plugin::{Flushed, Instance};

pub(super) async fn flush(subject: &Subject) -> Judged {
    let instance = subject.open().await?;
    let before = instance.flush().await?;
    if before.pending > 0 || !before.rejected.is_empty() {
        return broken("it has something pending or rejected before it was given a record");
    }
    let given = give(&instance).await?;
    check(&instance.flush().await?, given)
}

pub(super) async fn close(subject: &Subject) -> Judged {
    let instance = subject.open().await?;
    let given = give(&instance).await?;
    let last = instance.close().await?;
    check(&last, given)?;
    if last.pending > 0 {
        return Err(Amiss::NotJudged(format!("{} records are pending: does its backend take any?", last.pending)));
    }
    if instance.profile().stateful {
        saved(&instance).await?;
    }
    Ok(())
}

/// Publishes a batch and says how many records it had.
async fn give(instance: &Instance) -> Result<u64, Amiss> {
    let batch = samples::batch(&samples::usual(), 0);
    publish(instance, &batch).await?;
    Ok(batch.len() as u64)
}

fn check(flushed: &Flushed, given: u64) -> Judged {
    if flushed.pending > given {
        return broken(format!("{} records are pending, and it was given {given}", flushed.pending));
    }
    match flushed.rejected.iter().find(|late| late.epoch != EPOCH || late.offset >= given) {
        Some(late) => broken(format!(
            "it rejects the record at offset {} of {:?}, and was given none such",
            late.offset, late.epoch
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::LateRejection;

    #[test]
    fn only_what_was_given_is_pending_or_rejected() {
        let late = |epoch: &str, offset| LateRejection {
            epoch: epoch.to_owned(),
            offset,
            leg: String::new(),
            reason: String::new(),
        };
        let flushed = |pending, rejected| Flushed { pending, rejected, ..Flushed::default() };
        assert!(check(&flushed(6, vec![late(EPOCH, 5)]), 6).is_ok());
        assert!(check(&flushed(7, Vec::new()), 6).is_err());
        assert!(check(&flushed(0, vec![late(EPOCH, 6)]), 6).is_err());
        assert!(check(&flushed(0, vec![late("another", 0)]), 6).is_err());
    }
}
