//! `replace_view`: CREATE OR REPLACE VIEW changes what the running application reads.

use crate::migration::catalog::RelationKind;
use crate::migration::statement::{Body, quote_ident};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule =
    Rule { code: "replace_view", page: migration_page!("replace_view"), check: Check::Statement(check) };

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::CreateView(new) = &cx.statement.body else { return };
    if !new.replace || new.temporary {
        return;
    }
    let Some(old) = cx.relation(&new.name) else { return };
    if old.kind != RelationKind::View || !cx.in_use(&old.name) || !cx.lasts() {
        return;
    }
    let added: Vec<String> = if old.columns_known && !new.query.star {
        new.columns
            .iter()
            .filter(|column| old.column(column.as_str()).is_none())
            .map(|column| quote_ident(column.as_str()).into_owned())
            .collect()
    } else {
        Vec::new()
    };
    let more = if added.is_empty() {
        String::new()
    } else {
        format!("; {} is new, which ends prepared statements that select *", joined(&added))
    };
    sink.say(
        cx.statement.span,
        format!(
            "the running version reads the new definition of {} from the commit on, without an error if its rows \
             differ{more}",
            old.name
        ),
    )
    .help("Where the rows differ, make a second view for the new version to read.");
}
