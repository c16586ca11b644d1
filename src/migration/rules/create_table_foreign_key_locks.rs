//! A new table's foreign key on a table in use, with nothing to end the waiting for its lock.

use crate::migration::catalog::QName;
use crate::migration::statement::{Body, ConstraintKind};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "create_table_foreign_key_locks",
    page: migration_page!("create_table_foreign_key_locks"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateTable(create) = &context.statement.body else { return };
    let table = context.resolve(&create.name);
    if context.waits_end() || create.if_not_exists && context.before.relation(&table).is_some() {
        return;
    }
    let columns = create.columns.iter().flat_map(|column| &column.constraints);
    let mut targets: Vec<QName> = Vec::new();
    let mut first = None;
    for constraint in columns.chain(&create.constraints) {
        let ConstraintKind::ForeignKey(key) = &constraint.kind else { continue };
        let target = context.resolve(&key.target);
        if target == table || targets.contains(&target) || !context.may_be_used(&target) {
            continue;
        }
        first.get_or_insert(constraint.span);
        targets.push(target);
    }
    let Some(span) = first else { return };
    sink.say(
        span,
        format!(
            "the foreign key of the new table {table} takes SHARE ROW EXCLUSIVE on {}: while it waits for open transactions there, all writes \
             wait behind it, and no lock_timeout ends that",
            joined(&targets)
        ),
    )
    .help("SET lock_timeout = '2s'; -- before the statement; then run the migration again until it gets through");
}
