//! What only a whole family of tables may do: a child keeps what it has from its parent, a parent tells its children.

use crate::migration::catalog::{Catalog, Constraint, ConstraintDetail, QName, Relation, naming};
use crate::migration::statement::{ActionKind, ConstraintKind, Ident, quote_ident};

use super::{On, Refusal};

/// Whether the action is one that the whole family has to do.
pub(super) fn refusal(on: On<'_>) -> Option<Refusal> {
    match &on.action.kind {
        ActionKind::AddColumn { column, if_not_exists } => {
            // Before IF NOT EXISTS is looked at.
            if let Some(of) = &on.table.partition_of {
                let why = format!("{} is a partition of {}, and has its columns", on.table.name, of.parent);
                return Some(on_parent(on, why, "cannot add column to a partition", &of.parent));
            }
            let is_there = *if_not_exists && on.column(&column.name).is_some();
            (on.leaves_children_out() && !is_there)
                .then(|| to_children(on, "column must be added to child tables too"))
        }
        ActionKind::DropColumn { column, .. } => of_parent(on, column, "cannot drop inherited column")
            .or_else(|| {
                let is_refused = on.table.is_partitioned() && on.leaves_children_out();
                (is_refused && on.column(column).is_some()).then(|| {
                    to_children(
                        on,
                        "cannot drop column from only the partitioned table when partitions exist",
                    )
                })
            }),
        ActionKind::SetType { column, .. } => {
            of_parent(on, column, "cannot alter inherited column").or_else(|| {
                of_children(on, column, "type of inherited column must be changed in child tables too")
            })
        }
        ActionKind::RenameColumn { column, .. } => of_parent(on, column, "cannot rename inherited column")
            .or_else(|| of_children(on, column, "inherited column must be renamed in child tables too")),
        ActionKind::DropExpression { column, .. } => {
            of_parent(on, column, "cannot drop generation expression from inherited column").or_else(|| {
                of_children(on, column, "ALTER TABLE / DROP EXPRESSION must be applied to child tables too")
            })
        }
        ActionKind::DropNotNull { column } => {
            let of = on.table.partition_of.as_ref()?;
            let own = on.column(column)?;
            let above = whole(on.cx.before, &of.parent)?.column(&own.name)?;
            above.not_null.then(|| {
                let why = format!("{} is NOT NULL in {}", quote_ident(&own.name), of.parent);
                Refusal::new(why, "column is marked NOT NULL in parent table")
            })
        }
        ActionKind::DropConstraint { name, .. } => {
            constraint_of_parent(on, name, false, "cannot drop inherited constraint")
        }
        ActionKind::RenameConstraint { name, .. } => {
            constraint_of_parent(on, name, true, "cannot rename inherited constraint").or_else(|| {
                let own = on.table.constraint(naming::cut(name.as_str()))?;
                let is_check = matches!(own.detail, ConstraintDetail::Check { .. }) && !own.no_inherit;
                (is_check && on.leaves_children_out())
                    .then(|| to_children(on, "inherited constraint must be renamed in child tables too"))
            })
        }
        ActionKind::AddConstraint(constraint) => match &constraint.kind {
            ConstraintKind::Check(_) if constraint.no_inherit && on.table.is_partitioned() => Refusal::some(
                format!("{} is partitioned", on.table.name),
                "cannot add NO INHERIT constraint to partitioned table",
            ),
            ConstraintKind::Check(_) if !constraint.no_inherit && on.leaves_children_out() => {
                Some(to_children(on, "constraint must be added to child tables too"))
            }
            ConstraintKind::ForeignKey(_) if on.alter.only && on.table.is_partitioned() => Refusal::some(
                format!("{} is partitioned", on.table.name),
                "cannot use ONLY for foreign key on partitioned table",
            ),
            _ => None,
        },
        _ => None,
    }
}

/// A relation of which all columns are known.
fn whole<'a>(catalog: &'a Catalog, name: &QName) -> Option<&'a Relation> {
    catalog.relation(name).filter(|known| known.columns_known)
}

