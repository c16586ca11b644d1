//! `role_changed`: a role that applications connect as is changed, renamed or dropped.

use crate::migration::statement::{Body, Ident, ObjectChange, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext};

pub static RULE: Rule =
    Rule { code: "role_changed", page: migration_page!("role_changed"), check: Check::Statement(check) };

const HELP: &str = "-- make a new role beside it, move the applications over, and see that nobody connects as the old one\n\
                    SELECT usename, count(*) FROM pg_stat_activity GROUP BY usename;";

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let is_role = |kind| matches!(kind, ObjectKind::Role | ObjectKind::User | ObjectKind::Group);
    match &cx.statement.body {
        Body::AlterRole { name: Some(name), setting: None, password } => {
            if made_here(cx, name) || !cx.lasts() {
                return;
            }
            let shown = quote_ident(name.as_str());
            let message = if *password {
                format!(
                    "applications that connect as {shown} are refused at their next connection, and the password stays in \
                     the version history and perhaps in the server's log"
                )
            } else {
                format!(
                    "{shown} changes in every database of the server; applications notice at their next connection"
                )
            };
            sink.say(cx.statement.span, message).help(HELP);
        }
        Body::AlterObject(alter) if is_role(alter.kind) => {
            if let ObjectChange::RenameTo(_) = alter.change
                && !made_here(cx, &alter.name.name)
                && cx.lasts()
            {
                sink.say(
                    cx.statement.span,
                    format!(
                        "applications that connect as {} are refused at their next connection, and an MD5 password is \
                         cleared",
                        quote_ident(alter.name.name.as_str())
                    ),
                )
                .help(HELP);
            }
        }
        Body::Drop(drop) if is_role(drop.kind) && cx.lasts() => {
            for dropped in &drop.names {
                if made_here(cx, &dropped.name.name) {
                    continue;
                }
                sink.say(
                    dropped.span,
                    format!(
                        "applications that connect as {} are refused at their next connection",
                        quote_ident(dropped.name.name.as_str())
                    ),
                )
                .help(HELP);
            }
        }
        _ => {}
    }
}

fn made_here(cx: &StatementContext<'_>, role: &Ident) -> bool {
    cx.earlier().any(|statement| matches!(&statement.body, Body::CreateRole { name } if name == role))
}
