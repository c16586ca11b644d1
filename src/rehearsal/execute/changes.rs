//! Whose rows a statement changes, as its text says.

use crate::migration::statement::{Access, Body, Name, Query, QueryKind, Statement, quote_ident};

/// What a statement's text says of rows that it changes.
#[derive(Clone, Debug, Default)]
pub(in crate::rehearsal) struct Changes {
    /// Relations as they are written there.
    pub targets: Vec<String>,
    /// It updates or deletes rows that were there: others who want to change these wait for its transaction's end.
    pub locks_rows: bool,
    /// It runs code that isn't all in its text: what it changes is known by its locks alone.
    pub opaque: bool,
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
            let targets = copy.table.iter().map(shown).collect();
            Changes { targets, ..Changes::default() }
        }
        Body::Do(block) => {
            let inner = block.routine.iter().flat_map(|routine| &routine.statements);
            let mut all = Changes { opaque: true, ..Changes::default() };
            for one in inner {
                if let Body::Query(query) = &one.statement.body {
                    let of_one = of_query(query);
                    all.targets.extend(of_one.targets);
                    all.locks_rows |= of_one.locks_rows;
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
    Changes {
        targets: query.changes.iter().map(|change| shown(&change.target)).collect(),
        locks_rows: query
            .changes
            .iter()
            .any(|change| matches!(change.access, Access::Update | Access::Delete | Access::Merge)),
        opaque: false,
    }
}
