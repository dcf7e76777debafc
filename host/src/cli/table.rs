//! Columns for people: text to the left, numbers to the right.

use std::fmt;

/// A table with a row of titles.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
struct Cell {
    text: String,
    to_the_right: bool,
}

impl Table {
    pub(super) fn new(titles: &[&str]) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row(titles.iter().map(|title| (*title).to_owned()));
        table
    }

    /// Adds a row; a cell that begins with a digit is a number.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cell = |text: String| Cell { to_the_right: text.starts_with(|c: char| c.is_ascii_digit()), text };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    fn columns(&self) -> Vec<(usize, bool)> {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        (0..count)
            .map(|column| {
                let width = cells(column).map(|cell| cell.text.chars().count()).max().unwrap_or(0);
                (width, cells(column).any(|cell| cell.to_the_right))
            })
            .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.columns();
        for (index, row) in self.rows.iter().enumerate() {
            let mut cells = Vec::with_capacity(row.len());
            for (cell, (width, numbers)) in row.iter().zip(&columns) {
                let text = &cell.text;
                // A title stands as its column does, other texts in a column of numbers as texts.
                if cell.to_the_right || (index == 0 && *numbers) {
                    cells.push(format!("{text:>width$}"));
                } else {
                    cells.push(format!("{text:<width$}"));
                }
            }
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_below_each_other() {
        let mut table = Table::new(&["publisher", "accepted", "note"]);
        table.row(["search".to_owned(), "6,965".to_owned(), "fine".to_owned()]);
        table.row(["a-long-name".to_owned(), "7".to_owned(), String::new()]);
        let wanted = "publisher    accepted  note\nsearch          6,965  fine\na-long-name         7\n";
        assert_eq!(table.to_string(), wanted);
    }
}
