//! A leg's receipt, believed only where it adds up, and the one receipt of both legs.

use std::collections::BTreeMap;

use crate::types::{Receipt, Rejection};

/// Whether a leg's receipt is one for `records` records: else its indexes would lead nowhere.
pub(crate) fn adds_up(receipt: &Receipt, records: usize) -> bool {
    let mut seen = vec![false; records];
    let rejected = receipt.rejected.iter().map(|rejection| rejection.index);
    let indexes = rejected.chain(receipt.retryable.iter().copied());
    let each_once = |index: u32| seen.get_mut(index as usize).is_some_and(|seen| !std::mem::replace(seen, true));
    let counted = receipt.accepted as usize + receipt.rejected.len() + receipt.retryable.len();
    counted == records && indexes.into_iter().all(each_once)
}

/// What a composite answers for `records` records: accepted is what no leg rejected, since what a leg has not taken waits
/// for it. A record that several rejected has the reasons of all.
pub(crate) fn merged(records: usize, rejections: impl IntoIterator<Item = Rejection>) -> Receipt {
    let mut reasons: BTreeMap<u32, String> = BTreeMap::new();
    for Rejection { index, reason } in rejections {
        let all = reasons.entry(index).or_default();
        if !all.is_empty() {
            all.push_str("; ");
        }
        all.push_str(&reason);
    }
    let rejected: Vec<_> = reasons.into_iter().map(|(index, reason)| Rejection { index, reason }).collect();
    Receipt {
        accepted: (records - rejected.len()) as u32,
        rejected,
        retryable: Vec::new(),
        in_doubt: Vec::new(),
        retry_after_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(accepted: u32, rejected: &[u32], retryable: &[u32]) -> Receipt {
        let rejected = rejected.iter().map(|&index| Rejection { index, reason: String::new() }).collect();
        Receipt { accepted, rejected, retryable: retryable.to_vec(), in_doubt: Vec::new(), retry_after_ms: None }
    }

    #[test]
    fn only_a_receipt_of_each_record_once_is_believed() {
        assert!(adds_up(&receipt(1, &[0], &[2]), 3));
        assert!(!adds_up(&receipt(3, &[0], &[]), 3), "one too many");
        assert!(!adds_up(&receipt(1, &[3], &[]), 2), "no such record");
        assert!(!adds_up(&receipt(1, &[1], &[1]), 3), "twice");
        assert!(!adds_up(&receipt(u32::MAX, &[0], &[]), 0));
    }

    #[test]
    fn a_record_that_both_reject_is_counted_once_with_both_reasons() {
        let rejection = |index, reason: &str| Rejection { index, reason: reason.into() };
        let receipt = merged(4, [rejection(2, "a: no"), rejection(0, "a: bad"), rejection(2, "b: never")]);
        assert_eq!(receipt.accepted, 2);
        assert_eq!(receipt.rejected, [rejection(0, "a: bad"), rejection(2, "a: no; b: never")]);
    }
}
