//! A new table's foreign key on a table in use, with nothing to end the waiting for its lock.

use crate::migration::catalog::QName;
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{Body, ConstraintKind, CreateTable};
use crate::source::Span;

use super::standstill::ends_waiting;
use super::timeout;
use super::{Check, MigrationContext, Rule, Sink, joined};

pub static RULE: Rule = Rule {
    code: "create_table_foreign_key_locks",
    page: migration_page!("create_table_foreign_key_locks"),
    check: Check::Migration(check),
};

/// Told once for a migration, at the first foreign key: what is missing is one line.
fn check(context: &MigrationContext<'_>, sink: &mut Sink) {
    let mut first: Option<(Span, &CreateTable)> = None;
    let mut targets: Vec<QName> = Vec::new();
    let mut tables = 0;
    let mut found = Vec::new();
    for record in context.records {
        let Some(Body::CreateTable(create)) = context.statements.get(record.index).map(|s| &s.body) else {
            continue;
        };
        if ends_waiting(record.lock_timeout, context.options) {
            continue;
        }
        let locked: Vec<&QName> = record
            .awaited
            .iter()
            .filter(|(_, mode)| *mode == LockMode::ShareRowExclusive)
            .map(|(target, _)| target)
            .collect();
        let Some(span) = foreign_key_to(create, &locked) else { continue };
        tables += 1;
        found.push(record);
        first.get_or_insert((span, create));
        for target in locked {
            if !targets.contains(target) {
                targets.push(target.clone());
            }
        }
    }
    let Some((span, create)) = first else { return };
    let whose = match tables {
        1 => format!("the foreign key of the new table {} takes", create.name),
        _ => format!("foreign keys of {tables} new tables take"),
    };
    let said = sink.say(
        span,
        format!(
            "{whose} SHARE ROW EXCLUSIVE on {}: while it waits for open transactions there, all writes wait behind it, and no lock_timeout ends that",
            joined(&targets)
        ),
    );
    said.help("SET lock_timeout = '2s'; -- before the statement; then run the migration again until it gets through");
    timeout::mend(context, &found, said);
}

/// Where the first foreign key to one of the tables is written.
fn foreign_key_to(create: &CreateTable, tables: &[&QName]) -> Option<Span> {
    let columns = create.columns.iter().flat_map(|column| &column.constraints);
    columns.chain(&create.constraints).find_map(|constraint| match &constraint.kind {
        ConstraintKind::ForeignKey(key) if tables.iter().any(|table| table.name == key.target.name.value) => {
            Some(constraint.span)
        }
        _ => None,
    })
}
