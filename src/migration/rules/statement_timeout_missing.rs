//! Strong locks on relations in use while no statement_timeout is in force.

use crate::migration::session::Timeout;

use super::lock_timeout_missing::waited_for;
use super::{Check, MigrationContext, Rule, Sink};

pub static RULE: Rule = Rule {
    code: "statement_timeout_missing",
    page: migration_page!("statement_timeout_missing"),
    check: Check::Migration(check),
};

/// Told once for a migration, at the first statement.
fn check(context: &MigrationContext<'_>, sink: &mut Sink) {
    for record in context.records {
        if !matches!(record.statement_timeout, Timeout::Unset | Timeout::Off) {
            continue;
        }
        let Some(statement) = context.statements.get(record.index) else { continue };
        let locks = waited_for(statement, record);
        let Some((table, mode)) = locks.iter().max_by_key(|(_, mode)| *mode) else { continue };
        sink.say(
            record.span,
            format!("this takes {mode} on {table}, and no statement_timeout ends it if it takes longer than expected"),
        )
        .help("SET statement_timeout = '10s';\n-- before this statement; longer, or none, for CREATE INDEX CONCURRENTLY, VALIDATE and batches");
        return;
    }
}
