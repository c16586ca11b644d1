//! `extension_updated`: ALTER EXTENSION … UPDATE changes functions and types under the running application.

use crate::migration::statement::{Body, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule = Rule {
    code: "extension_updated",
    page: migration_page!("extension_updated"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterExtension { name, update: true, version } = &cx.statement.body else { return };
    let made_here = cx
        .earlier()
        .any(|statement| matches!(&statement.body, Body::CreateExtension { name: made, .. } if made == name));
    if made_here || !cx.lasts() {
        return;
    }
    let shown = quote_ident(name.as_str());
    let to = match version {
        Some(version) => format!("to {version}"),
        None => "to whatever version this server has installed".to_owned(),
    };
    sink.say(
        cx.statement.span,
        format!("{shown} is updated {to}: its functions and types may change or go, and few extensions have a way back"),
    )
    .help(format!(
        "-- see what there is, name the version, and read what it changes\n\
         SELECT * FROM pg_extension_update_paths('{}') WHERE path IS NOT NULL;\n\
         ALTER EXTENSION {shown} UPDATE TO '…';",
        name.as_str().replace('\'', "''")
    ));
}
