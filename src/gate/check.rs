//! A check: one question with a value, a limit and an answer. All that there are, in the order of reports.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The value is within its limit.
    Yes,
    /// It isn't.
    No,
    /// It could not be looked at. Never a yes.
    NotChecked,
    /// Left out, as somebody asked for by name.
    LeftOut,
}

impl Answer {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::NotChecked => "not checked",
            Answer::LeftOut => "left out",
        }
    }
}

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The pending migrations.
    Migrations,
    /// The backup one would fall back on.
    Backup,
    /// The rehearsal of the release.
    Rehearsal,
    /// The live server.
    Live,
}

impl Group {
    /// All, in the order of reports.
    pub const ALL: [Group; 4] = [Group::Migrations, Group::Backup, Group::Rehearsal, Group::Live];

    /// The word for it in reports and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Group::Migrations => "migrations",
            Group::Backup => "backup",
            Group::Rehearsal => "rehearsal",
            Group::Live => "live",
        }
    }
}

/// A check that the gate makes.
#[derive(Debug)]
pub struct Known {
    /// Its name, for flags and machines.
    pub id: &'static str,
    /// What it is about.
    pub group: Group,
    /// The question, in a word or two.
    pub title: &'static str,
    /// What is held against which limit, in one sentence.
    pub about: &'static str,
}

/// All checks, in the order in which they are reported.
#[rustfmt::skip]
pub static CHECKS: &[Known] = &[
    Known { id: "pending", group: Group::Migrations, title: "pending migrations", about: "which migrations this release runs is known" },
    Known { id: "understood", group: Group::Migrations, title: "statements understood", about: "every statement was read; what isn't understood isn't judged" },
    Known { id: "lint", group: Group::Migrations, title: "lint errors", about: "the linter finds no error that nobody has accepted" },
    Known { id: "risk", group: Group::Migrations, title: "highest risk", about: "no risk (probability in percent × impact ÷ 10) reaches the limit unless it is accepted with a reason" },
    Known { id: "backup_verified", group: Group::Backup, title: "backup verified", about: "every block and row was read and nothing is wrong" },
    Known { id: "backup_restored", group: Group::Backup, title: "restore tried", about: "it was restored into a throw-away server within the limit, and what arrived was equal" },
    Known { id: "backup_age", group: Group::Backup, title: "backup age", about: "it is younger than the limit" },
    Known { id: "backup_size", group: Group::Backup, title: "backup size", about: "it is at least as large as the limit" },
    Known { id: "backup_tables", group: Group::Backup, title: "tables with rows", about: "it holds at least as many tables with rows as the limit" },
    Known { id: "coverage", group: Group::Backup, title: "coverage", about: "each table that the migrations destroy or write anew is in it, with rows" },
    Known { id: "rehearsed", group: Group::Rehearsal, title: "rehearsal complete", about: "the release was rehearsed, way back included, and nothing was left unlooked at" },
    Known { id: "rehearsal_age", group: Group::Rehearsal, title: "rehearsal age", about: "the rehearsal is younger than the limit" },
    Known { id: "rehearsal_matches", group: Group::Rehearsal, title: "same release", about: "the rehearsal ran these migrations and their ways back, by their checksums, on this backup" },
    Known { id: "migrations_ran", group: Group::Rehearsal, title: "migrations ran", about: "every pending migration ran to its end" },
    Known { id: "migration_time", group: Group::Rehearsal, title: "migration time", about: "all migrations together stay below the limit" },
    Known { id: "read_stall", group: Group::Rehearsal, title: "longest stall of reads", about: "reads of no table stand still for longer than the limit" },
    Known { id: "write_stall", group: Group::Rehearsal, title: "longest stall of writes", about: "writes to no table stand still for longer than the limit" },
    Known { id: "queries", group: Group::Rehearsal, title: "queries prepare", about: "every query of the application that prepares before still does after the migrations" },
    Known { id: "way_back", group: Group::Rehearsal, title: "way back", about: "at least one way back, by down migrations or by the backup, ran to its end" },
    Known { id: "way_back_time", group: Group::Rehearsal, title: "time of the way back", about: "each way back that works stays below the limit" },
    Known { id: "back_as_before", group: Group::Rehearsal, title: "as before", about: "after a way back schema and rows are as they were before" },
    Known { id: "rehearsal_errors", group: Group::Rehearsal, title: "rehearsal errors", about: "the rehearsal found no error that nobody has accepted" },
    Known { id: "live_primary", group: Group::Live, title: "primary", about: "the server is the primary and takes writes" },
    Known { id: "server_version", group: Group::Live, title: "server version", about: "the live server's major version is the one rehearsed on" },
    Known { id: "tables_there", group: Group::Live, title: "affected tables", about: "the tables that the migrations lock are there" },
    Known { id: "long_transactions", group: Group::Live, title: "oldest transaction", about: "no transaction has been open for longer than the limit" },
    Known { id: "idle_in_transaction", group: Group::Live, title: "idle in transaction", about: "no session has been idle in its transaction for longer than the limit" },
    Known { id: "blockers", group: Group::Live, title: "locks in the way", about: "no session has held a lock that the migrations have to wait for, for longer than the limit" },
    Known { id: "lock_waits", group: Group::Live, title: "waits for locks", about: "nobody waits for a lock on an affected table" },
    Known { id: "prepared_transactions", group: Group::Live, title: "prepared transactions", about: "no prepared transaction is left over: it holds its locks until somebody ends it" },
    Known { id: "free_connections", group: Group::Live, title: "free connections", about: "at least as many connections are free as the limit" },
    Known { id: "replication_lag", group: Group::Live, title: "replication lag", about: "no replica is further behind than the limit" },
    Known { id: "replication_slots", group: Group::Live, title: "replication slots", about: "no slot is lost or holds back more WAL than the limit" },
    Known { id: "invalid_indexes", group: Group::Live, title: "invalid indexes", about: "no affected table has an index that a failed CONCURRENTLY left behind" },
    Known { id: "disk_free", group: Group::Live, title: "free disk", about: "there is room for what the migrations write anew, times the factor" },
    Known { id: "wraparound", group: Group::Live, title: "autovacuum to prevent wraparound", about: "none runs on an affected table: it doesn't yield to the migrations" },
];

