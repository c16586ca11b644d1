//! `large_objects_missing`: large objects that the backup should hold aren't in it.

use crate::backup::archive::ProblemKind;

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "large_objects_missing",
    stage: Stage::Contents,
    page: backup_page!("large_objects_missing"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    sink.problems(
        evidence,
        ProblemKind::LargeObject,
        "take the backup again; large objects are dumped unless pg_dump is told -B, -t or -n",
    );
    let objects = &evidence.large_objects;
    if objects.missing_count > 0 && evidence.data_was_read() {
        let named: Vec<String> = objects.missing.iter().map(u32::to_string).collect();
        let which = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
        sink.push(
            Found::new(format!(
                "{} large objects are declared in the table of contents and have no content in the dump{which}",
                objects.missing_count
            ))
            .help("a restore makes them empty and reports success; take the backup again"),
        );
    }
    for before in [&evidence.manifest, &evidence.previous].into_iter().flatten() {
        if let Some((count, _)) = before.large_objects
            && count > 0
            && objects.count == 0
        {
            sink.push(
                Found::new(format!("there are no large objects, and {} had {count}", before.path.display()))
                    .help("pg_dump leaves them out with -B, -t and -n: add --large-objects (-b)"),
            );
        }
    }
    if let Some((dump, restored)) = evidence.restored.as_ref().and_then(|restored| restored.large_objects)
        && !dump.agrees(&restored)
    {
        if (dump.count, dump.bytes) == (restored.count, restored.bytes) {
            let message = format!(
                "the content of the {} large objects isn't the same after the restore, with {} bytes before and after",
                dump.count, dump.bytes
            );
            sink.push(Found::new(message).help("what the server said is told by restore_failed"));
            return;
        }
        sink.push(
            Found::new(format!(
                "{} large objects with {} bytes are in the dump, and {} with {} bytes after the restore",
                dump.count, dump.bytes, restored.count, restored.bytes
            ))
            .help("what the server said is told by restore_failed"),
        );
    }
}
