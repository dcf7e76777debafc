use super::*;

fn raw_receipt(accepted: u32, rejected: &[u32], retryable: &[u32], in_doubt: &[u32]) -> raw::Receipt {
    let rejection = |&index: &u32| raw::Rejection { index, reason: "no".to_owned() };
    raw::Receipt {
        accepted,
        rejected: rejected.iter().map(rejection).collect(),
        retryable: retryable.to_vec(),
        in_doubt: in_doubt.to_vec(),
        retry_after_ms: None,
    }
}

fn judge(raw: raw::Receipt, records: usize, stateful: bool) -> Result<Receipt, String> {
    receipt(raw, records, stateful, &Limits::default()).map_err(|fault| match fault {
        Fault::Untrusted { what, .. } => what,
        other => panic!("not the kind of fault that it is: {other}"),
    })
}

#[test]
fn receipts_that_lie_are_refused_with_the_lie() {
    for (raw, stateful, lie) in [
        (raw_receipt(2, &[], &[], &[]), false, "2 accepted, 0 rejected and 0 retryable do not add up to 3 records"),
        (raw_receipt(4, &[], &[], &[]), false, "4 accepted, 0 rejected and 0 retryable do not add up to 3 records"),
        (
            raw_receipt(u32::MAX, &[0], &[1, 2], &[]),
            false,
            "4294967295 accepted, 1 rejected and 2 retryable do not add up to 3 records",
        ),
        (raw_receipt(2, &[3], &[], &[]), false, "the receipt names record 3 of 3"),
        (raw_receipt(2, &[], &[u32::MAX], &[]), false, "the receipt names record 4294967295 of 3"),
        (raw_receipt(1, &[1, 1], &[], &[]), false, "the receipt names record 1 twice"),
        (raw_receipt(1, &[], &[2, 2], &[]), false, "the receipt names record 2 twice"),
        (raw_receipt(1, &[0], &[0], &[]), false, "the receipt names record 0 twice"),
        (raw_receipt(1, &[], &[0, 1], &[2]), false, "record 2 is in doubt and not retryable"),
        (raw_receipt(1, &[], &[0, 1], &[1, 1]), false, "in-doubt names record 1 twice"),
        (raw_receipt(1, &[], &[0, 1], &[7]), false, "in-doubt names record 7 of 3"),
        (
            raw_receipt(2, &[], &[0], &[]),
            true,
            "it keeps state, and so answers for whole batches, but calls records retryable",
        ),
    ] {
        assert_eq!(judge(raw, 3, stateful).unwrap_err(), lie);
    }
}

#[test]
fn an_honest_receipt_comes_out_sorted() {
    let receipt = judge(raw_receipt(1, &[4, 1], &[3, 0], &[3]), 5, false).unwrap();
    assert_eq!(receipt.rejected.iter().map(|rejection| rejection.index).collect::<Vec<_>>(), [1, 4]);
    assert_eq!((receipt.accepted, receipt.retryable, receipt.in_doubt), (1, vec![0, 3], vec![3]));
    assert_eq!(judge(raw_receipt(3, &[], &[], &[]), 3, true).unwrap().accepted, 3);
}

#[test]
fn a_wish_to_wait_is_bounded() {
    let mut raw = raw_receipt(1, &[], &[], &[]);
    raw.retry_after_ms = Some(u64::MAX);
    assert_eq!(judge(raw, 1, false).unwrap().retry_after, Some(LONGEST_WAIT));
}

#[test]
fn a_text_is_cut_between_characters_and_loses_what_could_move_a_cursor() {
    assert_eq!(text("plain", 5), "plain");
    assert_eq!(text("a\nb\u{1b}[2Jc\r", 100), "a b [2Jc ");
    assert_eq!(text("ääää", 7), "ää…");
    assert_eq!(text(&"x".repeat(1 << 20), 10), "xxxxxxx…");
}

fn raw_description(name: &str, version: &str, schema: &str) -> raw::Description {
    raw::Description {
        name: name.to_owned(),
        version: version.to_owned(),
        config_schema: schema.to_owned(),
        extra: Vec::new(),
    }
}

#[test]
fn a_description_has_a_plain_name_a_version_and_a_schema() {
    let judge = |raw| description(raw, &Limits::default());
    assert!(judge(raw_description("grafana-cloud2", "0.1.0", "{}")).is_ok());
    for (name, version, schema) in [
        ("", "1", "{}"),
        ("Name", "1", "{}"),
        ("a b", "1", "{}"),
        ("a\n", "1", "{}"),
        ("a", "", "{}"),
        ("a", "1\u{1b}", "{}"),
        ("a", "1", "[]"),
        ("a", "1", "{"),
    ] {
        let judged = judge(raw_description(name, version, schema));
        assert!(matches!(judged, Err(Fault::Untrusted { .. })), "{name:?} {version:?} {schema:?}");
    }
    let huge = judge(raw_description("a", "1", &" ".repeat(SCHEMA + 1)));
    assert_eq!(
        huge.unwrap_err().to_string(),
        "the plugin went beyond a limit: schema bytes is limited to 1048576: 0 in use, 1048577 asked for"
    );
}

