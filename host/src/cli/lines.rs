//! Files and standard input as numbered lines, with a bound on what one line may take in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use metricast_records::input::MAX_LINE;

use super::exit::Compressed;
use crate::clock;

const BLOCK: usize = 256 << 10;

/// A file, or standard input as `-`.
pub(super) struct Input {
    /// As it is named to people.
    pub(super) name: String,
    /// Bytes, where that is known.
    pub(super) size: Option<u64>,
    pub(super) lines: Lines<Box<dyn Read + Send>>,
    /// Of a file that can be read on from a place.
    file: Option<File>,
}

/// Opens all of them before any is read, so that a wrong name is told before anything is done. None is standard input.
pub(super) fn open(files: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
    if files.is_empty() {
        return Ok(vec![standard_input()]);
    }
    files.iter().map(|path| if path == Path::new("-") { Ok(standard_input()) } else { open_file(path) }).collect()
}

fn standard_input() -> Input {
    if io::stdin().is_terminal() {
        tracing::warn!("reading records from the terminal, one a line; Ctrl-D ends them");
    }
    let name = "<stdin>".to_owned();
    let reader = Box::new(Plain { name: name.clone(), reader: io::stdin(), begun: false });
    Input { name, size: None, lines: Lines::new(reader), file: None }
}

fn open_file(path: &Path) -> anyhow::Result<Input> {
    let context = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(context)?;
    let metadata = file.metadata().with_context(context)?;
    if metadata.is_dir() {
        anyhow::bail!("cannot read {}: it is a folder", path.display());
    }
    let name = path.display().to_string();
    let size = metadata.is_file().then_some(metadata.len());
    if size.is_some()
        && let Some(compressed) = Compressed::by(&first_bytes(&mut file).with_context(context)?, &name, Some(path))
    {
        return Err(compressed.into());
    }
    let again = if size.is_some() { Some(file.try_clone().with_context(context)?) } else { None };
    let reader = Box::new(Plain { name: name.clone(), reader: file, begun: false });
    Ok(Input { name, size, lines: Lines::new(reader), file: again })
}

impl Input {
    /// Tells the file from every other one, also from another of the same name; none where it cannot be read twice.
    pub(super) fn identity(&self) -> Option<String> {
        let metadata = self.file.as_ref()?.metadata().ok()?;
        let path = Path::new(&self.name).canonicalize().ok()?;
        Some(format!("{} ({}:{})", path.display(), metadata.dev(), metadata.ino()))
    }

    /// Goes on behind so many bytes and lines, before anything was read. Says whether there are as many.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn go_on_behind(&mut self, bytes: u64, lines: u64) -> io::Result<bool> {
        let Some(file) = self.file.as_mut().filter(|_| self.size.is_some_and(|size| size >= bytes)) else {
            return Ok(false);
        };
        file.seek(io::SeekFrom::Start(bytes))?;
        self.lines.number = lines;
        Ok(true)
    }
}

fn first_bytes(file: &mut File) -> io::Result<Vec<u8>> {
    const ENOUGH: u64 = 4;
    let mut bytes = Vec::new();
    file.take(ENOUGH).read_to_end(&mut bytes)?;
    file.rewind()?;
    Ok(bytes)
}

/// Gives what it reads, unless it begins as something compressed does.
struct Plain<R> {
    name: String,
    reader: R,
    begun: bool,
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        if !std::mem::replace(&mut self.begun, true)
            && let Some(compressed) = Compressed::by(&out[..count], &self.name, None)
        {
            return Err(io::Error::new(io::ErrorKind::InvalidData, compressed));
        }
        Ok(count)
    }
}

/// Cuts bytes at LF only.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// A line that does not lie in one block.
    line: Vec<u8>,
    number: u64,
    /// Bytes of the block that were handed out and are not wanted any more.
    used: usize,
    read_at: f64,
}

