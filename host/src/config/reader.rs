//! Reads one TOML table key by key. A key that nobody asked for is a problem, and the nearest of those that were asked
//! for is named.

use std::ops::Range;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Source};
use super::units;
use crate::spelling;

/// A value with its place in the file.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// Where a key stands: its path, and the bytes it takes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) key: String,
    pub(super) span: Range<usize>,
}

/// The place of a table, and its texts by name.
pub(super) type NamedTexts = (Place, Vec<(String, At<String>)>);

/// Collects what is wrong, with places made readable.
#[derive(Debug)]
pub(super) struct Problems<'s> {
    source: &'s Source,
    found: Vec<(usize, Problem)>,
}

impl<'s> Problems<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, found: Vec::new() }
    }

    pub(super) fn add(&mut self, place: &Place, message: impl Into<String>) {
        let location = self.source.locate(place.span.clone());
        self.found.push((place.span.start, Problem::new(Some(location), place.key.clone(), message)));
    }

    /// As [`Problems::add`], but the line is shown only up to the key: the rest may hold a secret.
    pub(super) fn add_hidden(&mut self, place: &Place, message: impl Into<String>) {
        let location = self.source.locate(place.span.clone()).hiding_the_rest();
        self.found.push((place.span.start, Problem::new(Some(location), place.key.clone(), message)));
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.found.iter().any(|(_, problem)| problem.key == key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// What was found, in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|(start, _)| *start);
        self.found.into_iter().map(|(_, problem)| problem).collect()
    }
}

/// One table that is being read.
pub(super) struct Reader<'t, 'p, 's> {
    table: &'t DeTable<'t>,
    path: String,
    asked: Vec<&'static str>,
    problems: &'p mut Problems<'s>,
}

impl<'t, 'p, 's> Reader<'t, 'p, 's> {
    pub(super) fn new(table: &'t DeTable<'t>, path: String, problems: &'p mut Problems<'s>) -> Self {
        Self { table, path, asked: Vec::new(), problems }
    }

