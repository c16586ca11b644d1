//! The session that runs migrations: search_path, settings in force, the open transaction and the locks it holds.

use compact_str::CompactString;
use rustc_hash::FxHashMap;

use super::catalog::{PUBLIC, QName};
use super::lock_mode::LockMode;
use super::statement::{Query, SetScope, SetSetting, TransactionControl};
use crate::source::Span;

/// Who opened a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// An explicit BEGIN.
    Begin,
    /// The migration tool.
    Runner,
    /// Nobody: several statements in one query string make an implicit one.
    Implicit,
    /// Nobody: a DO block or function runs in that of the statement that runs it, and a COMMIT in it may end that.
    Block,
}

/// A lock that the open transaction holds.
#[derive(Clone, Debug)]
pub struct HeldLock {
    /// On what.
    pub relation: QName,
    /// How strong.
    pub mode: LockMode,
    /// The statement that took it, by its place in the migration.
    pub statement: usize,
    /// The migration, by its place in the order.
    pub migration: u32,
    /// Where in that migration's file.
    pub span: Span,
}

/// The locks that the open transaction holds, in the order in which relations were first locked.
#[derive(Clone, Debug, Default)]
pub struct HeldLocks {
    locks: Vec<HeldLock>,
    /// Where in `locks` a relation's is.
    places: FxHashMap<QName, usize>,
}

impl HeldLocks {
    /// Adds a lock, or makes the one on the same relation stronger.
    pub fn take(&mut self, lock: HeldLock) {
        match self.places.get(&lock.relation) {
            Some(&at) => {
                let held = &mut self.locks[at]; // places are those of `locks`
                if held.mode < lock.mode {
                    *held = lock;
                }
            }
            None => {
                self.places.insert(lock.relation.clone(), self.locks.len());
                self.locks.push(lock);
            }
        }
    }

    /// The mode in which a relation is locked.
    pub fn mode_on(&self, relation: &QName) -> Option<LockMode> {
        self.places.get(relation).map(|&at| self.locks[at].mode) // places are those of `locks`
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, HeldLock> {
        self.locks.iter()
    }

    /// How many relations are locked.
    pub fn len(&self) -> usize {
        self.locks.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.locks.is_empty()
    }

    /// Lets go of all but the first `count`: ROLLBACK TO.
    pub fn truncate(&mut self, count: usize) {
        for released in self.locks.drain(count.min(self.locks.len())..) {
            self.places.remove(&released.relation);
        }
    }

    fn clear(&mut self) {
        self.locks.clear();
        self.places.clear();
    }
}

/// A timeout setting as it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Never set by what was read.
    Unset,
    /// 0: off.
    Off,
    /// In milliseconds.
    Milliseconds(u64),
    /// Set to something that isn't a constant (a placeholder, an expression).
    Unknown,
}

#[derive(Clone, Debug, PartialEq)]
struct Setting {
    /// `None`: the default, as after RESET.
    value: Option<String>,
}

/// What a session is like at one statement.
#[derive(Clone, Debug)]
pub struct Session {
    /// Schemas in which unqualified names are looked for, in order.
    pub search_path: Vec<CompactString>,
    settings: FxHashMap<CompactString, Setting>,
    /// Settings before the transaction, restored by ROLLBACK.
    at_begin: Option<FxHashMap<CompactString, Setting>>,
    /// SET LOCAL: what was in force before, restored when the transaction ends.
    local: Vec<(CompactString, Option<Setting>)>,
    opened: Option<Opened>,
    /// Whether the runner is unknown, so that no statement outside BEGIN can be placed.
    unknown: bool,
    /// A number for each transaction (outside one: for each statement) of the run.
    pub transaction: u32,
    /// The highest number given so far.
    highest: u32,
    /// Locks that the open transaction holds.
    pub held: HeldLocks,
    /// PREPARE: queries by name.
    pub prepared: FxHashMap<CompactString, Query>,
}

impl Default for Session {
    fn default() -> Self {
        Session {
            search_path: vec![PUBLIC.into()],
            settings: FxHashMap::default(),
            at_begin: None,
            local: Vec::new(),
            opened: None,
            unknown: false,
            transaction: 1,
            highest: 1,
            held: HeldLocks::default(),
            prepared: FxHashMap::default(),
        }
    }
}

impl Session {
    /// Whether a statement runs in a transaction together with others; `None` where only the unknown
    /// runner could tell.
    pub fn in_transaction(&self) -> Option<bool> {
        match self.opened {
            Some(_) => Some(true),
            None if self.unknown => None,
            None => Some(false),
        }
    }

    /// Who opened the transaction that is open.
    pub fn opened(&self) -> Option<Opened> {
        self.opened
    }

    /// A DO block or function runs: always in a transaction.
    pub fn enter_block(&mut self) {
        self.opened.get_or_insert(Opened::Block);
    }

    /// It has run.
    pub fn leave_block(&mut self) {
        if self.opened == Some(Opened::Block) {
            self.opened = None;
            // Where the runner isn't known, its transaction may go on.
            if !self.unknown {
                self.end_local();
                self.refresh_search_path();
            }
        }
    }

    /// The runner isn't known: outside BEGIN, nothing is said about transactions.
    pub fn set_unknown_runner(&mut self, unknown: bool) {
        self.unknown = unknown;
    }

    /// A transaction begins.
    pub fn begin(&mut self, by: Opened) {
        self.opened = Some(by);
        self.number();
        self.at_begin = Some(self.settings.clone());
    }

    /// The transaction ends; `commit` false: settings made in it are undone.
    pub fn end(&mut self, commit: bool) {
        if commit {
            self.end_local();
        } else if let Some(before) = self.at_begin.take() {
            self.settings = before;
            self.local.clear();
        }
        self.refresh_search_path();
        self.at_begin = None;
        self.opened = None;
        self.held.clear();
        self.number();
    }