/// One line, without its LF.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// At most [`MAX_LINE`], and the first byte beyond that is no blank: who parses it sees that it is too long.
    pub(super) bytes: &'a [u8],
    /// Bytes it takes in the input, its LF with it.
    pub(super) length: u64,
    /// When the last of it was read, seconds since the Unix epoch.
    pub(super) read_at: f64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(BLOCK, reader), line: Vec::new(), number: 0, used: 0, read_at: 0.0 }
    }

    /// Whether the next line may have to be waited for.
    pub(super) fn would_wait(&self) -> bool {
        self.reader.buffer().len() == self.used
    }

    /// The next line, or none at the end. One that lies in a block as a whole is not copied.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.reader.consume(std::mem::take(&mut self.used));
        self.number += 1;
        let (number, read_at) = (self.number, self.read_at);
        // A block is shorter than any line may be.
        if let Some(end) = memchr::memchr(b'\n', self.reader.buffer()) {
            self.used = end + 1;
            let bytes = &self.reader.buffer()[..end];
            return Ok(Some(Line { number, bytes, length: self.used as u64, read_at }));
        }
        let length = self.gather()?;
        let line = Line { number, bytes: &self.line, length, read_at: self.read_at };
        Ok((length > 0).then_some(line))
    }

    /// Brings a line together that goes on in the next block, and tells how many bytes it takes: none at the end.
    fn gather(&mut self) -> io::Result<u64> {
        self.line.clear();
        let mut length = 0;
        loop {
            let block = match self.reader.fill_buf() {
                Ok(block) => block,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.read_at = clock::now();
            let end = memchr::memchr(b'\n', block);
            let text = &block[..end.unwrap_or(block.len())];
            let (kept, beyond) = text.split_at(text.len().min(MAX_LINE.saturating_sub(self.line.len())));
            self.line.extend_from_slice(kept);
            if self.line.len() == MAX_LINE {
                self.line.extend(beyond.iter().find(|byte| !byte.is_ascii_whitespace()));
            }
            let taken = text.len() + usize::from(end.is_some());
            length += taken as u64;
            self.reader.consume(taken);
            if end.is_some() || taken == 0 {
                return Ok(length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use metricast_records::input;
    use proptest::prelude::*;

    use super::*;

    /// Gives a few bytes at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(out.len()).min(3);
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn all(bytes: &[u8]) -> Vec<(u64, Vec<u8>, u64)> {
        let mut lines = Lines::new(Drip(bytes));
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push((line.number, line.bytes.to_vec(), line.length));
        }
        found
    }

    proptest! {
        #[test]
        fn any_bytes_are_lines_with_nothing_lost(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200)) {
            let found = all(&bytes);
            prop_assert_eq!(found.iter().map(|(_, _, length)| *length).sum::<u64>(), bytes.len() as u64);
            prop_assert!((1..).zip(&found).all(|(number, line)| line.0 == number));
            let mut joined = found.into_iter().map(|(_, line, _)| line).collect::<Vec<_>>().join(&b'\n');
            if bytes.last() == Some(&b'\n') {
                joined.push(b'\n');
            }
            prop_assert_eq!(joined, bytes);
        }
    }

    #[test]
    fn lines_end_at_lf_only_and_the_last_needs_none() {
        let found = all(b"one\n\ntwo\r\nlast");
        let wanted: [(u64, &[u8], u64); 4] = [(1, b"one", 4), (2, b"", 1), (3, b"two\r", 5), (4, b"last", 4)];
        assert_eq!(found, wanted.map(|(number, bytes, length)| (number, bytes.to_vec(), length)));
        assert_eq!(all(b""), []);
    }

    #[test]
    fn a_line_without_end_takes_no_more_than_its_bound() {
        let long = vec![b'x'; 3 * MAX_LINE];
        let mut bytes = long.clone();
        bytes.extend_from_slice(b"\nnext\n");
        let mut lines = Lines::new(bytes.as_slice());
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.bytes.len(), line.length), (MAX_LINE + 1, long.len() as u64 + 1));
        assert_eq!(lines.next().unwrap().unwrap().bytes, b"next");
    }

    #[test]
    fn what_stands_behind_many_blanks_is_seen_and_blanks_alone_are_none() {
        let record = br#"{"event_name": "e", "start_time": 1}"#;
        let blanks = vec![b' '; MAX_LINE];
        let told = |parts: &[&[u8]]| {
            let line = parts.concat();
            let mut lines = Lines::new(line.as_slice());
            let line = lines.next().unwrap().unwrap();
            input::parse_line(line.bytes).map(|record| record.is_some()).map_err(|refusal| refusal.to_string())
        };
        assert_eq!(told(&[record, &blanks, b"more"]), Err("longer than 8 MiB, which no record is".to_owned()));
        assert_eq!(told(&[record, &blanks, b"\r"]), Ok(true));
        assert_eq!(told(&[&blanks, &blanks]), Ok(false));
    }

    #[test]
    fn a_wrong_name_is_told_before_anything_is_read() {
        let error = open(&[PathBuf::from("-"), PathBuf::from("no/such.ndjson")]).err().unwrap();
        assert!(format!("{error:#}").starts_with("cannot read no/such.ndjson: "), "{error:#}");
        let folder = open(&[PathBuf::from("/")]).err().unwrap();
        assert_eq!(folder.to_string(), "cannot read /: it is a folder");
    }
}
