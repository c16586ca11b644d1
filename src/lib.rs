//! rollsafe: can this PostgreSQL change go out, and can we get back if it fails?
//!
//! The library behind the `rollsafe` binary. `migration` reads SQL and computes what it locks,
//! rewrites, destroys and breaks; `backup` reads pg_dump archives and proves them whole; `postgres`
//! starts and talks to servers; `snapshot` is what is known of a live database, as plain data; `report` writes what was found. `migration` and `backup` don't know
//! each other.

pub mod amount;
pub mod backup;
pub mod baseline;
pub mod cli;
pub mod config;
pub mod files;
pub mod finding;
pub mod gate;
pub mod git;
pub mod html;
pub mod lsp;
pub mod migration;
pub mod names;
pub mod pages;
pub mod patterns;
pub mod place;
pub mod postgres;
pub mod rehearsal;
pub mod report;
pub mod runbook;
pub mod setup;
pub mod snapshot;
pub mod source;