/// What a table is a partition of, or inherits from.
fn parents(of: &Relation) -> impl Iterator<Item = &QName> {
    of.partition_of.iter().map(|of| &of.parent).chain(&of.inherits)
}

/// A parent that has the column.
fn parent_with<'a>(catalog: &'a Catalog, table: &'a Relation, column: &str) -> Option<&'a Relation> {
    parents(table).filter_map(|name| whole(catalog, name)).find(|parent| parent.column(column).is_some())
}

fn of_parent(on: On<'_>, column: &Ident, words: &'static str) -> Option<Refusal> {
    let own = on.column(column)?;
    let mut top = parent_with(on.cx.before, on.table, &own.name)?;
    let why = format!("{} has {} from {}", on.table.name, quote_ident(&own.name), top.name);
    // The table that the column begins in; what inherits in a circle doesn't end.
    for _ in 0..32 {
        match parent_with(on.cx.before, top, &own.name) {
            Some(above) => top = above,
            None => break,
        }
    }
    Some(on_parent(on, why, words, &top.name))
}

/// Done to a child that shall be done to the parent.
fn on_parent(on: On<'_>, why: String, words: &'static str, parent: &QName) -> Refusal {
    let action = on.cx.sql(on.action.span);
    let help = format!("-- in all of its children\nALTER TABLE {parent} {action};");
    Refusal { help: Some(help), ..Refusal::new(why, words) }
}

fn of_children(on: On<'_>, column: &Ident, words: &'static str) -> Option<Refusal> {
    (on.column(column).is_some() && on.leaves_children_out()).then(|| to_children(on, words))
}

/// Done to a parent only.
fn to_children(on: On<'_>, words: &'static str) -> Refusal {
    let noun = if on.table.is_partitioned() { "partitions" } else { "children" };
    let why = format!("{} has {noun}, which ONLY leaves out", on.table.name);
    let help = format!("ALTER TABLE {} {};", on.table.name, on.cx.sql(on.action.span));
    Refusal { help: Some(help), ..Refusal::new(why, words) }
}

/// `check_only`: other constraints than CHECK may be called otherwise than the parent's.
fn constraint_of_parent(on: On<'_>, name: &Ident, check_only: bool, words: &'static str) -> Option<Refusal> {
    let own = on.table.constraint(naming::cut(name.as_str()))?;
    let above = match &own.detail {
        ConstraintDetail::Check { .. } => {
            let has_it = |parent: &&Relation| {
                parent.constraint(&own.name).is_some_and(|above| {
                    matches!(above.detail, ConstraintDetail::Check { .. }) && !above.no_inherit
                })
            };
            parents(on.table).filter_map(|parent| whole(on.cx.before, parent)).find(has_it)?
        }
        _ if check_only => return None,
        ConstraintDetail::PrimaryKey { index, .. } | ConstraintDetail::Unique { index, .. } => {
            let parent = whole(on.cx.before, &on.table.partition_of.as_ref()?.parent)?;
            let part_of = on.table.index(index)?.part_of.as_ref()?;
            parent.index(part_of).filter(|above| above.constraint.is_some() && above.valid)?;
            parent
        }
        ConstraintDetail::ForeignKey { .. } => {
            let parent = whole(on.cx.before, &on.table.partition_of.as_ref()?.parent)?;
            parent.constraint(&own.name).filter(|above| are_one(above, own))?;
            parent
        }
        _ => return None,
    };
    let why = format!("{} has {} from {}", on.table.name, quote_ident(&own.name), above.name);
    Some(Refusal::new(why, words))
}

/// Whether a partition's foreign key is its part of the partitioned table's.
fn are_one(above: &Constraint, own: &Constraint) -> bool {
    let of = |constraint: &Constraint| match &constraint.detail {
        ConstraintDetail::ForeignKey { columns, target, target_columns, on_delete, on_update } => {
            Some((columns.clone(), target.clone(), target_columns.clone(), *on_delete, *on_update))
        }
        _ => None,
    };
    of(above).is_some()
        && of(above) == of(own)
        && (above.deferrable, above.validated, above.enforced)
            == (own.deferrable, own.validated, own.enforced)
}