/// The check of this name; dashes are taken for underscores.
pub fn known(id: &str) -> Option<&'static Known> {
    let id = id.replace('-', "_");
    CHECKS.iter().find(|check| check.id == id)
}

/// A check as it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// [`Known::id`]
    pub id: Cow<'static, str>,
    /// What it is about.
    pub group: Group,
    /// The question, in a word or two.
    pub title: Cow<'static, str>,
    /// What was found.
    pub value: String,
    /// What it was held against.
    pub limit: String,
    /// What it came to.
    pub answer: Answer,
    /// Why it is no yes, and what to do: a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What stands behind the value, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Check {
    /// A check of [`CHECKS`]. `id` is a name written in this crate; a test goes through all of them.
    pub fn new(
        id: &'static str,
        value: impl Into<String>,
        limit: impl Into<String>,
        answer: Answer,
    ) -> Check {
        let (group, title) = known(id).map_or((Group::Live, id), |known| (known.group, known.title));
        Check {
            id: id.into(),
            group,
            title: title.into(),
            value: value.into(),
            limit: limit.into(),
            answer,
            reason: None,
            details: Vec::new(),
        }
    }

    /// Yes or no.
    pub fn judged(id: &'static str, value: impl Into<String>, limit: impl Into<String>, yes: bool) -> Check {
        Check::new(id, value, limit, if yes { Answer::Yes } else { Answer::No })
    }

    /// Not looked at, and why not.
    pub fn not_checked(id: &'static str, limit: impl Into<String>, reason: impl Into<String>) -> Check {
        let mut check = Check::new(id, "–", limit, Answer::NotChecked);
        check.reason = Some(reason.into());
        check
    }

    /// Says why, where the answer is no yes.
    pub fn because(mut self, reason: impl Into<String>) -> Check {
        if self.answer != Answer::Yes {
            self.reason = Some(reason.into());
        }
        self
    }

    /// Adds what stands behind the value.
    pub fn with(mut self, details: impl IntoIterator<Item = String>) -> Check {
        self.details.extend(details);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_groups_stand_together() {
        let mut seen = std::collections::HashSet::new();
        assert!(CHECKS.iter().all(|check| seen.insert(check.id)));
        assert!(CHECKS.is_sorted_by_key(|check| check.group));
        assert!(CHECKS.iter().all(|check| !Group::ALL.iter().any(|group| group.as_str() == check.id)));
    }
}
