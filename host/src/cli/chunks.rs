//! Files and standard input as bodies to send: whole lines, read ahead on a thread of their own.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use metricast_records::body::MAX_LISTED;
use metricast_records::input::{self, MAX_LINE};
use tokio::sync::mpsc;

use super::exit::Broken;
use super::lines::{self, Input};

/// A body is sent once it has so many bytes.
const ENOUGH: usize = 1 << 20;
/// Or so many lines: of more refusals an answer may give only the number.
const ENOUGH_LINES: usize = MAX_LISTED;
/// So many wait for the one under way.
const AHEAD: usize = 2;

/// Lines that follow each other in one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) source: Arc<str>,
    /// The number of its first line, from 1.
    pub(super) first: u64,
    /// The lines, each with its LF.
    pub(super) body: Vec<u8>,
    /// Where each line ends in the body, its LF included.
    ends: Vec<usize>,
    /// Bytes it took in the input.
    pub(super) length: u64,
    /// A line that is longer than any record: it stands in the body as an empty one.
    pub(super) too_long: Vec<u64>,
}

impl Chunk {
    fn new(source: &Arc<str>, first: u64) -> Self {
        Self { source: Arc::clone(source), first, body: Vec::new(), ends: Vec::new(), length: 0, too_long: Vec::new() }
    }

    fn push(&mut self, line: &lines::Line<'_>) {
        self.length += line.length;
        if line.bytes.len() > MAX_LINE {
            self.too_long.push(line.number);
        } else {
            self.body.extend_from_slice(line.bytes);
        }
        self.body.push(b'\n');
        self.ends.push(self.body.len());
    }

    fn is_full(&self) -> bool {
        self.body.len() >= ENOUGH || self.ends.len() >= ENOUGH_LINES
    }

    pub(super) fn lines(&self) -> u64 {
        self.ends.len() as u64
    }

    /// How many of the lines are not blank.
    pub(super) fn records(&self) -> u64 {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let lines = starts.zip(&self.ends).map(|(start, end)| &self.body[start..*end]);
        lines.filter(|line| !input::is_blank(line)).count() as u64
    }

    /// A line by its number in the input, without its LF; empty if it is not in here.
    pub(super) fn line(&self, number: u64) -> &[u8] {
        let index = number.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let Some((index, end)) = index.and_then(|index| Some((index, *self.ends.get(index)?))) else { return &[] };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.body[start..end - 1]
    }

    /// Two of about the same number of lines; none if there is only one line.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let middle = self.ends.len() / 2;
        let cut = *self.ends.get(middle.checked_sub(1)?)?;
        let mut front = Self::new(&self.source, self.first);
        front.body = self.body[..cut].to_vec();
        front.ends = self.ends[..middle].to_vec();
        front.length = cut as u64;
        let mut back = Self::new(&self.source, self.first + middle as u64);
        back.body = self.body[cut..].to_vec();
        back.ends = self.ends[middle..].iter().map(|end| end - cut).collect();
        back.length = self.length - front.length;
        (front.too_long, back.too_long) = self.too_long.iter().partition(|number| **number < back.first);
        Some([front, back])
    }
}

/// What is read, and how much there is to read if that is known.
pub(super) struct Chunks {
    pub(super) total: Option<u64>,
    pub(super) next: mpsc::Receiver<anyhow::Result<Chunk>>,
}

/// Opens the files and starts to read them.
pub(super) fn read(files: &[PathBuf]) -> anyhow::Result<Chunks> {
    let inputs = lines::open(files)?;
    let total = inputs.iter().map(|input| input.size).sum();
    let (send, next) = mpsc::channel(AHEAD);
    let work = move || {
        for input in inputs {
            if let Err(error) = cut(input, &send) {
                // Nobody listens any more if this fails too.
                let _ = send.blocking_send(Err(error));
                return;
            }
        }
    };
    std::thread::Builder::new().name("metricast-read".to_owned()).spawn(work).context("no thread to read with")?;
    Ok(Chunks { total, next })
}

