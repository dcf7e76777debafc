//! A large file of records: the real ones that the project ships, over and over, each time with task ids of its own.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

const TASK_ID: &[u8] = br#""task_id": ""#;

/// The file with `records` lines, made where it is not there yet.
pub(crate) fn file(records: usize) -> Result<PathBuf> {
    let folder = xtask::workspace().join("target/bench-data");
    let path = folder.join(format!("records-{records}.ndjson"));
    if path.is_file() {
        return Ok(path);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let unfinished = path.with_extension("unfinished");
    write(&unfinished, records).with_context(|| format!("cannot write {}", unfinished.display()))?;
    fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// The lines of the real file.
pub(crate) fn real_lines() -> Result<Vec<Vec<u8>>> {
    let path = xtask::workspace().join("tests/data/event-pipeline.ndjson");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines: Vec<_> = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    ensure!(!lines.is_empty(), "there is no record in {}", path.display());
    Ok(lines)
}

fn write(path: &Path, records: usize) -> Result<()> {
    let lines = real_lines()?;
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for at in 0..records {
        write_line(&lines[at % lines.len()], at / lines.len(), &mut out)?;
    }
    out.flush()?;
    Ok(())
}

/// The line with the number of the round behind its task id.
pub(crate) fn write_line(line: &[u8], round: usize, out: &mut impl Write) -> Result<()> {
    let value = memchr::memmem::find(line, TASK_ID).context("a record without a task_id")? + TASK_ID.len();
    let end = value + memchr::memchr(b'"', &line[value..]).context("a task_id without an end")?;
    out.write_all(&line[..end])?;
    write!(out, "-{round}")?;
    out.write_all(&line[end..])?;
    out.write_all(b"\n")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use metricast_records::{MetricsRef, input};

    use super::*;

    #[test]
    fn a_line_stays_a_record_and_gets_a_task_id_of_its_own() {
        for line in real_lines().unwrap().iter().take(100) {
            let mut written = Vec::new();
            write_line(line, 7, &mut written).unwrap();
            let task = |line: &[u8]| {
                let record = input::parse_line(line).unwrap().unwrap();
                match record.as_ref() {
                    MetricsRef::Event(event) => Some(event.task_id.to_owned()),
                    MetricsRef::Network(network) => network.task_id.map(str::to_owned),
                }
            };
            assert_eq!(task(&written), task(line).map(|id| id + "-7"));
        }
    }
}
