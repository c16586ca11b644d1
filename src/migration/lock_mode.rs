//! PostgreSQL's table lock modes and what they block.
//!
//! Source: PostgreSQL manual, "Explicit Locking", table "Conflicting Lock Modes" (the same from 12 to 18).

use std::fmt;

/// A table-level lock mode; the order is the order of strength in `lockdefs.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum LockMode {
    AccessShare = 1,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl LockMode {
    /// All modes, weakest first.
    pub const ALL: [LockMode; 8] = [
        LockMode::AccessShare,
        LockMode::RowShare,
        LockMode::RowExclusive,
        LockMode::ShareUpdateExclusive,
        LockMode::Share,
        LockMode::ShareRowExclusive,
        LockMode::Exclusive,
        LockMode::AccessExclusive,
    ];

    /// As the manual spells it, without the final LOCK.
    pub fn as_str(self) -> &'static str {
        match self {
            LockMode::AccessShare => "ACCESS SHARE",
            LockMode::RowShare => "ROW SHARE",
            LockMode::RowExclusive => "ROW EXCLUSIVE",
            LockMode::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            LockMode::Share => "SHARE",
            LockMode::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            LockMode::Exclusive => "EXCLUSIVE",
            LockMode::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// From the manual's spelling, or `pg_locks.mode` ("AccessExclusiveLock").
    pub fn from_name(name: &str) -> Option<LockMode> {
        let name = name.strip_suffix("Lock").unwrap_or(name);
        let bare =
            |s: &str| s.chars().filter(|c| c.is_ascii_alphabetic()).collect::<String>().to_ascii_lowercase();
        LockMode::ALL.into_iter().find(|mode| bare(mode.as_str()) == bare(name))
    }

    /// Whether the two modes conflict.
    pub fn conflicts_with(self, other: LockMode) -> bool {
        use LockMode::*;
        let (weak, strong) = if self <= other { (self, other) } else { (other, self) };
        match weak {
            AccessShare => strong == AccessExclusive,
            RowShare => strong >= Exclusive,
            RowExclusive => strong >= Share,
            ShareUpdateExclusive => strong >= ShareUpdateExclusive,
            Share => strong >= ShareRowExclusive || strong == ShareUpdateExclusive,
            ShareRowExclusive | Exclusive | AccessExclusive => true,
        }
    }

    /// SELECT has to wait.
    pub fn blocks_reads(self) -> bool {
        self.conflicts_with(LockMode::AccessShare)
    }

    /// INSERT, UPDATE and DELETE have to wait.
    pub fn blocks_writes(self) -> bool {
        self.conflicts_with(LockMode::RowExclusive)
    }

    /// What has to wait, in words: "reads and writes", "writes", "other schema changes and VACUUM".
    pub fn blocks(self) -> &'static str {
        if self.blocks_reads() {
            "reads and writes"
        } else if self.blocks_writes() {
            "writes"
        } else if self >= LockMode::ShareUpdateExclusive {
            "other schema changes and VACUUM"
        } else {
            "nothing that an application does"
        }
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_the_manuals() {
        use LockMode::*;
        // One row per mode, as in the manual's table.
        let table: [(LockMode, &[LockMode]); 8] = [
            (AccessShare, &[AccessExclusive]),
            (RowShare, &[Exclusive, AccessExclusive]),
            (RowExclusive, &[Share, ShareRowExclusive, Exclusive, AccessExclusive]),
            (
                ShareUpdateExclusive,
                &[ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive],
            ),
            (Share, &[RowExclusive, ShareUpdateExclusive, ShareRowExclusive, Exclusive, AccessExclusive]),
            (
                ShareRowExclusive,
                &[RowExclusive, ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive],
            ),
            (
                Exclusive,
                &[
                    RowShare,
                    RowExclusive,
                    ShareUpdateExclusive,
                    Share,
                    ShareRowExclusive,
                    Exclusive,
                    AccessExclusive,
                ],
            ),
            (AccessExclusive, &LockMode::ALL),
        ];
        for (mode, conflicts) in table {
            for other in LockMode::ALL {
                assert_eq!(mode.conflicts_with(other), conflicts.contains(&other), "{mode} and {other}");
            }
        }
    }

    #[test]
    fn names_from_both_sources() {
        assert_eq!(LockMode::from_name("AccessExclusiveLock"), Some(LockMode::AccessExclusive));
        assert_eq!(LockMode::from_name("SHARE UPDATE EXCLUSIVE"), Some(LockMode::ShareUpdateExclusive));
        assert_eq!(LockMode::from_name("x"), None);
    }
}
