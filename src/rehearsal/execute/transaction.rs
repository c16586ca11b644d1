//! Transactions: who opened one, and what its end brings with it.

use super::{Executor, Observer, Session, Went};
use crate::migration::statement::TransactionControl;
use crate::rehearsal::RehearsalError;
use crate::rehearsal::queries::server_error;
use crate::rehearsal::report::{MigrationRun, ServerError, Status};

/// Who opened the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    Nobody,
    /// The tool, around the migration or the run.
    Runner,
    /// The server, around a query string of several statements.
    Unit,
    /// The file says BEGIN.
    File,
}

impl Executor<'_> {
    pub(super) fn control(
        &mut self,
        control: &TransactionControl,
        sql: &str,
        session: &mut Session,
        observer: &mut dyn Observer,
        run: &mut MigrationRun,
    ) -> Result<Went, RehearsalError> {
        match control {
            TransactionControl::Begin if session.open == Open::Unit => {
                // The query string's implicit transaction becomes this one.
                session.open = Open::File;
                return Ok(Went::On);
            }
            TransactionControl::Begin if session.open == Open::Nobody => {
                session.transaction = self.next_transaction;
                self.next_transaction += 1;
                session.inside.clear();
                session.inserted.clear();
                session.open = Open::File;
            }
            _ => {}
        }
        let ends = matches!(
            control,
            TransactionControl::Commit { chain: false }
                | TransactionControl::Rollback { chain: false }
                | TransactionControl::Prepare
        );
        let started = self.place.now();
        let answer = session.client.batch_execute(sql);
        let now = self.place.now();
        self.worked(started, now);
        run.seconds += now - started;
        if let Err(error) = answer {
            attach(run, Some(server_error(&error)));
            self.roll_back(session)?;
            return Ok(Went::Failed);
        }
        if ends {
            session.open = Open::Nobody;
            self.watch.transaction_ended(now);
            self.after_commit(session, observer)?;
        }
        Ok(Went::On)
    }

    pub(super) fn begin(&mut self, session: &mut Session, by: Open) -> Result<f64, RehearsalError> {
        let started = self.place.now();
        session
            .client
            .batch_execute("BEGIN")
            .map_err(|source| RehearsalError::server("begin a transaction", source))?;
        session.open = by;
        session.transaction = self.next_transaction;
        self.next_transaction += 1;
        session.inside.clear();
        session.inserted.clear();
        let now = self.place.now();
        self.worked(started, now);
        Ok(now - started)
    }

    /// Commits; gives how long that took, and what the server said against it.
    pub(super) fn commit(
        &mut self,
        session: &mut Session,
        observer: &mut dyn Observer,
    ) -> Result<(f64, Option<ServerError>), RehearsalError> {
        let started = self.place.now();
        let answer = session.client.batch_execute("COMMIT");
        let now = self.place.now();
        self.worked(started, now);
        session.open = Open::Nobody;
        self.watch.transaction_ended(now);
        match answer {
            Ok(()) => {
                self.after_commit(session, observer)?;
                Ok((now - started, None))
            }
            Err(error) => {
                self.refresh()?;
                Ok((now - started, Some(server_error(&error))))
            }
        }
    }

    pub(super) fn roll_back(&mut self, session: &mut Session) -> Result<(), RehearsalError> {
        if session.open != Open::Nobody {
            // A connection that broke has nothing to roll back.
            let _ = session.client.batch_execute("ROLLBACK");
        }
        session.open = Open::Nobody;
        session.inside.clear();
        self.watch.transaction_ended(self.place.now());
        self.refresh()
    }

    pub(super) fn after_commit(
        &mut self,
        session: &mut Session,
        observer: &mut dyn Observer,
    ) -> Result<(), RehearsalError> {
        let inside = std::mem::take(&mut session.inside);
        if !inside.is_empty() {
            self.refresh()?;
            observer.committed(&inside)?;
        }
        Ok(())
    }
}

/// Puts an error that came with the commit at the last statement; whether there was one.
pub(super) fn attach(run: &mut MigrationRun, error: Option<ServerError>) -> bool {
    let Some(error) = error else { return false };
    run.status = Status::Failed;
    if let Some(last) = run.statements.last_mut() {
        last.status = Status::Failed;
        last.error = Some(error);
    }
    true
}
