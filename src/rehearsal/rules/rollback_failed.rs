//! `rollback_failed`: one of the two ways back does not come to its end.

use super::{Rule, Sink, said};
use crate::rehearsal::report::{Rehearsal, Status};

/// The rule.
pub static RULE: Rule = Rule { code: "rollback_failed", page: rehearsal_page!("rollback_failed"), check };

fn check(report: &Rehearsal, sink: &mut Sink) {
    if let Some(downs) = &report.rollback.downs {
        for step in &downs.steps {
            let run = &step.migration;
            let error = run.statements.iter().find(|statement| statement.error.is_some());
            match (run.status, error) {
                (Status::NotRun, _) => {
                    let message = format!(
                        "{} has no down migration: the way back ends there, and it and all before it stay",
                        step.undoes
                    );
                    sink.of_file(
                        &step.undoes,
                        message,
                        Some("Write one, or plan the way back with the backup.".to_owned()),
                    );
                }
                (Status::Failed, Some(statement)) => {
                    let said = statement.error.as_ref().map(said).unwrap_or_default();
                    let message = format!("the way back of {} fails: {said}", step.undoes);
                    sink.of_statement(statement, message, None);
                }
                (Status::Failed, None) => {
                    sink.of_file(&step.undoes, format!("the way back of {} fails", step.undoes), None);
                }
                // That it took too long another rule says.
                (Status::Stopped | Status::Done, _) => {}
            }
        }
    }
    if let Some(restore) = &report.rollback.restore
        && restore.status == Status::Failed
    {
        let first = restore.errors.first().map(String::as_str).unwrap_or("it did not come to its end");
        let path = report.source.backup.as_ref().map(|backup| backup.path.clone()).unwrap_or_default();
        sink.of_file(
            &path,
            format!("restoring the backup as the way back fails: {first}"),
            Some(format!("rollsafe verify-backup {path}")),
        );
    }
}
