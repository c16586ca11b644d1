//! PostgreSQL itself: versions, the programs installed here, and throw-away servers.
//!
//! The only part of rollsafe that starts processes. Everything started has a time limit and ends
//! with rollsafe, however rollsafe ends.

pub mod child;
pub mod cluster;
pub mod connection;
mod directory;
pub mod ephemeral;
mod guard;
pub mod guest;
mod interrupt;
pub mod psql;
pub mod snapshot;
pub mod sql_text;
mod template;
pub mod tools;
pub mod unprivileged;
pub mod version;

/// To be called before a result is told: where a signal is about to end the process, what was done last failed
/// because its server was taken away, and nobody wants to hear of it. Doesn't come back then.
pub fn give_way_to_signals() {
    interrupt::give_way();
}
