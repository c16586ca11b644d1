//! Whose rows a statement changes, as its text says.

use crate::migration::statement::{Access, Body, Change, Name, Query, QueryKind, Statement, quote_ident};

/// What a statement's text says of rows that it changes.
#[derive(Clone, Debug, Default)]
pub(in crate::rehearsal) struct Changes {
    /// Relations as they are written there.
    pub targets: Vec<Target>,
    /// It runs code that isn't all in its text: what it changes is known by its locks alone.
    pub opaque: bool,
}

/// A relation whose rows are changed.
#[derive(Clone, Debug)]
pub(in crate::rehearsal) struct Target {
    pub name: String,
    /// Rows that were there may be updated or deleted: others who want to change these wait for the transaction's end.
    pub locks_rows: bool,
}

/// Reads it off the statement.
pub(in crate::rehearsal) fn of(statement: &Statement) -> Changes {
    match &statement.body {
        Body::Query(query) => {
            let mut changes = of_query(query);
            changes.opaque = changes.targets.is_empty()
                && !query.calls.is_empty()
                && matches!(query.kind, QueryKind::Select | QueryKind::Values);
            changes
        }
        Body::Copy(copy) if copy.from => {
            let targets = copy.table.iter();
            let targets = targets.map(|name| Target { name: shown(name), locks_rows: false }).collect();
            Changes { targets, ..Changes::default() }
        }
        Body::Do(block) => {
            let inner = block.routine.iter().flat_map(|routine| &routine.statements);
            let mut all = Changes { opaque: true, ..Changes::default() };
            for one in inner {
                if let Body::Query(query) = &one.statement.body {
                    all.targets.extend(of_query(query).targets);
                }
            }
            all
        }
        Body::Call(_) | Body::Execute { .. } => Changes { opaque: true, ..Changes::default() },
        _ => Changes::default(),
    }
}

/// As `regclass` prints it with `search_path = public`.
fn shown(name: &Name) -> String {
    let bare = name.schema.as_ref().is_some_and(|schema| schema.value == "public");
    if bare { quote_ident(&name.name.value).into_owned() } else { name.to_string() }
}

fn of_query(query: &Query) -> Changes {
    let locks_rows = |change: &Change| match change.access {
        Access::Update | Access::Delete => true,
        Access::Merge => change.arms.iter().any(|arm| *arm != Access::Insert),
        _ => change.on_conflict,
    };
    Changes {
        targets: query
            .changes
            .iter()
            .map(|change| Target { name: shown(&change.target), locks_rows: locks_rows(change) })
            .collect(),
        opaque: false,
    }
}
