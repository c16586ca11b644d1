//! The rehearsal of a release: the backup is restored, the pending migrations run and are measured, and both
//! ways back are tried.

pub mod report;
