//! A small map from two string indexes of a batch to a place in the batch's tallies, so that a batch hashes the strings
//! of each distinct pair once.

/// Places by pair of indexes, until [`clear`](Self::clear). Open addressing with at most half of the slots in use: the
/// look-up is most of what a record costs.
#[derive(Debug)]
pub(crate) struct Pairs {
    slots: Vec<Slot>,
    used: usize,
    /// How far a spread key is shifted so that it is a place in `slots`.
    shift: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u64,
    place: u32,
}

/// No pair: the first index would be the one that says absent.
const FREE: Slot = Slot { key: u64::MAX, place: 0 };

const FEWEST_SLOTS: usize = 64;

/// More slots than these are given back after their batch: each batch pays for emptying those that are kept.
const MOST_KEPT: usize = 4096;

impl Pairs {
    pub(crate) fn new() -> Self {
        Self::with_slots(FEWEST_SLOTS)
    }

    fn with_slots(slots: usize) -> Self {
        Self { slots: vec![FREE; slots], used: 0, shift: u64::BITS - slots.ilog2() }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        if self.slots.len() > MOST_KEPT {
            *self = Self::new();
        } else if self.used > 0 {
            self.slots.fill(FREE);
            self.used = 0;
        }
    }

    /// The place of the pair, if it has one. `first` is not the index that says absent.
    #[inline]
    pub(crate) fn get(&self, first: u32, second: u32) -> Option<u32> {
        let slot = self.slots[self.find(key(first, second))];
        (slot.key != FREE.key).then_some(slot.place)
    }

    /// Gives the pair, which has none, a place.
    pub(crate) fn insert(&mut self, first: u32, second: u32, place: u32) {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let key = key(first, second);
        let at = self.find(key);
        self.slots[at] = Slot { key, place };
        self.used += 1;
    }

    /// The slot of the key, or the free one where it would stand.
    #[inline]
    fn find(&self, key: u64) -> usize {
        let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize;
        while self.slots[at].key != key && self.slots[at].key != FREE.key {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    #[cold]
    fn grow(&mut self) {
        let mut larger = Self::with_slots(self.slots.len() * 4);
        for slot in self.slots.iter().filter(|slot| slot.key != FREE.key) {
            let at = larger.find(slot.key);
            larger.slots[at] = *slot;
        }
        larger.used = self.used;
        *self = larger;
    }
}

#[inline]
fn key(first: u32, second: u32) -> u64 {
    u64::from(first) << 32 | u64::from(second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn it_behaves_as_a_map(
            pairs in prop::collection::vec((0..80_u32, prop_oneof![0..80_u32, Just(u32::MAX)]), 0..3000),
        ) {
            let mut ours = Pairs::new();
            for _ in 0..2 {
                ours.clear();
                let mut model = HashMap::new();
                for (place, &(first, second)) in (0..).zip(&pairs) {
                    prop_assert_eq!(ours.get(first, second), model.get(&(first, second)).copied());
                    model.entry((first, second)).or_insert_with(|| {
                        ours.insert(first, second, place);
                        place
                    });
                }
            }
        }
    }
}
