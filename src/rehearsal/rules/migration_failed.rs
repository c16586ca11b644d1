//! `migration_failed`: a pending migration fails on the data.

use super::{Rule, Sink, said};
use crate::migration::statement::quote_ident;
use crate::rehearsal::report::{COMMAND, Rehearsal, ServerError, ServerKind, Status};

/// The rule.
pub static RULE: Rule = Rule { code: "migration_failed", page: rehearsal_page!("migration_failed"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    // That one was stopped at a time limit another rule says.
    for run in report.migrations.iter().filter(|run| run.status != Status::Stopped) {
        let Some(statement) = run.statements.iter().find(|statement| statement.error.is_some()) else {
            if run.status == Status::Failed {
                let message = format!("{} did not run to its end", run.path);
                sink.of_file(&run.path, message, None);
            }
            continue;
        };
        let Some(error) = &statement.error else { continue };
        if statement.kind == COMMAND {
            sink.of_file(&run.path, format!("{}; what it had committed stays done", said(error)), None);
            continue;
        }
        let left = if statement.in_transaction {
            "what its transaction had done was rolled back"
        } else {
            "statements before it stay done: there is no transaction around them"
        };
        let message = format!("{} fails on this data: {}; {left}", statement.kind, said(error));
        sink.of_statement(statement, message, help(error, report.server.kind));
    }
}

/// What to do, by what the server said (manual, "PostgreSQL Error Codes").
fn help(error: &ServerError, server: ServerKind) -> Option<String> {
    let table = error.table.as_deref().unwrap_or("<table>");
    // `Key (email)=(ann@example.com) is duplicated.`
    let key = error
        .detail
        .as_deref()
        .and_then(|detail| detail.strip_prefix("Key (")?.split_once(")=").map(|(columns, _)| columns));
    let column = error.column.as_deref().map(quote_ident);
    let column = column.as_deref().or(key).unwrap_or("<column>");
    Some(match error.sqlstate.as_str() {
        "23505" => format!(
            "Find the duplicates and decide which row stays, in a migration of its own before this one:\n\
             SELECT {column}, count(*) FROM {table} GROUP BY {column} HAVING count(*) > 1;"
        ),
        "23502" => format!(
            "Fill the column in batches before this migration, then set NOT NULL; these are the rows:\n\
             SELECT count(*) FROM {table} WHERE {column} IS NULL;"
        ),
        "23503" => format!(
            "Find the rows of {table} that reference nothing, and delete or mend them before this migration; or add the constraint NOT VALID first."
        ),
        "23514" => format!("Find the rows of {table} that break the CHECK and mend them before; or add it NOT VALID first."),
        "42501" if server == ServerKind::ScratchCluster => {
            "The rehearsal runs as an ordinary role. If the role that migrates in production may do this, rehearse with --superuser.".to_owned()
        }
        "42704" => {
            "A role or type that is missing here may be there in production: roles aren't part of a pg_dump.".to_owned()
        }
        "55P03" | "57014" => "It ran into its lock_timeout or statement_timeout.".to_owned(),
        _ => return error.hint.clone(),
    })
}
