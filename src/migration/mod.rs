//! Migrations: from SQL text to what each statement does to the database.

pub mod catalog;
pub mod effects;
pub mod lock_mode;
pub mod parse;
pub mod rules;
pub mod session;
pub mod statement;
