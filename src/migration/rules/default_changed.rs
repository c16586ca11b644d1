//! `default_changed`: SET DEFAULT replaces a default that running code may rely on.

use crate::migration::statement::{ActionKind, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "default_changed",
    page: migration_page!("default_changed"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Some((alter, table, known)) = cx.altered() else { return };
    if alter.kind == ObjectKind::Type {
        return;
    }
    for action in &alter.actions {
        let ActionKind::SetDefault { column, default } = &action.kind else { continue };
        let Some(old) = known.and_then(|table| table.column(column.as_str())) else { continue };
        let Some(before) = &old.default else { continue };
        // In a string of EXECUTE the place of the expression isn't known.
        let new = if cx.verbatim() { cx.sql(default.span) } else { "another value" };
        if !cx.in_use_since(old.born) || plain(&before.text) == plain(new) || plain(&before.text) == "null" {
            continue;
        }
        let shown = quote_ident(column.as_str());
        sink.say(
            action.span,
            format!(
                "inserts of the running version that leave {table}.{shown} out write {new} from the commit on, not {}",
                before.text
            ),
        )
        .help(format!("Let the new version write {shown} itself, and change the default when none relies on it."));
    }
}

/// The default without what doesn't change its value: case outside quotes aside, casts of a literal to its own type,
/// parentheses and white space around it.
fn plain(text: &str) -> String {
    let text = text.trim().trim_start_matches('(').trim_end_matches(')').trim();
    if text.starts_with('\'') || text.contains('\'') {
        return text.split("::").next().unwrap_or(text).trim().to_owned();
    }
    text.split("::").next().unwrap_or(text).trim().to_ascii_lowercase()
}
