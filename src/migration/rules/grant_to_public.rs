//! `grant_to_public`: a privilege granted to PUBLIC, that is to every role.

use crate::migration::statement::{Body, Grant, ObjectKind};
use crate::source::Span;

use super::{Check, Rule, Sink, StatementContext, joined};

/// The rule.
pub static RULE: Rule = Rule {
    code: "grant_to_public",
    page: migration_page!("grant_to_public"),
    check: Check::Statement(check),
};

fn check(cx: &StatementContext<'_>, sink: &mut Sink) {
    let Body::Grant(grant) = &cx.statement.body else { return };
    if grant.revoke || grant.roles {
        return;
    }
    let Some(public) = grant.grantees.iter().find(|role| role.as_str() == "public" && !role.quoted) else {
        return;
    };
    if granted_anyway(grant) {
        return;
    }
    let privileges: Vec<compact_str::CompactString> =
        grant.privileges.iter().map(|privilege| privilege.to_uppercase()).collect();
    let what = if grant.default_privileges {
        "whatever is created from now on".to_owned()
    } else if grant.objects.is_empty() {
        "all of it".to_owned()
    } else {
        joined(&grant.objects)
    };
    let said = sink.say(
        public.span,
        format!(
            "PUBLIC is every role, also those yet to come: all of them get {} on {what}",
            joined(&privileges)
        ),
    );
    let whole = cx.statement.span;
    if cx.verbatim() && whole.contains(public.span) {
        let before = cx.sql(Span { start: whole.start, end: public.span.start });
        let behind = cx.sql(Span { start: public.span.end, end: whole.end });
        said.help(format!(
            "-- a role for those who need it, which others are made members of\n\
             CREATE ROLE readers;\n{before}readers{behind};"
        ));
    }
}

/// What PUBLIC has from the start (manual, "Privileges", table of default PUBLIC privileges).
fn granted_anyway(grant: &Grant) -> bool {
    let only =
        |allowed: &[&str]| grant.privileges.iter().all(|privilege| allowed.contains(&privilege.as_str()));
    match grant.kind {
        Some(ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate) => {
            only(&["execute", "all"])
        }
        Some(ObjectKind::Type | ObjectKind::Domain | ObjectKind::Language) => only(&["usage", "all"]),
        Some(ObjectKind::Database) => only(&["connect", "temporary", "temp"]),
        Some(ObjectKind::Schema) => {
            only(&["usage"]) && grant.objects.iter().all(|schema| schema.name.as_str() == "public")
        }
        _ => false,
    }
}
