//! Which values of an attribute are shown as labels: so many as are allowed, in the order of their coming.
//!
//! What is shown already is read off the registry, so that a restart and an expiry leave nothing else to put right.

use std::collections::BTreeSet;

use metricast_series::LabelTable;
use metricast_series::cap::OTHER;

use crate::labels::Tag;
use crate::tags::Values;

/// Of one kind of record.
#[derive(Debug)]
pub(crate) struct Caps {
    tags: Vec<Tag>,
    /// For each of `tags`.
    shown: Vec<BTreeSet<String>>,
}

impl Caps {
    /// Caps where these series are known, whose last labels are those of `tags`.
    pub(crate) fn new(tags: &[Tag], known: &LabelTable) -> Self {
        let mut caps = Self { tags: tags.to_vec(), shown: vec![BTreeSet::new(); tags.len()] };
        let own = known.width() - tags.len();
        for row in 0..known.len() {
            caps.add(known.row(row).skip(own));
        }
        caps
    }

    /// The values as they are shown.
    pub(crate) fn show<'a>(&self, values: &Values<'a>) -> Values<'a> {
        values.map_tags(|tag, value| self.tags[tag].show(value, &self.shown[tag]))
    }

    /// Takes note of values that a series has.
    pub(crate) fn add<'a>(&mut self, values: impl Iterator<Item = &'a str>) {
        for (shown, value) in self.shown.iter_mut().zip(values) {
            if !value.is_empty() && value != OTHER && !shown.contains(value) {
                shown.insert(value.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_are_shown_and_read_off_what_is_known() {
        let tag = Tag { label: "l".into(), attribute: "a".into(), allow: None, max: 2 };
        let mut known = LabelTable::new(2);
        for row in [["x", "1"], ["y", "1"], ["x", ""], ["x", OTHER]] {
            known.insert(row.into_iter());
        }
        let mut caps = Caps::new(&[tag], &known);
        let shown = |caps: &Caps, value| caps.show(&Values::new(["x", "s"], &[value])).tags()[0];
        assert_eq!([shown(&caps, "1"), shown(&caps, "2"), shown(&caps, "3")], ["1", "2", "3"]);
        caps.add(["2"].into_iter());
        assert_eq!([shown(&caps, "1"), shown(&caps, "2"), shown(&caps, "3")], ["1", "2", OTHER]);
    }
}
