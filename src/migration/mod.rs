//! Migrations: from SQL text to what each statement does to the database.

pub mod catalog;
pub mod cost;
pub mod custom;
pub mod desk;
pub mod effects;
pub mod fix;
mod kind;
pub mod lint;
pub mod live;
pub mod lock_mode;
#[allow(clippy::module_inception)]
pub mod migration;
pub mod parse;
pub mod project;
mod returns;
pub mod rules;
pub mod session;
pub mod squawk;
pub mod statement;
pub mod suppress;
mod walk;
