//! `data_not_included`: the backup lacks the rows of tables.

use super::{Found, Rule, Sink};
use crate::backup::evidence::{Evidence, Stage};

pub static RULE: Rule = Rule {
    code: "data_not_included",
    stage: Stage::Contents,
    page: backup_page!("data_not_included"),
    check,
};

fn check(evidence: &Evidence, sink: &mut Sink) {
    let Some(contents) = &evidence.contents else { return };
    let selection = &contents.selection;
    if selection.schema_only {
        sink.push(
            Found::new("the dump holds definitions and no rows at all (pg_dump --schema-only)")
                .help("dump again without --schema-only (-s)"),
        );
    }
    if selection.data_only {
        sink.push(
            Found::new("the dump holds rows and no definitions (pg_dump --data-only): it restores only into a database that has the tables")
                .help("dump again without --data-only (-a)"),
        );
    }
    if selection.statistics_only {
        sink.push(
            Found::new(
                "the dump holds the planner's statistics and nothing else (pg_dump --statistics-only)",
            )
            .help("dump again without --statistics-only"),
        );
    }
    let excluded: Vec<&String> =
        selection.excluded.iter().filter(|table| !evidence.limits.without_data.contains(table)).collect();
    if let Some(first) = excluded.first() {
        let names: Vec<&str> = excluded.iter().take(10).map(|name| name.as_str()).collect();
        let more =
            if excluded.len() > 10 { format!(" and {} more", excluded.len() - 10) } else { String::new() };
        sink.push(
            Found::new(format!("the dump defines {}{more} without their rows", names.join(", "))).on(first).help(
                "if that is meant (--exclude-table-data, --no-unlogged-table-data), say so: --without-data TABLE",
            ),
        );
    }
    if !selection.filtered.is_empty() {
        sink.push(
            Found::new(format!(
                "only a part of the database was dumped (pg_dump -t, -n, -T or -N): {}",
                selection.filtered.iter().take(5).cloned().collect::<Vec<_>>().join("; ")
            ))
            .help("dump the whole database; a part doesn't restore by itself, and lacks large objects and extensions"),
        );
    }
}
