//! Records in the order of their own time. Lines are kept as they came, since that is the smallest form that there is.

use anyhow::Context as _;
use metricast_records::MetricsRef;
use metricast_records::input::{self, Parsed};

use crate::cli::exit::Broken;
use crate::cli::lines::Input;
use crate::cli::terminal::Terminal;
use crate::config::show_size;

/// Bytes of records that are held.
pub(super) const MOST: usize = 1 << 30;

/// All records of the inputs.
pub(super) struct Ordered {
    text: Vec<u8>,
    /// Bytes that may be held.
    most: usize,
    /// In order.
    places: Vec<Place>,
}

struct Place {
    time: f64,
    start: usize,
    length: u32,
}

impl Ordered {
    /// Reads all lines, of which `most` bytes may be records; says whether one was refused, and tells why.
    pub(super) fn read(inputs: Vec<Input>, most: usize, terminal: &Terminal) -> anyhow::Result<(Self, bool)> {
        let mut all = Self { text: Vec::new(), most, places: Vec::new() };
        let mut refused = false;
        for mut input in inputs {
            while let Some(line) = input.lines.next().with_context(|| Broken::reading(&input.name))? {
                match input::parse_line(line.bytes) {
                    Ok(Some(record)) => all.push(own_time(&record.as_ref()), line.bytes)?,
                    Ok(None) => {}
                    Err(refusal) => {
                        refused = true;
                        terminal.say(format_args!("{}:{}: {refusal}", input.name, line.number));
                    }
                }
            }
        }
        // Records of one time stay in the order of the input.
        all.places.sort_by(|a, b| a.time.total_cmp(&b.time));
        Ok((all, refused))
    }

    fn push(&mut self, time: f64, line: &[u8]) -> anyhow::Result<()> {
        let start = self.text.len();
        anyhow::ensure!(
            start + line.len() <= self.most,
            "there are more than {} of records, which cannot be put in order here: take those of one time after the \
             other, each into blocks of its own",
            show_size(self.most as u64)
        );
        self.text.extend_from_slice(line);
        let length = u32::try_from(line.len()).context("a line has a bound")?;
        self.places.push(Place { time, start, length });
        Ok(())
    }

    /// The first and the last time.
    pub(super) fn span(&self) -> Option<(f64, f64)> {
        Some((self.places.first()?.time, self.places.last()?.time))
    }

    /// Each record with its time.
    pub(super) fn iter(&self) -> impl Iterator<Item = (f64, Parsed<'_>)> {
        self.places.iter().map(|place| {
            let line = &self.text[place.start..place.start + place.length as usize];
            let record = input::parse_line(line).expect("it was parsed before").expect("it was a record before");
            (place.time, record)
        })
    }
}

/// When a record happened, as far as it says.
fn own_time(record: &MetricsRef<'_>) -> f64 {
    record.end_time().unwrap_or(record.start_time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::lines;
    use crate::cli::terminal::Colour;

    fn read(text: &str, most: usize) -> anyhow::Result<(Ordered, bool)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.ndjson");
        std::fs::write(&path, text).unwrap();
        Ordered::read(lines::open(&[path]).unwrap(), most, &Terminal::new(Colour::Never, true))
    }

    #[test]
    fn records_are_in_the_order_of_their_end_or_else_their_start() {
        let record = |name: &str, times: &str| format!("{{\"event_name\": \"{name}\", {times}}}\n");
        let text = record("late", "\"start_time\": 1, \"end_time\": 9")
            + &record("early", "\"start_time\": 3")
            + &record("beside", "\"start_time\": 3, \"end_time\": 3");
        let (records, refused) = read(&text, MOST).unwrap();
        let names: Vec<_> = records
            .iter()
            .map(|(time, record)| match record.as_ref() {
                MetricsRef::Event(event) => (time, event.event_name.to_owned()),
                MetricsRef::Network(_) => panic!("it is an event"),
            })
            .collect();
        assert_eq!(names, [(3.0, "early".to_owned()), (3.0, "beside".to_owned()), (9.0, "late".to_owned())]);
        assert_eq!((records.span(), refused), (Some((3.0, 9.0)), false));
    }

    #[test]
    fn more_than_there_is_room_for_is_told_with_what_to_do() {
        let line = "{\"event_name\": \"a\", \"start_time\": 1}\n";
        let most = line.len() - 1;
        assert!(read(line, most).is_ok());
        let told = read(&line.repeat(2), most).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.starts_with("there are more than 36B of records"), "{told}");
    }
}
