//! ALTER COLUMN … TYPE that keeps the rows of a table in use but builds indexes anew or checks constraints again.

use std::collections::BTreeSet;

use crate::migration::catalog::{ConstraintDetail, QName};
use crate::migration::effects::{IndexBuild, IndexBuildReason, ScanReason};
use crate::migration::statement::{Action, ActionKind, Body, quote_ident};

use super::{Check, Rule, Sink, StatementContext, joined, plans};

pub static RULE: Rule = Rule {
    code: "column_type_rebuilds_indexes",
    page: migration_page!("column_type_rebuilds_indexes"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterTable(alter) = &context.statement.body else { return };
    for action in alter.actions.iter().filter(|action| matches!(action.kind, ActionKind::SetType { .. })) {
        let (indexes, built_on) = rebuilt(context, action);
        let checked = checked_again(context, action);
        if built_on.is_empty() && checked.is_empty() {
            continue;
        }
        let mut work = Vec::new();
        if !built_on.is_empty() {
            let which = if indexes.is_empty() { "indexes".to_owned() } else { joined(&indexes) };
            let on: Vec<String> = built_on.iter().map(|table| context.sized(table)).collect();
            work.push(format!("{which} on {} must be built anew", joined(&on)));
        }
        if !checked.is_empty() {
            let on: Vec<String> = checked.iter().map(|table| context.sized(table)).collect();
            work.push(format!("a constraint makes PostgreSQL check every row of {} again", joined(&on)));
        }
        let said = sink.say(
            action.span,
            format!(
                "no row is written, but {} under ACCESS EXCLUSIVE: reads and writes wait until that is done",
                work.join(", and ")
            ),
        );
        let statement = context.sql(context.statement.span);
        let roots = roots(context, action);
        if !roots.is_empty() {
            // A constraint's index doesn't go without the constraint.
            let free: Vec<String> = roots
                .iter()
                .filter(|name| {
                    context.before.index(name).is_some_and(|(_, index)| index.constraint.is_none())
                })
                .map(|name| format!("DROP INDEX {name};"))
                .collect();
            if !free.is_empty() {
                said.help(format!(
                    "-- where queries can do without the index for a while\n{}\n{statement};\n\
                     -- then, outside a transaction: CREATE INDEX … ON ONLY the partitioned table, CREATE INDEX CONCURRENTLY … on \
                     each partition, ALTER INDEX … ATTACH PARTITION …",
                    free.join("\n")
                ));
            }
        } else if !built_on.is_empty() {
            said.help(without_indexes(context, action, statement));
        } else if !checked.is_empty() {
            said.help(without_constraints(context, action, statement));
        }
    }
}

/// The change with the indexes taken away before it and made again, without blocking, after it.
fn without_indexes(context: &StatementContext<'_>, action: &Action, statement: &str) -> String {
    let (mut drops, mut creates, mut unique) = (Vec::new(), Vec::new(), Vec::new());
    for build in built(context, action) {
        let Some(name) = &build.index else { continue };
        let known = context.before.relation(&build.relation).and_then(|table| table.index(name));
        if known.is_some_and(|index| index.constraint.is_some()) {
            continue;
        }
        let quoted = quote_ident(name);
        drops.push(format!("DROP INDEX CONCURRENTLY {};", QName::new(&build.relation.schema, name)));
        let is_unique = known.is_some_and(|index| index.unique);
        if is_unique {
            unique.push(name.as_str());
        }
        let kind = if is_unique { "UNIQUE INDEX" } else { "INDEX" };
        let tail = known.map_or_else(|| "(…)".to_owned(), |index| plans::index_tail(index, str::to_owned));
        creates.push(format!("CREATE {kind} CONCURRENTLY {quoted} ON {} {tail};", build.relation));
    }
    if drops.is_empty() {
        return "The index of a constraint goes only with the constraint. Put a new column in the place of this one, in stages \
                (rollsafe explain column_type_rewrites), or change it when nobody minds."
            .to_owned();
    }
    let meanwhile = if unique.is_empty() {
        String::new()
    } else {
        format!("\n-- until then nothing keeps out what {} would", joined(&unique))
    };
    format!(
        "-- where queries can do without the index for a while (or with a new one that fits already), outside a transaction\n\
         {}\n{statement};{meanwhile}\n{}",
        drops.join("\n"),
        creates.join("\n")
    )
}

/// The change with the CHECKs taken away before it and put back, without blocking, after it.
fn without_constraints(context: &StatementContext<'_>, action: &Action, statement: &str) -> String {
    let (mut drops, mut adds, mut validates) = (Vec::new(), Vec::new(), Vec::new());
    for scan in context.scans_at(action.span) {
        let ScanReason::Check { constraint: Some(name) } = &scan.reason else { continue };
        let known = context.before.relation(&scan.relation).and_then(|table| table.constraint(name));
        let Some(ConstraintDetail::Check { text, .. }) = known.map(|constraint| &constraint.detail) else {
            continue;
        };
        let (table, name) = (&scan.relation, quote_ident(name));
        drops.push(format!("ALTER TABLE {table} DROP CONSTRAINT {name};"));
        adds.push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({text}) NOT VALID;"));
        validates.push(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name};"));
    }
    if drops.is_empty() {
        return "Where it can be done without the constraint for a while: drop it, change the type, add it NOT VALID in the same transaction, and \
                VALIDATE it in the next."
            .to_owned();
    }
    format!(
        "-- in one transaction; without the constraint nothing is read, and new rows are checked again from its end on\n\
         {}\n{statement};\n{}\n-- next migration\n{}",
        drops.join("\n"),
        adds.join("\n"),
        validates.join("\n")
    )
}

/// What the action has built anew of tables where that takes long.
fn built<'a>(context: &'a StatementContext<'_>, action: &Action) -> impl Iterator<Item = &'a IndexBuild> {
    let is_meant =
        |build: &&IndexBuild| build.reason == IndexBuildReason::ColumnType && context.heavy(&build.relation);
    context.builds_at(action.span).filter(is_meant)
}

/// The indexes that the action has built anew, and their tables.
fn rebuilt(context: &StatementContext<'_>, action: &Action) -> (Vec<String>, Vec<QName>) {
    let mut names = Vec::new();
    let mut tables: Vec<QName> = Vec::new();
    for build in built(context, action) {
        names.extend(build.index.as_ref().map(ToString::to_string));
        if !tables.contains(&build.relation) {
            tables.push(build.relation.clone());
        }
    }
    (names, tables)
}

/// The indexes of partitioned tables whose parts are built.
fn roots(context: &StatementContext<'_>, action: &Action) -> BTreeSet<QName> {
    let mut roots = BTreeSet::new();
    for build in context.builds_at(action.span) {
        let Some(name) = &build.index else { continue };
        let (mut table, mut index) = (context.before.relation(&build.relation), name);
        let mut root = None;
        // Partitions end at a table that isn't one.
        while let Some(known) = table
            && let Some(above) = known.index(index).and_then(|index| index.part_of.as_ref())
            && let Some(of) = &known.partition_of
        {
            table = context.before.relation(&of.parent);
            index = above;
            root = Some(QName::new(&of.parent.schema, above));
        }
        roots.extend(root);
    }
    roots
}

/// The tables that the action has read for their constraints, though it doesn't write them anew.
fn checked_again(context: &StatementContext<'_>, action: &Action) -> Vec<QName> {
    let mut tables: Vec<QName> = Vec::new();
    for scan in context.scans_at(action.span) {
        let again = matches!(scan.reason, ScanReason::Check { .. } | ScanReason::ForeignKey { .. });
        let written = || context.effects.rewrites.iter().any(|rewrite| rewrite.relation == scan.relation);
        if again && !written() && context.heavy(&scan.relation) && !tables.contains(&scan.relation) {
            tables.push(scan.relation.clone());
        }
    }
    tables
}
