//! CREATE TABLE … PARTITION OF a partitioned table in use.

use crate::migration::effects::ScanReason;
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::Body;
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "create_partition_locks_parent",
    page: migration_page!("create_partition_locks_parent"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateTable(create) = &context.statement.body else { return };
    let Some(partition) = &create.partition_of else { return };
    let parent = context.resolve(&partition.parent);
    if !context.may_be_used(&parent) || context.effects.lock_on(&parent) != Some(LockMode::AccessExclusive) {
        return;
    }
    let default = context.effects.scans.iter().find(|scan| {
        matches!(scan.reason, ScanReason::DefaultPartition { .. }) && context.heavy(&scan.relation)
    });
    let default = default.map_or(String::new(), |scan| {
        format!(". The default partition {} is locked too, and read in full", context.sized(&scan.relation))
    });
    let table = &create.name;
    let bound = bound_text(context, partition.parent.span());
    sink.say(
        context.statement.span,
        format!(
            "CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE on {parent}: it waits for every query there, and all later ones, reads too, wait \
             behind it{default}"
        ),
    )
    .help(format!(
        "CREATE TABLE {table} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);\n\
         ALTER TABLE {parent} ATTACH PARTITION {table} {bound};\n\
         -- ATTACH takes SHARE UPDATE EXCLUSIVE on {parent}, which lets reads and writes pass"
    ));
}

/// The bound as written, where it is all that follows the parent's name.
fn bound_text<'a>(context: &StatementContext<'a>, parent: Span) -> &'a str {
    let rest = context
        .sql(Span { start: parent.end.min(context.statement.span.end), end: context.statement.span.end });
    let rest = rest.trim();
    let upper = rest.to_ascii_uppercase();
    let plain = context.verbatim()
        && (upper.starts_with("FOR VALUES") || upper == "DEFAULT")
        && !["PARTITION BY", "TABLESPACE", "USING", " WITH ("].iter().any(|more| upper.contains(more));
    // A hash bound says WITH (…) itself.
    if plain || upper.starts_with("FOR VALUES WITH") && rest.ends_with(')') { rest } else { "FOR VALUES …" }
}
