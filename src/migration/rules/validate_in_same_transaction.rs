//! VALIDATE CONSTRAINT in the transaction that added the constraint NOT VALID.

use crate::migration::catalog::{Born, QName};
use crate::migration::statement::{Action, ActionKind, AlterTable, Body, Ident, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "validate_in_same_transaction",
    page: migration_page!("validate_in_same_transaction"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    for (action, table, name) in validated_here(context) {
        let said = sink.say(
            action.span,
            format!(
                "{} was added in this same transaction, whose strong lock on {} is still held while VALIDATE reads every row: NOT VALID was for \
                 nothing",
                quote_ident(name.as_str()),
                context.sized(&table)
            ),
        );
        said.help(format!(
            "-- in another transaction: the next migration, or after COMMIT\n\
             ALTER TABLE {table} VALIDATE CONSTRAINT {};",
            quote_ident(name.as_str())
        ));
        if matches!(&context.statement.body, Body::AlterTable(alter) if added_by(alter, name)) {
            said.unfixed("one ALTER TABLE both adds and validates it: put VALIDATE into the next migration");
        } else {
            context.mend_switch(said);
        }
    }
}

/// The VALIDATE CONSTRAINTs of a statement whose constraint the open transaction itself added, on heavy tables.
pub(super) fn validated_here<'a>(context: &StatementContext<'a>) -> Vec<(&'a Action, QName, &'a Ident)> {
    let Body::AlterTable(alter) = &context.statement.body else { return Vec::new() };
    let table = context.resolve(&alter.name);
    if !context.heavy(&table) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for action in &alter.actions {
        let ActionKind::ValidateConstraint { name } = &action.kind else { continue };
        if added_by(alter, name) || added_in_transaction(context, &table, name) {
            found.push((action, table.clone(), name));
        }
    }
    found
}

/// Whether the same ALTER TABLE adds the constraint.
fn added_by(alter: &AlterTable, name: &Ident) -> bool {
    alter.actions.iter().any(|action| match &action.kind {
        ActionKind::AddConstraint(constraint) => constraint.name.as_ref() == Some(name),
        _ => false,
    })
}

fn added_in_transaction(context: &StatementContext<'_>, table: &QName, name: &Ident) -> bool {
    let Some(constraint) = context.before.relation(table).and_then(|known| known.constraint(name.as_str()))
    else {
        return false;
    };
    context.in_transaction() == Some(true)
        && !constraint.validated
        && matches!(constraint.born, Born::Here { transaction, .. } if transaction == context.session.transaction)
}
