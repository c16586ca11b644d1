//! The way back by down migrations or by the project's own command, and what it left.

use std::time::Duration;

use super::RehearsalError;
use super::asking::Asking;
use super::execute::{Executor, Manner};
use super::pending::Plan;
use super::queries::Query;
use super::rehearse::{Rehearsing, State};
use super::report::{DownStep, Downs, MigrationRun, Status};
use super::sums;

impl Rehearsing<'_> {
    pub(super) fn can_go_back(&mut self, plan: &Plan, runs: &[MigrationRun]) -> bool {
        if self.request.no_rollback {
            self.report.not_checked.push("the way back by down migrations, as asked".to_owned());
            return false;
        }
        let by_command = runs.first().filter(|_| self.request.migrate_command.is_some());
        let told = by_command.is_some_and(|run| !run.files.is_empty());
        if told && plan.ups.is_empty() {
            // The command ran nothing: what would be undone is an earlier release.
            return false;
        }
        if self.request.rollback_command.is_some() {
            return true;
        }
        if by_command.is_some() && plan.ups.is_empty() {
            self.report.not_checked.push(
                "the way back by down migrations: which ones the command ran isn't known; --rollback-command says how"
                    .to_owned(),
            );
            return false;
        }
        let done = runs.iter().any(|run| run.status == Status::Done);
        if done && plan.downs.is_empty() {
            self.report.notes.push(
                "none of the pending migrations has a down migration: the way back is the backup".to_owned(),
            );
            return false;
        }
        done
    }

    pub(super) fn go_back(
        &mut self,
        plan: &Plan,
        runs: &[MigrationRun],
        executor: &mut Executor<'_>,
        queries: &mut [Query],
    ) -> Result<Downs, RehearsalError> {
        let limits = &self.request.limits;
        if let Some(command) = &self.request.rollback_command {
            let limit = Duration::from_secs_f64(limits.hard_stop.max(1.0));
            let (run, notes) =
                super::command::run(&self.place, executor, command, &self.request.directory, limit)?;
            self.report.notes.extend(notes);
            return Ok(Downs {
                status: run.status,
                seconds: run.seconds,
                steps: vec![DownStep { undoes: "all of them".to_owned(), migration: run }],
            });
        }
        let part = &self.request.part;
        let mut downs = Downs { status: Status::Done, ..Downs::default() };
        let by_command = self.request.migrate_command.is_some();
        // What the command ran as one is undone file by file.
        let undone: Vec<(usize, String)> = plan
            .ups
            .iter()
            .enumerate()
            .filter(|(place, _)| by_command || runs.get(*place).is_some_and(|run| run.status == Status::Done))
            .filter_map(|(_, index)| Some((*index, part.migrations.get(*index)?.path.display().to_string())))
            .collect();
        let started = executor.gaps().without(self.place.now());
        let manner = Manner { keep_going: false, deadline: Some(started + limits.hard_stop) };
        for (index, path) in undone.into_iter().rev() {
            if downs.status != Status::Done {
                break;
            }
            let down = plan.downs.get(&index).and_then(|down| part.migrations.get(*down));
            let Some(down) = down else {
                downs.status = Status::Failed;
                downs.steps.push(DownStep { undoes: path, migration: MigrationRun::default() });
                break;
            };
            // Statements that break queries on the way back aren't looked for.
            let mut asking = Asking::silent(self.progress, queries);
            let run = executor.run(&[down], manner, &mut asking)?.pop().unwrap_or_default();
            downs.seconds += run.seconds;
            downs.status = run.status;
            downs.steps.push(DownStep { undoes: path, migration: run });
        }
        Ok(downs)
    }

    pub(super) fn compare_rolled_back(&mut self, before: &State, now: &State, plan: &Plan) {
        let comparison = &mut self.report.comparison;
        comparison.rolled_back = before.schema.differences(&now.schema);
        comparison.data = sums::differences(&before.sums, &now.sums);
        comparison.data.extend(sums::sequences_back(&before.sequences, &now.sequences));
        if let (Some(ledger), true) = (&plan.told.ledger, self.request.migrate_command.is_some()) {
            comparison.data.retain(|one| one.table != *ledger);
        }
        for table in before.schema.reordered(&now.schema) {
            self.report.notes.push(format!(
                "{table}: after the way back its columns stand in another order than before, which SELECT * and INSERT without a column list notice"
            ));
        }
    }
}
