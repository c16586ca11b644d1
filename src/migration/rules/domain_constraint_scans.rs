//! ALTER DOMAIN that reads the tables which use the domain.

use rustc_hash::FxHashSet;

use crate::migration::catalog::QName;
use crate::migration::effects::ScanReason;
use crate::migration::statement::{Body, DomainAction};

use super::{Check, Rule, Sink, StatementContext, joined};

pub static RULE: Rule = Rule {
    code: "domain_constraint_scans",
    page: migration_page!("domain_constraint_scans"),
    check: Check::Statement(check),
};

fn check(context: &StatementContext<'_>, sink: &mut Sink) {
    let Body::AlterDomain { name, action } = &context.statement.body else { return };
    let mut tables: Vec<QName> = Vec::new();
    let mut seen: FxHashSet<&QName> = FxHashSet::default();
    for scan in &context.effects.scans {
        if matches!(scan.reason, ScanReason::Domain { .. })
            && context.heavy(&scan.relation)
            && seen.insert(&scan.relation)
        {
            tables.push(scan.relation.clone());
        }
    }
    if tables.is_empty() {
        return;
    }
    let help = match action {
        DomainAction::AddConstraint(constraint) => {
            let definition = if context.verbatim() { context.sql(constraint.span) } else { "…" };
            format!(
                "ALTER DOMAIN {name} ADD {definition} NOT VALID;\n\
                 -- new values are checked from now on; VALIDATE takes the same lock again, so run it when writes can wait"
            )
        }
        DomainAction::SetNotNull => format!(
            "ALTER DOMAIN {name} ADD CHECK (VALUE IS NOT NULL) NOT VALID;\n\
             -- new values are checked from now on; VALIDATE takes the same lock again, so run it when writes can wait"
        ),
        _ => "A domain's VALIDATE has no harmless form: leave the constraint NOT VALID, or run this when writes can wait.\n\
              For a proof on one table, add the CHECK to that table NOT VALID and validate it there."
            .to_owned(),
    };
    let shown: Vec<String> = tables.iter().map(|table| context.sized(table)).collect();
    sink.say(
        context.statement.span,
        format!(
            "{} {} held with SHARE while every row is checked: writes wait until that is done",
            joined(&shown),
            if shown.len() == 1 { "is" } else { "are" }
        ),
    )
    .help(help);
}
