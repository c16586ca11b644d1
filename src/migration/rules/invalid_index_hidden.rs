//! `invalid_index_hidden`: CREATE INDEX CONCURRENTLY IF NOT EXISTS passes over an invalid index.

use crate::finding::Applicability;
use crate::migration::fix::place;
use crate::migration::statement::{Body, ObjectKind, quote_ident};

use super::outside::Becomes;
use super::{Check, Mend, Rule, Sink, StatementContext, outlook};

/// The rule.
pub static RULE: Rule = Rule {
    code: "invalid_index_hidden",
    page: migration_page!("invalid_index_hidden"),
    check: Check::Statement(check),
};

/// How many statements back a DROP of the same index is looked for.
const NEAR: usize = 50;

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateIndex(create) = &cx.statement.body else { return };
    let Some(name) =
        create.name.as_ref().filter(|_| create.concurrently && create.if_not_exists && cx.inner.is_none())
    else {
        return;
    };
    let table = cx.resolve(&create.table);
    if !cx.in_use(&table) {
        return;
    }
    let index = crate::migration::catalog::QName { schema: table.schema.clone(), name: name.value.clone() };
    let dropped =
        cx.statements[..cx.index.min(cx.statements.len())].iter().rev().take(NEAR).any(|statement| {
            matches!(&statement.body, Body::Drop(drop) if drop.kind == ObjectKind::Index
            && drop.names.iter().any(|dropped| outlook::same_name(&dropped.name, &index)))
        });
    if dropped {
        return;
    }
    let schema = create
        .table
        .schema
        .as_ref()
        .map_or_else(String::new, |schema| format!("{}.", quote_ident(&schema.value)));
    let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {schema}{};", quote_ident(&name.value));
    let said = sink.say(
        cx.statement.span,
        format!(
            "if a build of {} fails, it leaves an invalid index under that name, and IF NOT EXISTS then passes over \
             it: the migration succeeds, and the index doesn't work",
            quote_ident(&name.value)
        ),
    );
    said.help(format!("{drop}\n{};", cx.sql(cx.statement.span)));
    let edits = vec![place::before(cx.text, cx.statement.span, &drop)];
    cx.mend_outside(said, "drop what a failed build has left first", edits, Becomes::Several);
    // One that works would be gone while the other is built, which may be another one.
    if (!cx.before.complete() || cx.before.index(&index).is_some())
        && let Some(Mend::Fix(fix)) = &mut said.fix
    {
        fix.applicability = Applicability::Unsafe;
        fix.note.get_or_insert_with(|| {
            "an index of that name that works would be dropped and built anew".to_owned()
        });
    }
}
