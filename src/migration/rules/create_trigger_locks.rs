//! CREATE TRIGGER on a table in use, with nothing to end the waiting for its lock.

use crate::migration::catalog::RelationKind;
use crate::migration::statement::Body;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "create_trigger_locks",
    page: migration_page!("create_trigger_locks"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateTrigger(create) = &context.statement.body else { return };
    let table = context.resolve(&create.table);
    let is_view = context.before.relation(&table).is_some_and(|known| known.kind == RelationKind::View);
    if context.waits_end() || is_view || !context.may_be_used(&table) {
        return;
    }
    sink.say(
        context.statement.span,
        format!(
            "CREATE TRIGGER takes SHARE ROW EXCLUSIVE on {table}: while it waits for open transactions there, all writes wait behind it, and no \
             lock_timeout ends that"
        ),
    )
    .help("SET lock_timeout = '2s'; -- before the statement; then run the migration again until it gets through");
}