#[test]
fn a_profile_without_instances_or_with_flushes_without_pause_is_refused() {
    let raw = |stateful, max_instances, flush_interval_ms| raw::Profile {
        stateful,
        max_instances,
        flush_interval_ms,
        scrapes: false,
    };
    assert!(profile(raw(false, 0, None)).is_err());
    assert!(profile(raw(false, 1, Some(0))).is_err());
    assert_eq!(profile(raw(false, 4, Some(1500))).unwrap().flush_interval, Some(Duration::from_millis(1500)));
    assert_eq!(profile(raw(true, 4, None)).unwrap().max_instances, NonZeroU32::MIN, "state is in one place");
}

#[test]
fn a_snapshot_is_there_exactly_where_there_is_state_and_within_its_bound() {
    let limits = Limits { snapshot: 3, ..Limits::default() };
    let raw = |bytes| Some(raw::SavedResult { version: 1, state: vec![0; bytes], next_offset: 7 });
    assert_eq!(saved(raw(3), true, &limits).unwrap().unwrap().next_offset, 7);
    assert_eq!(saved(None, false, &limits).unwrap(), None);
    assert!(matches!(saved(raw(4), true, &limits), Err(Fault::Limit(_))));
    assert!(matches!(saved(None, true, &limits), Err(Fault::Untrusted { .. })));
    assert!(matches!(saved(raw(1), false, &limits), Err(Fault::Untrusted { .. })));
}

#[test]
fn an_exposition_has_a_content_type_that_is_a_header_value() {
    let raw = |content_type: &str, bytes| {
        Some(raw::Exposition { content_type: content_type.to_owned(), body: vec![b'#'; bytes] })
    };
    let limits = Limits { exposition: 3, ..Limits::default() };
    assert!(exposition(raw("text/plain; version=0.0.4", 3), &limits).is_ok());
    assert!(matches!(exposition(raw("text/plain", 4), &limits), Err(Fault::Limit(_))));
    for content_type in ["", "text/plain\r\nX-Evil: 1", "text/plain\0", "t\u{e4}xt"] {
        assert!(matches!(exposition(raw(content_type, 1), &limits), Err(Fault::Untrusted { .. })), "{content_type:?}");
    }
}

#[test]
fn findings_are_bounded_and_fit_on_a_line() {
    let raw = raw::Finding {
        of: "http://a\u{1b}[2J".to_owned(),
        question: "reachable".to_owned(),
        verdict: raw::Verdict::Bad,
        answer: "no\nway".to_owned(),
        fix: "x".repeat(10_000),
    };
    let found = findings(vec![raw.clone()], &Limits::default()).unwrap().remove(0);
    assert_eq!((found.of.as_str(), found.answer.as_str()), ("http://a [2J", "no way"));
    assert_eq!((found.verdict, found.fix.len()), (Verdict::Bad, Limits::default().text));
    let too_many = findings(vec![raw; 257], &Limits::default()).unwrap_err();
    assert_eq!(
        too_many.to_string(),
        "the plugin went beyond a limit: findings is limited to 256: 0 in use, 257 asked for"
    );
}

#[test]
fn snippets_keep_their_lines_and_nothing_else_that_controls_a_terminal() {
    let snippet = |name: &str, text: &str| raw::Snippet {
        name: name.to_owned(),
        about: "for the\nadmin".to_owned(),
        text: text.to_owned(),
    };
    let told = snippets(vec![snippet("role", "{\r\n  \"a\": \u{7}1\n}")], &Limits::default()).unwrap().remove(0);
    assert_eq!((told.about.as_str(), told.text.as_str()), ("for the admin", "{\n  \"a\":  1\n}\n"));
    let fault = snippets(vec![snippet("Role\n", "")], &Limits::default()).unwrap_err();
    assert!(fault.to_string().contains("a snippet's name \"Role \" is not short"), "{fault}");
}

#[test]
fn the_records_that_a_flush_gives_up_are_bounded() {
    let late = raw::LateRejection { epoch: "e".into(), offset: 0, leg: String::new(), reason: "r".into() };
    let raw = |count| raw::Flushed {
        pending: 0,
        rejected: vec![late.clone(); count],
        retry_after_ms: None,
        reason: "a\nb".into(),
    };
    let told = flushed(raw(3), &Limits::default()).unwrap();
    assert_eq!((told.rejected.len(), told.reason.as_str()), (3, "a b"));
    let words = flushed(raw(LATE + 1), &Limits::default()).unwrap_err().to_string();
    assert!(words.contains("late rejections"), "{words}");
}