    pub(super) fn text(&mut self, key: &'static str, example: &str) -> Option<At<String>> {
        self.convert(key, example, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn count(&mut self, key: &'static str, example: &str) -> Option<At<usize>> {
        self.convert(key, example, "a whole number", |value| {
            value.as_integer().and_then(|number| usize::from_str_radix(number.as_str(), number.radix()).ok())
        })
    }

    /// A text with a unit, or a number of bytes.
    pub(super) fn size(&mut self, key: &'static str, example: &str) -> Option<At<usize>> {
        self.convert(key, example, "a size", |value| match value {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            other => other.as_str().and_then(units::parse_size),
        })
    }

    pub(super) fn time(&mut self, key: &'static str, example: &str) -> Option<At<Duration>> {
        self.convert(key, example, "a time with its unit", |value| value.as_str().and_then(units::parse_time))
    }

    pub(super) fn truth(&mut self, key: &'static str) -> Option<At<bool>> {
        self.convert(key, "true", "true or false", DeValue::as_bool)
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, words: &[(&'static str, T)]) -> Option<At<T>> {
        let all = words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ");
        let At { value, place } = self.text(key, &all)?;
        let choice = words.iter().find(|(word, _)| *word == value);
        if choice.is_none() {
            let hint = nearest_hint(&value, words.iter().map(|(word, _)| *word));
            self.problems.add(&place, format!("\"{value}\" is none of {all}{hint}"));
        }
        choice.map(|(_, choice)| At { value: *choice, place })
    }

    pub(super) fn texts(&mut self, key: &'static str, example: &str) -> Option<Vec<At<String>>> {
        let (place, value) = self.get(key)?;
        let Some(array) = value.as_array() else {
            self.wrong_type(&place, value, "a list", example);
            return None;
        };
        let mut texts = Vec::with_capacity(array.len());
        for (index, item) in array.iter().enumerate() {
            let place = Place { key: format!("{}[{index}]", place.key), span: item.span() };
            match item.get_ref().as_str() {
                Some(text) => texts.push(At { value: text.to_owned(), place }),
                None => self.wrong_type(&place, item.get_ref(), "a text", example),
            }
        }
        Some(texts)
    }

    /// A table of texts, whose names are the user's; and where it stands.
    pub(super) fn named_texts(&mut self, key: &'static str, example: &str) -> Option<NamedTexts> {
        let (place, value) = self.get(key)?;
        let Some(table) = value.as_table() else {
            self.wrong_type(&place, value, "a table of texts", example);
            return None;
        };
        let mut texts = Vec::with_capacity(table.len());
        for (name, item) in table {
            let place = Place { key: join(&place.key, name.get_ref()), span: name.span() };
            match item.get_ref().as_str() {
                Some(text) => texts.push((name.get_ref().clone().into_owned(), At { value: text.to_owned(), place })),
                None => self.wrong_type(&place, item.get_ref(), "a text", example),
            }
        }
        Some((place, texts))
    }

    /// A table inside this one; `read` takes its keys, and what it leaves is unknown.
    pub(super) fn table<T: Default>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'t, '_, 's>) -> T,
    ) -> T {
        let Some((place, value)) = self.get(key) else {
            return T::default();
        };
        if let Some(table) = value.as_table() {
            return within(table, place.key, self.problems, read);
        }
        self.wrong_type(&place, value, "a table", &format!("[{}]", place.key));
        T::default()
    }

    /// A list of tables, `[[key]]`.
    pub(super) fn tables<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Reader<'t, '_, 's>, Place) -> T,
    ) -> Option<Vec<T>> {
        let (place, value) = self.get(key)?;
        let Some(array) = value.as_array() else {
            self.wrong_type(&place, value, "a list of tables", &format!("[[{key}]]"));
            return None;
        };
        let mut tables = Vec::with_capacity(array.len());
        for (index, item) in array.iter().enumerate() {
            let place = Place { key: format!("{}[{index}]", place.key), span: item.span() };
            match item.get_ref().as_table() {
                Some(table) => {
                    let path = place.key.clone();
                    tables.push(within(table, path, self.problems, |reader| read(reader, place)));
                }
                None => self.wrong_type(&place, item.get_ref(), "a table", &format!("[[{key}]]")),
            }
        }
        Some(tables)
    }

    /// A table that is handed on as it is.
    pub(super) fn free_table(&mut self, key: &'static str) -> Option<(Place, &'t DeTable<'t>)> {
        let (place, value) = self.get(key)?;
        let table = value.as_table();
        if table.is_none() {
            self.wrong_type(&place, value, "a table", "[publishers.config]");
        }
        table.map(|table| (place, table))
    }

    pub(super) fn problems(&mut self) -> &mut Problems<'s> {
        self.problems
    }

    fn get(&mut self, key: &'static str) -> Option<(Place, &'t DeValue<'t>)> {
        self.asked.push(key);
        let (found, value) = self.table.get_key_value(key)?;
        Some((Place { key: join(&self.path, key), span: found.span() }, value.get_ref()))
    }

    fn convert<T>(
        &mut self,
        key: &'static str,
        example: &str,
        wanted: &str,
        convert: impl FnOnce(&DeValue<'t>) -> Option<T>,
    ) -> Option<At<T>> {
        let (place, value) = self.get(key)?;
        let converted = convert(value);
        if converted.is_none() {
            self.wrong_type(&place, value, wanted, example);
        }
        converted.map(|value| At { value, place })
    }

    fn wrong_type(&mut self, place: &Place, value: &DeValue<'_>, wanted: &str, example: &str) {
        self.problems.add(place, format!("needs {wanted}, as {example}; found {}", found(value)));
    }

    fn finish(self) {
        for (key, _) in self.table {
            if self.asked.iter().all(|known| known != key.get_ref()) {
                let place = Place { key: join(&self.path, key.get_ref()), span: key.span() };
                let hint = nearest_hint(key.get_ref(), self.asked.iter().copied());
                let hint = if hint.is_empty() { format!("; known here: {}", self.asked.join(", ")) } else { hint };
                self.problems.add(&place, format!("unknown key{hint}"));
            }
        }
    }
}

/// Reads a whole table: the keys that `read` asks for, and a problem for each other.
pub(super) fn within<'t, 's, T>(
    table: &'t DeTable<'t>,
    path: String,
    problems: &mut Problems<'s>,
    read: impl FnOnce(&mut Reader<'t, '_, 's>) -> T,
) -> T {
    let mut reader = Reader::new(table, path, problems);
    let value = read(&mut reader);
    reader.finish();
    value
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// `; did you mean …?` if one of the words is near enough to be what was meant, else nothing.
pub(super) fn nearest_hint<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> String {
    spelling::nearest(word, known).map_or_else(String::new, |candidate| format!("; did you mean `{candidate}`?"))
}

fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{text}\""),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(truth) => format!("{truth}"),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
