//! `set_local_without_transaction`: SET LOCAL outside a transaction has no effect.

use crate::finding::Edit;
use crate::migration::statement::{Body, SetScope};

use super::{Check, Rule, Sink, StatementContext};

/// The rule.
pub static RULE: Rule = Rule {
    code: "set_local_without_transaction",
    page: migration_page!("set_local_without_transaction"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Set(set) = &cx.statement.body else { return };
    if set.scope != SetScope::Local || set.transaction || cx.in_transaction() != Some(false) {
        return;
    }
    let name = set.name.as_deref().unwrap_or("the setting");
    let help = match (&set.name, &set.value) {
        (Some(name), Some(value)) => {
            let value = value.replace('\'', "''");
            format!("SET {name} = '{value}';")
        }
        _ => "Write SET without LOCAL, or put it between BEGIN and COMMIT.".to_owned(),
    };
    let said = sink.say(
        cx.statement.span,
        format!("SET LOCAL lasts until the transaction ends, and none is open here: {name} stays as it was"),
    );
    said.help(help);
    // The word and the white space behind it.
    let sql = cx.sql(cx.statement.span);
    let words = sql.char_indices().skip(3).skip_while(|(_, c)| c.is_whitespace()).map(|(at, _)| at).next();
    if let Some(word) =
        words.filter(|&at| sql.get(at..at + 5).is_some_and(|word| word.eq_ignore_ascii_case("local")))
    {
        let behind = sql.get(word + 5..).unwrap_or("");
        let blank = behind.len() - behind.trim_start().len();
        let start = cx.statement.span.start + word as u32;
        let end = start + 5 + blank as u32;
        said.unsafe_fix("set it for the session", vec![Edit { start, end, text: String::new() }]);
    }
}
