//! ADD COLUMN that writes a table in use anew.

use crate::migration::catalog::QName;
use crate::migration::effects::RewriteReason;
use crate::migration::statement::{
    ActionKind, Body, ColumnDefinition, Constraint, ConstraintKind, quote_ident,
};

use super::add_foreign_key_validates::{definition, stages};
use super::add_unique_builds_index::steps;
use super::rename_column::written;
use super::{Check, Rule, Sink, StatementContext, plans};

pub static RULE: Rule = Rule {
    code: "add_column_rewrites",
    page: migration_page!("add_column_rewrites"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterTable(alter) = &context.statement.body else { return };
    let table = context.resolve(&alter.name);
    let mut told = Vec::new();
    for rewrite in &context.effects.rewrites {
        let why = match &rewrite.reason {
            RewriteReason::VolatileDefault { function: Some(function), .. } => {
                format!("{}() gives each row another value", function.trim_end_matches("()"))
            }
            RewriteReason::VolatileDefault { .. } => "its default must be computed for each row".to_owned(),
            RewriteReason::Serial { .. } => "serial numbers each row".to_owned(),
            RewriteReason::Identity { .. } => "an identity column numbers each row".to_owned(),
            RewriteReason::StoredGenerated { .. } => {
                "a stored generated column is computed for each row".to_owned()
            }
            RewriteReason::ConstrainedDomain { domain, .. } => {
                format!("the condition of the domain {domain} must be checked for each row")
            }
            _ => continue,
        };
        if told.contains(&rewrite.span) || !context.heavy(&rewrite.relation) {
            continue;
        }
        told.push(rewrite.span);
        let column =
            alter.actions.iter().find(|action| action.span == rewrite.span).and_then(|action| match &action
                .kind
            {
                ActionKind::AddColumn { column, .. } => Some(column.as_ref()),
                _ => None,
            });
        let said = sink.say(
            rewrite.span,
            format!(
                "{why}, so {} and its indexes are written anew under ACCESS EXCLUSIVE: reads and writes wait until that is done",
                context.sized(&rewrite.relation)
            ),
        );
        if let Some(column) = column {
            said.help(plan(context, &rewrite.reason, column, &table));
        }
    }
}

fn plan(
    context: &StatementContext<'_>,
    reason: &RewriteReason,
    column: &ColumnDefinition,
    table: &QName,
) -> String {
    let name = quote_ident(column.name.as_str());
    let text = |span| if context.verbatim() { context.sql(span) } else { "…" };
    let type_name = column.type_name.as_ref().map_or("…", |written| text(written.span));
    // A value that can be NULL would be filled in again and again: then by the key.
    let fill = |value: &str| {
        let assignment = format!("{name} = {value}");
        let by_key = matches!(reason, RewriteReason::StoredGenerated { .. })
            .then(|| plans::walk(plans::Rows::of(context.before, table), &assignment, None))
            .flatten();
        by_key.unwrap_or_else(|| {
            plans::backfill(context.before, table, &assignment, &format!("{name} IS NULL"))
        })
    };
    let not_null =
        column.constraints.iter().any(|constraint| matches!(constraint.kind, ConstraintKind::NotNull { .. }))
            || column.constraints.iter().any(|c| matches!(c.kind, ConstraintKind::PrimaryKey(_)))
            || matches!(reason, RewriteReason::Serial { .. } | RewriteReason::Identity { .. });
    let mut sql = match reason {
        RewriteReason::Serial { .. } | RewriteReason::Identity { .. } => {
            let integer = match type_name.to_ascii_lowercase().as_str() {
                "serial" | "serial4" => "integer".to_owned(),
                "smallserial" | "serial2" => "smallint".to_owned(),
                "bigserial" | "serial8" => "bigint".to_owned(),
                other => other.to_owned(),
            };
            let sequence = QName {
                schema: table.schema.clone(),
                name: context.before.choose_name(table, column.name.as_str(), "seq"),
            };
            let literal = sequence.to_string().replace('\'', "''");
            format!(
                "ALTER TABLE {table} ADD COLUMN {name} {integer};\n\
                 CREATE SEQUENCE {sequence} AS {integer} OWNED BY {table}.{name};\n\
                 ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT nextval('{literal}');\n\
                 -- next migration, outside a transaction\n{}",
                fill(&format!("nextval('{literal}')"))
            )
        }
        RewriteReason::StoredGenerated { .. } => {
            let expression = column
                .constraints
                .iter()
                .find_map(|constraint| match &constraint.kind {
                    ConstraintKind::Generated { expr, .. } => Some(text(expr.span)),
                    _ => None,
                })
                .unwrap_or("…");
            let virtual_too = if context.options.oldest() >= 18 {
                format!(
                    "-- stored nowhere, computed when read: no rewrite\n\
                     ALTER TABLE {table} ADD COLUMN {name} {type_name} GENERATED ALWAYS AS ({expression}) VIRTUAL;\n\
                     -- or an ordinary column that a trigger fills:\n"
                )
            } else {
                "-- an ordinary column that a trigger fills:\n".to_owned()
            };
            format!(
                "{virtual_too}ALTER TABLE {table} ADD COLUMN {name} {type_name};\n\
                 -- CREATE TRIGGER … BEFORE INSERT OR UPDATE: NEW.{name} := …\n\
                 -- next migration, outside a transaction\n{}",
                fill(&format!("({expression})"))
            )
        }
        RewriteReason::ConstrainedDomain { domain, .. } => {
            let of = column.type_name.as_ref().and_then(|name| context.before.domains_of(name));
            let base = of.map_or_else(|| "…".to_owned(), |of| written(&of.base));
            return format!(
                "-- the domain's base type, and its condition as a CHECK that is validated afterwards\n\
                 ALTER TABLE {table} ADD COLUMN {name} {base}; -- what {domain} is made of\n\
                 ALTER TABLE {table} ADD CONSTRAINT {} CHECK (…) NOT VALID;\n\
                 -- next migration\n\
                 ALTER TABLE {table} VALIDATE CONSTRAINT {};",
                plans::named(context.before, table, column.name.as_str(), "check"),
                plans::named(context.before, table, column.name.as_str(), "check"),
            );
        }
        _ => {
            let default = column
                .constraints
                .iter()
                .find_map(|constraint| match &constraint.kind {
                    ConstraintKind::Default(expr) => Some(text(expr.span)),
                    _ => None,
                })
                .unwrap_or("…");
            format!(
                "ALTER TABLE {table} ADD COLUMN {name} {type_name};\n\
                 ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {default};\n\
                 -- next migration, outside a transaction\n{}",
                fill(default)
            )
        }
    };
    if not_null {
        sql.push_str("\n-- when all rows are filled\n");
        sql.push_str(&plans::set_not_null(
            context.before,
            table,
            column.name.as_str(),
            context.options.oldest(),
        ));
    }
    for constraint in &column.constraints {
        sql.push_str(&constrained(context, column, constraint, table));
    }
    sql
}

/// What else ADD COLUMN says of the column, as statements behind the others.
fn constrained(
    context: &StatementContext<'_>,
    column: &ColumnDefinition,
    constraint: &Constraint,
    table: &QName,
) -> String {
    let name = quote_ident(column.name.as_str());
    let text = |span| if context.verbatim() { context.sql(span) } else { "…" };
    let named = |label: &str| match &constraint.name {
        Some(name) => quote_ident(name.as_str()).into_owned(),
        None => plans::named(context.before, table, column.name.as_str(), label),
    };
    match &constraint.kind {
        ConstraintKind::Identity { always, .. } => {
            let written = text(constraint.span);
            let generated = match written.get(.."generated".len()) {
                Some(word) if word.eq_ignore_ascii_case("generated") => written.to_owned(),
                _ => format!("GENERATED {} AS IDENTITY", if *always { "ALWAYS" } else { "BY DEFAULT" }),
            };
            let sequence = QName {
                schema: table.schema.clone(),
                name: context.before.choose_name(table, column.name.as_str(), "seq"),
            };
            let literal = |text: &str| text.replace('\'', "''");
            format!(
                "\n-- then the numbers are the identity's\n\
                 BEGIN;\n\
                 SET LOCAL lock_timeout = '2s';\n\
                 ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT;\n\
                 DROP SEQUENCE {sequence};\n\
                 ALTER TABLE {table} ALTER COLUMN {name} ADD {generated};\n\
                 SELECT setval(pg_get_serial_sequence('{}', '{}'), max({name})) FROM {table};\n\
                 COMMIT;",
                literal(&table.to_string()),
                literal(column.name.as_str())
            )
        }
        ConstraintKind::Unique(index) => {
            format!("\n-- outside a transaction\n{}", steps(context, constraint, index, table, "UNIQUE"))
        }
        ConstraintKind::PrimaryKey(index) => {
            format!("\n-- outside a transaction\n{}", steps(context, constraint, index, table, "PRIMARY KEY"))
        }
        ConstraintKind::Check(condition) => {
            let check = named("check");
            format!(
                "\nALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({}) NOT VALID;\n\
                 -- next migration\n\
                 ALTER TABLE {table} VALIDATE CONSTRAINT {check};",
                text(condition.span)
            )
        }
        ConstraintKind::ForeignKey(key) => {
            let definition = definition(context, constraint, key);
            format!(
                "\n{}",
                stages(context.before, table, &named("fkey"), &definition, "", context.options.oldest())
            )
        }
        _ => String::new(),
    }
}
