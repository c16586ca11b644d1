//! SET NOT NULL that reads a table in use.

use crate::finding::{Applicability, Edit};
use crate::migration::catalog::{Constraint, ConstraintDetail, QName};
use crate::migration::effects::ScanReason;
use crate::migration::fix::place;
use crate::migration::statement::{Action, ActionKind, AlterTable, Body, ConstraintKind, Ident, quote_ident};

use super::drop_constraint::says_not_null;
use super::outside::Becomes;
use super::{Check, Mend, Rule, Said, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "set_not_null_scans",
    page: migration_page!("set_not_null_scans"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterTable(alter) = &context.statement.body else { return };
    let table = context.resolve(&alter.name);
    for action in &alter.actions {
        let column = match &action.kind {
            ActionKind::SetNotNull { column } => column,
            ActionKind::AddConstraint(constraint) => match &constraint.kind {
                ConstraintKind::NotNull { column } => column,
                _ => continue,
            },
            // Only a virtual column has values to be read; without a value, NOT NULL can't hold at all.
            ActionKind::AddColumn { column, .. }
                if column
                    .constraints
                    .iter()
                    .any(|c| matches!(c.kind, ConstraintKind::Generated { stored: false, .. })) =>
            {
                &column.name
            }
            _ => continue,
        };
        let reads = context
            .scans_at(action.span)
            .any(|scan| matches!(&scan.reason, ScanReason::NotNull { .. }) && context.heavy(&scan.relation));
        if !reads {
            continue;
        }
        // A proof that this very statement drops is no proof: drops come first.
        let dropped = alter.actions.iter().find_map(|other| match &other.kind {
            ActionKind::DropConstraint { name, .. } => context
                .before
                .relation(&table)
                .and_then(|known| known.constraint(name.as_str()))
                .filter(|check| check.validated && mentions_null(check, column))
                .map(|_| name.as_str()),
            _ => None,
        });
        let said = sink.say(
            action.span,
            format!(
                "every row of {} is read under ACCESS EXCLUSIVE to see that {} is never NULL: reads and writes wait until that is done",
                context.sized(&table),
                quote_ident(column.as_str())
            ),
        );
        said.help(match (dropped, waiting_check(context, &table, column)) {
            (Some(name), _) => format!(
                "-- in one ALTER TABLE the constraint is dropped first, and proves nothing any more\n\
                 ALTER TABLE {table} ALTER COLUMN {} SET NOT NULL;\n\
                 ALTER TABLE {table} DROP CONSTRAINT {};",
                quote_ident(column.as_str()),
                quote_ident(name)
            ),
            (None, Some(name)) => format!(
                "ALTER TABLE {table} VALIDATE CONSTRAINT {name};\n\
                 -- next migration; no scan behind the validated CHECK (12 and later)\n\
                 ALTER TABLE {table} ALTER COLUMN {} SET NOT NULL;\n\
                 ALTER TABLE {table} DROP CONSTRAINT {name};",
                quote_ident(column.as_str())
            ),
            (None, None) => {
                plans::set_not_null(context.before, &table, column.as_str(), context.options.oldest())
            }
        });
        if dropped.is_some() {
            said.unfixed("the same ALTER TABLE drops the CHECK that would prove it: the help has the order");
        } else {
            mend(context, said, alter, action, &table, column);
        }
    }
}

/// The steps of the help as edits: a CHECK that is validated by itself; from 18 on NOT NULL itself NOT VALID.
fn mend(
    context: &StatementContext<'_>,
    said: &mut Said,
    alter: &AlterTable,
    action: &Action,
    table: &QName,
    column: &Ident,
) {
    if !context.verbatim() {
        return;
    }
    let title = "check the column while others work, then make it NOT NULL";
    let if_exists = if alter.if_exists { "IF EXISTS " } else { "" };
    let statement = context.statement.span;
    let several = alter.actions.len() > 1;
    if let (Some(name), ActionKind::SetNotNull { .. }) = (waiting_check(context, table, column), &action.kind)
    {
        let validate = format!("ALTER TABLE {if_exists}{table} VALIDATE CONSTRAINT {name};");
        let edits = vec![place::before(context.text, statement, &validate)];
        context.mend_outside(said, "validate the CHECK first", edits, Becomes::Several);
        if let Some(Mend::Fix(fix)) = &mut said.fix {
            fix.applicability = Applicability::Unsafe;
            fix.note.get_or_insert_with(|| format!("{name} stays, valid from then on"));
        }
        return;
    }
    let known = context.before.relation(table);
    let inherited = known.is_some_and(|known| known.is_partitioned() || known.partition_of.is_some())
        || context.before.has_children(table);
    let name = plans::named(context.before, table, column.as_str(), "not_null");
    let quoted = quote_ident(column.as_str());
    match &action.kind {
        _ if inherited => {
            said.unfixed("the table has partitions or children, each of which needs the steps of the help");
        }
        ActionKind::AddConstraint(constraint)
            if context.options.version >= 18 && constraint.name.is_some() =>
        {
            let Some(name) = &constraint.name else { return };
            let validate =
                format!("ALTER TABLE {if_exists}{table} VALIDATE CONSTRAINT {};", quote_ident(name.as_str()));
            let mut edits = context.insertion(action.span, " NOT VALID");
            join(&mut edits, place::after(context.text, statement, &validate));
            context.mend_outside(said, title, edits, Becomes::Several);
        }
        ActionKind::SetNotNull { .. } if context.options.oldest() >= 18 => {
            let text = format!("ADD CONSTRAINT {name} NOT NULL {quoted} NOT VALID");
            let mut edits = vec![Edit { start: action.span.start, end: action.span.end, text }];
            let validate = format!("ALTER TABLE {if_exists}{table} VALIDATE CONSTRAINT {name};");
            join(&mut edits, place::after(context.text, statement, &validate));
            context.mend_outside(said, title, edits, Becomes::Several);
        }
        ActionKind::SetNotNull { .. } if several => {
            said.unfixed(
                "the ALTER TABLE does other things as well: put SET NOT NULL into a statement of its own",
            );
        }
        ActionKind::SetNotNull { .. } => {
            let first = format!(
                "ALTER TABLE {if_exists}{table} ADD CONSTRAINT {name} CHECK ({quoted} IS NOT NULL) NOT VALID;\n\
                 ALTER TABLE {if_exists}{table} VALIDATE CONSTRAINT {name};"
            );
            let last = format!("ALTER TABLE {if_exists}{table} DROP CONSTRAINT {name};");
            let mut edits = vec![place::before(context.text, statement, &first)];
            edits.extend(place::after(context.text, statement, &last));
            context.mend_outside(said, title, edits, Becomes::Several);
        }
        _ => {}
    }
}

/// Adds an edit, to the text of the last one where both go to the same place.
fn join(edits: &mut Vec<Edit>, other: Option<Edit>) {
    match (edits.last_mut(), other) {
        (Some(last), Some(other)) if last.end == other.start && other.end == other.start => {
            last.text.push_str(&other.text);
        }
        (_, Some(other)) => edits.push(other),
        (_, None) => edits.clear(),
    }
}

/// A CHECK that says the same and only waits to be validated.
fn waiting_check(context: &StatementContext<'_>, table: &QName, column: &Ident) -> Option<String> {
    let known = context.before.relation(table)?;
    let waits = |constraint: &&Constraint| {
        !constraint.validated && constraint.enforced && forbids_null(constraint, column)
    };
    let found = known.constraints.about(column.as_str()).find(waits)?;
    Some(quote_ident(&found.name).into_owned())
}

/// Whether a constraint is a CHECK that may say that the column isn't NULL, among other things.
fn mentions_null(constraint: &Constraint, column: &Ident) -> bool {
    matches!(&constraint.detail, ConstraintDetail::Check { expr, text }
        if expr.columns.contains(column) && text.to_ascii_lowercase().contains("not null"))
}

/// Whether a constraint is a CHECK that says no more than that the column isn't NULL.
fn forbids_null(constraint: &Constraint, column: &Ident) -> bool {
    matches!(&constraint.detail, ConstraintDetail::Check { expr, text }
        if expr.columns.as_slice() == std::slice::from_ref(column) && says_not_null(text))
}
