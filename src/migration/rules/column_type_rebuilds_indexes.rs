//! ALTER COLUMN … TYPE that keeps the rows of a table in use but builds indexes anew.

use crate::migration::effects::IndexBuildReason;

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "column_type_rebuilds_indexes",
    page: migration_page!("column_type_rebuilds_indexes"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let builds: Vec<_> = context
        .effects
        .index_builds
        .iter()
        .filter(|build| build.reason == IndexBuildReason::ColumnType && context.heavy(&build.relation))
        .collect();
    let mut told = Vec::new();
    for build in &builds {
        if told.contains(&build.span) {
            continue;
        }
        told.push(build.span);
        let names: Vec<&str> = builds
            .iter()
            .filter(|other| other.span == build.span)
            .filter_map(|other| other.index.as_deref())
            .collect();
        let which = if names.is_empty() { "its indexes".to_owned() } else { joined(&names) };
        sink.say(
            build.span,
            format!(
                "the rows of {} stay as they are, but {which} must be built anew under ACCESS EXCLUSIVE: reads and writes wait until that is done",
                context.sized(&build.relation)
            ),
        )
        .help(format!(
            "Where queries can do without them for a while, take the indexes away first and build them again afterwards, outside a transaction:\n{}\n\
             {};\n\
             CREATE INDEX CONCURRENTLY … ON {} (…);",
            names.iter().map(|name| format!("DROP INDEX CONCURRENTLY {name};")).collect::<Vec<_>>().join("\n"),
            context.sql(context.statement.span),
            build.relation,
        ));
    }
}
