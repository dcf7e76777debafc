//! Sets of label values: each once, with a row number, found by hash. A family's series are rows of such a table, and
//! whoever records can keep in one which handles belong to what.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::fast::SeedableRandomState;
use hashbrown::HashTable;

/// Rows of label values, in the order of their first coming.
///
/// Equal histories make equal rows. The hash, which decides about none of them, has a random seed: who chooses the values
/// cannot make them collide.
#[derive(Debug, Clone)]
pub struct LabelTable {
    rows: Rows,
    index: HashTable<u32>,
    seed: SeedableRandomState,
}

/// Of the process, from the source of randomness that the standard library's maps have.
static SEED: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(random()));

fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[derive(Debug, Clone)]
struct Rows {
    width: usize,
    count: u32,
    text: String,
    /// Where value `row * width + column` ends in `text`.
    ends: Vec<usize>,
}

impl LabelTable {
    /// An empty table of rows of `width` values.
    pub fn new(width: usize) -> Self {
        let rows = Rows { width, count: 0, text: String::new(), ends: Vec::new() };
        Self { rows, index: HashTable::new(), seed: SeedableRandomState::with_seed(random(), &SEED) }
    }

    /// How many rows there are.
    pub fn len(&self) -> u32 {
        self.rows.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.count == 0
    }

    /// How many values a row has.
    pub fn width(&self) -> usize {
        self.rows.width
    }

    /// How many bytes all values have.
    pub(crate) fn text_len(&self) -> usize {
        self.rows.text.len()
    }

    /// The values of a row.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: u32) -> impl Iterator<Item = &str> + Clone {
        self.rows.get(row)
    }

    /// The row of these values.
    #[inline]
    pub fn find<'a>(&self, values: &(impl Iterator<Item = &'a str> + Clone)) -> Option<u32> {
        let hash = hash(&self.seed, values.clone());
        self.index.find(hash, |&row| self.rows.get(row).eq(values.clone())).copied()
    }

    /// Appends a row that [`find`](Self::find) does not know.
    pub fn insert<'a>(&mut self, values: impl Iterator<Item = &'a str> + Clone) -> u32 {
        let hash = hash(&self.seed, values.clone());
        let row = self.rows.push(values);
        self.index.insert_unique(hash, row, |&row| self::hash(&self.seed, self.rows.get(row)));
        row
    }

    /// Removes the rows from `len` on.
    pub(crate) fn truncate(&mut self, len: u32) {
        while self.len() > len {
            let last = self.len() - 1;
            let hash = hash(&self.seed, self.rows.get(last));
            if let Ok(entry) = self.index.find_entry(hash, |row| *row == last) {
                entry.remove();
            }
            self.rows.pop();
        }
    }
}

impl Rows {
    fn get(&self, row: u32) -> impl Iterator<Item = &str> + Clone {
        let first = row as usize * self.width;
        (first..first + self.width).map(|at| {
            let start = if at == 0 { 0 } else { self.ends[at - 1] };
            &self.text[start..self.ends[at]]
        })
    }

    fn push<'a>(&mut self, values: impl Iterator<Item = &'a str>) -> u32 {
        for value in values {
            self.text.push_str(value);
            self.ends.push(self.text.len());
        }
        self.count += 1;
        self.count - 1
    }

    fn pop(&mut self) {
        self.count -= 1;
        self.ends.truncate(self.count as usize * self.width);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

#[inline]
fn hash<'a>(seed: &SeedableRandomState, values: impl Iterator<Item = &'a str>) -> u64 {
    let mut hasher = seed.build_hasher();
    for value in values {
        hasher.write(value.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn pair(row: &(String, String)) -> impl Iterator<Item = &str> + Clone {
        [row.0.as_str(), row.1.as_str()].into_iter()
    }

    #[test]
    fn where_one_value_ends_matters() {
        let mut table = LabelTable::new(2);
        let row = table.insert(["ab", "c"].into_iter());
        assert_eq!(table.find(&["a", "bc"].into_iter()), None);
        assert_eq!(table.find(&["ab", "c"].into_iter()), Some(row));
        assert!(table.row(row).eq(["ab", "c"]));
    }

    #[test]
    fn each_table_hashes_in_its_own_way() {
        let tables = [LabelTable::new(1), LabelTable::new(1)];
        let [first, second] = tables.map(|table| hash(&table.seed, ["value"].into_iter()));
        assert_ne!(first, second);
    }

    #[test]
    fn a_family_without_labels_has_one_row() {
        let mut table = LabelTable::new(0);
        assert_eq!(table.find(&std::iter::empty()), None);
        assert_eq!(table.insert(std::iter::empty()), 0);
        assert_eq!(table.find(&std::iter::empty()), Some(0));
        assert_eq!(table.row(0).count(), 0);
    }

    proptest! {
        #[test]
        fn it_behaves_as_a_map_with_an_order(rows in prop::collection::vec(("[ab]{0,3}", "[ab]{0,3}"), 0..200)) {
            let mut table = LabelTable::new(2);
            let mut model: HashMap<(String, String), u32> = HashMap::new();
            for row in &rows {
                let expected = model.get(row).copied();
                prop_assert_eq!(table.find(&pair(row)), expected);
                if expected.is_none() {
                    model.insert(row.clone(), table.insert(pair(row)));
                }
            }
            prop_assert_eq!(table.len() as usize, model.len());
            for (row, at) in &model {
                prop_assert!(table.row(*at).eq(pair(row)));
            }
        }
    }
}
