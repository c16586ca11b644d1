//! ADD UNIQUE that builds its index on a table in use, also as part of ADD COLUMN.

use compact_str::CompactString;

use crate::finding::Edit;
use crate::migration::catalog::{ConstraintDetail, QName, naming};
use crate::migration::effects::{IndexBuild, IndexBuildReason};
use crate::migration::fix::place;
use crate::migration::statement::{
    Action, ActionKind, Body, Constraint, ConstraintKind, Ident, IndexConstraint, quote_ident,
};

use super::create_index_on_partitioned_table::{PartitionedIndex, leftover};
use super::outside::Becomes;
use super::{Check, Rule, Said, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "add_unique_builds_index",
    page: migration_page!("add_unique_builds_index"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    for (action, constraint, index, table) in
        constraints_built(context, IndexBuildReason::Unique, |kind| match kind {
            ConstraintKind::Unique(index) => Some(index),
            _ => None,
        })
    {
        let said = sink.say(
            action.span,
            format!(
                "UNIQUE builds an index on {} under ACCESS EXCLUSIVE: reads and writes wait until it is built",
                context.sized(&table)
            ),
        );
        said.help(plan(context, action, constraint, index, &table, "UNIQUE"));
        mend(context, said, action, constraint, index, &table, "UNIQUE");
    }
}

/// The index CONCURRENTLY in place of the statement, then the constraint over it; with ADD COLUMN, both behind it.
pub(super) fn mend(
    context: &StatementContext<'_>,
    said: &mut Said,
    action: &Action,
    constraint: &Constraint,
    index: &IndexConstraint,
    table: &QName,
    kind: &str,
) {
    let Body::AlterTable(alter) = &context.statement.body else { return };
    if !context.verbatim() {
        return;
    }
    let partitioned = context.before.relation(table).is_some_and(|known| known.is_partitioned());
    let statement = context.statement.span;
    let written = context.sql(statement);
    let adds_column = matches!(action.kind, ActionKind::AddColumn { .. });
    let why = if partitioned {
        Some("a partitioned table refuses USING INDEX: the help has the way over the partitions")
    } else if index.without_overlaps {
        Some("USING INDEX doesn't know what this constraint says")
    } else if replaced(context, &name_of(context, constraint, index, table, kind), table, kind)
        .is_some_and(|old| old.earlier)
    {
        Some("the old constraint goes by a statement of its own: the help has both in one")
    } else if alter.if_exists {
        Some("with IF EXISTS the table may be absent, and CREATE INDEX would fail then")
    } else if !adds_column && alter.actions.len() > 1 {
        Some("the ALTER TABLE does other things as well: put the constraint into a statement of its own")
    } else if !adds_column && (written.contains("--") || written.contains("/*")) {
        Some("there are comments inside the statement, which would be lost")
    } else {
        None
    };
    if let Some(why) = why {
        said.unfixed(why);
        return;
    }
    let (_, _, statements) = index_then_constraint(context, constraint, index, table, kind);
    let edits = if adds_column {
        let before = context.text.get(..constraint.span.start as usize).unwrap_or("");
        let cut =
            Edit { start: before.trim_end().len() as u32, end: constraint.span.end, text: String::new() };
        match place::after(context.text, statement, &statements) {
            Some(behind) if behind.start == cut.end => {
                vec![Edit { text: behind.text, ..cut }]
            }
            Some(behind) => vec![cut, behind],
            None => return,
        }
    } else {
        let text = statements.trim_end_matches(';').to_owned();
        vec![Edit { start: statement.start, end: statement.end, text }]
    };
    context.mend_outside(
        said,
        "build the index CONCURRENTLY, then add the constraint USING INDEX",
        edits,
        Becomes::Several,
    );
}

/// The two statements, and the name of the index; whether somebody wrote that.
fn index_then_constraint(
    context: &StatementContext<'_>,
    constraint: &Constraint,
    index: &IndexConstraint,
    table: &QName,
    kind: &str,
) -> (CompactString, bool, String) {
    let mut chosen = name_of(context, constraint, index, table, kind);
    let replaced = replaced(context, &chosen, table, kind);
    if let (Some(old), None) = (&replaced, &constraint.name)
        && chosen.starts_with(old.name.as_str())
    {
        chosen = old.name.clone();
    }
    // An index of that name is there until its constraint goes; the constraint gives its name to the new one.
    let of_its_own = replaced.as_ref().filter(|old| *old.name == chosen).map(|old| {
        naming::choose(&table.name, &column_names(index), "key", |candidate| {
            candidate == old.name || !context.before.is_free(table, candidate)
        })
    });
    let (name, built) = (quote_ident(&chosen), of_its_own.as_ref().unwrap_or(&chosen).clone());
    let built_name = quote_ident(&built);
    let drop = replaced.map_or_else(String::new, |old| {
        let (if_exists, cascade) =
            (if old.if_exists { "IF EXISTS " } else { "" }, if old.cascade { " CASCADE" } else { "" });
        format!("DROP CONSTRAINT {if_exists}{}{cascade}, ", quote_ident(old.name))
    });
    let tail = index_tail(context, index);
    let deferrable = match (constraint.deferrable, constraint.initially_deferred) {
        (_, Some(true)) => " DEFERRABLE INITIALLY DEFERRED",
        (Some(true), _) => " DEFERRABLE",
        _ => "",
    };
    let statements = format!(
        "CREATE UNIQUE INDEX CONCURRENTLY {built_name} ON {table} {tail};\n\
         ALTER TABLE {table} {drop}ADD CONSTRAINT {name} {kind} USING INDEX {built_name}{deferrable};"
    );
    (built, constraint.name.is_some() && of_its_own.is_none(), statements)
}

/// A constraint that goes to make room for another one.
struct Replaced<'a> {
    name: &'a CompactString,
    if_exists: bool,
    cascade: bool,
    /// By a statement of its own, before this one.
    earlier: bool,
}

