//! `not_allowed_in_transaction`: a statement that PostgreSQL runs only outside a transaction block, inside one.

use crate::migration::session::Opened;
use crate::migration::statement::{Body, ObjectKind, ReindexTarget, TransactionControl};

use super::{Check, Rule, Sink, StatementContext, switches};

/// The rule.
pub static RULE: Rule = Rule {
    code: "not_allowed_in_transaction",
    page: migration_page!("not_allowed_in_transaction"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    if cx.inner.is_none() && cx.in_transaction() != Some(true) {
        return;
    }
    if cx.inner.is_some()
        && let Body::Transaction(control) = &cx.statement.body
    {
        return ends_transaction(cx, control, sink);
    }
    let Some(what) = lone(cx) else { return };
    let (reason, help) = if cx.inner.is_some() {
        ("a DO block or function always runs in one", "Take it out of the block.".to_owned())
    } else {
        around(cx, "the statement")
    };
    let said = sink.say(cx.statement.span, format!("{what} fails inside a transaction, and {reason}"));
    said.help(help);
    cx.mend_switch(said);
}

/// Which transaction is open, and how to get `what` out of it.
fn around(cx: &StatementContext<'_>, what: &str) -> (&'static str, String) {
    match cx.session.opened() {
        Some(Opened::Begin) => ("BEGIN has opened one", format!("Move {what} behind COMMIT.")),
        Some(Opened::Runner) => {
            ("the migration tool runs this file in one", switches::without_transaction(cx.run))
        }
        _ => (
            "the tool sends the file as one query string, and its statements together are one",
            switches::without_transaction(cx.run),
        ),
    }
}

/// A block may COMMIT where its own statement is all of the transaction (manual, "Transaction Management" in the chapter on
/// PL/pgSQL: "invalid transaction termination").
fn ends_transaction(cx: &StatementContext<'_>, control: &TransactionControl, sink: &mut Sink) {
    let what = match control {
        TransactionControl::Commit { .. } => "COMMIT",
        TransactionControl::Rollback { .. } => "ROLLBACK",
        _ => return,
    };
    let by_query = matches!(cx.statements.get(cx.index).map(|s| &s.body), Some(Body::Query(_)));
    let (why, help) = if by_query {
        ("a query calls it".to_owned(), "Make it a procedure, and CALL it outside a transaction.".to_owned())
    } else if cx.session.opened() == Some(Opened::Block) {
        return;
    } else {
        let (reason, help) = around(cx, "the block or CALL");
        (format!("a transaction is open around the block or procedure: {reason}"), help)
    };
    sink.say(
        cx.statement.span,
        format!("{what} fails here (\"invalid transaction termination\"), since {why}"),
    )
    .help(help);
}

/// The statement as it is called, where PostgreSQL refuses it in a transaction block
/// (`PreventInTransactionBlock` in its sources).
fn lone(cx: &StatementContext<'_>) -> Option<&'static str> {
    let partitioned = |name: &crate::migration::statement::Name| {
        cx.relation(name).is_some_and(|relation| relation.is_partitioned())
    };
    match &cx.statement.body {
        Body::Vacuum(_) => Some("VACUUM"),
        Body::CreateDatabase { .. } => Some("CREATE DATABASE"),
        Body::CreateTablespace { .. } => Some("CREATE TABLESPACE"),
        Body::AlterSystem { .. } => Some("ALTER SYSTEM"),
        Body::AlterDatabase { set_tablespace: true, .. } => Some("ALTER DATABASE … SET TABLESPACE"),
        Body::Discard { all: true } => Some("DISCARD ALL"),
        Body::Drop(drop) => match drop.kind {
            ObjectKind::Database => Some("DROP DATABASE"),
            ObjectKind::Tablespace => Some("DROP TABLESPACE"),
            ObjectKind::Subscription => Some("DROP SUBSCRIPTION"),
            _ => None,
        },
        Body::CreateSubscription { creates_slot: true, .. } => Some("CREATE SUBSCRIPTION"),
        Body::AlterSubscription { refreshes: true, .. } => Some("ALTER SUBSCRIPTION with a refresh"),
        Body::Cluster { table: None, .. } => Some("CLUSTER of all tables"),
        Body::Cluster { table: Some(table), .. } if partitioned(table) => {
            Some("CLUSTER of a partitioned table")
        }
        Body::Reindex(reindex) if !reindex.concurrently => match (reindex.target, &reindex.name) {
            (ReindexTarget::Schema, _) => Some("REINDEX SCHEMA"),
            (ReindexTarget::Database, _) => Some("REINDEX DATABASE"),
            (ReindexTarget::System, _) => Some("REINDEX SYSTEM"),
            (ReindexTarget::Table, Some(name)) if partitioned(name) => Some("REINDEX of a partitioned table"),
            (ReindexTarget::Index, Some(name))
                if cx.before.index(&cx.resolve(name)).is_some_and(|(table, _)| table.is_partitioned()) =>
            {
                Some("REINDEX of a partitioned table's index")
            }
            _ => None,
        },
        Body::Transaction(TransactionControl::CommitPrepared) => Some("COMMIT PREPARED"),
        Body::Transaction(TransactionControl::RollbackPrepared) => Some("ROLLBACK PREPARED"),
        _ => None,
    }
}
