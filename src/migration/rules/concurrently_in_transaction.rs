//! `concurrently_in_transaction`: CONCURRENTLY inside a transaction block, where PostgreSQL refuses it.

use crate::finding::Edit;
use crate::migration::session::Opened;
use crate::migration::statement::{ActionKind, Body, Name, ObjectKind};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext, switches};

/// The rule.
pub static RULE: Rule = Rule {
    code: "concurrently_in_transaction",
    page: migration_page!("concurrently_in_transaction"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((what, span, new_index_on)) = concurrently(cx) else { return };
    if cx.inner.is_none() && cx.in_transaction() != Some(true) {
        return;
    }
    let reason = if cx.inner.is_some() {
        "a DO block or function always runs in a transaction"
    } else {
        match cx.session.opened() {
            Some(Opened::Begin) => "BEGIN has opened a transaction",
            Some(Opened::Runner) => "the migration tool runs this file in a transaction",
            _ if cx.sent_whole() => {
                "the tool sends the file as one query string, and its statements together are one transaction"
            }
            _ => {
                "the tool sends it with the statements that stand together with it as one query string, which is one transaction"
            }
        }
    };
    let new_here = new_index_on
        .is_some_and(|table| cx.relation(table).is_some_and(|relation| !cx.in_use(&relation.name)));
    let help = if new_here {
        "Leave out CONCURRENTLY: the table is new in this change, so nobody waits for the index.".to_owned()
    } else if cx.inner.is_some() && !cx.verbatim() {
        "Run it as a statement of its own, outside a transaction.".to_owned()
    } else if cx.inner.is_some() {
        format!("-- as a statement of its own, outside a transaction\n{};", cx.sql(cx.statement.span))
    } else {
        match cx.session.opened() {
            Some(Opened::Begin) => {
                "Move the statement behind COMMIT, or leave out BEGIN and COMMIT.".to_owned()
            }
            _ => switches::without_transaction(cx.run),
        }
    };
    let said = sink.say(span, format!("{what} fails inside a transaction, and {reason}"));
    said.help(help);
    if new_here {
        if let Some(edit) = without_the_word(cx) {
            said.fix("leave out CONCURRENTLY", vec![edit]);
        }
    } else {
        cx.mend_switch(said);
    }
}

/// CREATE INDEX without CONCURRENTLY and the blank before it.
fn without_the_word(cx: &StatementContext<'_>) -> Option<Edit> {
    let Body::CreateIndex(create) = &cx.statement.body else { return None };
    let from = create.index_word.end as usize;
    let rest = cx.text.get(from..).filter(|_| cx.verbatim() && !create.index_word.is_empty())?;
    let blank = rest.len() - rest.trim_start().len();
    let word = rest.get(blank..blank + "CONCURRENTLY".len())?;
    let end = (from + blank + word.len()) as u32;
    word.eq_ignore_ascii_case("CONCURRENTLY").then(|| Edit { start: from as u32, end, text: String::new() })
}

/// What the statement does CONCURRENTLY, where; and the table that it indexes.
fn concurrently<'a>(cx: &StatementContext<'a>) -> Option<(&'static str, Span, Option<&'a Name>)> {
    let whole = cx.statement.span;
    match &cx.statement.body {
        Body::CreateIndex(create) if create.concurrently => {
            Some(("CREATE INDEX CONCURRENTLY", whole, Some(&create.table)))
        }
        Body::Drop(drop) if drop.concurrently && drop.kind == ObjectKind::Index => {
            Some(("DROP INDEX CONCURRENTLY", whole, None))
        }
        Body::Reindex(reindex) if reindex.concurrently => Some(("REINDEX CONCURRENTLY", whole, None)),
        Body::AlterTable(alter) => alter.actions.iter().find_map(|action| match &action.kind {
            ActionKind::DetachPartition { concurrently: true, .. } => {
                Some(("DETACH PARTITION CONCURRENTLY", action.span, None))
            }
            _ => None,
        }),
        _ => None,
    }
}
