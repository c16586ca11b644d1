//! ADD FOREIGN KEY without NOT VALID on a table in use.

use compact_str::CompactString;

use crate::migration::catalog::{QName, naming};
use crate::migration::effects::ScanReason;
use crate::migration::statement::{
    Action, ActionKind, AlterTable, Body, Constraint, ConstraintKind, ForeignKey, quote_ident,
};

use super::not_valid::OneConstraint;
use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "add_foreign_key_validates",
    page: migration_page!("add_foreign_key_validates"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterTable(alter) = &context.statement.body else { return };
    let table = context.resolve(&alter.name);
    for action in &alter.actions {
        let validates = context.effects.scans.iter().any(|scan| {
            scan.span == action.span
                && matches!(scan.reason, ScanReason::ForeignKey { referencing: true, .. })
                && context.heavy(&scan.relation)
        });
        let Some((constraint, key)) = foreign_key(action).filter(|_| validates) else { continue };
        let target = context.resolve(&key.target);
        let both =
            if target == table { format!("{table} wait") } else { format!("both {table} and {target} wait") };
        let said = sink.say(
            action.span,
            format!(
                "every row of {} is looked up in {target} under SHARE ROW EXCLUSIVE: writes to {both} until that is done",
                context.sized(&table)
            ),
        );
        let (help, name, definition) = plan(context, alter, action, constraint, key, &table, &target);
        said.help(help);
        let partitioned = context.before.relation(&table).is_some_and(|known| known.is_partitioned());
        if partitioned && context.options.oldest() < 18 {
            said.unfixed(
                "a partitioned table takes no NOT VALID before 18: the help has the way over the partitions",
            );
            continue;
        }
        let definition = format!("CONSTRAINT {} {definition} NOT VALID", quote_ident(&name));
        let one = OneConstraint { action, constraint, name: &name, table: &table, definition: &definition };
        context.mend_not_valid(said, "add the foreign key NOT VALID, then validate it", &one);
    }
}

/// The foreign key that an action adds.
fn foreign_key(action: &Action) -> Option<(&Constraint, &ForeignKey)> {
    action.added_constraints().iter().find_map(|constraint| match &constraint.kind {
        ConstraintKind::ForeignKey(key) => Some((constraint, key)),
        _ => None,
    })
}

fn plan(
    context: &StatementContext<'_>,
    alter: &AlterTable,
    action: &Action,
    constraint: &Constraint,
    key: &ForeignKey,
    table: &QName,
    target: &QName,
) -> (String, CompactString, String) {
    let columns: Vec<&str> = key.columns.iter().map(|column| column.as_str()).collect();
    let name = constraint.name.as_ref().map_or_else(
        || naming::choose(&table.name, &columns.join("_"), "fkey", |_| false),
        |name| name.value.clone(),
    );
    let chosen = name;
    let name = quote_ident(&chosen);
    let list =
        |columns: &[&str]| columns.iter().map(|column| quote_ident(column)).collect::<Vec<_>>().join(", ");
    let mut definition = format!("FOREIGN KEY ({}) REFERENCES {target}", list(&columns));
    let target_columns: Vec<&str> = key.target_columns.iter().map(|column| column.as_str()).collect();
    if !target_columns.is_empty() {
        definition.push_str(&format!(" ({})", list(&target_columns)));
    }
    for (clause, act) in [("ON DELETE", key.on_delete), ("ON UPDATE", key.on_update)] {
        if let Some(act) = act {
            definition.push_str(&format!(" {clause} {}", act.to_uppercase()));
        }
    }
    if constraint.initially_deferred == Some(true) {
        definition.push_str(" DEFERRABLE INITIALLY DEFERRED");
    } else if constraint.deferrable == Some(true) {
        definition.push_str(" DEFERRABLE");
    }
    let only = if alter.only { "ONLY " } else { "" };
    let partitioned = context.before.relation(table).is_some_and(|known| known.is_partitioned());
    if partitioned && context.options.oldest() < 18 {
        let help = format!(
            "-- before PostgreSQL 18 a partitioned table takes no NOT VALID: first on each partition,\n\
             ALTER TABLE partition ADD CONSTRAINT {name} {definition} NOT VALID;\n\
             -- next migration\n\
             ALTER TABLE partition VALIDATE CONSTRAINT {name};\n\
             -- then on the parent, which takes over the partitions' keys and checks nothing\n\
             ALTER TABLE {only}{table} ADD CONSTRAINT {name} {definition};"
        );
        return (help, chosen, definition);
    }
    let first = match &action.kind {
        ActionKind::AddColumn { .. } => context.column_without(table, action.span, constraint.span),
        _ => String::new(),
    };
    let help = format!(
        "{first}ALTER TABLE {only}{table} ADD CONSTRAINT {name} {definition} NOT VALID;\n\
         -- next migration (another transaction): reads every row, blocks nobody\n\
         ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    );
    (help, chosen, definition)
}
