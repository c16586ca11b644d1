//! `schema_not_restored`: after going back the schema is another than before.

use super::{Rule, Sink};
use crate::rehearsal::report::{Rehearsal, SchemaDifference, Status};

/// The rule.
pub static RULE: Rule =
    Rule { code: "schema_not_restored", page: rehearsal_page!("schema_not_restored"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    // A way back that broke off leaves differences of course.
    let whole = report.rollback.downs.as_ref().is_some_and(|downs| downs.status == Status::Done);
    if whole {
        for difference in &report.comparison.rolled_back {
            sink.of_object(
                &difference.name,
                None,
                said(difference, "going back by the down migrations"),
                None,
            );
        }
    }
    if let Some(restore) = report.rollback.restore.as_ref().filter(|_| report.source.database_url.is_none()) {
        for difference in &restore.schema_differences {
            sink.of_object(&difference.name, None, said(difference, "restoring the backup"), None);
        }
    }
}

fn said(difference: &SchemaDifference, after: &str) -> String {
    let SchemaDifference { kind, name, before, after: now } = difference;
    let shown = |text: &str| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.chars().count() > 160 {
            format!("{}…", text.chars().take(160).collect::<String>())
        } else {
            text
        }
    };
    match (before, now) {
        (Some(_), None) => format!("after {after} the {kind} {name} is not there again"),
        (None, _) => format!("after {after} the {kind} {name} is still there"),
        (Some(before), Some(now)) => {
            format!(
                "after {after} the {kind} {name} is `{}`; before the migrations it was `{}`",
                shown(now),
                shown(before)
            )
        }
    }
}