/// The constraint that the same ALTER TABLE or one before it drops to make room for the new one: the primary key, or one
/// of its name.
fn replaced<'a>(
    context: &StatementContext<'a>,
    name: &str,
    table: &QName,
    kind: &str,
) -> Option<Replaced<'a>> {
    let Body::AlterTable(alter) = &context.statement.body else { return None };
    let known = context.before.relation(table);
    let dropped = |action: &'a Action, earlier: bool| match &action.kind {
        ActionKind::DropConstraint { name: gone, if_exists, cascade } => {
            let primary = || match known.and_then(|known| known.constraint(gone.as_str())) {
                Some(there) => matches!(there.detail, ConstraintDetail::PrimaryKey { .. }),
                // What an earlier statement drops is gone from the catalog: there is only its name to go by.
                None => earlier && gone.value.to_ascii_lowercase().contains("pk"),
            };
            let makes_room = gone.value == name || kind == "PRIMARY KEY" && primary();
            let (if_exists, cascade) = (*if_exists, *cascade);
            makes_room.then_some(Replaced { name: &gone.value, if_exists, cascade, earlier })
        }
        _ => None,
    };
    if let Some(found) = alter.actions.iter().find_map(|action| dropped(action, false)) {
        return known.is_some_and(|known| known.constraint(found.name).is_some()).then_some(found);
    }
    if context.inner.is_some() {
        return None;
    }
    for statement in context.earlier() {
        let Body::AlterTable(before) = &statement.body else {
            if matches!(statement.body, Body::CreateIndex(_) | Body::Set(_)) {
                continue;
            }
            return None; // it may need the old key to be gone
        };
        if context.resolve(&before.name) != *table {
            continue;
        }
        if let Some(found) = before.actions.iter().find_map(|action| dropped(action, true)) {
            return Some(found);
        }
        let stands_beside = |action: &Action| {
            matches!(
                action.kind,
                ActionKind::AddColumn { .. }
                    | ActionKind::SetNotNull { .. }
                    | ActionKind::SetDefault { .. }
                    | ActionKind::AddConstraint(_)
                    | ActionKind::DropConstraint { .. }
            )
        };
        if !before.actions.iter().all(stands_beside) {
            return None;
        }
    }
    None
}

/// A line for columns of the index that the same ALTER TABLE adds.
fn columns_first(context: &StatementContext<'_>, action: &Action, index: &IndexConstraint) -> String {
    let Body::AlterTable(alter) = &context.statement.body else { return String::new() };
    if matches!(action.kind, ActionKind::AddColumn { .. }) {
        return String::new();
    }
    let added = |column: &&Ident| {
        alter.actions.iter().any(
            |other| matches!(&other.kind, ActionKind::AddColumn { column: new, .. } if new.name == **column),
        )
    };
    let dropped = |column: &Ident| {
        alter
            .actions
            .iter()
            .any(|other| matches!(&other.kind, ActionKind::DropColumn { column: old, .. } if old == column))
    };
    let new: Vec<&Ident> = index.columns.iter().filter(added).collect();
    if new.is_empty() {
        return String::new();
    }
    let names =
        new.iter().map(|column| quote_ident(column.as_str()).into_owned()).collect::<Vec<_>>().join(", ");
    let other = if new.into_iter().any(dropped) { ", under another name beside the old one" } else { "" };
    format!("-- first add and fill {names} by statements of their own{other}; then\n")
}

fn column_names(index: &IndexConstraint) -> String {
    index.columns.iter().chain(&index.include).map(Ident::as_str).collect::<Vec<_>>().join("_")
}

