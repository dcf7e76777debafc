//! Folders that nobody has open: looked at without a trace, and damaged.

use std::fs;

use super::*;

fn verified(folder: &Path) -> (Vec<Damage>, Summary) {
    let (mut damage, mut end) = (Vec::new(), None);
    verify_folder(folder, &mut |line| {
        match line {
            Line::Damage(found) => damage.push(found),
            Line::End(summary) => end = Some(summary),
            other => panic!("{other:?}"),
        }
        Ok(())
    })
    .unwrap();
    (damage, end.unwrap())
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x20;
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_found_where_it_is_and_verifying_changes_nothing() {
    let folder = folder();
    let open = open(folder.path());
    let search = open.three_letters().await;
    open.queue.append(batch(&["d", "e"])).await.unwrap();
    open.queue.append(batch(&["f"])).await.unwrap();
    let lines = open.ask(Question::Verify).await;
    let [Line::End(summary)] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((summary.frames, summary.records), (3, 6));
    assert!(summary.values > 3, "{summary:?}");
    drop(search);
    open.close().await;
    let (damage, end) = verified(folder.path());
    assert_eq!((damage, end.frames, end.records), (vec![], 3, 6));
    let log = fs::read_dir(folder.path().join("log")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&log).unwrap();
    let frames: Vec<usize> = memchr::memmem::find_iter(&bytes, b"mcf1").collect();
    flip(&log, frames[1] + 60);
    flip(&log, frames[2] + 60);
    let before = fs::read(&log).unwrap();
    let (damage, end) = verified(folder.path());
    assert_eq!((end.frames, end.records, damage.len()), (1, 3, 1), "{damage:?}");
    let rest = &damage[0];
    assert_eq!((rest.byte, rest.offsets), (Some(frames[1] as u64), None), "nothing whole stands behind it");
    flip(&log, frames[2] + 60);
    let (damage, _) = verified(folder.path());
    assert_eq!((damage[0].byte, damage[0].offsets), (Some(frames[1] as u64), Some((3, 4))), "{damage:?}");
    flip(&log, frames[2] + 60);
    assert_eq!(fs::read(&log).unwrap(), before);
    let database = folder.path().join("meta.redb");
    let at = memchr::memmem::find(&fs::read(&database).unwrap(), b"mapping").unwrap();
    flip(&database, at);
    let before = fs::read(&database).unwrap();
    let (damage, _) = verified(folder.path());
    assert!(damage.iter().any(|damage| damage.file == "meta.redb"), "{damage:?}");
    assert_eq!(fs::read(&database).unwrap(), before);
}

fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = vec![folder.join("meta.redb")];
    files.extend(fs::read_dir(folder.join("log")).unwrap().map(|entry| entry.unwrap().path()));
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(&file).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_tells_the_same_as_who_has_the_folder_and_changes_nothing() {
    let folder = folder();
    let open = open(folder.path());
    let search = open.three_letters().await;
    open.queue.append(batch(&["d"])).await.unwrap();
    let questions = [
        Question::Groups { filter: Filter::default() },
        Question::Letters { filter: Filter::default(), records: true },
        Question::Letter { number: 2 },
        Question::Records { from: Some(1), to: Some(4), publisher: None },
        Question::Records { from: None, to: None, publisher: Some("search".into()) },
        Question::Records { from: None, to: None, publisher: Some("nobody".into()) },
    ];
    let mut told = Vec::new();
    for question in &questions {
        told.push(open.told(question.clone()).await);
    }
    assert_eq!(Store::holder(folder.path()).unwrap().pid, std::process::id());
    assert!(matches!(Desk::look(folder.path()), Err(StoreError::InUse { .. })));
    drop(search);
    let Open { store, queue, desk } = open;
    queue.end().await;
    drop((store, queue, desk));
    let before = contents(folder.path());
    let desk = Desk::look(folder.path()).unwrap().unwrap();
    for (question, told) in questions.iter().zip(&told) {
        let mut lines = Vec::new();
        let mut tell = |line: Line| {
            lines.push(serde_json::to_string(&line).unwrap());
            Ok(())
        };
        desk.answer(question, &mut tell).unwrap();
        assert_eq!(&lines, told, "{question:?}");
    }
    let mut lines = Vec::new();
    let retry = Question::Retry { chosen: Chosen::Numbers(vec![1]) };
    desk.answer(&retry, &mut |line| {
        lines.push(serde_json::to_string(&line).unwrap());
        Ok(())
    })
    .unwrap();
    assert_eq!(lines, [r#"{"failed":"the queue is only looked at, and takes nothing"}"#]);
    drop(desk);
    assert_eq!(contents(folder.path()), before);
    fs::remove_file(folder.path().join("meta.redb")).unwrap();
    assert!(Desk::look(folder.path()).unwrap().is_none(), "and it makes no database");
    assert!(!folder.path().join("meta.redb").exists());
}