    /// What SET LOCAL had set is as before.
    fn end_local(&mut self) {
        for (name, before) in std::mem::take(&mut self.local).into_iter().rev() {
            match before {
                Some(setting) => self.settings.insert(name, setting),
                None => self.settings.remove(&name),
            };
        }
    }

    /// A statement has run outside any transaction: its locks are gone, and the next one is another transaction.
    pub fn end_statement(&mut self) {
        if self.opened.is_none() {
            self.held.clear();
            self.number();
        }
    }

    fn number(&mut self) {
        self.highest = self.highest.max(self.transaction) + 1;
        self.transaction = self.highest;
    }

    /// The highest number that a transaction got so far.
    pub fn highest(&self) -> u32 {
        self.highest.max(self.transaction)
    }

    /// Numbers up to this one have been given elsewhere.
    pub fn skip_to(&mut self, number: u32) {
        self.highest = self.highest.max(number);
    }

    /// SET, RESET.
    pub fn set(&mut self, set: &SetSetting) {
        let Some(name) = &set.name else {
            self.settings.clear();
            self.local.clear();
            self.refresh_search_path();
            return;
        };
        self.assign(name, set.value.clone(), set.scope == SetScope::Local);
    }

    /// Sets `name`; `None` is the default. `local`: until the transaction ends (without one: not at all).
    pub fn assign(&mut self, name: &str, value: Option<String>, local: bool) {
        let name = CompactString::from(name);
        if local {
            if self.opened.is_none() && !self.unknown {
                return;
            }
            self.local.push((name.clone(), self.settings.get(&name).cloned()));
        } else {
            // A SET after a SET LOCAL is what stays (manual, SET: "… if issued after SET LOCAL").
            self.local.retain(|(other, _)| *other != name);
        }
        self.settings.insert(name, Setting { value });
        self.refresh_search_path();
    }

    fn refresh_search_path(&mut self) {
        let path = self.settings.get("search_path").and_then(|setting| setting.value.as_deref());
        self.search_path = match path {
            None => vec![PUBLIC.into()],
            Some(list) => {
                let schemas: Vec<CompactString> = list
                    .split(',')
                    .map(|schema| schema.trim().trim_matches('"'))
                    .filter(|schema| !schema.is_empty() && *schema != "$user" && *schema != "pg_catalog")
                    .map(CompactString::from)
                    .collect();
                // `set_config('search_path', '', false)` of pg_dump: every name is qualified from here on.
                if schemas.is_empty() { vec![PUBLIC.into()] } else { schemas }
            }
        };
    }

    /// The value of a setting, if something set it.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name)?.value.as_deref()
    }

    /// `lock_timeout` as it is in force.
    pub fn lock_timeout(&self) -> Timeout {
        self.timeout("lock_timeout")
    }

    /// `statement_timeout` as it is in force.
    pub fn statement_timeout(&self) -> Timeout {
        self.timeout("statement_timeout")
    }

    fn timeout(&self, name: &str) -> Timeout {
        let Some(value) = self.setting(name) else { return Timeout::Unset };
        match milliseconds(value) {
            Some(0) => Timeout::Off,
            Some(ms) => Timeout::Milliseconds(ms),
            None => Timeout::Unknown,
        }
    }

    /// BEGIN, COMMIT and their kin. ROLLBACK TO keeps locks here: it releases those taken since the savepoint,
    /// which the caller knows.
    pub fn control(&mut self, control: &TransactionControl) {
        match control {
            TransactionControl::Begin => {
                if self.opened.is_none() {
                    self.begin(Opened::Begin);
                }
            }
            TransactionControl::Commit { chain } => {
                self.end(true);
                if *chain {
                    self.begin(Opened::Begin);
                }
            }
            TransactionControl::Rollback { chain } => {
                self.end(false);
                if *chain {
                    self.begin(Opened::Begin);
                }
            }
            TransactionControl::Prepare => self.end(true),
            TransactionControl::Savepoint(_)
            | TransactionControl::Release(_)
            | TransactionControl::RollbackTo(_)
            | TransactionControl::CommitPrepared
            | TransactionControl::RollbackPrepared => {}
        }
    }
}

/// A time as PostgreSQL's settings write it: `5000` (milliseconds), `'5s'`, `'1 min'`.
pub fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let factor = match unit.trim() {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1_000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Some((number * factor).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_local_ends_with_its_transaction() {
        let mut session = Session::default();
        session.assign("lock_timeout", Some("1s".into()), true);
        assert_eq!(session.lock_timeout(), Timeout::Unset, "without a transaction it has no effect");
        session.begin(Opened::Begin);
        session.assign("lock_timeout", Some("1s".into()), true);
        assert_eq!(session.lock_timeout(), Timeout::Milliseconds(1000));
        session.end(true);
        assert_eq!(session.lock_timeout(), Timeout::Unset);
    }

    #[test]
    fn rollback_undoes_set() {
        let mut session = Session::default();
        session.assign("lock_timeout", Some("5s".into()), false);
        session.begin(Opened::Begin);
        session.assign("lock_timeout", Some("0".into()), false);
        assert_eq!(session.lock_timeout(), Timeout::Off);
        session.end(false);
        assert_eq!(session.lock_timeout(), Timeout::Milliseconds(5000));
        session.assign("lock_timeout", None, false);
        assert_eq!(session.lock_timeout(), Timeout::Unset);
    }

    #[test]
    fn times() {
        assert_eq!(milliseconds("1.5s"), Some(1500));
        assert_eq!(milliseconds(" 2 min "), Some(120_000));
        assert_eq!(milliseconds("soon"), None);
    }
}
