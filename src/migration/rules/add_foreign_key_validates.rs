//! ADD FOREIGN KEY without NOT VALID on a table in use.

use compact_str::CompactString;

use crate::migration::catalog::{Catalog, QName};
use crate::migration::effects::ScanReason;
use crate::migration::statement::{
    Action, ActionKind, AlterTable, Body, Constraint, ConstraintKind, ForeignKey, Ident, quote_ident,
};

use super::create_index_on_partitioned_table::{SHOWN, leaves};
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
        let validates = context.scans_at(action.span).any(|scan| {
            matches!(scan.reason, ScanReason::ForeignKey { referencing: true, .. })
                && context.heavy(&scan.relation)
        });
        let Some((constraint, key)) = foreign_key(action).filter(|_| validates) else { continue };
        let target = context.resolve(&key.target);
        let both =
            // Nobody writes to a target that is new.
            if target == table || !context.may_be_used(&target) {
                format!("{table} wait")
            } else {
                format!("both {table} and {target} wait")
            };
        let said = sink.say(
            action.span,
            format!(
                "every row of {} is looked up in {target} under SHARE ROW EXCLUSIVE: writes to {both} until that is done",
                context.sized(&table)
            ),
        );
        let (help, name, definition) = plan(context, alter, action, constraint, key, &table);
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
) -> (String, CompactString, String) {
    let columns: Vec<&str> = key.columns.iter().map(|column| column.as_str()).collect();
    let name = constraint.name.as_ref().map_or_else(
        || context.before.choose_name(table, &columns.join("_"), "fkey"),
        |name| name.value.clone(),
    );
    let chosen = name;
    let name = quote_ident(&chosen);
    let definition = definition(context, constraint, key);
    let only = if alter.only { "ONLY " } else { "" };
    let first = match &action.kind {
        ActionKind::AddColumn { .. } => context.column_without(table, action.span, constraint.span),
        _ => String::new(),
    };
    let stages = stages(context.before, table, &name, &definition, only, context.options.oldest());
    (format!("{first}{stages}"), chosen, definition)
}

/// The foreign key as a table constraint without its name.
pub(super) fn definition(
    context: &StatementContext<'_>,
    constraint: &Constraint,
    key: &ForeignKey,
) -> String {
    let list =
        |columns: &[Ident]| columns.iter().map(|c| quote_ident(c.as_str())).collect::<Vec<_>>().join(", ");
    let target = context.resolve(&key.target);
    let mut definition = format!("FOREIGN KEY ({}) REFERENCES {target}", list(&key.columns));
    if !key.target_columns.is_empty() {
        definition.push_str(&format!(" ({})", list(&key.target_columns)));
    }
    if key.match_type == Some("full") {
        definition.push_str(" MATCH FULL");
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
    definition
}

/// A foreign key added without looking rows up, and validated while others work. `name` and `definition` as SQL writes them.
pub(super) fn stages(
    catalog: &Catalog,
    table: &QName,
    name: &str,
    definition: &str,
    only: &str,
    version: u16,
) -> String {
    let partitioned = catalog.relation(table).is_some_and(|known| known.is_partitioned());
    if !partitioned || version >= 18 {
        return format!(
            "ALTER TABLE {only}{table} ADD CONSTRAINT {name} {definition} NOT VALID;\n\
             -- next migration (another transaction): reads every row, blocks nobody\n\
             ALTER TABLE {table} VALIDATE CONSTRAINT {name};"
        );
    }
    let partitions = leaves(catalog, table);
    let shown: Vec<String> = match partitions.len() {
        0 => vec!["partition".to_owned()],
        1..=SHOWN => partitions.iter().map(QName::to_string).collect(),
        _ => partitions.iter().take(SHOWN - 1).map(QName::to_string).collect(),
    };
    let more = match partitions.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!("-- and so for {more} more partitions\n"),
    };
    let each = |sql: &dyn Fn(&String) -> String| shown.iter().map(sql).collect::<String>();
    format!(
        "-- before PostgreSQL 18 a partitioned table takes no NOT VALID: first on each partition,\n\
         {}{more}\
         -- next migration\n\
         {}{more}\
         -- then on the parent, which takes over the partitions' keys and checks nothing\n\
         ALTER TABLE {table} ADD CONSTRAINT {name} {definition};",
        each(&|partition| format!("ALTER TABLE {partition} ADD CONSTRAINT {name} {definition} NOT VALID;\n")),
        each(&|partition| format!("ALTER TABLE {partition} VALIDATE CONSTRAINT {name};\n")),
    )
}
