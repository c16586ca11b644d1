//! Commands that define nothing: TRUNCATE, LOCK, VACUUM, COPY, SET, transactions, DO.

use compact_str::CompactString;

use super::{Ident, Name, Problem, Query, Statement};
use crate::migration::lock_mode::LockMode;
use crate::source::Span;

/// TRUNCATE.
#[derive(Clone, Debug)]
pub struct Truncate {
    pub tables: Vec<(Name, bool)>,
    pub restart_identity: bool,
    pub cascade: bool,
}

/// LOCK TABLE.
#[derive(Clone, Debug)]
pub struct LockTable {
    /// Names with ONLY.
    pub tables: Vec<(Name, bool)>,
    pub mode: LockMode,
    pub nowait: bool,
}

/// VACUUM.
#[derive(Clone, Debug, Default)]
pub struct Vacuum {
    pub full: bool,
    pub freeze: bool,
    pub analyze: bool,
    pub tables: Vec<Name>,
    pub only: bool,
}

/// REINDEX.
#[derive(Clone, Debug)]
pub struct Reindex {
    pub target: ReindexTarget,
    pub name: Option<Name>,
    pub concurrently: bool,
    /// The word INDEX, TABLE …, which CONCURRENTLY follows.
    pub target_span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReindexTarget {
    Index,
    Table,
    Schema,
    Database,
    System,
}

/// COPY.
#[derive(Clone, Debug)]
pub struct Copy {
    /// `None`: COPY (query) TO.
    pub table: Option<Name>,
    pub columns: Vec<Ident>,
    pub query: Option<Query>,
    pub from: bool,
    /// PROGRAM '…'.
    pub program: bool,
    /// FROM STDIN: rows that follow in the file, and where they are.
    pub data: Option<Span>,
    pub rows: u64,
}

/// SET, RESET.
#[derive(Clone, Debug)]
pub struct SetSetting {
    /// Folded; `None`: RESET ALL. `SET TIME ZONE` is `timezone`; `SET ROLE`, `SESSION AUTHORIZATION`
    /// are `role`, `session_authorization`.
    pub name: Option<CompactString>,
    pub scope: SetScope,
    /// `None`: TO DEFAULT, RESET, FROM CURRENT. A list is joined with `, `, each item unquoted.
    pub value: Option<String>,
    /// SET TRANSACTION, SET SESSION CHARACTERISTICS.
    pub transaction: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetScope {
    Session,
    Local,
}

/// BEGIN and its kin.
#[derive(Clone, Debug, PartialEq)]
pub enum TransactionControl {
    Begin,
    /// COMMIT, END; `chain`: AND CHAIN.
    Commit {
        chain: bool,
    },
    /// ROLLBACK, ABORT.
    Rollback {
        chain: bool,
    },
    Savepoint(Ident),
    Release(Ident),
    RollbackTo(Ident),
    Prepare,
    CommitPrepared,
    RollbackPrepared,
}

/// DO.
#[derive(Clone, Debug)]
pub struct DoBlock {
    pub language: CompactString,
    /// The block, read where the language is plpgsql.
    pub routine: Option<Routine>,
}

/// A PL/pgSQL (or SQL) body: the statements inside, in order, with their place in control flow.
#[derive(Clone, Debug, Default)]
pub struct Routine {
    pub statements: Vec<Inner>,
    /// Dynamic SQL that could not be read, calls left unresolved: where.
    pub dynamic: Vec<Span>,
    /// Parts of the body that could not be read.
    pub problems: Vec<Problem>,
}

/// A statement inside a routine.
#[derive(Clone, Debug)]
pub struct Inner {
    /// Spans are in the file where the body's text is verbatim (dollar quotes); else they all cover
    /// the whole literal.
    pub statement: Statement,
    /// In an IF, CASE, EXCEPTION handler: may not run.
    pub conditional: bool,
    /// The innermost loop around it, as an index into nothing: only whether there is one.
    pub in_loop: bool,
    /// The loop around it commits in each round.
    pub loop_commits: bool,
    /// Constants say how many rounds each loop around it has, and they are few.
    pub few_rounds: bool,
    /// It came from EXECUTE of a literal or `format` with constant parts.
    pub dynamic: bool,
    /// Parts of the dynamic text were not constant; names may be placeholders.
    pub partial: bool,
}
