//! What a table and its columns, as they are, don't take: those of a typed table, of a partition key, an identity.

use crate::migration::catalog::{Column, ConstraintDetail, TypeKind};
use crate::migration::statement::{ActionKind, Ident, quote_ident};

use super::{On, Refusal};

/// Whether the column that the action is about is one that can't take it.
pub(super) fn refusal(on: On<'_>) -> Option<Refusal> {
    of_typed(on).or_else(|| of_partition_key(on)).or_else(|| of_state(on))
}

fn of_typed(on: On<'_>) -> Option<Refusal> {
    let of = on.table.of_type.as_ref()?;
    let words = match &on.action.kind {
        ActionKind::AddColumn { .. } => "cannot add column to typed table",
        ActionKind::DropColumn { .. } => "cannot drop column from typed table",
        ActionKind::SetType { .. } => "cannot alter column type of typed table",
        ActionKind::RenameColumn { .. } => "cannot rename column of typed table",
        _ => return None,
    };
    let help = format!(
        "-- ALTER TYPE {of} … CASCADE changes it; ALTER TABLE {} NOT OF makes it a table of its own",
        on.table.name
    );
    let why = format!("{} is a table OF {of}", on.table.name);
    Some(Refusal { help: Some(help), ..Refusal::new(why, words) })
}

fn of_partition_key(on: On<'_>) -> Option<Refusal> {
    let by = on.table.partition_by.as_ref()?;
    let (column, words) = match &on.action.kind {
        ActionKind::DropColumn { column, .. } => {
            (column, "cannot drop column because it is part of the partition key")
        }
        ActionKind::SetType { column, .. } => {
            (column, "cannot alter column because it is part of the partition key")
        }
        _ => return None,
    };
    let own = on.column(column)?;
    let names = |named: &Ident| named.value == own.name;
    by.keys.iter().any(|key| key.bare_column.as_ref().is_some_and(names)).then(|| {
        let why = format!("{} is partitioned by {}", on.table.name, quote_ident(&own.name));
        Refusal::new(why, words)
    })
}

/// What is there of a default, an identity, a NOT NULL.
fn of_state(on: On<'_>) -> Option<Refusal> {
    // Before 17 a partition has no identity of its parent's.
    let is_own = on.table.partition_of.is_none() && on.table.inherits.is_empty();
    let shown = |column: &Column| format!("{}.{}", on.table.name, quote_ident(&column.name));
    match &on.action.kind {
        ActionKind::DropNotNull { column } => {
            let own = on.column(column)?;
            let unmade = on.beside(|other| {
                matches!(
                    other,
                    ActionKind::DropConstraint { .. }
                        | ActionKind::DropColumn { .. }
                        | ActionKind::DropIdentity { .. }
                )
            });
            if unmade {
                return None;
            }
            if own.identity.is_some() && is_own {
                let help = format!(
                    "-- first\nALTER TABLE {} ALTER COLUMN {} DROP IDENTITY;",
                    on.table.name,
                    quote_ident(&own.name)
                );
                let why = format!("{} is GENERATED AS IDENTITY", shown(own));
                return Some(Refusal {
                    help: Some(help),
                    ..Refusal::new(why, "column is an identity column")
                });
            }
            let key = on.table.primary_key()?;
            let ConstraintDetail::PrimaryKey { columns, .. } = &key.detail else { return None };
            columns.contains(&own.name).then(|| {
                Refusal::new(
                    format!("{} is in the primary key {}", shown(own), quote_ident(&key.name)),
                    "column is in a primary key",
                )
            })
        }
        ActionKind::SetDefault { column, .. } => {
            let own = on.column(column)?;
            let unmade = on.beside(|other| {
                matches!(
                    other,
                    ActionKind::DropIdentity { .. }
                        | ActionKind::DropExpression { .. }
                        | ActionKind::DropColumn { .. }
                )
            });
            if unmade || !is_own {
                None
            } else if own.identity.is_some() {
                Refusal::some(
                    format!("{} is GENERATED AS IDENTITY", shown(own)),
                    "column is an identity column",
                )
            } else if own.generated.is_some() {
                Refusal::some(
                    format!("{} is generated from other columns", shown(own)),
                    "column is a generated column",
                )
            } else {
                None
            }
        }
        ActionKind::SetOptions { options, reset: false }
            if on.table.is_partitioned() && options.iter().any(|it| !it.name.starts_with("toast.")) =>
        {
            Refusal::some(
                format!("{} is partitioned, and stores nothing", on.table.name),
                if on.cx.options.version < 17 {
                    "unrecognized parameter"
                } else {
                    "cannot specify storage parameters for a partitioned table"
                },
            )
        }
        ActionKind::AddIdentity { column, .. } => add_identity(on, column, is_own),
        ActionKind::AlterIdentity { column, .. } | ActionKind::DropIdentity { column, if_exists: false } => {
            let own = on.column(column)?;
            let made = on.beside(|other| matches!(other, ActionKind::AddIdentity { .. }));
            (own.identity.is_none() && !made).then(|| {
                Refusal::new(
                    format!("{} isn't GENERATED AS IDENTITY", shown(own)),
                    "column is not an identity column",
                )
            })
        }
        _ => None,
    }
}

fn add_identity(on: On<'_>, column: &Ident, is_own: bool) -> Option<Refusal> {
    let own = on.column(column)?;
    let shown = format!("{}.{}", on.table.name, quote_ident(&own.name));
    // Another action may give it NOT NULL, or take its default.
    if !is_own || on.beside(|other| !matches!(other, ActionKind::AddIdentity { .. })) {
        return None;
    }
    if own.identity.is_some() {
        return Refusal::some(
            format!("{shown} is GENERATED AS IDENTITY already"),
            "column is already an identity column",
        );
    }
    let of_domain =
        on.cx.before.type_of(&own.type_name).is_some_and(|known| matches!(known.kind, TypeKind::Domain(_)));
    if of_domain {
        return None;
    }
    let first = |action: &str| {
        let column = quote_ident(&own.name);
        Some(format!("-- first\nALTER TABLE {} ALTER COLUMN {column} {action};", on.table.name))
    };
    if !own.not_null {
        let why = format!("{shown} may be NULL");
        let words = "column must be declared NOT NULL before identity can be added";
        return Some(Refusal { help: first("SET NOT NULL"), ..Refusal::new(why, words) });
    }
    own.default.as_ref().map(|_| {
        let why = format!("{shown} has a default");
        Refusal { help: first("DROP DEFAULT"), ..Refusal::new(why, "column already has a default value") }
    })
}