fn cut(mut input: Input, send: &mpsc::Sender<anyhow::Result<Chunk>>) -> anyhow::Result<()> {
    let source: Arc<str> = input.name.as_str().into();
    let mut chunk = Chunk::new(&source, 1);
    while let Some(line) = input.lines.next().with_context(|| Broken::reading(&source))? {
        chunk.push(&line);
        let next = line.number + 1;
        if chunk.is_full() || input.lines.would_wait() {
            let full = std::mem::replace(&mut chunk, Chunk::new(&source, next));
            if send.blocking_send(Ok(full)).is_err() {
                return Ok(());
            }
        }
    }
    if chunk.lines() > 0 {
        // As above: who stopped listening needs no more.
        let _ = send.blocking_send(Ok(chunk));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks_of(bytes: &[u8]) -> Vec<Chunk> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("in.ndjson");
        std::fs::write(&path, bytes).unwrap();
        let mut chunks = read(&[path]).unwrap();
        assert_eq!(chunks.total, Some(bytes.len() as u64));
        std::iter::from_fn(|| chunks.next.blocking_recv()).map(Result::unwrap).collect()
    }

    #[test]
    fn lines_keep_their_numbers_across_chunks() {
        let line = |number: u64| format!("{{\"number\": {number}, \"text\": \"xyz\"}}");
        let text: String = (1..=100_000).flat_map(|number| [line(number), "\n".to_owned()]).collect();
        let chunks = chunks_of(text.as_bytes());
        assert!(chunks.len() > 1);
        let mut next = 1;
        for chunk in &chunks {
            assert_eq!(chunk.first, next);
            next += chunk.lines();
            let last = next - 1;
            assert_eq!(chunk.line(last), line(last).as_bytes());
            assert_eq!(chunk.line(next), b"");
        }
        assert_eq!(chunks.iter().map(|chunk| chunk.length).sum::<u64>(), text.len() as u64);
    }

    #[test]
    fn a_line_that_is_too_long_leaves_an_empty_one() {
        let text = [b"first\n".as_slice(), &vec![b'x'; MAX_LINE + 2], b"\nlast"].concat();
        let chunks = chunks_of(&text);
        let too_long: Vec<u64> = chunks.iter().flat_map(|chunk| chunk.too_long.iter().copied()).collect();
        assert_eq!(too_long, [2]);
        assert!(chunks.iter().all(|chunk| chunk.line(2).is_empty()));
        assert_eq!(chunks.last().unwrap().line(3), b"last");
    }

    #[test]
    fn halves_have_the_same_lines() {
        let [chunk] = chunks_of(b"a\nbb\nccc\n").try_into().unwrap();
        let [front, back] = chunk.halves().unwrap();
        assert_eq!((chunk.records(), chunks_of(b"a\n \r\n\n\xEF\xBB\xBF\nb")[0].records()), (3, 2));
        assert_eq!((front.first, front.body.as_slice(), front.length), (1, b"a\n".as_slice(), 2));
        assert_eq!((back.first, back.line(3), back.length), (2, b"ccc".as_slice(), 7));
        assert_eq!(front.halves(), None);
    }

    #[test]
    fn a_line_that_is_too_long_is_in_one_of_the_halves() {
        for number in 1..=3 {
            let mut lines = [b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
            lines[number - 1] = vec![b'x'; MAX_LINE + 2];
            let text = lines.join(&b'\n');
            let [chunk] = chunks_of(&text).try_into().unwrap();
            let halves = chunk.halves().unwrap();
            let with_it: Vec<_> = halves.iter().filter(|half| !half.too_long.is_empty()).collect();
            assert_eq!(with_it.len(), 1, "line {number}");
            let half = with_it[0];
            assert_eq!(half.too_long, [number as u64]);
            assert!((half.first..half.first + half.lines()).contains(&(number as u64)), "line {number}");
        }
    }
}
