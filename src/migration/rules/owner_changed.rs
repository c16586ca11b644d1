//! `owner_changed`: a new owner takes the old one's rights with the object.

use crate::migration::statement::{ActionKind, Body, ObjectChange, ObjectKind, quote_ident};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule =
    Rule { code: "owner_changed", page: migration_page!("owner_changed"), check: Check::Statement(check) };

const HELP: &str = "Grant the old owner what it needs first, and see that no view or SECURITY DEFINER function relied on its \
                    rights.";

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    match &cx.statement.body {
        Body::AlterTable(_) => {
            let Some((alter, relation, _)) = cx.altered() else { return };
            for action in &alter.actions {
                if let ActionKind::OwnerTo { role } = &action.kind {
                    sink.say(action.span, lost(&relation.to_string(), role.as_str())).help(HELP);
                }
            }
        }
        Body::AlterObject(alter) => {
            let ObjectChange::OwnerTo(role) = &alter.change else { return };
            let used = match alter.kind {
                ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
                    cx.function_in_use(&alter.name)
                }
                ObjectKind::Type | ObjectKind::Domain => cx.type_in_use(&alter.name),
                ObjectKind::Schema => !cx.earlier().any(|statement| {
                    matches!(&statement.body, Body::CreateSchema { name: Some(made), .. } if *made == alter.name.name)
                }),
                ObjectKind::Database => true,
                // Nobody's queries are checked against their owners.
                _ => false,
            };
            if used && cx.lasts() {
                sink.say(cx.statement.span, lost(&alter.name.to_string(), role.as_str())).help(HELP);
            }
        }
        Body::ReassignOwned { roles } if cx.lasts() => {
            let names: Vec<String> =
                roles.iter().map(|role| quote_ident(role.as_str()).into_owned()).collect();
            sink.say(
                cx.statement.span,
                format!(
                    "{} loses every right on what it owned in this database; connections as that role get \"permission \
                     denied\"",
                    joined(&names)
                ),
            )
            .help(HELP);
        }
        _ => {}
    }
}

fn lost(object: &str, role: &str) -> String {
    format!(
        "the old owner of {object} keeps only what it was granted, and {} isn't bound by its row level security: \
         connections as the old owner may get \"permission denied\"",
        quote_ident(role)
    )
}
