//! Opening: what is there, up to where it is whole, and a segment of its own for what comes.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex};

use super::segment::{self, HEADER, Segment, Unfit, Whole};
use super::writer::Writer;
use super::{
    Damage, Disk, DiskFile, Epoch, Log, LogError, Options, Pending, Reader, Recovered, Remainder, Shared, Times,
    Written, lock,
};

pub(super) fn open<D: Disk>(disk: D, options: Options) -> Result<(Log<D>, Recovered), LogError> {
    let mut segments = segments(&disk)?;
    let mut damage = Vec::new();
    let mut next = 0;
    if let Some(last) = segments.pop_back() {
        let tail = tail(&last).map_err(|source| of(&last.name, source))?;
        (damage, next) = (tail.damage, tail.next);
        if tail.end > HEADER as u64 {
            cut(&last, tail.end).map_err(|source| of(&last.name, source))?;
            segments.push_back(last);
        } else {
            disk.remove(&last.name).map_err(LogError::Folder)?;
        }
    }
    let next = next.max(options.at_least);
    let first = segments.front().map_or(next, |oldest| oldest.first);
    let shared = shared(segments, next);
    let mut writer = Writer::new(disk, Arc::clone(&shared), options.segment);
    let thread = std::thread::Builder::new().name("metricast-log".to_owned()).spawn(move || writer.run());
    *lock(&shared.writer) = Some(thread.map_err(LogError::Thread)?);
    Ok((Log { shared }, Recovered { first, next, damage }))
}

/// A reader of what is there; nothing is written.
pub(super) fn look<D: Disk>(disk: &D) -> Result<Reader<D>, LogError> {
    let segments = segments(disk)?;
    let next = match segments.back() {
        Some(last) => tail(last).map_err(|source| of(&last.name, source))?.next,
        None => 0,
    };
    let first = segments.front().map_or(next, |oldest| oldest.first);
    Ok(Reader::new(shared(segments, next), first))
}

pub(super) fn remainder<D: Disk>(disk: &D) -> Result<Option<Remainder>, LogError> {
    let Some(last) = segments(disk)?.pop_back() else { return Ok(None) };
    let in_file = |source| of(&last.name, source);
    let at = tail(&last).map_err(in_file)?.end;
    let end = written_to(&last.file, at, last.end()).map_err(in_file)?;
    Ok((end > at).then(|| Remainder { file: last.name.clone(), at, bytes: end - at }))
}

/// Behind the last byte from `at` on that is not zero.
fn written_to<F: DiskFile>(file: &F, mut at: u64, end: u64) -> io::Result<u64> {
    const STRETCH: usize = 1 << 20;
    let mut stretch = vec![0; STRETCH];
    let mut written_to = at;
    while at < end {
        let count = file.read_at(&mut stretch, at)?;
        if let Some(last) = stretch[..count].iter().rposition(|&byte| byte != 0) {
            written_to = at + last as u64 + 1;
        }
        at += STRETCH as u64;
    }
    Ok(written_to)
}

fn shared<D: Disk>(segments: VecDeque<Arc<Segment<D::File>>>, next: u64) -> Arc<Shared<D>> {
    Arc::new(Shared {
        epoch: Epoch::random(),
        pending: Mutex::new(Pending::default()),
        work: Condvar::new(),
        written: Mutex::new(Written { segments, next }),
        times: Times::default(),
        writer: Mutex::new(None),
    })
}

/// All segments, ascending.
fn segments<D: Disk>(disk: &D) -> Result<VecDeque<Arc<Segment<D::File>>>, LogError> {
    let names = disk.names().map_err(LogError::Folder)?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|name| segment::first_of(name)).collect();
    firsts.sort_unstable();
    firsts.into_iter().map(|first| one(disk, first)).collect()
}

fn one<D: Disk>(disk: &D, first: u64) -> Result<Arc<Segment<D::File>>, LogError> {
    let file = segment::name(first);
    match disk.open(&file).map_err(Unfit::Disk).and_then(|opened| Segment::open(first, opened)) {
        Ok(segment) => Ok(Arc::new(segment)),
        Err(Unfit::Newer(version)) => Err(LogError::Newer { file, version }),
        Err(Unfit::Disk(source)) => Err(LogError::File { file, source }),
    }
}

/// How the last segment ends.
struct Tail {
    end: u64,
    next: u64,
    damage: Vec<Damage>,
}

/// Goes through the last segment. What has no whole frame behind it was never answered for: a sync that ended well
/// has all its frames there, unless the disk lost them, and then nobody can tell.
fn tail<F: DiskFile>(last: &Segment<F>) -> io::Result<Tail> {
    let mut tail = Tail { end: HEADER as u64, next: last.first, damage: Vec::new() };
    while let Some(Whole { at, header, .. }) = last.whole_from(tail.end, last.end())? {
        if header.first > tail.next {
            tail.damage.push(Damage { offsets: tail.next..header.first, file: last.name.clone(), at: tail.end });
        }
        (tail.end, tail.next) = (at + header.length(), tail.next.max(header.next()));
    }
    Ok(tail)
}

fn cut<F: DiskFile>(last: &Segment<F>, end: u64) -> io::Result<()> {
    if last.end() > end {
        last.file.truncate(end)?;
        last.file.sync()?;
        last.grow_to(end);
    }
    Ok(())
}

pub(super) fn of(name: &str, source: io::Error) -> LogError {
    LogError::File { file: name.to_owned(), source }
}