/// The constraint's name, PostgreSQL's choice where none is written.
fn name_of(
    context: &StatementContext<'_>,
    constraint: &Constraint,
    index: &IndexConstraint,
    table: &QName,
    kind: &str,
) -> CompactString {
    // A primary key's name has no columns in it.
    let (columns, label) =
        if kind == "UNIQUE" { (column_names(index), "key") } else { (String::new(), "pkey") };
    constraint
        .name
        .as_ref()
        .map_or_else(|| context.before.choose_name(table, &columns, label), |name| name.value.clone())
}

/// What follows the table's name in the CREATE INDEX for a constraint.
fn index_tail(context: &StatementContext<'_>, index: &IndexConstraint) -> String {
    let list =
        |columns: &[Ident]| columns.iter().map(|c| quote_ident(c.as_str())).collect::<Vec<_>>().join(", ");
    let mut tail = format!("({})", list(&index.columns));
    if !index.include.is_empty() {
        tail.push_str(&format!(" INCLUDE ({})", list(&index.include)));
    }
    if index.nulls_not_distinct {
        tail.push_str(" NULLS NOT DISTINCT");
    }
    if !index.options.is_empty() && context.verbatim() {
        tail.push_str(&format!(" {}", context.sql(index.options)));
    }
    if let Some(tablespace) = &index.tablespace {
        tail.push_str(&format!(" TABLESPACE {}", quote_ident(tablespace.as_str())));
    }
    tail
}

/// As [`index_then_constraint`], with what a failed build has left taken away first.
pub(super) fn steps(
    context: &StatementContext<'_>,
    constraint: &Constraint,
    index: &IndexConstraint,
    table: &QName,
    kind: &str,
) -> String {
    let (name, is_written, statements) = index_then_constraint(context, constraint, index, table, kind);
    let qualified = QName { schema: table.schema.clone(), name };
    let leftover = leftover(context.before, &qualified, is_written);
    let noted = leftover.replace(";\n", "; -- what a failed build has left\n");
    format!("{}{statements}", if leftover.starts_with("--") { leftover } else { noted })
}

/// The actions that add a constraint and build its index on a table that is heavy.
pub(super) fn constraints_built<'a>(
    context: &StatementContext<'a>,
    reason: IndexBuildReason,
    pick: fn(&ConstraintKind) -> Option<&IndexConstraint>,
) -> Vec<(&'a Action, &'a Constraint, &'a IndexConstraint, QName)> {
    let Body::AlterTable(alter) = &context.statement.body else { return Vec::new() };
    let table = context.resolve(&alter.name);
    let mut found = Vec::new();
    for action in &alter.actions {
        // Where the table is written anew all its indexes are: that is told already.
        if context.rewrites_at(action.span) {
            continue;
        }
        let is_it = |build: &IndexBuild| build.reason == reason && context.heavy(&build.relation);
        if !context.builds_at(action.span).any(is_it) {
            continue;
        }
        let constraint = action.added_constraints().iter().find_map(|constraint| {
            pick(&constraint.kind)
                .filter(|index| index.using_index.is_none())
                .map(|index| (constraint, index))
        });
        if let Some((constraint, index)) = constraint {
            found.push((action, constraint, index, table.clone()));
        }
    }
    found
}

/// The index CONCURRENTLY, then the constraint over it; on a partitioned table, an index alone.
pub(super) fn plan(
    context: &StatementContext<'_>,
    action: &Action,
    constraint: &Constraint,
    index: &IndexConstraint,
    table: &QName,
    kind: &str,
) -> String {
    if index.without_overlaps {
        return "A constraint WITHOUT OVERLAPS can't take over an index that is there: give it to a new table, fill that in batches and switch \
                over, or take a maintenance window."
            .to_owned();
    }
    let note = context.outside_note();
    if context.before.relation(table).is_some_and(|known| known.is_partitioned()) {
        let columns: Vec<&str> = index.columns.iter().map(Ident::as_str).collect();
        let recipe = PartitionedIndex {
            name: &name_of(context, constraint, index, table, kind),
            unique: true,
            tail: &index_tail(context, index),
            columns: &columns.join("_"),
            label: "key",
        };
        return format!(
            "{note}-- a partitioned table refuses USING INDEX; a unique index does the same work for ON CONFLICT and foreign keys\n{}",
            recipe.recipe(context.before, table)
        );
    }
    let first = match &action.kind {
        ActionKind::AddColumn { .. } => context.column_without(table, action.span, constraint.span),
        _ => columns_first(context, action, index),
    };
    let name = name_of(context, constraint, index, table, kind);
    let first = match replaced(context, &name, table, kind) {
        Some(old) if old.earlier => format!(
            "-- in place of the DROP CONSTRAINT {} before it too, so that there is no time without a key\n{first}",
            quote_ident(old.name)
        ),
        _ => first,
    };
    format!("{first}{note}{}", steps(context, constraint, index, table, kind))
}
