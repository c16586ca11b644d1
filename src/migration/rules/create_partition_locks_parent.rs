//! CREATE TABLE … PARTITION OF a partitioned table in use.

use crate::migration::catalog::QName;
use crate::migration::effects::ScanReason;
use crate::migration::lock_mode::LockMode;
use crate::migration::statement::{
    Body, Constraint, ConstraintKind, CreateTable, Ident, PartitionOf, Persistence, quote_ident,
};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext, attach_partition_scans};

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
    let rest = context.effects.scans.iter().find(|scan| {
        matches!(scan.reason, ScanReason::DefaultPartition { .. }) && context.heavy(&scan.relation)
    });
    let default = rest.map_or(String::new(), |scan| {
        format!(". The default partition {} is locked too, and read in full", context.sized(&scan.relation))
    });
    sink.say(
        context.statement.span,
        format!(
            "CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE on {parent}: it waits for every query there, and all later ones, reads too, wait \
             behind it{default}"
        ),
    )
    .help(plan(context, create, partition, &parent, rest.map(|scan| &scan.relation)));
}

/// The same partition by ATTACH.
fn plan(
    context: &StatementContext<'_>,
    create: &CreateTable,
    partition: &PartitionOf,
    parent: &QName,
    rest: Option<&QName>,
) -> String {
    let table = &create.name;
    let statement = context.statement.span;
    let verbatim = context.verbatim() && !partition.bound_span.is_empty();
    let bound = if verbatim { context.sql(partition.bound_span) } else { "FOR VALUES …" };
    // PARTITION BY, USING, WITH, TABLESPACE.
    let more = if verbatim {
        context.sql(Span { start: partition.bound_span.end.min(statement.end), end: statement.end }).trim()
    } else {
        ""
    };
    let more = if more.is_empty() { String::new() } else { format!(" {more}") };
    let known = context.before.relation(parent);
    let mut including = String::from("INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE");
    // A partition's column has to be generated where the parent's is.
    if known.is_none_or(|known| !known.columns_known || known.columns.iter().any(|c| c.generated.is_some())) {
        including.push_str(" INCLUDING GENERATED");
    }
    if context.options.oldest() >= 14 {
        including.push_str(" INCLUDING COMPRESSION");
    }
    let unlogged = if create.persistence == Persistence::Unlogged { "UNLOGGED " } else { "" };
    let mut elements = vec![format!("LIKE {parent} {including}")];
    let mut own = String::new();
    let written = |span: Span| if verbatim { context.sql(span).to_owned() } else { "…".to_owned() };
    for constraint in &create.constraints {
        elements.push(written(constraint.span));
    }
    for column in &create.columns {
        for constraint in &column.constraints {
            own.push_str(&own_option(&column.name, constraint, &table.to_string(), &written));
        }
    }
    let mut help = Vec::new();
    if let Some(rest) = rest {
        let condition = attach_partition_scans::condition(context, parent, &partition.bound)
            .unwrap_or_else(|| "…".to_owned());
        let name = context.resolve(table);
        help.push(attach_partition_scans::proof_of_absence(context, rest, &name, &condition));
        help.push("-- then, with nothing to read".to_owned());
    }
    help.push(format!("CREATE {unlogged}TABLE {table} ({}){more};", elements.join(", ")));
    if !own.is_empty() {
        help.push(own.trim_end().to_owned());
    }
    help.push(format!("ALTER TABLE {parent} ATTACH PARTITION {table} {bound};"));
    help.push(format!(
        "-- ATTACH takes SHARE UPDATE EXCLUSIVE on {parent}, which lets reads and writes pass{}",
        rest.map_or(String::new(), |rest| format!(
            "; {rest} is held with ACCESS EXCLUSIVE, but for a moment"
        ))
    ));
    help.join("\n")
}

/// What a column of the partition has of its own, behind CREATE TABLE … (LIKE …).
fn own_option(
    column: &Ident,
    constraint: &Constraint,
    table: &str,
    written: &dyn Fn(Span) -> String,
) -> String {
    let name = quote_ident(column.as_str());
    let given = constraint
        .name
        .as_ref()
        .map_or(String::new(), |name| format!("CONSTRAINT {} ", quote_ident(name.as_str())));
    let alter = match &constraint.kind {
        ConstraintKind::Default(value) => format!("ALTER COLUMN {name} SET DEFAULT {}", written(value.span)),
        ConstraintKind::NotNull { .. } => format!("ALTER COLUMN {name} SET NOT NULL"),
        ConstraintKind::Check(condition) => format!("ADD {given}CHECK ({})", written(condition.span)),
        ConstraintKind::Unique(_) => format!("ADD {given}UNIQUE ({name})"),
        ConstraintKind::PrimaryKey(_) => format!("ADD {given}PRIMARY KEY ({name})"),
        ConstraintKind::ForeignKey(_) => {
            let text = written(constraint.span);
            match text.to_ascii_lowercase().find("references") {
                Some(at) => format!("ADD {given}FOREIGN KEY ({name}) {}", &text[at..]), // an ASCII word begins there
                None => return String::new(),
            }
        }
        // The parent's columns say that.
        ConstraintKind::Null
        | ConstraintKind::Generated { .. }
        | ConstraintKind::Identity { .. }
        | ConstraintKind::Exclude { .. } => return String::new(),
    };
    format!("ALTER TABLE {table} {alter};\n")
}
