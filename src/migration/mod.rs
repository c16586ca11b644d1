//! Migrations: from SQL text to what each statement does to the database.

pub mod lock_mode;
pub mod parse;
pub mod statement;
