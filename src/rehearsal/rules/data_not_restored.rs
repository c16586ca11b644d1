//! `data_not_restored`: after going back rows or values of before are not there.

use super::{Rule, Sink, beside, listed};
use crate::postgres::sql_text::quote_literal;
use crate::rehearsal::report::{Rehearsal, Status};
use crate::rehearsal::sums::LARGE_OBJECTS;

/// The rule.
pub static RULE: Rule = Rule { code: "data_not_restored", page: rehearsal_page!("data_not_restored"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    let whole = report.rollback.downs.as_ref().is_some_and(|downs| downs.status == Status::Done);
    for one in report.comparison.data.iter().filter(|_| whole) {
        let table = &one.table;
        if let Some(sequence) = &one.sequence {
            let after = sequence.after.map_or("begins anew".to_owned(), |after| format!("stands at {after}"));
            let message = format!(
                "going back by the down migrations does not bring back the sequence {table}: it {after}, and stood at {} before, so it gives numbers that are in use",
                sequence.before
            );
            let help = format!(
                "Set it in the down migration, to no less than what is in use: SELECT setval({}, {});",
                quote_literal(table),
                sequence.before
            );
            sink.of_object(table, None, message, Some(help));
            continue;
        }
        let mut parts = Vec::new();
        match one.rows_after {
            None if table == LARGE_OBJECTS => parts.push(format!("none of {} is there", one.rows_before)),
            Some(after) if table == LARGE_OBJECTS && after != one.rows_before => {
                parts.push(format!("{after} of {} are there", one.rows_before));
            }
            None => parts.push(format!("it is gone with its {} rows", one.rows_before)),
            Some(after) if after != one.rows_before => {
                parts.push(format!("{} of {} rows are there", after, one.rows_before));
            }
            Some(_) => {}
        }
        for gone in &one.columns_gone {
            parts.push(format!("{} values of {} are gone", gone.values, gone.column));
        }
        if !one.columns.is_empty() {
            parts.push(format!("values of {} are others", listed(&one.columns, 5)));
        }
        if parts.is_empty() {
            parts.push("the same values stand in other rows".to_owned());
        }
        let message = format!(
            "going back by the down migrations does not bring back the data of {table}: {}",
            parts.join("; ")
        );
        let aside = match table == LARGE_OBJECTS {
            true => "leave large objects where they are".to_owned(),
            false => format!(
                "copy it aside before (CREATE TABLE {} AS SELECT * FROM {table})",
                beside(table, "_before")
            ),
        };
        let help = format!(
            "Plan the way back with the backup, or keep what the migration takes away: {aside}, and drop it some releases later."
        );
        sink.of_object(table, None, message, Some(help));
    }
    let restore = report.rollback.restore.as_ref().filter(|_| report.source.database_url.is_none());
    for table in restore.iter().flat_map(|restore| &restore.tables_differing) {
        let message =
            format!("the backup, restored again, does not hold the same rows of {table} as the first time");
        sink.of_object(table, None, message, None);
    }
}
